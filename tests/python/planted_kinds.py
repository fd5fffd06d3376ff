"""The kinds of slips as planted_slips.py plants them: kind -> [(needs, make)]. `needs` are options of
Setup; make(setup, generator) gives the change: {step: function(right value, steps before)}."""

import math

import numpy as np

from planted_attention import join, softmax, split

DECIMALS = 4


def context_of(weights, values):
    return join(weights @ values)


KINDS = {}


def slip(kind, **needs):
    def register(make):
        KINDS.setdefault(kind, []).append((needs, make))
        return make
    return register


def every(change):
    """A change that takes nothing from the setup."""
    return lambda s, rng: change


slip("key_is_query")(every({"scores": lambda x, v: v["queries"] @ v["queries"].transpose(0, 2, 1)}))
slip("query_is_key")(every({"scores": lambda x, v: v["keys"] @ v["keys"].transpose(0, 2, 1)}))
slip("query_is_input", d_equals_d_in=True)(
    lambda s, rng: {"scores": lambda x, v: split(v["X"], s.H) @ v["keys"].transpose(0, 2, 1)})
slip("key_is_input", d_equals_d_in=True)(
    lambda s, rng: {"scores": lambda x, v: v["queries"] @ split(v["X"], s.H).transpose(0, 2, 1)})
slip("value_is_key")(every({"context": lambda x, v: context_of(v["dropped_weights"], v["keys"])}))
slip("value_is_input", d_equals_d_in=True)(
    lambda s, rng: {"context": lambda x, v: context_of(v["dropped_weights"], split(v["X"], s.H))})
slip("keys_and_values_swapped")(every({
    "scores": lambda x, v: v["queries"] @ v["values"].transpose(0, 2, 1),
    "context": lambda x, v: context_of(v["dropped_weights"], v["keys"])}))


@slip("wrong_weight_matrix")
def wrong_weight_matrix(s, rng):
    names = ["query", "key", "value"]
    steps = {"query": "queries", "key": "keys", "value": "values"}
    one, other = rng.permutation(names)[:2]
    bias = s.b.get(one, 0)
    return {steps[one]: lambda x, v: split(v["X"] @ s.W[other] + bias, s.H)}


@slip("weight_transposed", square=True)
def weight_transposed(s, rng):
    one = rng.choice(["query", "key", "value"])
    step = {"query": "queries", "key": "keys", "value": "values"}[one]
    return {step: lambda x, v: split(v["X"] @ s.W[one].T + s.b.get(one, 0), s.H)}


slip("key_not_transposed", tokens_as_features=True)(
    every({"scores": lambda x, v: v["queries"] @ v["keys"]}))
slip("product_transposed")(every({"scores": lambda x, v: x.transpose(0, 2, 1)}))
slip("weights_transposed_in_context")(
    every({"context": lambda x, v: context_of(v["dropped_weights"].transpose(0, 2, 1), v["values"])}))

slip("scale_missing")(every({"scaled_scores": lambda x, v: v["scores"]}))
slip("scale_extra", scale="none")(
    lambda s, rng: {"scaled_scores": lambda x, v: v["scores"] / math.sqrt(s.D)})
slip("scale_extra")(lambda s, rng: {"scores": lambda x, v: x / math.sqrt(s.D),
                                    "scaled_scores": lambda x, v: v["scores"]})
slip("scale_by_size")(lambda s, rng: {"scaled_scores": lambda x, v: v["scores"] / s.D})
slip("scale_by_width", heads=2)(
    lambda s, rng: {"scaled_scores": lambda x, v: v["scores"] / math.sqrt(s.d)})
slip("scale_inverted")(lambda s, rng: {"scaled_scores": lambda x, v: v["scores"] * math.sqrt(s.D)})
slip("scale_by_length")(lambda s, rng: {"scaled_scores": lambda x, v: v["scores"] / math.sqrt(s.L)})
slip("scale_after_softmax")(lambda s, rng: {"scaled_scores": lambda x, v: v["scores"],
                                            "weights": lambda x, v: x / math.sqrt(s.D)})

