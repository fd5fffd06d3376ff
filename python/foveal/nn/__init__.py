"""The chapter's classes, their parameters NumPy arrays: its names, its arguments, and after
foveal.manual_seed its numbers.

>>> import foveal
>>> foveal.manual_seed(123)
>>> foveal.nn.MultiHeadAttention(3, 2, context_length=6, dropout=0.0, num_heads=2)
MultiHeadAttention(d_in=3, d_out=2, num_heads=2)

foveal.nn.variants has nine ways to write the last one. foveal.nn.torch, which imports PyTorch, has
all of them as torch.nn.Module, for training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import variants
from ._module import Module

if TYPE_CHECKING:
    from . import torch as torch

__all__ = [
    "CausalAttention",
    "CausalAttentionWithoutBuffers",
    "CausalSelfAttention",
    "Module",
    "MultiHeadAttention",
    "MultiHeadAttentionWrapper",
    "MultiHeadAttentionWrapperWithProjection",
    "SelfAttention_v1",
    "SelfAttention_v2",
    "variants",
]


class _Chapter(Module):
    @property
    def fused(self) -> bool:
        """Whether forward runs in one pass without a matrix of all weights, or step by step. The
        result is the same but for rounding."""
        return self._native.fused()

    @fused.setter
    def fused(self, on: bool) -> None:
        self._native.set_fused(on)


class SelfAttention_v1(_Chapter):
    """Section 3.4.2: x (L, d_in) -> (L, d_out). Parameters W_query, W_key, W_value (d_in, d_out),
    drawn by rand."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__("SelfAttention_v1", d_in, d_out)


class SelfAttention_v2(_Chapter):
    """Section 3.4.2: the same with Linear layers."""

    def __init__(self, d_in: int, d_out: int, qkv_bias: bool = False) -> None:
        super().__init__("SelfAttention_v2", d_in, d_out, qkv_bias=qkv_bias)


class CausalAttention(_Chapter):
    """Section 3.5.3: x (B, L, d_in) -> (B, L, d_out), L at most context_length. Buffer mask, 1 above
    the diagonal, where nothing is seen."""

    def __init__(self, d_in: int, d_out: int, context_length: int, dropout: float, qkv_bias: bool = False) -> None:
        super().__init__("CausalAttention", d_in, d_out, context_length, dropout, qkv_bias=qkv_bias)


CausalSelfAttention = CausalAttention  # the loader notebook's name


class CausalAttentionWithoutBuffers(_Chapter):
    """Bonus part on buffers: its mask is in no state_dict."""

    def __init__(self, d_in: int, d_out: int, context_length: int, dropout: float, qkv_bias: bool = False) -> None:
        super().__init__("CausalAttentionWithoutBuffers", d_in, d_out, context_length, dropout, qkv_bias=qkv_bias)


class MultiHeadAttentionWrapper(_Chapter):
    """Section 3.6.1: heads one after the other, side by side: (B, L, d_in) -> (B, L, num_heads *
    d_out)."""

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__("MultiHeadAttentionWrapper", d_in, d_out, context_length, dropout, num_heads, qkv_bias)


class MultiHeadAttentionWrapperWithProjection(_Chapter):
    """The loader notebook's: the same, then a Linear of that width."""

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        name = "MultiHeadAttentionWrapperWithProjection"
        super().__init__(name, d_in, d_out, context_length, dropout, num_heads, qkv_bias)


class MultiHeadAttention(_Chapter):
    """Section 3.6.2: (B, L, d_in) -> (B, L, d_out), a head d_out / num_heads wide."""

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__("MultiHeadAttention", d_in, d_out, context_length, dropout, num_heads, qkv_bias)


def __getattr__(name: str) -> Any:
    if name == "torch":  # it imports PyTorch
        import importlib

        return importlib.import_module(".torch", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
