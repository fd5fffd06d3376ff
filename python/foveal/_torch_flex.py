"""What FlexAttention is for, with values instead of functions: they can be looked at, so nothing is compiled."""

from __future__ import annotations

from typing import Any

import torch

from ._attention import scaled_dot_product_attention
from .masks import Mask, from_block_mask
from .scores import Scores


def flex(
    query: Any,
    key: Any,
    value: Any,
    score_mod: Scores | None = None,
    mask: Any = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    return_lse: bool = False,
) -> Any:
    """softmax(score_mod(query @ key.T * scale), masked) @ value, with gradients, in place of
    torch.nn.attention.flex_attention.flex_attention.

    query (..., H, L_q, D), key (..., H, L_k, D), value (..., H, L_k, D_v): PyTorch's tensors on a CPU.
    score_mod: of foveal.scores, joined by +. mask: an expression of foveal.masks, or a BlockMask whose
    blocks are whole. Gives the output, or AttentionResult(output, lse, ...) with return_lse.

    Raises TypeError for Python functions: none is called per score.
    """
    if score_mod is not None and not isinstance(score_mod, Scores):
        raise TypeError(
            f"flex: score_mod is a {type(score_mod).__name__}: give an expression of foveal.scores (alibi, softcap, bias, "
            "joined by +); Python functions aren't called per score: what depends on positions alone can be an array, "
            "foveal.scores.bias(array)"
        )
    if mask is not None and not isinstance(mask, (Mask, str)):
        if isinstance(mask, torch.nn.attention.flex_attention.BlockMask):
            mask = from_block_mask(mask)
        else:
            raise TypeError(
                f"flex: mask is a {type(mask).__name__}: give an expression of foveal.masks, or a BlockMask; Python "
                "functions aren't called per score: what they say can be an array, foveal.masks.dense(array)"
            )
    mod = score_mod or Scores()
    slopes = mod.alibi_slopes
    if isinstance(slopes, (list, tuple)):
        slopes = torch.tensor(slopes, dtype=torch.float32)
    return scaled_dot_product_attention(
        query,
        key,
        value,
        mod.bias,
        scale=scale,
        enable_gqa=enable_gqa,
        mask=mask,
        softcap=mod.softcap,
        alibi_slopes=slopes,
        return_lse=return_lse,
    )
