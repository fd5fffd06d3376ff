"""scaled_dot_product_attention: PyTorch's arguments with PyTorch's meaning, and ours after the star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _foveal
from ._arrays import NUMPY, as_given, is_torch, readable, required
from ._options import CAUSAL, DEFAULT, Options, numbers, read_statistics, settings_of, wants_more_than_output
from ._results import result_of
from ._shapes import fits_as_it_is, fold, fold_terms, unfold
from ._terms import NO_TERMS, Terms
from ._threads import threads_of_call
from .masks import Mask, causal, dense


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    mask: Mask | str | None = None,
    softcap: float | None = None,
    alibi_slopes: Any = None,
    sinks: Any = None,
    return_lse: bool = False,
    return_weights: bool = False,
    statistics: Mapping[str, Any] | Sequence[str] | str | None = None,
    seed: int | None = None,
    offset: int = 0,
    key_lengths: Any = None,
    query_offset: Any = None,
    key_offset: int = 0,
    query_starts: Any = None,
    key_starts: Any = None,
    out: Any = None,
    target: str | None = None,
    strict: bool = False,
) -> Any:
    """softmax(query @ key.T * scale, masked) @ value, without a matrix of all weights.

    The arguments before the star mean what they mean in torch.nn.functional: attn_mask is bool (True
    takes part) or floating (is added), is_causal starts at the top left corner, and leading axes
    broadcast. query (..., H, L_q, D), key (..., H, L_k, D), value (..., H, L_k, D_v), of one dtype:
    float32, float64, bfloat16 or float16. Sums are float32 (float64 for float64). No array is copied
    unless its last stride isn't 1.

    mask: an expression of foveal.masks; with attn_mask or is_causal a key must be visible to both.
    softcap: c > 0 makes scores c * tanh(score / c). alibi_slopes, sinks: floating, (H).
    statistics: {"top_k": 4, "entropy": True, "maximum": True, "column_mass": True, "rows": [0, 5]},
    or names. seed, offset: of dropout's counter; without a seed one is drawn from PyTorch's generator
    for its tensors, else from foveal.manual_seed's. key_lengths, query_offset (a number, or one per
    batch entry), key_offset: places (docs/places.md). query_starts, key_starts: packed sequences.
    out: the output goes there. target: a name of foveal.targets(). strict: anything but the fused
    path is an error.

    Gives the output, of the query's kind; or AttentionResult(output, lse, weights, statistics) where
    one of these is asked for. PyTorch's tensors have gradients for query, key, value, a floating
    attn_mask, alibi_slopes and sinks, by the output alone.

    Raises ValueError for shapes and values that don't fit, TypeError for other things and dtypes.
    """
    options, terms = options_of(
        attn_mask=attn_mask,
        dropout_p=dropout_p,
        is_causal=is_causal,
        scale=scale,
        mask=mask,
        softcap=softcap,
        alibi_slopes=alibi_slopes,
        sinks=sinks,
        return_lse=return_lse,
        return_weights=return_weights,
        statistics=statistics,
        offset=offset,
        key_lengths=key_lengths,
        query_offset=query_offset,
        key_offset=key_offset,
        query_starts=query_starts,
        key_starts=key_starts,
        target=target,
        strict=strict,
    )
    if is_torch(query):
        return (_torch_attention or _load_torch())(query, key, value, terms, options, seed, out, enable_gqa)
    return _attention(query, key, value, terms, options, seed, out, enable_gqa)


_torch_attention: Any = None  # until the first tensor of PyTorch's


def _load_torch() -> Any:
    global _torch_attention
    from . import _torch

    _torch_attention = _torch.attention
    return _torch_attention


def options_of(
    *,
    attn_mask: Any,
    dropout_p: float,
    is_causal: bool,
    scale: float | None,
    mask: Mask | str | None,
    softcap: float | None,
    alibi_slopes: Any,
    sinks: Any,
    return_lse: bool,
    return_weights: bool,
    statistics: Mapping[str, Any] | Sequence[str] | str | None,
    offset: int,
    key_lengths: Any,
    query_offset: Any,
    key_offset: int,
    query_starts: Any,
    key_starts: Any,
    target: str | None,
    strict: bool,
) -> tuple[Options, Terms]:
    """The arguments without and with arrays. Most calls have none of them, and cost no more than
    looking."""
    options, terms = DEFAULT, NO_TERMS
    if is_causal and attn_mask is None and mask is None:
        options = CAUSAL
    elif is_causal or attn_mask is not None or mask is not None:
        if is_causal and attn_mask is not None:
            raise ValueError(
                "attention: attn_mask is given and is_causal is True: give attn_mask and mask=masks.causal('top_left')"
            )
        masks = [causal("top_left")] if is_causal else []
        if mask is not None:
            masks.append(_checked_mask(mask))
        if attn_mask is not None:
            if _is_bool(attn_mask):
                masks.append(dense(attn_mask))
            else:
                terms = terms._replace(bias=attn_mask)
        if masks:
            whole = masks[0]
            for further in masks[1:]:
                whole = whole & further
            options = options._replace(mask=whole.text)
            terms = terms._replace(mask_arrays=whole.arrays)
    if scale is not None:
        options = options._replace(scale=float(scale))
    if dropout_p:
        options = options._replace(dropout=float(dropout_p), offset=offset)
    if return_lse or return_weights or statistics is not None:
        options = options._replace(return_lse=return_lse, return_weights=return_weights, **read_statistics(statistics))
    if alibi_slopes is not None or sinks is not None:
        terms = terms._replace(alibi_slopes=alibi_slopes, sinks=sinks)
    if softcap or target or strict:
        options = options._replace(softcap=float(softcap or 0), target=target or "", strict=strict)
    if key_lengths is not None or query_offset is not None or key_offset:
        options = options._replace(key_lengths=numbers(key_lengths), key_offset=key_offset, **_offsets(query_offset))
    if query_starts is not None or key_starts is not None:
        options = options._replace(query_starts=numbers(query_starts), key_starts=numbers(key_starts))
    return options, terms


def _attention(
    query: Any, key: Any, value: Any, terms: Terms, options: Options, seed: int | None, out: Any, enable_gqa: bool
) -> Any:
    """On NumPy's arrays, and those that NumPy can look at."""
    like = query
    query, key, value = required(query, "query"), required(key, "key"), required(value, "value")
    if terms is not NO_TERMS:
        terms = Terms(
            readable(terms.bias, "attn_mask"),
            readable(terms.alibi_slopes, "alibi_slopes"),
            readable(terms.sinks, "sinks"),
            tuple([readable(array, "mask") for array in terms.mask_arrays]),
        )
    folded = None
    if not fits_as_it_is(query, key, value, enable_gqa):
        folded = fold(query, key, value, enable_gqa)
        query, key, value = folded.query, folded.key, folded.value
        terms = fold_terms(terms, folded, "bool")
    if seed is None:
        seed = _foveal.next_seed() if options.dropout else 0
    seed %= 2**64
    given = readable(out, "out") if folded is None else None
    result = _foveal.forward(settings_of(options), query, key, value, NUMPY, threads_of_call(), given, *terms, seed)
    if not wants_more_than_output(options):
        return _finished(result, query, like, folded, out)
    parts = list(result)
    parts[0] = _finished(parts[0], query, like, folded, out)
    parts[1:] = [as_given(part if folded is None else unfold(part, folded), like) for part in parts[1:]]
    return result_of(parts, options)


