# Looks inside attention without keeping its matrix of weights: a script in cells, as notebooks and
# editors run them. Needs NumPy.

# %% A sequence in which some tokens repeat: 400 of 12 kinds, and a head that seeks its own kind.
import numpy as np

import foveal
from foveal import masks

random = np.random.default_rng(7)
kinds = random.integers(0, 12, 400)
directions = np.eye(32)[:12]
x = (3 * directions[kinds] + 0.3 * random.normal(size=(400, 32))).astype("float32")
x = x.reshape(1, 1, 400, 32)  # (B, H, L, D)

# %% One pass gives the output, each row's largest weights and its entropy.
result = foveal.scaled_dot_product_attention(
    x, x, x, is_causal=True, scale=1.0, statistics={"top_k": 4, "entropy": True, "column_mass": True}
)
looked_at = result.statistics.top_k_keys[0, 0, 100:]
same = (kinds[looked_at] == kinds[100:, None]).mean()
print(f"of the 4 keys that each query weighs most, {same:.0%} are of its kind")

# %% Entropy says over how many keys a query spreads; the number of its kind grows as it goes.
spread = np.exp(result.statistics.entropy[0, 0])
for query in (50, 150, 399):
    seen = (kinds[: query + 1] == kinds[query]).sum()
    print(f"query {query}: {seen} keys of its kind so far, spread over {spread[query]:.1f}")

# %% The same for the last 64 tokens alone, as a mask; the linter would say if it hid nothing.
local = masks.causal() & masks.window(63, 0)
print(local, local.lint(1, 400, 400))
near = foveal.scaled_dot_product_attention(x, x, x, mask=local, scale=1.0, statistics=["maximum"])
change = np.abs(near.output - result.output).max()
print(f"the output changes by {change:.2f} at most")

# %% A plan says what that costs before it runs.
plan = foveal.plan(x.shape, x.shape, x.shape, mask=local, scale=1.0, target="portable")
print(plan.explain().splitlines()[2])
assert np.allclose(plan.run(x, x, x), near.output, atol=1e-5)
