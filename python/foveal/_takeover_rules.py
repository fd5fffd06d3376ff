"""Which calls run here. Each reason is a text for the report; HERE says that a call does."""

from __future__ import annotations

from typing import Any

import torch

from ._takeover_report import HERE

#: Multiplications of a call below which it is left to PyTorch: looking at it costs some microseconds,
#: and threads are started and waited for on both sides. Measured: docs/pytorch.md.
SMALLEST_WORK = 1_000_000
#: With few queries memory is what counts, and less is worth it.
FEW_QUERIES = 4
SMALLEST_WORK_OF_FEW = 250_000

SMALL = "so small that the detour costs more than it saves"
EMPTY = "empty"
DTYPE = "a dtype other than float32, float64, bfloat16 and float16, or several"
RANK = "shapes other than (B, H, L, D)"
HEADS = "heads that neither match nor divide"
MASK = "a mask whose shape or dtype doesn't fit, or one beside is_causal"
SCALE = "a scale that float32 doesn't hold"
DROPOUT = "dropout in the fused operator"
BACKEND = "another backend is chosen by torch.nn.attention.sdpa_kernel"
FORWARD_MODE = "forward mode (jvp)"
LOOKED_ON = "traced, transformed or watched by a mode, where PyTorch's plain path computes it"
SUBCLASS = "a tensor of another class"
WEIGHTS = "the weights are asked for"
EMBEDDED = "shapes other than (B, L, E), alike for query, key and value"

_LARGEST_SCALE = torch.finfo(torch.float32).max
_FLOATING = frozenset((torch.float32, torch.float64, torch.bfloat16, torch.float16))


def of_call(
    query: Any, key: Any, value: Any, attn_mask: Any, is_causal: bool, enable_gqa: bool, scale: float | None = None
) -> str:
    """The reason that lies in (B, H, L, D) tensors and the scale, HERE where there is none."""
    if scale is not None and not abs(scale) <= _LARGEST_SCALE:
        return SCALE
    q, k, v = query.shape, key.shape, value.shape
    if len(q) != 4 or len(k) != 4 or len(v) != 4:
        return RANK
    batch, heads, queries, width = q
    keys, out_width = k[2], v[3]
    if k[0] != batch or v[0] != batch or v[2] != keys or k[3] != width:
        return RANK
    work = batch * heads * queries * keys * (width + out_width)
    if not (work and width and out_width):
        return EMPTY
    if work < (SMALLEST_WORK if queries > FEW_QUERIES else SMALLEST_WORK_OF_FEW):
        return SMALL
    if k[1] != heads or v[1] != heads:
        if not enable_gqa or k[1] != v[1] or k[1] == 0 or heads % k[1] != 0:
            return HEADS
    dtype = query.dtype
    if dtype not in _FLOATING or key.dtype != dtype or value.dtype != dtype:
        return DTYPE
    if attn_mask is not None and (is_causal or not _mask_fits(attn_mask, dtype, (batch, heads, queries, keys))):
        return MASK
    return HERE


def looks_fused(query: Any, key: Any, value: Any, attn_mask: Any, dropout_p: float) -> bool:
    """Whether PyTorch's fused operator takes it, as far as can be told of tensors under a transform."""
    q, k, v = query.shape, key.shape, value.shape
    if dropout_p or len(q) != 4 or len(k) != 4 or len(v) != 4 or q[3] != v[3]:
        return False
    if query.stride(3) != 1 or key.stride(3) != 1 or value.stride(3) != 1:
        return False
    return attn_mask is None or (len(attn_mask.shape) in (2, 4) and not attn_mask.requires_grad)


def _mask_fits(mask: Any, dtype: Any, scores: tuple[int, ...]) -> bool:
    shape = mask.shape
    if mask.dtype not in (torch.bool, dtype) or not 2 <= len(shape) <= 4:
        return False
    return all(size in (1, whole) for size, whole in zip(reversed(shape), reversed(scores)))
