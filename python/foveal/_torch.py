"""Attention on PyTorch's tensors. Where nobody looks on (no tracing, no transform, no mode), calls go
straight to the extension, else by the operators."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd import forward_ad

from . import _foveal
from . import _torch_formula as formula
from ._arrays import TORCH
from ._options import Options, recorded, settings_of, wants_more_than_output
from ._results import result_of
from ._shapes import Folded, check_out_dtype, fits_as_it_is, fold, fold_out, fold_terms, unfold
from ._terms import NO_TERMS, Terms
from ._threads import threads_of_call
from ._torch_functions import Attention, Call, PlainAttention, placed
from ._torch_look import compiles_gradients_of_gradients, forward_mode, nobody_looks_on
from ._torch_operators import as_number, as_tensor, attention_operator, checked_seed


def attention(
    query: Any, key: Any, value: Any, terms: Terms, options: Options, seed: int | None, out: Any, enable_gqa: bool
) -> Any:
    """What scaled_dot_product_attention does with PyTorch's tensors."""
    plain = nobody_looks_on(query, key, value)
    if not plain:
        for name, array in (("query", query), ("key", key), ("value", value)):
            _check(name, array)
    if terms is not NO_TERMS:
        for name, array in _named(terms):
            _check(name, array)
            if array.is_meta and not query.is_meta:
                raise ValueError(f"attention: {name} is on meta but query on {query.device}: give them on one")
        terms = terms.each(torch.resolve_neg)
        plain = plain and nobody_looks_on(*[array for _, array in _named(terms)])
    by_formula = forward_mode() and not (plain and _still(query, key, value, *terms[:3]))
    by_formula = by_formula or (not plain and compiles_gradients_of_gradients())
    if torch.is_autocast_enabled("cpu"):
        query, key, value = (_autocast(array) for array in (query, key, value))
    if not plain:
        _check_alike(query, key, value)
    folded = None
    if not fits_as_it_is(query, key, value, enable_gqa):
        folded = fold(query, key, value, enable_gqa)
        query, key, value = folded.query, folded.key, folded.value
        terms = fold_terms(terms, folded, torch.bool)
    if seed is not None:
        seed = checked_seed(seed)
    elif options.dropout:
        seed = torch.randint(-(2**63), 2**63 - 1, (), dtype=torch.int64, device="cpu")
    needs_gradient = torch.is_grad_enabled() and _require_gradient(query, key, value, terms)
    if out is not None:
        allowed = plain and not needs_gradient and not by_formula
        return _into(query, key, value, terms, options, seed, out, folded, allowed)
    if by_formula:
        return _finished(_by_formula(query, key, value, terms, options, seed), options, folded)
    if plain and not needs_gradient:
        parts = _foveal.forward(
            settings_of(options), query, key, value, TORCH, threads_of_call(), None, *terms, as_number(seed)
        )
        return _finished(parts, options, folded)
    if plain:
        call = Call(*recorded(options), as_number(seed), terms.mask_arrays)
        no_terms = terms.bias is None and terms.alibi_slopes is None and terms.sinks is None
        made = PlainAttention.apply(call, query, key, value, *(() if no_terms else terms[:3]))
    else:
        # Compilers want three tensors where one is given three times.
        if key is query:
            key = key.view_as(key)
        if value is query or value is key:
            value = value.view_as(value)
        if needs_gradient:
            with_lse = options if options.return_lse else options._replace(return_lse=True)
            made = Attention.apply(query, key, value, *terms[:3], seed, *with_lse, *terms.mask_arrays)
        else:
            arrays = list(terms.mask_arrays)
            made = attention_operator(query, key, value, *terms[:3], arrays, as_tensor(seed), *options)
    if needs_gradient and not options.return_lse:
        made = (made[0], *made[2:])
    if not wants_more_than_output(options):
        return _finished(made[0], options, folded)
    return _finished(placed(made, _wanted(options)), options, folded)


def _wanted(options: Options) -> tuple[bool, ...]:
    """Which of the operator's results are there."""
    return (
        True,
        options.return_lse,
        options.return_weights,
        options.top_k > 0,
        options.top_k > 0,
        options.entropy,
        options.maximum,
        options.column_mass,
        len(options.rows) > 0,
    )


def _finished(parts: Any, options: Options, folded: Folded | None) -> Any:
    if not wants_more_than_output(options):
        return parts if folded is None else unfold(parts, folded)
    return result_of(parts if folded is None else [unfold(part, folded) for part in parts], options)


