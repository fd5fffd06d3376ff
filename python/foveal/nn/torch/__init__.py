"""The classes of foveal.nn as torch.nn.Module: real layers and parameters, drawn by PyTorch's
generator, the same names in state_dict, and attention by foveal.scaled_dot_product_attention, with
gradients. No matrix of all weights is made; dropout draws from the counter of that function.
"""

from __future__ import annotations

import torch
from torch import nn

from ..._attention import scaled_dot_product_attention
from ._attend import check_heads, check_length, drop_mask, join_heads, masked_attention, split_heads

__all__ = [
    "CausalAttention",
    "CausalAttentionWithoutBuffers",
    "CausalSelfAttention",
    "MultiHeadAttention",
    "MultiHeadAttentionWrapper",
    "MultiHeadAttentionWrapperWithProjection",
    "SelfAttention_v1",
    "SelfAttention_v2",
    "variants",
]


class SelfAttention_v1(nn.Module):
    """Section 3.4.2: x (L, d_in) -> (L, d_out)."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.W_query = nn.Parameter(torch.rand(d_in, d_out))
        self.W_key = nn.Parameter(torch.rand(d_in, d_out))
        self.W_value = nn.Parameter(torch.rand(d_in, d_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        context: torch.Tensor = scaled_dot_product_attention(x @ self.W_query, x @ self.W_key, x @ self.W_value)
        return context


class SelfAttention_v2(nn.Module):
    """Section 3.4.2: the same with Linear layers."""

    def __init__(self, d_in: int, d_out: int, qkv_bias: bool = False) -> None:
        super().__init__()
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        context: torch.Tensor = scaled_dot_product_attention(self.W_query(x), self.W_key(x), self.W_value(x))
        return context


class CausalAttention(nn.Module):
    """Section 3.5.3: x (B, L, d_in) -> (B, L, d_out), L at most context_length. Buffer mask, 1 above
    the diagonal, where nothing is seen."""

    mask: torch.Tensor

    def __init__(self, d_in: int, d_out: int, context_length: int, dropout: float, qkv_bias: bool = False) -> None:
        super().__init__()
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.dropout = nn.Dropout(dropout)
        self._set_mask(drop_mask(context_length))

    def _set_mask(self, mask: torch.Tensor) -> None:
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_length(self, x, self.mask.shape[0])
        return masked_attention(self, self.W_query(x), self.W_key(x), self.W_value(x))


CausalSelfAttention = CausalAttention  # the loader notebook's name


class CausalAttentionWithoutBuffers(CausalAttention):
    """Bonus part on buffers: its mask is in no state_dict."""

    def _set_mask(self, mask: torch.Tensor) -> None:
        self.mask = mask


class MultiHeadAttentionWrapper(nn.Module):
    """Section 3.6.1: heads one after the other, side by side: (B, L, d_in) -> (B, L, num_heads *
    d_out)."""

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            [CausalAttention(d_in, d_out, context_length, dropout, qkv_bias) for _ in range(num_heads)]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([head(x) for head in self.heads], dim=-1)


class MultiHeadAttentionWrapperWithProjection(MultiHeadAttentionWrapper):
    """The loader notebook's: the same, then a Linear of that width."""

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__(d_in, d_out, context_length, dropout, num_heads, qkv_bias)
        self.out_proj = nn.Linear(num_heads * d_out, num_heads * d_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.out_proj(super().forward(x))
        return projected


class MultiHeadAttention(nn.Module):
    """Section 3.6.2: (B, L, d_in) -> (B, L, d_out), a head d_out / num_heads wide."""

    mask: torch.Tensor

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__()
        check_heads(type(self).__name__, d_out, num_heads)
        self.num_heads = num_heads
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.out_proj = nn.Linear(d_out, d_out)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", drop_mask(context_length))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_length(self, x, self.mask.shape[0])
        queries, keys, values = (
            split_heads(layer(x), self.num_heads) for layer in (self.W_query, self.W_key, self.W_value)
        )
        projected: torch.Tensor = self.out_proj(join_heads(masked_attention(self, queries, keys, values)))
        return projected


from . import variants  # noqa: E402  it builds on the classes above
