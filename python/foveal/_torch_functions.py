"""Autograd Functions over the operators, so that autograd and torch.func know their gradients and how
to batch them. (A gradient registered with the operator itself isn't seen by torch.func.grad.)"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from . import _foveal
from . import _torch_formula as formula
from ._arrays import TORCH
from ._foveal import Settings
from ._options import Options
from ._threads import threads_of_call
from ._torch_look import forward_mode, is_batched, nobody_looks_on
from ._torch_memory import empty_heads_inside, empty_like
from ._torch_operators import as_tensor, attention_operator, backward_operator, library
from ._torch_vmap import batched, batched_backward

# How a Function's arguments lie: tensors and terms, then options, then the mask's arrays.
_TENSORS = 7  # query, key, value, bias, alibi_slopes, sinks, seed
_OPTIONS = len(Options._fields)


class Attention(torch.autograd.Function):
    """apply(query, key, value, bias, alibi_slopes, sinks, seed, *options, *mask_arrays): the output
    and lse, and what else is asked for. The output alone carries a gradient."""

    @staticmethod
    def forward(*arguments: Any) -> Any:
        tensors, options, mask_arrays = _split(arguments)
        query, key, value, *terms, seed = tensors
        return tuple(attention_operator(query, key, value, *terms, list(mask_arrays), as_tensor(seed), *options))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        tensors, ctx.options, mask_arrays = _split(inputs)
        *others, seed = tensors
        ctx.seed = None if isinstance(seed, torch.Tensor) else seed
        kept = [seed] if isinstance(seed, torch.Tensor) else []
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)  # zeros for lse and the like
        ctx.save_for_backward(*others, output[0], output[1], *kept, *mask_arrays)
        ctx.has_seed = len(kept)

    @staticmethod
    def backward(ctx: Any, grad_output: Any, *_: Any) -> Any:
        others = 1 + _OPTIONS + len(ctx.saved_tensors) - 8 - ctx.has_seed
        if grad_output is None:
            return (None,) * (6 + others)
        *tensors, output, lse = ctx.saved_tensors[:8]
        rest = ctx.saved_tensors[8:]
        seed = rest[0] if ctx.has_seed else ctx.seed
        terms = (*tensors[3:], rest[ctx.has_seed :])
        saved = (*tensors[:3], output, lse)
        gradients = _by_operator(grad_output, saved, terms, seed, ctx.needs_input_grad[3:6], ctx.options)
        return (*gradients, *[None] * others)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return batched(Attention.apply, info.batch_size, in_dims, arguments, _TENSORS, _OPTIONS)


class Call(NamedTuple):
    """What a call is besides its tensors with gradients."""

    options: Options
    settings: Settings
    seed: int
    mask_arrays: tuple[Any, ...]
    heads_inside: bool = False  # the output laid out as the query, gradients (B, L, H, D) in memory, as PyTorch's are


class PlainAttention(torch.autograd.Function):
    """The same where nobody looks on: apply(call, query, key, value), or apply(call, query, key, value,
    bias, alibi_slopes, sinks). It costs a quarter, as setup_context costs most of an apply."""

    @staticmethod
    def forward(ctx: Any, call: Call, query: Any, key: Any, value: Any, *terms: Any) -> Any:
        bias, alibi_slopes, sinks = terms or _NO_TERMS
        out = empty_like(query) if call.heads_inside else None
        made = _foveal.forward(
            call.settings,
            query,
            key,
            value,
            TORCH,
            threads_of_call(),
            out,
            bias,
            alibi_slopes,
            sinks,
            call.mask_arrays,
            call.seed,
        )
        if out is not None:
            made = (out, *made[1:])
        results = tuple([part for part in made if part is not None])
        ctx.call = call
        ctx.mark_non_differentiable(*results[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(query, key, value, results[0], results[1], *terms, *call.mask_arrays)
        return results

    @staticmethod
    def backward(ctx: Any, grad_output: Any, *_: Any) -> Any:
        asked: Any = ctx.needs_input_grad[4:]
        if grad_output is None:
            return (None,) * (4 + len(asked))
        call = ctx.call
        query, key, value, output, lse, *rest = ctx.saved_tensors
        bias, alibi_slopes, sinks = rest[: len(asked)] or _NO_TERMS
        terms = (bias, alibi_slopes, sinks, tuple(rest[len(asked) :]))
        saved = (query, key, value, output, lse)
        if torch.is_grad_enabled() or forward_mode() or not nobody_looks_on(grad_output):
            gradients = _by_operator(grad_output, saved, terms, call.seed, asked or _NOT_ASKED, call.options)
        else:
            try:
                given: Any = {}
                if call.heads_inside:
                    given["gradients"] = tuple([empty_heads_inside(x) for x in (query, key, value)])
                gradients = _foveal.backward(
                    call.settings, grad_output, *saved, TORCH, threads_of_call(), *terms, call.seed, *asked, **given
                )
            except TypeError:
                if not is_batched(grad_output):
                    raise
                gradients = _by_operator(grad_output, saved, terms, call.seed, asked or _NOT_ASKED, call.options)
        return (None, *gradients[: 3 + len(asked)])


_NO_TERMS = (None, None, None)
_NOT_ASKED = (False, False, False)


def _by_operator(
    grad_output: Any, saved: tuple[Any, ...], terms: tuple[Any, ...], seed: Any, asked: Any, options: Options
) -> tuple[Any, ...]:
    """The gradients of query, key, value, bias, alibi_slopes and sinks, None for those that aren't asked for.
    saved: query, key, value, output, lse."""
    *arrays, mask_arrays = terms
    if forward_mode() or is_batched(grad_output):  # by operations that know how to move and to be batched
        call = formula.Unchanging(options, mask_arrays, seed)
        made = list(formula.gradients(grad_output, (*saved[:3], *arrays), asked, call))
    else:
        made = list(AttentionBackward.apply(grad_output, *saved, *arrays, seed, *asked, *options, *mask_arrays))
    return (*made[:3], *placed(made[3:], asked))


class AttentionBackward(torch.autograd.Function):
    """apply(grad_output, query, key, value, output, lse, bias, alibi_slopes, sinks, seed, three
    bools, *options, *mask_arrays): the gradients that are asked for. Its own are the formula's."""

    @staticmethod
    def forward(*arguments: Any) -> Any:
        tensors, rest = arguments[:9], arguments[9:]
        seed, asked, options = rest[0], rest[1:4], rest[4 : 4 + _OPTIONS]
        mask_arrays = list(rest[4 + _OPTIONS :])
        return tuple(backward_operator(*tensors, mask_arrays, as_tensor(seed), *asked, *options))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, seed = inputs[:10]
        ctx.asked, ctx.options = inputs[10:13], Options(*inputs[13 : 13 + _OPTIONS])
        mask_arrays = inputs[13 + _OPTIONS :]
        ctx.seed = None if isinstance(seed, torch.Tensor) else seed
        kept = seed if isinstance(seed, torch.Tensor) else None
        ctx.save_for_backward(*tensors[:4], *tensors[6:], kept, *mask_arrays)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        *primals, seed = ctx.saved_tensors[:8]
        call = formula.Unchanging(ctx.options, ctx.saved_tensors[8:], ctx.seed if seed is None else seed)
        made = formula.second_gradients(grads, tuple(primals), ctx.asked, call)
        return (*made[:4], None, None, *made[4:], *[None] * (4 + _OPTIONS + len(call.mask_arrays)))

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return batched_backward(AttentionBackward.apply, info.batch_size, in_dims, arguments, _OPTIONS)


