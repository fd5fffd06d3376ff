"""Leading axes. The engine takes (B, H, L, D); PyTorch takes any leading axes and broadcasts them.

(L, D) is one head. (N, L, D) are N batch entries of one head. (..., H, L, D) are all batch entries
but for the heads. The axes of query, key and value broadcast from the right, heads of key and value
too where they are 1; with enable_gqa heads may divide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ._terms import Terms


class Folded(NamedTuple):
    query: Any
    key: Any
    value: Any
    #: The leading axes of results.
    leading: tuple[int, ...]
    #: What the terms per score broadcast to: batch axes, before they were folded.
    batch: tuple[int, ...]


def fits_as_it_is(query: Any, key: Any, value: Any, enable_gqa: bool) -> bool:
    """Rank 4, one batch, and heads that the engine shares by itself."""
    q, k, v = query.shape, key.shape, value.shape
    if len(q) != 4 or len(k) != 4 or len(v) != 4:
        return False
    return q[0] == k[0] == v[0] and k[1] == v[1] and (q[1] == k[1] or k[1] == 1 or enable_gqa)


def expand(array: Any, shape: Sequence[int]) -> Any:
    if tuple(array.shape) == tuple(shape):
        return array
    if hasattr(array, "expand"):
        return array.expand(tuple(shape))
    import numpy

    return numpy.broadcast_to(array, tuple(shape))


def broadcast(name: str, *shapes: Sequence[int]) -> tuple[int, ...]:
    rank = max(len(shape) for shape in shapes)
    result = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if result[axis] not in (1, size):
                    raise ValueError(f"attention: {name} {' and '.join(text(s) for s in shapes)} don't broadcast")
                result[axis] = size
    return tuple(result)


def text(shape: Sequence[int]) -> str:
    return "(" + ", ".join(str(size) for size in shape) + ")"


def check_heads(query: Any, key: Any, enable_gqa: bool) -> None:
    q, k = query.shape, key.shape
    if q[1] == k[1] or k[1] == 1:
        return
    if not enable_gqa:
        hint = "; give enable_gqa=True where so many query heads share one" if k[1] and q[1] % k[1] == 0 else ""
        raise ValueError(
            f"attention: key has shape {text(k)} but query has {text(q)}: heads (axis 1) must match or be 1{hint}"
        )


def fold(query: Any, key: Any, value: Any, enable_gqa: bool) -> Folded:
    """All leading axes but the heads' as one."""
    for name, array in (("query", query), ("key", key), ("value", value)):
        if len(array.shape) < 2:
            raise ValueError(
                f"attention: {name} has shape {text(array.shape)}: it must have two axes or more, (..., H, L, D)"
            )
    rank = max(len(query.shape), len(key.shape), len(value.shape))
    parts = []
    for array in (query, key, value):
        shape = (1,) * (rank - len(array.shape)) + tuple(array.shape)
        # One head where there is no axis for it.
        lead = shape[:-2] if rank >= 4 else (1,) * (3 - rank) + shape[:-2] + (1,)
        parts.append((array, lead, shape[-2:]))
    batch = broadcast("batch axes", *[lead[:-1] for _, lead, _ in parts])
    query_heads, key_heads, value_heads = (lead[-1] for _, lead, _ in parts)
    shared = broadcast("heads of key and value", (key_heads,), (value_heads,))[0]
    heads = (shared if query_heads == 1 and not enable_gqa else query_heads, shared, shared)
    count = 1
    for size in batch:
        count *= size
    folded = []
    for (array, lead, end), wanted in zip(parts, heads):
        whole = expand(array.reshape(lead + end), batch + (wanted,) + end)
        folded.append(whole.reshape((count, wanted) + end))
    if rank >= 4:
        check_heads(folded[0], folded[1], enable_gqa)
        leading: tuple[int, ...] = batch + (heads[0],)
    else:
        leading = batch[3 - rank :]
    return Folded(folded[0], folded[1], folded[2], leading, batch)


def fold_scores(array: Any, folded: Folded, name: str) -> Any:
    """A mask or bias that broadcasts to (leading..., L_q, L_k), as one that does to (B, H, L_q, L_k)."""
    if array is None:
        return None
    rank = len(array.shape)
    had_heads = len(folded.leading) > len(folded.batch)
    if rank > len(folded.leading) + 2:
        raise ValueError(
            f"attention: {name} has shape {text(array.shape)}: it must broadcast to {text(folded.leading)} + (L_q, L_k)"
        )
    if not had_heads:
        return array.reshape(tuple(array.shape[:-2]) + (1,) + tuple(array.shape[-2:])) if rank > 2 else array
    if rank < 4 or len(folded.batch) == 1:
        return array
    end = tuple(array.shape[-3:])
    try:
        whole = expand(array, folded.batch + end)
    except (RuntimeError, ValueError):
        raise ValueError(
            f"attention: {name} has shape {text(array.shape)}: its batch axes must broadcast to {text(folded.batch)}"
        ) from None
    return whole.reshape((-1,) + end) if 0 not in whole.shape else whole.reshape((folded.query.shape[0],) + end)


def fold_terms(terms: Terms, folded: Folded, bool_dtype: Any) -> Terms:
    """The terms per score, folded likewise; a mask's other arrays are lists of lengths or ids."""
    return terms._replace(
        bias=fold_scores(terms.bias, folded, "attn_mask"),
        mask_arrays=tuple(
            [fold_scores(a, folded, "mask") if a.dtype == bool_dtype else a for a in terms.mask_arrays]
        ),
    )


def fold_out(out: Any, folded: Folded) -> Any:
    """`out`, whose leading axes are the results', as (B, H, L_q, D_v) in the same memory; None where its
    strides don't allow that."""
    batch, heads, queries, _ = folded.query.shape
    end = (queries, folded.value.shape[3])
    expected = folded.leading + end
    if tuple(out.shape) != expected:
        raise ValueError(f"attention: out has shape {text(out.shape)}: it must have {text(expected)}")
    shape = (batch, heads) + end
    if hasattr(out, "untyped_storage"):
        try:
            return out.view(shape)
        except RuntimeError:
            return None
    import numpy

    view = out.reshape(shape)
    return view if numpy.may_share_memory(view, out) else None


def check_out_dtype(out: Any, output: Any) -> None:
    """Of one that is copied into: a conversion on the way would be silent."""
    if out.dtype != output.dtype:
        raise ValueError(f"attention: out has dtype {out.dtype}: it must have {output.dtype}")


def unfold(array: Any, folded: Folded) -> Any:
    """A result of (B, H, ...) with its leading axes as they came."""
    if array is None:
        return None
    return array.reshape(folded.leading + tuple(array.shape[2:]))
