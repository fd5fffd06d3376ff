"""nn.MultiheadAttention's path for evaluation: one operator for projections and attention."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from . import _foveal, _takeover_rules
from ._arrays import TORCH
from ._options import DEFAULT, settings_of
from ._takeover_kernels import originals
from ._takeover_report import HERE, count
from ._terms import NO_TERMS
from ._threads import threads_of_call

HEADS = "_native_multi_head_attention"

# What PyTorch calls kinds of masks: (L, L), (B, L) for keys, (B, H, L, L); True is left out.
_OF_QUERIES, _PADDING, _WHOLE = 0, 1, 2


def native_multi_head_attention(
    keys: Any,
    query: Any,
    key: Any,
    value: Any,
    embed_dim: int,
    num_head: int,
    qkv_weight: Any,
    qkv_bias: Any,
    proj_weight: Any,
    proj_bias: Any,
    mask: Any = None,
    need_weights: bool = True,
    average_attn_weights: bool = True,
    mask_type: int | None = None,
) -> Any:
    """(output (B, L, E), weights: none here)."""
    visible = _visible(mask, mask_type, query, num_head)
    reason = _why_not(query, key, value, embed_dim, num_head, mask, visible, need_weights)
    count(HEADS, reason, query, key, value)
    if reason != HERE:
        return originals[HEADS, "CPU"].call_boxed(
            keys,
            query,
            key,
            value,
            embed_dim,
            num_head,
            qkv_weight,
            qkv_bias,
            proj_weight,
            proj_bias,
            mask,
            need_weights,
            average_attn_weights,
            mask_type,
        )
    batch, length, _ = query.shape
    if query is key is value:
        heads = F.linear(query, qkv_weight, qkv_bias).view(batch, length, 3, num_head, embed_dim // num_head)
        q, k, v = heads.transpose(1, 3).unbind(2)
    else:  # under autocast one tensor comes as three
        parts = zip((query, key, value), qkv_weight.chunk(3), qkv_bias.chunk(3))
        q, k, v = (F.linear(x, w, b).view(batch, length, num_head, -1).transpose(1, 2) for x, w, b in parts)
    options, terms = DEFAULT, NO_TERMS
    if visible is not None:
        options, terms = options._replace(mask="dense(#)"), terms._replace(mask_arrays=(visible,))
    rows = query.new_empty((batch, length, num_head, embed_dim // num_head))
    _foveal.forward(settings_of(options), q, k, v, TORCH, threads_of_call(), rows.transpose(1, 2), *terms, 0)
    return F.linear(rows.view(batch, length, embed_dim), proj_weight, proj_bias), None


def _why_not(
    query: Any, key: Any, value: Any, embed_dim: int, num_head: int, mask: Any, visible: Any, need_weights: bool
) -> str:
    if need_weights:
        return _takeover_rules.WEIGHTS
    if query.dim() != 3 or query.shape != key.shape or query.shape != value.shape:
        return _takeover_rules.EMBEDDED
    if num_head <= 0 or embed_dim != query.shape[2] or embed_dim % num_head != 0:
        return _takeover_rules.EMBEDDED
    if mask is not None and visible is None:
        return _takeover_rules.MASK
    batch, length, _ = query.shape
    shape = torch.empty((batch, num_head, length, embed_dim // num_head), dtype=query.dtype, device="meta")
    return _takeover_rules.of_call(shape, shape, shape, visible, False, False)


def _visible(mask: Any, mask_type: int | None, query: Any, num_head: int) -> Any:
    """As foveal has it, True takes part; None where there is no such mask. Its shape is the kind's to the letter: what
    could be broadcast PyTorch refuses."""
    if mask is None or query.dim() != 3:
        return None
    batch, length, _ = query.shape
    shapes = {_OF_QUERIES: (length, length), _PADDING: (batch, length), _WHOLE: (batch, num_head, length, length)}
    if mask_type not in shapes or mask.shape != shapes[mask_type]:
        return None
    visible = torch.logical_not(mask)  # PyTorch takes whatever isn't 0 as left out, -inf among it
    return visible[:, None, None, :] if mask_type == _PADDING else visible
