"""Attention on PyTorch's tensors.

Two operators, foveal::attention and foveal::attention_backward, with fake kernels, so that compilers
and tracers see through them; and two autograd Functions over these, so that autograd and torch.func
know their gradients and how to batch them. (A gradient registered with the operator itself isn't
seen by torch.func.grad.) Where nobody looks on (no tracing, no transform, no mode), calls go
straight to the extension.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.dlpack import from_dlpack, to_dlpack

from . import _foveal
from ._arrays import TORCH
from ._options import Options, settings_of, wants_more_than_output
from ._results import result_of
from ._terms import NO_TERMS
from ._shapes import Folded, fits_as_it_is, fold, fold_scores, unfold
from ._threads import threads_of_call
from ._torch_vmap import batched, batched_backward

_foveal.set_torch(to_dlpack, from_dlpack)

_OPTIONS_SCHEMA = (
    "str mask, float? scale, float softcap, float dropout, SymInt offset, bool return_lse, bool return_weights, "
    "int top_k, bool entropy, bool maximum, bool column_mass, int[] rows, SymInt[]? key_lengths, "
    "SymInt? query_offset, SymInt[]? query_offsets, SymInt key_offset, SymInt[]? query_starts, "
    "SymInt[]? key_starts, str target, bool strict"
)
_TERMS_SCHEMA = "Tensor? bias, Tensor? alibi_slopes, Tensor? sinks, Tensor[] mask_arrays, Tensor? seed"

_library = torch.library.Library("foveal", "DEF")
# Results in the order of the extension's, those that aren't asked for left out.
_library.define(
    f"attention(Tensor query, Tensor key, Tensor value, {_TERMS_SCHEMA}, {_OPTIONS_SCHEMA}) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)
_library.define(
    "attention_backward(Tensor grad_output, Tensor query, Tensor key, Tensor value, Tensor output, Tensor lse, "
    f"{_TERMS_SCHEMA}, bool bias_gradient, bool alibi_gradient, bool sinks_gradient, {_OPTIONS_SCHEMA}) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)


# --- the operators


def _hashable(options: tuple[Any, ...]) -> Options:
    return Options(*[tuple(option) if isinstance(option, list) else option for option in options])


def _number(seed: Any) -> int:
    if seed is None:
        return 0
    return int(seed) % 2**64


def _attention_on_cpu(
    query: Any, key: Any, value: Any, bias: Any, alibi_slopes: Any, sinks: Any, mask_arrays: Any, seed: Any, *options: Any
) -> list[torch.Tensor]:
    return _forward(query, key, value, (bias, alibi_slopes, sinks, mask_arrays), seed, _hashable(options))


def _backward_on_cpu(
    grad_output: Any, query: Any, key: Any, value: Any, output: Any, lse: Any, bias: Any, alibi_slopes: Any, sinks: Any,
    mask_arrays: Any, seed: Any, bias_gradient: bool, alibi_gradient: bool, sinks_gradient: bool, *options: Any,
) -> list[torch.Tensor]:  # fmt: skip
    gradients = _backward(
        grad_output, query, key, value, output, lse, (bias, alibi_slopes, sinks, mask_arrays), seed,
        (bias_gradient, alibi_gradient, sinks_gradient), _hashable(options),
    )  # fmt: skip
    return [gradient for gradient in gradients if gradient is not None]


def _forward(query: Any, key: Any, value: Any, terms: tuple[Any, ...], seed: Any, options: Options) -> list[torch.Tensor]:
    parts = _foveal.forward(
        settings_of(options), query, key, value, TORCH, threads_of_call(), None, *terms, _number(seed)
    )
    return [part for part in parts if part is not None] if wants_more_than_output(options) else [parts]


def _backward(
    grad_output: Any, query: Any, key: Any, value: Any, output: Any, lse: Any, terms: tuple[Any, ...], seed: Any,
    asked: tuple[bool, bool, bool], options: Options,
) -> tuple[Any, ...]:  # fmt: skip
    return _foveal.backward(
        settings_of(options), grad_output, query, key, value, output, lse, TORCH, threads_of_call(), *terms,
        _number(seed), *asked,
    )  # fmt: skip


def _fake_attention(query: Any, key: Any, value: Any, bias: Any, alibi_slopes: Any, sinks: Any, mask_arrays: Any, seed: Any, *given: Any) -> list[torch.Tensor]:
    options = Options(*given)
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


def _fake_backward(
    grad_output: Any, query: Any, key: Any, value: Any, output: Any, lse: Any, bias: Any, alibi_slopes: Any, sinks: Any,
    mask_arrays: Any, seed: Any, bias_gradient: bool, alibi_gradient: bool, sinks_gradient: bool, *options: Any,
) -> list[torch.Tensor]:  # fmt: skip
    made = [array.new_empty(array.shape) for array in (query, key, value)]
    asked = ((bias_gradient, bias), (alibi_gradient, alibi_slopes), (sinks_gradient, sinks))
    return made + [array.new_empty(array.shape) for wanted, array in asked if wanted]


_library.impl("attention", _attention_on_cpu, "CPU")
_library.impl("attention_backward", _backward_on_cpu, "CPU")
torch.library.register_fake("foveal::attention", _fake_attention, lib=_library)
torch.library.register_fake("foveal::attention_backward", _fake_backward, lib=_library)
_operator = torch.ops.foveal.attention.default
_backward_operator = torch.ops.foveal.attention_backward.default


# --- their gradients

# How a Function's arguments lie: tensors and terms, then options, then the mask's arrays.
_TENSORS = 7  # query, key, value, bias, alibi_slopes, sinks, seed
_OPTIONS = len(Options._fields)


class _Attention(torch.autograd.Function):
    """apply(query, key, value, bias, alibi_slopes, sinks, seed, *options, *mask_arrays): the output
    and lse, and what else is asked for. The output alone carries a gradient."""

    @staticmethod
    def forward(*arguments: Any) -> Any:
        tensors, options, mask_arrays = _split(arguments)
        query, key, value, *terms, seed = tensors
        return tuple(_operator(query, key, value, *terms, list(mask_arrays), _as_tensor(seed), *options))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        tensors, ctx.options, mask_arrays = _split(inputs)
        *others, seed = tensors
        ctx.seed = None if isinstance(seed, torch.Tensor) else seed
        kept = [seed] if isinstance(seed, torch.Tensor) else []
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*others, output[0], output[1], *kept, *mask_arrays)
        ctx.has_seed = len(kept)

    @staticmethod
    def backward(ctx: Any, grad_output: Any, *_: Any) -> Any:
        mask_arrays = len(ctx.saved_tensors) - 8 - ctx.has_seed
        return (*_gradients(ctx, grad_output), *[None] * (1 + _OPTIONS + mask_arrays))

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return batched(_Attention.apply, info.batch_size, in_dims, arguments, _TENSORS, _OPTIONS)


class _PlainAttention(torch.autograd.Function):
    """The same where nobody looks on: apply(query, key, value, bias, alibi_slopes, sinks, seed,
    options, mask_arrays), whose call costs a quarter, as setup_context costs most of one."""

    @staticmethod
    def forward(
        ctx: Any, query: Any, key: Any, value: Any, bias: Any, alibi_slopes: Any, sinks: Any, seed: Any,
        options: Options, mask_arrays: tuple[Any, ...],
    ) -> Any:  # fmt: skip
        terms = (bias, alibi_slopes, sinks, mask_arrays)
        results = _forward(query, key, value, terms, seed, options)
        ctx.options, ctx.seed, ctx.has_seed = options, seed, 0
        ctx.mark_non_differentiable(*results[1:])
        ctx.save_for_backward(query, key, value, *terms[:3], results[0], results[1], *mask_arrays)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, grad_output: Any, *_: Any) -> Any:
        return (*_gradients(ctx, grad_output), None, None, None)


def _gradients(ctx: Any, grad_output: Any) -> tuple[Any, ...]:
    """Of query, key, value, bias, alibi_slopes and sinks."""
    query, key, value, bias, alibi_slopes, sinks, output, lse, *rest = ctx.saved_tensors
    seed = rest[0] if ctx.has_seed else ctx.seed
    mask_arrays = rest[ctx.has_seed :]
    asked = tuple(ctx.needs_input_grad[3:6])
    terms = (bias, alibi_slopes, sinks)
    if not torch.is_grad_enabled() and _nobody_looks_on(grad_output, query, key, value):
        return _backward(grad_output, query, key, value, output, lse, (*terms, mask_arrays), seed, asked, ctx.options)
    made = list(
        _AttentionBackward.apply(
            grad_output, query, key, value, output, lse, *terms, seed, *asked, *ctx.options, *mask_arrays
        )
    )
    return (*made[:3], *_placed(made[3:], asked))


class _AttentionBackward(torch.autograd.Function):
    """apply(grad_output, query, key, value, output, lse, bias, alibi_slopes, sinks, seed, three
    bools, *options, *mask_arrays): the gradients that are asked for. Has none itself."""

    @staticmethod
    def forward(*arguments: Any) -> Any:
        tensors, rest = arguments[:9], arguments[9:]
        seed, asked, options = rest[0], rest[1:4], rest[4 : 4 + _OPTIONS]
        mask_arrays = list(rest[4 + _OPTIONS :])
        return tuple(_backward_operator(*tensors, mask_arrays, _as_tensor(seed), *asked, *options))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise NotImplementedError(
            "attention: second derivatives aren't there: use torch.nn.functional.scaled_dot_product_attention under "
            "torch.nn.attention.sdpa_kernel(SDPBackend.MATH) where a gradient's gradient is needed"
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return batched_backward(_AttentionBackward.apply, info.batch_size, in_dims, arguments, _OPTIONS)


def _vmap_operator(info: Any, in_dims: Any, *arguments: Any) -> Any:
    """Of the operator where no gradient is wanted, or in a compiled transform: its arguments in the
    Function's order."""
    flat = (*arguments[:6], arguments[7], *arguments[8:], *arguments[6])
    dims = (*in_dims[:6], in_dims[7], *in_dims[8:], *(in_dims[6] or [None] * len(arguments[6])))
    made, out_dims = batched(_Attention.forward, info.batch_size, dims, flat, _TENSORS, _OPTIONS)
    return list(made), list(out_dims)


