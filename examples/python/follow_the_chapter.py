# The chapter's attention on a sentence of six tokens, looked at from inside: a script in cells, as
# notebooks and editors run them. Needs NumPy.

# %% The chapter's tokens, and its class with its seed: the numbers are the book's.
import numpy as np

import foveal

tokens = ["Your", "journey", "starts", "with", "one", "step"]
x = np.array(
    [[0.43, 0.15, 0.89], [0.55, 0.87, 0.66], [0.57, 0.85, 0.64], [0.22, 0.58, 0.33], [0.77, 0.25, 0.10], [0.05, 0.80, 0.55]],
    "float32",
)
foveal.manual_seed(789)
layer = foveal.nn.SelfAttention_v2(3, 2)
context = layer(x)
print(context.round(4))

# %% The same run step by step. In a notebook, a cell that ends with `trace` shows the page: each number
# tells where it came from.
W = {name.removesuffix(".weight"): weight.T for name, weight in layer.state_dict().items()}
trace = foveal.explain(x, tokens=tokens, query="journey", **W)
trace
print(trace.cell("weights[1,0]"))
assert np.abs(trace["context"] - context).max() < 1e-6

# %% Numbers that a notebook prints, held against it: here the mask was put on after softmax, and
# the rows weren't divided by their new sums.
printed = np.tril(trace["weights"])
result = foveal.check(x, tokens=tokens, mask="causal", expected={"weights": printed}, decimals=4, **W)
print(result.agrees, {slip["slip_kind"] for slip in result.slips})

# %% Nine ways to write it with several heads: one result from one set of weights.
from foveal.nn import variants

sizes = dict(d_in=3, d_out=4, context_length=6, dropout=0.0, num_heads=2)
chapter = variants.Chapter(**sizes)
for name in variants.names():
    if name.startswith("packed"):
        continue  # these want d_in = d_out
    other = variants.make(name, **sizes)
    variants.convert(chapter, other)
    print(f"{name:20} differs by less than 1e-6: {np.abs(other(x[None]) - chapter(x[None])).max() < 1e-6}")