slip("softmax_axis")(every({"weights": lambda x, v: softmax(v["masked_scores"], 1)}))
slip("softmax_whole_matrix")(every({"weights": lambda x, v: np.stack([
    softmax(h.reshape(-1)).reshape(h.shape) for h in v["masked_scores"]])}))
slip("softmax_over_heads", heads=2, mask=False)(
    every({"weights": lambda x, v: softmax(v["masked_scores"], 0)}))
slip("softmax_missing")(every({"weights": lambda x, v: np.where(v["mask"], v["scaled_scores"], 0)}))


@slip("exp_missing")
def exp_missing(s, rng):
    def change(x, v):
        seen = np.where(v["mask"], v["scaled_scores"], 0)
        return seen / seen.sum(-1, keepdims=True)
    return {"weights": change}


slip("sum_missing")(every({"weights": lambda x, v: np.exp(v["masked_scores"])}))
slip("base_two")(every({"weights": lambda x, v: softmax(v["masked_scores"] * math.log(2))}))
slip("softmax_twice")(every({"weights": lambda x, v: softmax(x)}))


@slip("overflow")
def overflow(s, rng):
    s.X = s.X * 100
    def change(x, v):
        with np.errstate(over="ignore", invalid="ignore"):
            e = np.exp(v["masked_scores"].astype(np.float32)).astype(np.float64)
            return e / e.sum(-1, keepdims=True)
    return {"weights": change}


slip("mask_missing", mask=True)(every({"masked_scores": lambda x, v: v["scaled_scores"]}))
slip("mask_extra", mask=False)(lambda s, rng: {"masked_scores": lambda x, v: np.where(
    np.tril(np.ones((s.L, s.L), bool)), v["scaled_scores"], -np.inf)})


def other_mask(kind, make):
    def change(s, rng):
        mask = make(s.L)
        if rng.integers(2):
            return {"mask": lambda x, v: mask}
        return {"masked_scores": lambda x, v: np.where(mask, v["scaled_scores"], -np.inf)}
    slip(kind, mask=True)(change)


other_mask("mask_reversed", lambda n: ~np.tril(np.ones((n, n), bool)))
other_mask("mask_off_by_one", lambda n: np.tril(np.ones((n, n), bool), 1))
other_mask("own_token_masked", lambda n: np.tril(np.ones((n, n), bool), -1))
other_mask("mask_transposed", lambda n: np.triu(np.ones((n, n), bool)))
slip("mask_after_softmax", mask=True)(
    every({"weights": lambda x, v: softmax(v["scaled_scores"]) * v["mask"]}))
slip("mask_filled_with_zero", mask=True)(
    every({"masked_scores": lambda x, v: np.where(v["mask"], v["scaled_scores"], 0)}))


@slip("mask_fill_value", mask=True)
def mask_fill_value(s, rng):
    fill = rng.choice([-1.0, -10.0, -2.0, -5.0])
    return {"masked_scores": lambda x, v: np.where(v["mask"], v["scaled_scores"], fill)}


@slip("heads_reshaped", heads=2)
def heads_reshaped(s, rng):
    cut = lambda x, v: join(x).reshape(s.H, s.L, s.D)
    change = {n: cut for n in ("queries", "keys", "values")}
    if rng.integers(2):
        change["context"] = lambda x, v: (v["dropped_weights"] @ v["values"]).reshape(s.L, s.d)
    return change


@slip("heads_interleaved", heads=2)
def heads_interleaved(s, rng):
    cut = lambda x, v: join(x).reshape(s.L, s.D, s.H).transpose(2, 0, 1)
    change = {n: cut for n in ("queries", "keys", "values")}
    if rng.integers(2):
        change["context"] = lambda x, v: (v["dropped_weights"] @ v["values"]).transpose(
            1, 2, 0).reshape(s.L, s.d)
    return change


