"""The kernels that stand in for PyTorch's: each decides, counts, and runs the call here or hands it on."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd import forward_ad

from . import _foveal, _takeover_rules
from ._arrays import TORCH
from ._options import CAUSAL, DEFAULT, Options, recorded, settings_of
from ._takeover_report import HERE, count
from ._terms import NO_TERMS, Terms
from ._threads import threads_of_call
from ._torch import attention
from ._torch_functions import Call, PlainAttention
from ._torch_look import nobody_looks_on
from ._torch_memory import empty_heads_inside, empty_like

SDPA = "scaled_dot_product_attention"
FLASH = "_scaled_dot_product_flash_attention_for_cpu"
FLASH_BACKWARD = "_scaled_dot_product_flash_attention_for_cpu_backward"

originals: dict[tuple[str, str], Any] = {}  # PyTorch's, by operator and key
_FUSED = 1  # what PyTorch's choice calls the operator above


def sdpa_above_autograd(
    keys: Any,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """scaled_dot_product_attention, where gradients are recorded."""
    reason = _why_not(query, key, value, attn_mask, is_causal, enable_gqa, scale)
    needs_gradient = torch.is_grad_enabled() and (
        query.requires_grad
        or key.requires_grad
        or value.requires_grad
        or (attn_mask is not None and attn_mask.requires_grad)
    )
    if reason == HERE and not (needs_gradient and attn_mask is None and not dropout_p):
        count(SDPA, reason, query, key, value)
        return _run(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa, needs_gradient)
    given = (query, key, value, attn_mask, dropout_p, is_causal)
    # Where PyTorch takes its fused operator, it comes back, in flash() and with PyTorch's own recording.
    if not _is_fused(given, reason, scale, enable_gqa):
        count(SDPA, reason, query, key, value)
        if reason == HERE:
            return _run(*given, scale, enable_gqa, needs_gradient)
    return originals[SDPA, "AutogradCPU"].call_boxed(keys, *given, scale=scale, enable_gqa=enable_gqa)


def sdpa_below_autograd(
    keys: Any,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """The same in inference mode, and within kernels: nothing is recorded."""
    reason = _why_not(query, key, value, attn_mask, is_causal, enable_gqa, scale)
    given = (query, key, value, attn_mask, dropout_p, is_causal)
    if reason == HERE:
        count(SDPA, reason, query, key, value)
        with torch.no_grad():
            return _run(*given, scale, enable_gqa, False)
    if not _is_fused(given, reason, scale, enable_gqa):
        count(SDPA, reason, query, key, value)
    return originals[SDPA, "CPU"].call_boxed(keys, *given, scale=scale, enable_gqa=enable_gqa)


def flash(
    keys: Any,
    query: Any,
    key: Any,
    value: Any,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Any = None,
    scale: float | None = None,
) -> Any:
    """(output, logsumexp), laid out as PyTorch's."""
    reason = _why_not_fused(query, key, value, dropout_p, is_causal, attn_mask, scale)
    count(FLASH, reason, query, key, value)
    if reason != HERE:
        return originals[FLASH, "CPU"].call_boxed(
            keys, query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale
        )
    options, terms = _options_of(attn_mask, is_causal, scale)
    out = empty_like(query) if query.stride(3) == 1 else None
    made = _foveal.forward(
        settings_of(options._replace(return_lse=True)), query, key, value, TORCH, threads_of_call(), out, *terms, 0
    )
    batch, heads, queries, _ = query.shape
    lse = query.new_empty((batch, queries, heads), dtype=made[1].dtype).transpose(1, 2)
    return out if out is not None else made[0], lse.copy_(made[1])