def _vmap_backward_operator(info: Any, in_dims: Any, *arguments: Any) -> Any:
    flat = (*arguments[:9], *arguments[10:], *arguments[9])
    dims = (*in_dims[:9], *in_dims[10:], *(in_dims[9] or [None] * len(arguments[9])))
    made, out_dims = batched_backward(_AttentionBackward.forward, info.batch_size, dims, flat, _OPTIONS)
    return list(made), list(out_dims)


torch.library.register_vmap("foveal::attention", _vmap_operator, lib=_library)
torch.library.register_vmap("foveal::attention_backward", _vmap_backward_operator, lib=_library)


def _split(arguments: tuple[Any, ...]) -> tuple[tuple[Any, ...], Options, tuple[Any, ...]]:
    end = _TENSORS + _OPTIONS
    return arguments[:_TENSORS], Options(*arguments[_TENSORS:end]), arguments[end:]


def _placed(gradients: list[Any], asked: tuple[bool, ...]) -> list[Any]:
    """One for each that was asked for, None for the others."""
    left = iter(gradients)
    return [next(left) if wanted else None for wanted in asked]


def _as_tensor(seed: Any) -> Any:
    if seed is None or isinstance(seed, torch.Tensor):
        return seed
    return torch.tensor(seed - 2**64 if seed >= 2**63 else seed, dtype=torch.int64)