@slip("heads_order", heads=2)
def heads_order(s, rng):
    if rng.integers(2):
        return {n: lambda x, v: x[::-1] for n in ("queries", "keys", "values")}
    return {"context": lambda x, v: join((v["dropped_weights"] @ v["values"])[::-1])}


slip("heads_joined_without_transpose", heads=2)(lambda s, rng: {
    "context": lambda x, v: (v["dropped_weights"] @ v["values"]).reshape(s.L, s.d)})


@slip("one_head", heads=2, dropout=False)
def one_head(s, rng):
    def change(x, v):
        scores = join(v["queries"]) @ join(v["keys"]).T / math.sqrt(s.d)
        return softmax(np.where(v["mask"], scores, -np.inf)) @ join(v["values"])
    return {"context": change}


slip("heads_averaged", heads=2)(every(
    {"weights": lambda x, v: np.broadcast_to(x.mean(0, keepdims=True), x.shape)}))


@slip("head_reused", heads=2)
def head_reused(s, rng):
    h = int(rng.integers(2))
    return {"weights": lambda x, v: np.stack([x[h]] * 2)}


@slip("bias_missing", bias=True)
def bias_missing(s, rng):
    one = rng.choice(["query", "key", "value"])
    step = {"query": "queries", "key": "keys", "value": "values"}[one]
    return {step: lambda x, v: split(v["X"] @ s.W[one], s.H)}


@slip("bias_twice", bias=True)
def bias_twice(s, rng):
    one = rng.choice(["query", "key", "value"])
    step = {"query": "queries", "key": "keys", "value": "values"}[one]
    return {step: lambda x, v: split(v["X"] @ s.W[one] + 2 * s.b[one], s.H)}


@slip("bias_of_another", bias=True)
def bias_of_another(s, rng):
    one, other = rng.permutation(["query", "key", "value"])[:2]
    step = {"query": "queries", "key": "keys", "value": "values"}[one]
    return {step: lambda x, v: split(v["X"] @ s.W[one] + s.b[other], s.H)}


slip("projection_missing", projection=True, square=True)(every({"output": lambda x, v: v["context"]}))

slip("dropout_scale_missing", dropout=True)(
    lambda s, rng: {"dropped_weights": lambda x, v: v["weights"] * s.dropout_mask})
slip("dropout_scale_inverted", dropout=True)(lambda s, rng: {
    "dropped_weights": lambda x, v: v["weights"] * s.dropout_mask * (1 - s.dropout[0])})
slip("dropout_scale_by_p", dropout=True)(lambda s, rng: {
    "dropped_weights": lambda x, v: v["weights"] * s.dropout_mask / s.dropout[0]})
slip("dropout_ignored", dropout=True)(every({"dropped_weights": lambda x, v: v["weights"]}))
slip("dropout_mask_reversed", dropout=True)(lambda s, rng: {
    "dropped_weights": lambda x, v: v["weights"] * (1 - s.dropout_mask) / (1 - s.dropout[0])})


@slip("dropout_other_mask", dropout=True)
def dropout_other_mask(s, rng):
    mask = (rng.random((s.H, s.L, s.L)) >= s.dropout[0]).astype(float)
    return {"dropped_weights": lambda x, v: v["weights"] * mask / (1 - s.dropout[0])}


@slip("dropout_renormalised", dropout=True)
def dropout_renormalised(s, rng):
    def change(x, v):
        kept = v["weights"] * s.dropout_mask
        with np.errstate(invalid="ignore"):
            return kept / kept.sum(-1, keepdims=True)
    return {"dropped_weights": change}


# --- slips of one number, in a step drawn at random

def at_one_cell(kind, steps, make, propagates=True, **needs):
    def change(s, rng):
        step = rng.choice([n for n in steps if n in s.steps()])
        return {step: lambda x, v: make(x.copy(), v, rng, s, step)}
    slip(kind, **needs)(change)


