"""Attention in numpy with one thing done differently: written apart from the library, so that what
`foveal check` says of it can be held against what was planted."""

import math

import numpy as np


def softmax(s, axis=-1):
    with np.errstate(invalid="ignore"):
        e = np.exp(s - s.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)


def split(x, heads):
    length, width = x.shape
    return x.reshape(length, heads, width // heads).transpose(1, 0, 2)


def join(x):
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


def rounded(x, decimals):
    return np.round(x, decimals)


class Setup:
    """One input, and its dropout mask as the command draws it."""

    def __init__(self, rng, *, heads, bias, mask, dropout, projection, scale="sqrt", square=False,
                 d_equals_d_in=False, tokens_as_features=False, hundredths=True):
        self.H = heads
        self.D = int(rng.integers(2, 5))
        self.L = int(rng.integers(3, 9))
        if tokens_as_features:
            self.D = int(rng.integers(3, 6))
            self.L = self.D
        self.d = self.H * self.D
        self.d_in = self.d if square or d_equals_d_in else int(rng.integers(2, 7))

        def draw(*shape):
            if hundredths:
                return rng.integers(-200, 201, shape) / 100
            return np.round(rng.normal(size=shape), 4)

        self.X = draw(self.L, self.d_in)
        self.W = {n: draw(self.d_in, self.d) for n in ("query", "key", "value")}
        self.b = {n: draw(self.d) for n in ("query", "key", "value")} if bias else {}
        self.mask = mask
        self.dropout = dropout
        self.scale = scale
        self.W_out = self.b_out = None
        if projection:
            self.W_out = draw(self.d, self.d if square else int(rng.integers(2, 6)))
            self.b_out = draw(self.W_out.shape[1]) if bias else None
        self.dropout_mask = None

    def document(self):
        doc = {"inputs": self.X.tolist(), "num_heads": self.H, "scale": self.scale}
        for name in self.W:
            doc[f"W_{name}"] = self.W[name].tolist()
            if name in self.b:
                doc[f"b_{name}"] = self.b[name].tolist()
        if self.mask:
            doc["mask"] = "causal"
        if self.dropout:
            doc["dropout"] = {"p": self.dropout[0], "seed": self.dropout[1]}
        if self.W_out is not None:
            doc["W_out"] = self.W_out.tolist()
            if self.b_out is not None:
                doc["b_out"] = self.b_out.tolist()
        return doc

    def factor(self):
        return 1 / math.sqrt(self.D) if self.scale == "sqrt" else 1.0

    def steps(self):
        """The steps that the command shows."""
        names = ["queries", "keys", "values", "scores"]
        if self.scale == "sqrt":
            names.append("scaled_scores")
        if self.mask:
            names += ["mask", "masked_scores"]
        names.append("weights")
        if self.dropout:
            names.append("dropped_weights")
        names.append("context")
        if self.W_out is not None:
            names.append("output")
        return names


def run(setup, change=None):
    """All steps; `change` is {step: function(step's right value, all before) -> value}."""
    change = change or {}
    s, v = setup, {}

    def put(name, value):
        v[name] = change[name](value, v) if name in change else value

    put("X", s.X)
    for name, step in (("query", "queries"), ("key", "keys"), ("value", "values")):
        projected = v["X"] @ s.W[name]
        put(step, split(projected + s.b[name] if name in s.b else projected, s.H))
    put("scores", v["queries"] @ v["keys"].transpose(0, 2, 1))
    put("scaled_scores", v["scores"] * s.factor())
    put("mask", np.tril(np.ones((s.L, s.L), bool)) if s.mask else np.ones((s.L, s.L), bool))
    put("masked_scores", np.where(v["mask"], v["scaled_scores"], -np.inf))
    put("weights", softmax(v["masked_scores"]))
    if s.dropout:
        put("dropped_weights", v["weights"] * s.dropout_mask / (1 - s.dropout[0]))
    else:
        put("dropped_weights", v["weights"])
    put("context", join(v["dropped_weights"] @ v["values"]))
    if s.W_out is not None:
        out = v["context"] @ s.W_out
        put("output", out + s.b_out if s.b_out is not None else out)
    return v