# --- the call


def attention(
    query: Any, key: Any, value: Any, terms: Any, options: Options, seed: int | None, out: Any, enable_gqa: bool
) -> Any:
    """What scaled_dot_product_attention does with PyTorch's tensors."""
    plain = _nobody_looks_on(query, key, value)
    if not plain:
        for name, array in (("query", query), ("key", key), ("value", value)):
            _check(name, array)
    if terms is not NO_TERMS:
        for name, array in _named(terms):
            _check(name, array)
    if torch.is_autocast_enabled("cpu"):
        query, key, value = (_autocast(array) for array in (query, key, value))
    if not plain:
        _check_dtypes(query, key, value)
    folded = None
    if not fits_as_it_is(query, key, value, enable_gqa):
        folded = fold(query, key, value, enable_gqa)
        query, key, value = folded.query, folded.key, folded.value
        terms = terms._replace(
            bias=fold_scores(terms.bias, folded, "attn_mask"),
            mask_arrays=tuple(
                [fold_scores(a, folded, "mask") if a.dtype == torch.bool else a for a in terms.mask_arrays]
            ),
        )
    if options.dropout and seed is None:
        seed = torch.randint(-(2**63), 2**63 - 1, (), dtype=torch.int64)
    needs_gradient = torch.is_grad_enabled() and _require_gradient(query, key, value, terms)
    if out is not None:
        return _into(query, key, value, terms, options, seed, out, folded, plain and not needs_gradient)
    if plain:
        if not needs_gradient:
            seed = _number(seed) if options.dropout else 0
            parts = _foveal.forward(
                settings_of(options), query, key, value, TORCH, threads_of_call(), None, *terms, seed
            )
            return _finished(parts, options, folded)
        seed = _number(seed)
    else:
        # Compilers want three tensors where one is given three times.
        if key is query:
            key = key.view_as(key)
        if value is query or value is key:
            value = value.view_as(value)
    if needs_gradient:
        recorded = options if options.return_lse else options._replace(return_lse=True)
        inputs = (query, key, value, terms.bias, terms.alibi_slopes, terms.sinks, seed)
        if plain:
            made = list(_PlainAttention.apply(*inputs, recorded, terms.mask_arrays))
        else:
            made = list(_Attention.apply(*inputs, *recorded, *terms.mask_arrays))
        if not options.return_lse:
            del made[1]
    else:
        made = _operator(query, key, value, *terms[:3], list(terms.mask_arrays), _as_tensor(seed), *options)
    if not wants_more_than_output(options):
        return _finished(made[0], options, folded)
    wanted = (
        True, options.return_lse, options.return_weights, options.top_k > 0, options.top_k > 0, options.entropy,
        options.maximum, options.column_mass, len(options.rows) > 0,
    )  # fmt: skip
    return _finished(_placed(made, wanted), options, folded)