def _finished(output: Any, query: Any, like: Any, folded: Any, out: Any) -> Any:
    """The output as its caller wants it."""
    output = as_bfloat16(output, query)
    if folded is not None:
        output = unfold(output, folded)
    if out is None:
        return as_given(output, like)
    if folded is not None:
        if tuple(out.shape) != tuple(output.shape):
            raise ValueError(f"attention: out has shape {out.shape}: it must have {output.shape}")
        out[...] = output
    return out


def as_bfloat16(output: Any, query: Any) -> Any:
    """bfloat16, which NumPy has from ml_dtypes alone, comes from the extension as bits."""
    return output.view(query.dtype) if query.dtype.kind == "V" else output


def _checked_mask(mask: Any) -> Mask:
    if isinstance(mask, str):
        return Mask(mask)
    if not isinstance(mask, Mask):
        raise TypeError(
            f"attention: mask is a {type(mask).__name__}: give an expression of foveal.masks; arrays go to attn_mask"
        )
    return mask


def _is_bool(attn_mask: Any) -> bool:
    dtype = str(getattr(attn_mask, "dtype", type(attn_mask).__name__)).removeprefix("torch.")
    if dtype == "bool":
        return True
    if not dtype.startswith(("float", "bfloat", ">f")):
        raise TypeError(
            f"attention: attn_mask has dtype {dtype}: give bools (True takes part) or floating numbers (added)"
        )
    return False


def _offsets(query_offset: Any) -> dict[str, Any]:
    if query_offset is None or hasattr(query_offset, "__index__"):
        return {"query_offset": query_offset}
    return {"query_offsets": numbers(query_offset)}