def _into(
    query: Any, key: Any, value: Any, terms: Terms, options: Options, seed: Any, out: Any, folded: Any, allowed: bool
) -> Any:
    _check("out", out)
    if out.is_meta:
        raise ValueError("attention: out is on meta, where nothing can be written: give one on the CPU")
    if not allowed or out.requires_grad:
        raise ValueError(
            "attention: out is given, but a tensor requires a gradient, or a transform or compiler looks on: what is "
            "written in place isn't recorded; leave out away, or call under torch.no_grad()"
        )
    given = out if folded is None else fold_out(out, folded)
    parts = _foveal.forward(
        settings_of(options), query, key, value, TORCH, threads_of_call(), given, *terms, as_number(seed)
    )
    result = _finished(parts, options, folded)
    if given is None:
        output = result.output if wants_more_than_output(options) else result
        check_out_dtype(out, output)
        out.copy_(output)
    return result._replace(output=out) if wants_more_than_output(options) else out


def readable(array: torch.Tensor) -> torch.Tensor:
    """As the extension reads it."""
    return array


def without_gradient(name: str, array: Any) -> Any:
    _check(name, array)
    if torch.is_grad_enabled() and array.requires_grad:
        raise ValueError(
            "Plan.run: a tensor requires a gradient, but a plan records nothing: call it under torch.no_grad()"
        )
    if forward_mode() and not _still(array):
        raise ValueError(
            f"Plan.run: {name} has a tangent, but a plan records nothing: call scaled_dot_product_attention, or give "
            "it without"
        )
    return array.resolve_neg()


def _named(terms: Terms) -> list[tuple[str, Any]]:
    given = [("attn_mask", terms.bias), ("alibi_slopes", terms.alibi_slopes), ("sinks", terms.sinks)]
    return [(name, array) for name, array in given if array is not None] + [("mask", a) for a in terms.mask_arrays]


def _check(name: str, array: Any) -> None:
    if not isinstance(array, torch.Tensor):
        raise TypeError(f"attention: {name} is a {type(array).__name__} but query is a tensor of PyTorch's: give one")
    if array.is_nested:
        raise TypeError(f"attention: {name} is nested: give one with padding, and key_lengths, or a packed one")
    if array.layout is not torch.strided:
        raise TypeError(f"attention: {name} has layout {array.layout}: give it with .to_dense()")
    if not array.is_cpu and not array.is_meta:
        raise ValueError(f"attention: {name} is on {array.device}: foveal runs on CPUs; give it with .cpu()")


def _still(*arrays: Any) -> bool:
    """Whether none moves, as forward mode sees it."""
    return all(array is None or forward_ad.unpack_dual(array).tangent is None for array in arrays)


def _by_formula(query: Any, key: Any, value: Any, terms: Terms, options: Options, seed: Any) -> Any:
    """In forward mode, and where gradients of gradients are compiled: the output by PyTorch's operations, what else
    is asked for by the operator, without a derivative."""
    with torch.no_grad(), forward_ad._set_fwd_grad_enabled(False):  # and what doesn't fit is refused
        arrays = list(terms.mask_arrays)
        made = attention_operator(query, key, value, *terms[:3], arrays, as_tensor(seed), *options)
    output = formula.output((query, key, value, *terms[:3]), formula.Unchanging(options, terms.mask_arrays, seed))
    if not wants_more_than_output(options):
        return output
    return placed([output, *made[1:]], _wanted(options))


_FLOATING = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def _check_alike(query: Any, key: Any, value: Any) -> None:
    for name, array in (("key", key), ("value", value)):
        if array.device != query.device:
            raise ValueError(f"attention: {name} is on {array.device} but query on {query.device}: give them on one")
    dtype = query.dtype
    if dtype == key.dtype == value.dtype and dtype in _FLOATING:
        return
    for name, array in (("query", query), ("key", key), ("value", value)):
        if array.dtype not in _FLOATING:
            raise TypeError(
                f"attention: {name} has dtype {_short(array)}: it must be float32, float64, bfloat16 or float16"
            )
        if array.dtype != dtype:
            raise TypeError(
                f"attention: {name} has dtype {_short(array)} but query has {_short(query)}: they must match; convert "
                "with to()"
            )


def _short(array: Any) -> str:
    return str(array.dtype).removeprefix("torch.")


def _autocast(array: torch.Tensor) -> torch.Tensor:
    dtype = torch.get_autocast_dtype("cpu")
    eligible = array.is_floating_point() and array.dtype != torch.float64
    return array.to(dtype) if eligible else array


def _require_gradient(query: Any, key: Any, value: Any, terms: Terms) -> bool:
    if query.requires_grad or key.requires_grad or value.requires_grad:
        return True
    return terms is not NO_TERMS and any(term is not None and term.requires_grad for term in terms[:3])
