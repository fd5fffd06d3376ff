"""What the classes of foveal.nn.torch do alike."""

from __future__ import annotations

from typing import Any

import torch

from ..._attention import scaled_dot_product_attention


def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(B, L, d) -> (B, H, L, D)."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def join_heads(context: torch.Tensor) -> torch.Tensor:
    """(B, H, L, D) -> (B, L, d)."""
    return context.transpose(-3, -2).flatten(-2)


def masked_attention(
    module: Any, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
) -> torch.Tensor:
    """Under module.mask, which isn't 0 where nothing is seen, with module.dropout in training mode."""
    length = queries.shape[-2]
    visible = module.mask[:length, :length] == 0
    dropout_p = module.dropout.p if module.training else 0.0
    context: torch.Tensor = scaled_dot_product_attention(queries, keys, values, visible, dropout_p)
    return context


def drop_mask(context_length: int) -> torch.Tensor:
    """1 above the diagonal."""
    return torch.triu(torch.ones(context_length, context_length), diagonal=1)


def check_length(module: torch.nn.Module, x: torch.Tensor, context_length: int) -> None:
    if x.dim() != 3 or x.shape[1] > context_length:
        raise ValueError(
            f"{type(module).__name__}: x has shape {tuple(x.shape)}: it must be (B, L, d_in), L at most "
            f"context_length, {context_length}"
        )


def check_heads(class_name: str, d_out: int, num_heads: int) -> None:
    if num_heads < 1 or d_out % num_heads:
        raise ValueError(
            f"{class_name}: d_out is {d_out} and num_heads {num_heads}: d_out must be divisible by num_heads"
        )