def _vmap_operator(info: Any, in_dims: Any, *arguments: Any) -> Any:
    """Of the operator where no gradient is wanted, or in a compiled transform: its arguments in the
    Function's order."""
    flat = (*arguments[:6], arguments[7], *arguments[8:], *arguments[6])
    dims = (*in_dims[:6], in_dims[7], *in_dims[8:], *(in_dims[6] or [None] * len(arguments[6])))
    made, out_dims = batched(Attention.forward, info.batch_size, dims, flat, _TENSORS, _OPTIONS)
    return list(made), list(out_dims)


def _vmap_backward_operator(info: Any, in_dims: Any, *arguments: Any) -> Any:
    flat = (*arguments[:9], *arguments[10:], *arguments[9])
    dims = (*in_dims[:9], *in_dims[10:], *(in_dims[9] or [None] * len(arguments[9])))
    made, out_dims = batched_backward(AttentionBackward.forward, info.batch_size, dims, flat, _OPTIONS)
    return list(made), list(out_dims)


torch.library.register_vmap("foveal::attention", _vmap_operator, lib=library)
torch.library.register_vmap("foveal::attention_backward", _vmap_backward_operator, lib=library)


def _split(arguments: tuple[Any, ...]) -> tuple[tuple[Any, ...], Options, tuple[Any, ...]]:
    end = _TENSORS + _OPTIONS
    return arguments[:_TENSORS], Options(*arguments[_TENSORS:end]), arguments[end:]


def placed(gradients: list[Any], asked: tuple[bool, ...]) -> list[Any]:
    """One for each that was asked for, None for the others."""
    left = iter(gradients)
    return [next(left) if wanted else None for wanted in asked]
