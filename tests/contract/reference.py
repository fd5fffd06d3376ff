"""Attention in NumPy, written apart from foveal: every step of a foveal.input/1 document."""
import numpy as np

STEPS = ["inputs", "queries", "keys", "values", "scores", "scaled_scores", "mask", "masked_scores",
         "weights", "dropout_mask", "dropped_weights", "context", "output"]


def dropout_mask(shape, p, seed):
    """PyTorch's CPU draw: 53 random bits an element, row by row; 1 keeps."""
    engine = np.random.MT19937()
    engine._legacy_seeding(seed & 0xFFFFFFFF)
    words = engine.random_raw(2 * int(np.prod(shape))).astype(np.uint64)
    bits = (words[0::2] << np.uint64(32) | words[1::2]) & np.uint64(2**53 - 1)
    return (bits.astype(float) * 2.0**-53 < 1 - p).astype(float).reshape(shape)


def softmax(scores, axis):
    with np.errstate(invalid="ignore"):
        e = np.exp(scores - scores.max(axis, keepdims=True))
        return e / e.sum(axis, keepdims=True)


class Setup:
    """How a document says that attention is computed. Slips change its members."""

    def __init__(self, doc):
        self.X = np.array(doc["inputs"], float)
        self.heads = doc.get("num_heads", 1)
        self.W = {k: np.array(doc["W_" + k], float) for k in ("query", "key", "value")
                  if "W_" + k in doc}
        self.b = {k: np.array(doc["b_" + k], float) for k in ("query", "key", "value")
                  if "b_" + k in doc}
        self.W_out = np.array(doc["W_out"], float) if "W_out" in doc else None
        self.b_out = np.array(doc["b_out"], float) if "b_out" in doc else 0
        self.length = len(self.X)
        width = self.W["query"].shape[1] if self.W else self.X.shape[1]
        self.head_size = width // self.heads
        scale = doc.get("scale", "sqrt" if self.W else "none")
        self.is_scaled = scale != "none"
        self.scale = {"sqrt": self.head_size ** -0.5, "none": 1.0}.get(scale, scale)
        mask = doc.get("mask", "none")
        self.mask = None
        if mask == "causal":
            self.mask = np.tri(self.length, dtype=bool)
        elif mask != "none":
            self.mask = np.array(mask, bool)
        self.has_mask = self.mask is not None
        self.softmax_axis = -1
        self.mask_after_softmax = False
        self.transpose_scores = False
        self.dropout = None
        if doc.get("dropout"):
            p = doc["dropout"]["p"]
            self.dropout = dropout_mask((self.heads, self.length, self.length), p,
                                        doc["dropout"]["seed"])
            self.dropout_scale = 1 / (1 - p) if p < 1 else 0.0
        self.has_dropout = self.dropout is not None

    def project(self, name):
        y = self.X @ self.W[name] if name in self.W else self.X
        y = y + self.b.get(name, 0)
        return y.reshape(self.length, self.heads, -1).transpose(1, 0, 2)

    def steps(self):
        """Step name -> array as foveal.trace/1 has it (no head axis for one head)."""
        q, k, v = (self.project(name) for name in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1)
        if self.transpose_scores:
            scores = scores.transpose(0, 2, 1)
        scaled = scores * self.scale
        masked = scaled if self.mask is None else np.where(self.mask, scaled, -np.inf)
        weights = softmax(masked, self.softmax_axis)
        if self.mask_after_softmax:
            weights = softmax(scaled, -1) * self.mask
        steps = {"inputs": self.X, "queries": q, "keys": k, "values": v, "scores": scores,
                 "weights": weights}
        if self.is_scaled:
            steps["scaled_scores"] = scaled
        if self.has_mask:
            steps["masked_scores"] = masked
            if self.mask is not None:
                steps["mask"] = self.mask
        used = weights
        if self.has_dropout:
            kept = np.ones_like(weights) if self.dropout is None else self.dropout
            used = weights * kept * (1 if self.dropout is None else self.dropout_scale)
            steps["dropout_mask"], steps["dropped_weights"] = kept, used
        context = (used @ v).transpose(1, 0, 2).reshape(self.length, -1)
        steps["context"] = context
        if self.W_out is not None:
            steps["output"] = context @ self.W_out + self.b_out
        if self.heads == 1:
            steps = {n: a[0] if a.ndim == 3 else a for n, a in steps.items()}
        return {name: steps[name] for name in STEPS if name in steps}
