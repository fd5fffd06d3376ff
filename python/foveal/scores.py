"""What is done to scores between the scale and the softmax.

>>> from foveal import scores
>>> scores.softcap(30.0) + scores.alibi([0.5, 0.25])
Scores('softcap(30.0) + alibi([0.5, 0.25])')

Joined by `+`, in any order: first the softcap, then the bias is added, then ALiBi (docs/notation.md).
Arrays are checked when they are used, as the shapes of queries and keys come then.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Scores", "alibi", "bias", "softcap"]


class Scores:
    """At most one of each; None for what is absent."""

    __slots__ = ("alibi_slopes", "bias", "softcap")

    def __init__(self, softcap: float | None = None, bias: Any = None, alibi_slopes: Any = None) -> None:
        self.softcap = softcap
        self.bias = bias
        self.alibi_slopes = alibi_slopes

    def __add__(self, other: Scores) -> Scores:
        if not isinstance(other, Scores):
            return NotImplemented
        return Scores(
            _one_of("softcap", self.softcap, other.softcap),
            _one_of("bias", self.bias, other.bias),
            _one_of("alibi", self.alibi_slopes, other.alibi_slopes),
        )

    def __repr__(self) -> str:
        parts = []
        if self.softcap is not None:
            parts.append(f"softcap({self.softcap!r})")
        if self.bias is not None:
            parts.append(f"bias({_shown(self.bias)})")
        if self.alibi_slopes is not None:
            parts.append(f"alibi({_shown(self.alibi_slopes)})")
        return f"Scores({' + '.join(parts)!r})"


def softcap(c: float) -> Scores:
    """Scores become c * tanh(score / c); c > 0."""
    if isinstance(c, bool) or not hasattr(c, "__float__"):
        raise TypeError(f"softcap: c is {c!r}: it must be a number")
    number = float(c)
    if not 0 < number < float("inf"):
        raise ValueError(f"softcap: c is {number}: it must be finite and above 0")
    return Scores(softcap=number)


def bias(b: Any) -> Scores:
    """Adds b, a floating array, broadcast from the right to (B, H, L_q, L_k)."""
    if not hasattr(b, "dtype"):
        raise TypeError(f"bias: b is a {type(b).__name__}: give a floating array")
    if "float" not in str(b.dtype):
        raise TypeError(f"bias: b has dtype {b.dtype}: give floats; a bool array is masks.dense(array)")
    return Scores(bias=b)


def alibi(slopes: Any) -> Scores:
    """Adds -slopes[h] * |i' - j|, i' = i + L_k - L_q. slopes: floats, (H), an array or a list."""
    if hasattr(slopes, "dtype"):
        if "float" not in str(slopes.dtype):
            raise TypeError(f"alibi: slopes have dtype {slopes.dtype}: give floats")
        return Scores(alibi_slopes=slopes)
    if not isinstance(slopes, (list, tuple)):
        raise TypeError(f"alibi: slopes is a {type(slopes).__name__}: give one number for each head")
    return Scores(alibi_slopes=[float(slope) for slope in slopes])


def _one_of(name: str, first: Any, second: Any) -> Any:
    if first is not None and second is not None:
        raise ValueError(f"scores: {name} is given twice: at most one of each may be joined")
    return second if first is None else first


def _shown(array: Any) -> str:
    if isinstance(array, list):
        return str(array)
    return f"array of shape {tuple(array.shape)}"