def some_cell(x, rng, accept=lambda value: True):
    """A finite cell that is accepted, or None."""
    cells = [c for c in np.ndindex(x.shape) if math.isfinite(x[c]) and accept(x[c])]
    return cells[rng.integers(len(cells))] if cells else None


COMPUTED = ["queries", "keys", "values", "scores", "scaled_scores", "weights", "context", "output"]
def swap_digits(x, v, rng, s, step):
    cell = some_cell(x, rng)
    text = list(f"{x[cell]:.{DECIMALS}f}")
    places = [i for i in range(len(text) - 1) if text[i].isdigit() and text[i + 1].isdigit()
              and text[i] != text[i + 1]]
    if places:
        i = places[rng.integers(len(places))]
        text[i], text[i + 1] = text[i + 1], text[i]
        x[cell] = float("".join(text))
    return x


def lose_sign(x, v, rng, s, step):
    cell = some_cell(x, rng, lambda value: value < -1e-3)
    if cell is not None:
        x[cell] = -x[cell]
    return x


def move_point(x, v, rng, s, step):
    cell = some_cell(x, rng, lambda value: abs(value) > 1e-2)
    if cell is not None:
        x[cell] = x[cell] * rng.choice([10, 0.1])
    return x


def swap_cells(x, v, rng, s, step):
    matrix = x if x.ndim == 2 else x[rng.integers(x.shape[0])]
    row = rng.integers(matrix.shape[0])
    a, b = rng.permutation(matrix.shape[1])[:2]
    matrix[row, [a, b]] = matrix[row, [b, a]]
    return x


def shift_row(x, v, rng, s, step):
    matrix = x if x.ndim == 2 else x[rng.integers(x.shape[0])]
    row = rng.integers(matrix.shape[0] - 1)
    matrix[row] = matrix[row + 1]
    return x


def operands(step, cell, v, s):
    """Rows a and b whose products sum to the cell; and where b's matrix goes on."""
    head, i, j = cell if len(cell) == 3 else (0, *cell)
    if step == "queries":
        return v["X"][i], s.W["query"][:, head * s.D + j]
    if step == "keys":
        return v["X"][i], s.W["key"][:, head * s.D + j]
    if step == "values":
        return v["X"][i], s.W["value"][:, head * s.D + j]
    if step == "scores":
        return v["queries"][head, i], v["keys"][head, j]
    if step == "context":
        return v["dropped_weights"][j // s.D, i], v["values"][j // s.D, :, j % s.D]
    return v["context"][i], s.W_out[:, j]


def lose_term(x, v, rng, s, step):
    cell = some_cell(x, rng)
    a, b = operands(step, cell, v, s)
    k = rng.integers(len(a))
    x[cell] -= a[k] * b[k]
    return x


def misread(x, v, rng, s, step):
    cell = some_cell(x, rng)
    a, b = operands(step, cell, v, s)
    k = rng.integers(len(a))
    other = k + 1 if k + 1 < len(a) else k - 1
    if rng.integers(2):
        a, b = b, a
    x[cell] += (a[other] - a[k]) * b[k]
    return x


SUMS = ["queries", "keys", "values", "scores", "context", "output"]
at_one_cell("digits_swapped", COMPUTED, swap_digits)
at_one_cell("sign_lost", ["queries", "keys", "values", "scores", "scaled_scores", "context"], lose_sign)
at_one_cell("decimal_point", COMPUTED, move_point)
at_one_cell("cells_swapped", COMPUTED, swap_cells)
at_one_cell("row_shifted", COMPUTED, shift_row)
at_one_cell("term_lost", SUMS, lose_term)
at_one_cell("misread", SUMS, misread)


@slip("rounded_early")
def rounded_early(s, rng):
    steps = [n for n in ("queries", "keys", "values", "scores", "scaled_scores", "weights")
             if n in s.steps()]
    step, decimals = rng.choice(steps), int(rng.integers(0, 3))
    s.rounds = (step, decimals)
    return {"rounded": (step, decimals)}


@slip("cut")
def cut(s, rng):
    return {"cut": True}
