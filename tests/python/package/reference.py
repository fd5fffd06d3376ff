"""Attention in NumPy and float64, as docs/notation.md has it, and generated calls to compare with it."""

import os

import numpy as np

CASES = int(os.environ.get("FOVEAL_CASES", "100"))


def attention(query, key, value, visible=None, *, scale=None, softcap=0, bias=None, alibi_slopes=None, sinks=None):
    """(output, lse, weights) of (B, H, L, D) arrays; visible broadcasts to the scores."""
    q, k, v = (np.asarray(array, dtype=np.float64) for array in (query, key, value))
    group = q.shape[1] // k.shape[1] if k.shape[1] else 1
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scores = q @ k.swapaxes(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    if bias is not None:
        scores = scores + np.asarray(bias, dtype=np.float64)
    rows, columns = np.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2], np.arange(k.shape[2])
    if alibi_slopes is not None:
        scores = scores - np.asarray(alibi_slopes, dtype=np.float64)[:, None, None] * abs(rows - columns)
    if visible is not None:
        scores = np.where(visible, scores, -np.inf)
    logits = scores
    if sinks is not None:
        column = np.broadcast_to(np.asarray(sinks, dtype=np.float64)[:, None, None], scores.shape[:-1] + (1,))
        logits = np.concatenate([scores, column], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        maximum = logits.max(axis=-1, keepdims=True, initial=-np.inf)
        sums = np.exp(logits - np.where(np.isinf(maximum), 0, maximum)).sum(axis=-1, keepdims=True)
        lse = np.where(sums > 0, np.where(np.isinf(maximum), 0, maximum) + np.log(sums), -np.inf)
        weights = np.where(np.isinf(lse), 0, np.exp(scores - np.where(np.isinf(lse), 0, lse)))
    return weights @ v, lse[..., 0], weights


def tolerance(dtype):
    return {"float64": 1e-12, "float32": 2e-5, "float16": 4e-3, "bfloat16": 4e-2}[np.dtype(dtype).name]


class Draw:
    """Generated calls: sizes, strides, dtypes."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def size(self, low, high):
        return int(self.random.integers(low, high + 1))

    def choice(self, *values):
        return values[int(self.random.integers(len(values)))]

    def array(self, shape, dtype="float32"):
        """Normal numbers in memory of any order, with gaps, or backwards in all but the last axis."""
        shape = tuple(shape)
        order = self.random.permutation(len(shape) - 1).tolist() + [len(shape) - 1]
        gaps = [1] * len(shape)
        if self.size(0, 2) == 0:
            gaps[-1] = self.choice(1, 2)
        sizes = [shape[axis] * gap + self.choice(0, 0, 3) for axis, gap in enumerate(gaps)]
        whole = self.random.normal(size=[sizes[axis] for axis in order]).astype(dtype)
        array = whole.transpose(np.argsort(order))
        array = array[tuple(slice(0, n * gap, gap) for n, gap in zip(shape, gaps))]
        if self.size(0, 4) == 0 and len(shape) > 1:
            array = array[::-1]
        assert array.shape == shape
        return array

    def qkv(self, dtype="float32"):
        batch, heads, group = self.size(1, 3), self.choice(1, 2, 3), self.choice(1, 1, 2)
        queries, keys = self.choice(1, self.size(1, 80)), self.size(1, 100)
        size, value_size = self.choice(8, 16, self.size(1, 40)), self.choice(8, 16, self.size(1, 40))
        return (
            self.array((batch, heads * group, queries, size), dtype),
            self.array((batch, heads, keys, size), dtype),
            self.array((batch, heads, keys, value_size), dtype),
        )
