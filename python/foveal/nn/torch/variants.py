"""The nine variants of foveal.nn.variants as torch.nn.Module. They differ in their parameters; all
attend by foveal.scaled_dot_product_attention."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ... import masks
from ..._attention import scaled_dot_product_attention
from ..variants import names
from . import CausalAttention, MultiHeadAttention
from ._attend import check_heads, check_length, drop_mask, join_heads, masked_attention, split_heads

__all__ = [
    "CausalWrapper",
    "Chapter",
    "CombinedQKV",
    "Einsum",
    "Fused",
    "FusedExplicitMask",
    "MaskExpression",
    "PackedProjection",
    "PackedProjectionNoWeights",
    "make",
    "names",
]


class CausalWrapper(nn.Module):
    """A CausalAttention for each head, one after the other, joined, then projected."""

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__()
        check_heads(type(self).__name__, d_out, num_heads)
        size = d_out // num_heads
        self.heads = nn.ModuleList(
            [CausalAttention(d_in, size, context_length, dropout, qkv_bias) for _ in range(num_heads)]
        )
        self.out_proj = nn.Linear(d_out, d_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.out_proj(torch.cat([head(x) for head in self.heads], dim=-1))
        return projected


class Chapter(MultiHeadAttention):
    """The chapter's class."""


class _Combined(nn.Module):
    """One projection makes queries, keys and values."""

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__()
        check_heads(type(self).__name__, d_out, num_heads)
        self.num_heads, self.context_length = num_heads, context_length
        self.qkv = nn.Linear(d_in, 3 * d_out, bias=qkv_bias)
        self.proj = nn.Linear(d_out, d_out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_length(self, x, self.context_length)
        queries, keys, values = (split_heads(part, self.num_heads) for part in self.qkv(x).chunk(3, dim=-1))
        projected: torch.Tensor = self.proj(join_heads(self._attend(queries, keys, values)))
        return projected

    def _attend(self, queries: Any, keys: Any, values: Any) -> Any:
        raise NotImplementedError

    def _dropout_p(self) -> float:
        return self.dropout.p if self.training else 0.0


class CombinedQKV(_Combined):
    """One projection for queries, keys and values together; the chapter's mask."""

    mask: torch.Tensor

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__(d_in, d_out, context_length, dropout, num_heads, qkv_bias)
        self.register_buffer("mask", drop_mask(context_length))

    def _attend(self, queries: Any, keys: Any, values: Any) -> Any:
        return masked_attention(self, queries, keys, values)


class Einsum(nn.Module):
    """W_query, W_key, W_value are (d_in, d_out), and multiplied by einsum."""

    mask: torch.Tensor

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__()
        check_heads(type(self).__name__, d_out, num_heads)
        self.num_heads = num_heads
        self.W_query, self.W_key, self.W_value = (_drawn(d_in, d_out) for _ in range(3))
        self.bias_q: nn.Parameter | None
        self.bias_k: nn.Parameter | None
        self.bias_v: nn.Parameter | None
        for name in ("bias_q", "bias_k", "bias_v"):
            self.register_parameter(name, nn.Parameter(torch.zeros(d_out)) if qkv_bias else None)
        self.out_proj = nn.Linear(d_out, d_out)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", drop_mask(context_length))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_length(self, x, self.mask.shape[0])
        queries = self._projected(x, self.W_query, self.bias_q)
        keys = self._projected(x, self.W_key, self.bias_k)
        values = self._projected(x, self.W_value, self.bias_v)
        projected: torch.Tensor = self.out_proj(join_heads(masked_attention(self, queries, keys, values)))
        return projected

    def _projected(self, x: torch.Tensor, weight: nn.Parameter, bias: nn.Parameter | None) -> torch.Tensor:
        product = torch.einsum("bnd,do->bno", x, weight)
        return split_heads(product if bias is None else product + bias, self.num_heads)


class Fused(_Combined):
    """Attention is told "causal"."""

    def _attend(self, queries: Any, keys: Any, values: Any) -> Any:
        return scaled_dot_product_attention(queries, keys, values, None, self._dropout_p(), True)


class FusedExplicitMask(_Combined):
    """Attention is told by a matrix: buffer mask, True where a key may be attended to."""

    mask: torch.Tensor

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__(d_in, d_out, context_length, dropout, num_heads, qkv_bias)
        self.register_buffer("mask", torch.tril(torch.ones(context_length, context_length)).bool())

    def _attend(self, queries: Any, keys: Any, values: Any) -> Any:
        length = queries.shape[-2]
        return scaled_dot_product_attention(queries, keys, values, self.mask[:length, :length], self._dropout_p())


class PackedProjection(nn.Module):
    """The parameters of PyTorch's nn.MultiheadAttention, then one more projection. d_in is d_out."""

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__()
        check_heads(type(self).__name__, d_out, num_heads)
        if d_in != d_out:
            raise ValueError(f"{type(self).__name__}: d_in is {d_in} and d_out {d_out}: they must be the same")
        self.context_length = context_length
        self.multihead_attn = nn.MultiheadAttention(d_out, num_heads, dropout, bias=qkv_bias, batch_first=True)
        self.proj = nn.Linear(d_out, d_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_with_weights(x)[0]

    def forward_with_weights(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The output, and the weights averaged over the heads, (B, L, L), without a gradient."""
        result = self._attend(x, True)
        return self._projected(result.output), result.weights.mean(1)

    def _attend(self, x: torch.Tensor, return_weights: bool) -> Any:
        check_length(self, x, self.context_length)
        layer = self.multihead_attn
        packed = nn.functional.linear(x, layer.in_proj_weight, layer.in_proj_bias)
        queries, keys, values = (split_heads(part, layer.num_heads) for part in packed.chunk(3, dim=-1))
        dropout_p = layer.dropout if self.training else 0.0
        return scaled_dot_product_attention(
            queries, keys, values, None, dropout_p, True, return_weights=return_weights
        )

    def _projected(self, context: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.proj(self.multihead_attn.out_proj(join_heads(context)))
        return projected


class PackedProjectionNoWeights(PackedProjection):
    """The same without weights."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._projected(self._attend(x, False))


class MaskExpression(_Combined):
    """Any expression of foveal.masks; causal where none is given."""

    def __init__(
        self,
        d_in: int,
        d_out: int,
        context_length: int,
        dropout: float,
        num_heads: int,
        qkv_bias: bool = False,
        mask: masks.Mask | None = None,
    ) -> None:
        super().__init__(d_in, d_out, context_length, dropout, num_heads, qkv_bias)
        self.mask = masks.causal() if mask is None else mask

    def _attend(self, queries: Any, keys: Any, values: Any) -> Any:
        return scaled_dot_product_attention(queries, keys, values, None, self._dropout_p(), mask=self.mask)


_CLASSES: tuple[type[nn.Module], ...] = (
    CausalWrapper,
    Chapter,
    CombinedQKV,
    Einsum,
    Fused,
    FusedExplicitMask,
    PackedProjection,
    PackedProjectionNoWeights,
    MaskExpression,
)


def make(
    name: str, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
) -> nn.Module:
    if name not in names():
        raise ValueError(f"there is no variant {name!r}: the nine are {', '.join(names())}")
    made: nn.Module = _CLASSES[names().index(name)](d_in, d_out, context_length, dropout, num_heads, qkv_bias)
    return made


def _drawn(d_in: int, d_out: int) -> nn.Parameter:
    weight = nn.Parameter(torch.empty(d_in, d_out))
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    return weight