def _finished(parts: Any, options: Options, folded: Folded | None) -> Any:
    if not wants_more_than_output(options):
        return parts if folded is None else unfold(parts, folded)
    return result_of(parts if folded is None else [unfold(part, folded) for part in parts], options)


def _into(
    query: Any, key: Any, value: Any, terms: Any, options: Options, seed: Any, out: Any, folded: Any, allowed: bool
) -> Any:
    if not allowed or out.requires_grad:
        raise ValueError(
            "attention: out is given, but a tensor requires a gradient, or a transform or compiler looks on: what is "
            "written in place isn't recorded; leave out away, or call under torch.no_grad()"
        )
    _check("out", out)
    given = out if folded is None else None
    parts = _foveal.forward(
        settings_of(options), query, key, value, TORCH, threads_of_call(), given, *terms, _number(seed)
    )
    result = _finished(parts, options, folded)
    if folded is not None:
        output = result.output if wants_more_than_output(options) else result
        if out.shape != output.shape:
            raise ValueError(f"attention: out has shape {tuple(out.shape)}: it must have {tuple(output.shape)}")
        out.copy_(output)
    return result._replace(output=out) if wants_more_than_output(options) else out


def readable(array: torch.Tensor) -> torch.Tensor:
    """As the extension reads it."""
    return array


def without_gradient(array: Any) -> Any:
    if not isinstance(array, torch.Tensor):
        raise TypeError(f"attention: query is a tensor of PyTorch's but another is a {type(array).__name__}")
    if torch.is_grad_enabled() and array.requires_grad:
        raise ValueError("Plan.run: a tensor requires a gradient, but a plan records nothing: call it under torch.no_grad()")
    return array


def _nobody_looks_on(*arrays: torch.Tensor) -> bool:
    """Plain tensors on a CPU, and nothing that must see operators: no tracing, transform or mode."""
    if torch.compiler.is_compiling():
        return False
    for array in arrays:
        if type(array) not in _PLAIN or not array.is_cpu or array.is_neg():
            return False
    return _no_modes() and _no_transforms()


_PLAIN = (torch.Tensor, torch.nn.Parameter)
# PyTorch's inner names; where a version lacks them, every call goes by the operators.
_no_modes_inner = getattr(torch._C, "_len_torch_dispatch_stack", None)
_interpreter = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", None)


def _no_modes() -> bool:
    return _no_modes_inner is not None and _no_modes_inner() == 0


def _no_transforms() -> bool:
    return _interpreter is not None and _interpreter() is None


def _named(terms: Any) -> list[tuple[str, Any]]:
    given = [("attn_mask", terms.bias), ("alibi_slopes", terms.alibi_slopes), ("sinks", terms.sinks)]
    return [(name, array) for name, array in given if array is not None] + [("mask", a) for a in terms.mask_arrays]


def _check(name: str, array: Any) -> None:
    if not isinstance(array, torch.Tensor):
        raise TypeError(f"attention: {name} is a {type(array).__name__} but query is a tensor of PyTorch's: give one")
    if not array.is_cpu and not array.is_meta:
        raise ValueError(f"attention: {name} is on {array.device}: foveal runs on CPUs; give it with .cpu()")


_FLOATING = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def _check_dtypes(query: Any, key: Any, value: Any) -> None:
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


def _require_gradient(query: Any, key: Any, value: Any, terms: Any) -> bool:
    if query.requires_grad or key.requires_grad or value.requires_grad:
        return True
    return any(term is not None and term.requires_grad for term in terms[:3])
