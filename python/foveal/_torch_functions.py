"""Autograd Functions over the operators, so that autograd and torch.func know their gradients and how
to batch them. (A gradient registered with the operator itself isn't seen by torch.func.grad.)"""

from __future__ import annotations

from typing import Any

import torch

from ._options import Options
from ._torch_look import nobody_looks_on
from ._torch_operators import as_tensor, attention_operator, backward_operator, library, run_backward, run_forward
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
        mask_arrays = len(ctx.saved_tensors) - 8 - ctx.has_seed
        return (*_gradients(ctx, grad_output), *[None] * (1 + _OPTIONS + mask_arrays))

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return batched(Attention.apply, info.batch_size, in_dims, arguments, _TENSORS, _OPTIONS)


class PlainAttention(torch.autograd.Function):
    """The same where nobody looks on: apply(query, key, value, bias, alibi_slopes, sinks, seed,
    options, mask_arrays), whose call costs a quarter, as setup_context costs most of one."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Any,
        key: Any,
        value: Any,
        bias: Any,
        alibi_slopes: Any,
        sinks: Any,
        seed: Any,
        options: Options,
        mask_arrays: tuple[Any, ...],
    ) -> Any:
        terms = (bias, alibi_slopes, sinks, mask_arrays)
        results = run_forward(query, key, value, terms, seed, options)
        ctx.options, ctx.seed, ctx.has_seed = options, seed, 0
        ctx.mark_non_differentiable(*results[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(query, key, value, *terms[:3], results[0], results[1], *mask_arrays)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, grad_output: Any, *_: Any) -> Any:
        return (*_gradients(ctx, grad_output), None, None, None)


def _gradients(ctx: Any, grad_output: Any) -> tuple[Any, ...]:
    """Of query, key, value, bias, alibi_slopes and sinks."""
    if grad_output is None:
        return (None,) * 6
    query, key, value, bias, alibi_slopes, sinks, output, lse, *rest = ctx.saved_tensors
    seed = rest[0] if ctx.has_seed else ctx.seed
    mask_arrays = rest[ctx.has_seed :]
    asked = tuple(ctx.needs_input_grad[3:6])
    terms = (bias, alibi_slopes, sinks)
    if not torch.is_grad_enabled() and nobody_looks_on(grad_output, query, key, value):
        return run_backward(
            grad_output, query, key, value, output, lse, (*terms, mask_arrays), seed, asked, ctx.options
        )
    made = list(
        AttentionBackward.apply(
            grad_output, query, key, value, output, lse, *terms, seed, *asked, *ctx.options, *mask_arrays
        )
    )
    return (*made[:3], *placed(made[3:], asked))


class AttentionBackward(torch.autograd.Function):
    """apply(grad_output, query, key, value, output, lse, bias, alibi_slopes, sinks, seed, three
    bools, *options, *mask_arrays): the gradients that are asked for. Has none itself."""

    @staticmethod
    def forward(*arguments: Any) -> Any:
        tensors, rest = arguments[:9], arguments[9:]
        seed, asked, options = rest[0], rest[1:4], rest[4 : 4 + _OPTIONS]
        mask_arrays = list(rest[4 + _OPTIONS :])
        return tuple(backward_operator(*tensors, mask_arrays, as_tensor(seed), *asked, *options))

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
