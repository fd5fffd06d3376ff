"""scaled_dot_product_attention: PyTorch's arguments with PyTorch's meaning, and ours after the star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _foveal
from ._arrays import NUMPY, as_given, is_torch, readable, required
from ._given import UINT64, flag, real, whole, wholes
from ._options import CAUSAL, DEFAULT, Options, read_statistics, settings_of, wants_more_than_output
from ._results import result_of
from ._seeds import seed_number
from ._shapes import check_out_dtype, fits_as_it_is, fold, fold_out, fold_terms, unfold
from ._terms import NO_TERMS, Terms
from ._threads import threads_of_call
from .masks import Mask, as_mask, causal, dense


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
    if is_causal is not False:
        is_causal = flag("attention: is_causal", is_causal)
    if is_causal and attn_mask is None and mask is None:
        options = CAUSAL
    elif is_causal or attn_mask is not None or mask is not None:
        options, terms = _with_masks(attn_mask, is_causal, mask)
    if scale is not None:
        options = options._replace(scale=real("attention: scale", scale))
    if not isinstance(dropout_p, (int, float)) or dropout_p:
        options = options._replace(
            dropout=real("attention: dropout_p", dropout_p), offset=whole("attention: offset", offset, UINT64)
        )
    if return_lse is not False or return_weights is not False or statistics is not None:
        options = options._replace(
            return_lse=flag("attention: return_lse", return_lse),
            return_weights=flag("attention: return_weights", return_weights),
            **read_statistics(statistics),
        )
    if alibi_slopes is not None or sinks is not None:
        terms = terms._replace(alibi_slopes=alibi_slopes, sinks=sinks)
    if softcap is not None or target is not None or strict is not False:
        options = options._replace(
            softcap=0.0 if softcap is None else real("attention: softcap", softcap),
            target=_name("target", target),
            strict=flag("attention: strict", strict),
        )
    if key_lengths is not None or query_offset is not None or not isinstance(key_offset, int) or key_offset:
        options = options._replace(
            key_lengths=wholes("attention: key_lengths", key_lengths),
            key_offset=whole("attention: key_offset", key_offset),
            **_offsets(query_offset),
        )
    if query_starts is not None or key_starts is not None:
        options = options._replace(
            query_starts=wholes("attention: query_starts", query_starts),
            key_starts=wholes("attention: key_starts", key_starts),
        )
    return options, terms


def _with_masks(attn_mask: Any, is_causal: bool, mask: Any) -> tuple[Options, Terms]:
    """A key must be visible to all of them; a floating attn_mask is added to the scores."""
    if is_causal and attn_mask is not None:
        raise ValueError(
            "attention: attn_mask is given and is_causal is True: give attn_mask and mask=masks.causal('top_left')"
        )
    options, terms = DEFAULT, NO_TERMS
    parts = [causal("top_left")] if is_causal else []
    if mask is not None:
        parts.append(as_mask("attention", mask))
    if attn_mask is not None:
        if _is_bool(attn_mask):
            parts.append(dense(attn_mask))
        else:
            terms = terms._replace(bias=attn_mask)
    if parts:
        combined = parts[0]
        for further in parts[1:]:
            combined = combined & further
        options = options._replace(mask=combined.text)
        terms = terms._replace(mask_arrays=combined.arrays)
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
    else:
        seed = seed_number("attention: seed", seed)
    out_array = readable(out, "out")
    given = out_array if folded is None or out is None else fold_out(out_array, folded)
    result = _foveal.forward(settings_of(options), query, key, value, NUMPY, threads_of_call(), given, *terms, seed)
    if not wants_more_than_output(options):
        return _finished(result, query, like, folded, out, given, out_array)
    parts = list(result)
    parts[0] = _finished(parts[0], query, like, folded, out, given, out_array)
    parts[1:] = [as_given(part if folded is None else unfold(part, folded), like) for part in parts[1:]]
    return result_of(parts, options)


def _finished(output: Any, query: Any, like: Any, folded: Any, out: Any, given: Any, out_array: Any) -> Any:
    """The output as its caller wants it. `given`: where it was written, if that is in `out`."""
    if given is not None:
        return out
    output = as_bfloat16(output, query)
    if folded is not None:
        output = unfold(output, folded)
    if out is None:
        return as_given(output, like)
    check_out_dtype(out_array, output)
    out_array[...] = output
    return out


def as_bfloat16(output: Any, query: Any) -> Any:
    """bfloat16, which NumPy has from ml_dtypes alone, comes from the extension as bits."""
    return output.view(query.dtype) if query.dtype.kind == "V" else output


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
    """A number, or one for each batch entry."""
    if query_offset is None:
        return {}
    if isinstance(query_offset, int) or getattr(query_offset, "ndim", None) == 0 or not hasattr(query_offset, "__iter__"):
        return {"query_offset": whole("attention: query_offset", query_offset)}
    return {"query_offsets": wholes("attention: query_offset", query_offset)}


def _name(argument: str, given: Any) -> str:
    if given is None:
        return ""
    if not isinstance(given, str):
        raise TypeError(f"attention: {argument} is of type {type(given).__name__}: it must be text")
    return given