def flash_backward(
    keys: Any,
    grad_out: Any,
    query: Any,
    key: Any,
    value: Any,
    out: Any,
    logsumexp: Any,
    dropout_p: float,
    is_causal: bool,
    *,
    attn_mask: Any = None,
    scale: float | None = None,
) -> Any:
    """The gradients of query, key and value, each (B, L, H, D) in memory."""
    reason = _why_not_fused(query, key, value, dropout_p, is_causal, attn_mask, scale)
    count(FLASH_BACKWARD, reason, query, key, value)
    if reason != HERE:
        return originals[FLASH_BACKWARD, "CPU"].call_boxed(
            keys,
            grad_out,
            query,
            key,
            value,
            out,
            logsumexp,
            dropout_p,
            is_causal,
            attn_mask=attn_mask,
            scale=scale,
        )
    options, terms = _options_of(attn_mask, is_causal, scale)
    gradients = (empty_heads_inside(query), empty_heads_inside(key), empty_heads_inside(value))
    _foveal.backward(
        settings_of(options),
        grad_out,
        query,
        key,
        value,
        out,
        logsumexp.contiguous(),
        TORCH,
        threads_of_call(),
        *terms,
        0,
        gradients=gradients,
    )
    return gradients


def _why_not(
    query: Any, key: Any, value: Any, attn_mask: Any, is_causal: bool, enable_gqa: bool, scale: float | None
) -> str:
    arrays = (query, key, value) if attn_mask is None else (query, key, value, attn_mask)
    if not nobody_looks_on(*arrays):
        return _takeover_rules.LOOKED_ON
    if not torch.backends.cuda.flash_sdp_enabled():
        return _takeover_rules.BACKEND
    if getattr(forward_ad, "_current_level", 0) >= 0:
        return _takeover_rules.FORWARD_MODE
    return _takeover_rules.of_call(query, key, value, attn_mask, is_causal, enable_gqa, scale)


def _why_not_fused(
    query: Any, key: Any, value: Any, dropout_p: float, is_causal: bool, attn_mask: Any, scale: float | None
) -> str:
    """PyTorch has taken the call apart already: these are plain tensors."""
    if dropout_p:
        return _takeover_rules.DROPOUT
    if value.shape != key.shape:
        return _takeover_rules.RANK
    return _takeover_rules.of_call(query, key, value, attn_mask, is_causal, True, scale)


def _is_fused(given: tuple[Any, ...], reason: str, scale: float | None, enable_gqa: bool) -> bool:
    """Whether PyTorch takes its fused operator for a call. What doesn't fit it refuses later."""
    if reason == _takeover_rules.LOOKED_ON:  # where its choice can't be asked for
        return _takeover_rules.looks_fused(*given[:5])
    try:
        return bool(torch._fused_sdp_choice(*given, scale=scale, enable_gqa=enable_gqa) == _FUSED)
    except RuntimeError:
        return False


def _run(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any,
    dropout_p: float,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
    needs_gradient: bool,
) -> Any:
    if needs_gradient and attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = _copied(attn_mask)
    options, terms = _options_of(attn_mask, is_causal, scale)
    if dropout_p:
        options = options._replace(dropout=dropout_p)
    # The plain path's output is contiguous, and its gradients; programs may view either as PyTorch laid it.
    as_fused = _takeover_rules.looks_fused(query, key, value, attn_mask, dropout_p)
    if needs_gradient and as_fused:
        call = Call(*recorded(options), 0, terms.mask_arrays, heads_inside=True)
        return PlainAttention.apply(call, query, key, value, *(() if terms.bias is None else terms[:3]))[0]
    if needs_gradient or dropout_p:
        return attention(query, key, value, terms, options, None, None, enable_gqa)
    out = empty_like(query) if as_fused else None
    return _foveal.forward(settings_of(options), query, key, value, TORCH, threads_of_call(), out, *terms, 0)


def _options_of(attn_mask: Any, is_causal: bool, scale: float | None) -> tuple[Options, Terms]:
    options, terms = CAUSAL if is_causal else DEFAULT, NO_TERMS
    if attn_mask is None and scale is None:
        return options, terms
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            options = options._replace(mask="dense(#)")
            terms = terms._replace(mask_arrays=(attn_mask,))
        else:
            terms = terms._replace(bias=attn_mask)
    if scale is not None:
        options = options._replace(scale=float(scale))
    return options, terms


def _copied(mask: Any) -> Any:
    """As PyTorch copies one, so that a program may change its own before the backward. What is broadcast stays so."""
    return mask[tuple([slice(None) if stride else slice(1) for stride in mask.stride()])].clone()
