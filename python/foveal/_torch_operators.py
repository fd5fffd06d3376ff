"""The operators foveal::attention and foveal::attention_backward, with fake kernels, so that PyTorch's
compilers and tracers see through them."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.dlpack import from_dlpack, to_dlpack

from . import _foveal
from ._arrays import TORCH
from ._options import Options, settings_of, wants_more_than_output
from ._seeds import seed_number
from ._threads import threads_of_call

# The inner one takes a capsule alone, and half the time; the table, which needs none, a tenth.
_foveal.set_torch(
    to_dlpack,
    getattr(torch._C, "_from_dlpack", from_dlpack),
    getattr(torch.Tensor, "__dlpack_c_exchange_api__", None),
)

_OPTIONS_SCHEMA = (
    "str mask, float? scale, float softcap, float dropout, SymInt offset, bool return_lse, bool return_weights, "
    "int top_k, bool entropy, bool maximum, bool column_mass, int[] rows, SymInt[]? key_lengths, "
    "SymInt? query_offset, SymInt[]? query_offsets, SymInt key_offset, SymInt[]? query_starts, "
    "SymInt[]? key_starts, str target, bool strict"
)
_TERMS_SCHEMA = "Tensor? bias, Tensor? alibi_slopes, Tensor? sinks, Tensor[] mask_arrays, Tensor? seed"

library = torch.library.Library("foveal", "DEF")
# Results in the order of the extension's, those that aren't asked for left out.
library.define(
    f"attention(Tensor query, Tensor key, Tensor value, {_TERMS_SCHEMA}, {_OPTIONS_SCHEMA}) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)
library.define(
    "attention_backward(Tensor grad_output, Tensor query, Tensor key, Tensor value, Tensor output, Tensor lse, "
    f"{_TERMS_SCHEMA}, bool bias_gradient, bool alibi_gradient, bool sinks_gradient, {_OPTIONS_SCHEMA}) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def _hashable(options: tuple[Any, ...]) -> Options:
    return Options._make(tuple(option) if isinstance(option, list) else option for option in options)


def checked_seed(seed: Any) -> Any:
    """A caller's: a number, or a tensor that holds one."""
    if not isinstance(seed, torch.Tensor):
        return seed_number("attention: seed", seed)
    if seed.is_floating_point() or seed.is_complex() or seed.numel() != 1:
        raise TypeError(f"attention: seed has shape {tuple(seed.shape)} and dtype {seed.dtype}: it must be an integer")
    return seed


def as_number(seed: Any) -> int:
    """0 where there is none: nothing is drawn."""
    return 0 if seed is None else int(seed) % 2**64


def _attention_on_cpu(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    alibi_slopes: Any,
    sinks: Any,
    mask_arrays: Any,
    seed: Any,
    *options: Any,
) -> list[torch.Tensor]:
    return run_forward(query, key, value, (bias, alibi_slopes, sinks, mask_arrays), seed, _hashable(options))


def _backward_on_cpu(
    grad_output: Any,
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    lse: Any,
    bias: Any,
    alibi_slopes: Any,
    sinks: Any,
    mask_arrays: Any,
    seed: Any,
    bias_gradient: bool,
    alibi_gradient: bool,
    sinks_gradient: bool,
    *options: Any,
) -> list[torch.Tensor]:
    gradients = run_backward(
        grad_output,
        query,
        key,
        value,
        output,
        lse,
        (bias, alibi_slopes, sinks, mask_arrays),
        seed,
        (bias_gradient, alibi_gradient, sinks_gradient),
        _hashable(options),
    )
    return [gradient for gradient in gradients if gradient is not None]


def run_forward(
    query: Any, key: Any, value: Any, terms: tuple[Any, Any, Any, Any], seed: Any, options: Options
) -> list[torch.Tensor]:
    parts = _foveal.forward(
        settings_of(options), query, key, value, TORCH, threads_of_call(), None, *terms, as_number(seed)
    )
    return [part for part in parts if part is not None] if wants_more_than_output(options) else [parts]


def run_backward(
    grad_output: Any,
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    lse: Any,
    terms: tuple[Any, Any, Any, Any],
    seed: Any,
    asked: Any,
    options: Options,
) -> tuple[Any, ...]:
    return _foveal.backward(
        settings_of(options),
        grad_output,
        query,
        key,
        value,
        output,
        lse,
        TORCH,
        threads_of_call(),
        *terms,
        as_number(seed),
        *asked,
    )


def _fake_attention(
    query: Any, key: Any, value: Any, bias: Any, alibi_slopes: Any, sinks: Any, mask_arrays: Any, seed: Any, *given: Any
) -> list[torch.Tensor]:
    options = Options(*given)
    _check_shapes(query.shape, key.shape, value.shape)
    batch, heads, queries, _ = query.shape
    keys = key.shape[2]
    sums = torch.float64 if query.dtype == torch.float64 else torch.float32
    rows = (batch, heads, queries)
    made = [query.new_empty((*rows, value.shape[3]))]
    if options.return_lse:
        made.append(query.new_empty(rows, dtype=sums))
    if options.return_weights:
        made.append(query.new_empty((*rows, keys), dtype=sums))
    if options.top_k:
        made.append(query.new_empty((*rows, options.top_k), dtype=torch.int64))
        made.append(query.new_empty((*rows, options.top_k), dtype=sums))
    if options.entropy:
        made.append(query.new_empty(rows, dtype=sums))
    if options.maximum:
        made.append(query.new_empty(rows, dtype=sums))
    if options.column_mass:
        made.append(query.new_empty((batch, heads, keys), dtype=sums))
    if options.rows:
        made.append(query.new_empty((batch, heads, len(options.rows), keys), dtype=sums))
    return made


def _check_shapes(query: Any, key: Any, value: Any) -> None:
    """As far as a tracer must know; the rest is refused where it runs."""
    same = (
        ("key", key, 3, "query", query, "head sizes"),
        ("value", value, 2, "key", key, "numbers of keys"),
        ("key", key, 0, "query", query, "batches"),
        ("value", value, 0, "query", query, "batches"),
        ("value", value, 1, "key", key, "heads"),
    )
    for name, shape, axis, other, its_shape, what in same:
        torch._check_value(
            shape[axis] == its_shape[axis],
            lambda: f"attention: {name} has shape {tuple(shape)} but {other} has {tuple(its_shape)}: {what} must match",
        )


def _fake_backward(
    grad_output: Any,
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    lse: Any,
    bias: Any,
    alibi_slopes: Any,
    sinks: Any,
    mask_arrays: Any,
    seed: Any,
    bias_gradient: bool,
    alibi_gradient: bool,
    sinks_gradient: bool,
    *options: Any,
) -> list[torch.Tensor]:
    made = [array.new_empty(array.shape) for array in (query, key, value)]
    asked = ((bias_gradient, bias), (alibi_gradient, alibi_slopes), (sinks_gradient, sinks))
    return made + [array.new_empty(array.shape) for wanted, array in asked if wanted]


library.impl("attention", _attention_on_cpu, "CPU")
library.impl("attention_backward", _backward_on_cpu, "CPU")
torch.library.register_fake("foveal::attention", _fake_attention, lib=library)
torch.library.register_fake("foveal::attention_backward", _fake_backward, lib=library)
attention_operator = torch.ops.foveal.attention.default
backward_operator = torch.ops.foveal.attention_backward.default


def as_tensor(seed: Any) -> Any:
    if seed is None or isinstance(seed, torch.Tensor):
        return seed
    return torch.tensor(seed - 2**64 if seed >= 2**63 else seed, dtype=torch.int64, device="cpu")
