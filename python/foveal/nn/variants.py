"""Nine ways to write causal multi-head attention (docs/variants.md): from the same weights all give
the same but for rounding. Each takes (d_in, d_out, context_length, dropout, num_heads,
qkv_bias=False), and x (B, L, d_in) -> (B, L, d_out), L at most context_length."""

from __future__ import annotations

from typing import Any

from .. import _foveal
from ..masks import Mask
from ._module import Module

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
    "Variant",
    "convert",
    "make",
    "names",
]


class Variant(Module):
    name: str  #: as `foveal compare` has it

    def __init__(
        self, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__(self.name, d_in, d_out, context_length, dropout, num_heads, qkv_bias)


class CausalWrapper(Variant):
    """A CausalAttention for each head, one after the other, joined, then projected."""

    name = "causal_wrapper"


class Chapter(Variant):
    """The chapter's class."""

    name = "chapter"


class CombinedQKV(Variant):
    """One projection for queries, keys and values together."""

    name = "combined_qkv"


class Einsum(Variant):
    """The chapter's with every product an einsum. W_query, W_key, W_value are (d_in, d_out)."""

    name = "einsum"


class Fused(Variant):
    """Combined weights, and attention in one pass that is told "causal"."""

    name = "fused"


class FusedExplicitMask(Variant):
    """The same, told by a matrix: buffer mask, True where a key may be attended to."""

    name = "fused_explicit_mask"


class PackedProjection(Variant):
    """PyTorch's nn.MultiheadAttention with its weights, then one more projection. d_in is d_out."""

    name = "packed_projection"

    def forward_with_weights(self, x: Any) -> tuple[Any, Any]:
        """The output, and the weights averaged over the heads, (B, L, L)."""
        return self._forward(x, True)


class PackedProjectionNoWeights(Variant):
    """The same without weights."""

    name = "packed_projection_no_weights"


class MaskExpression(Variant):
    """Attention in one pass under any expression of foveal.masks; causal where none is given."""

    name = "mask_expression"

    def __init__(
        self,
        d_in: int,
        d_out: int,
        context_length: int,
        dropout: float,
        num_heads: int,
        qkv_bias: bool = False,
        mask: Mask | str | None = None,
    ) -> None:
        Module.__init__(self, self.name, d_in, d_out, context_length, dropout, num_heads, qkv_bias, mask)


_CLASSES: dict[str, type[Variant]] = {
    each.name: each
    for each in (
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
}


def names() -> list[str]:
    """The nine, in order."""
    return _foveal.variant_names()


def make(
    name: str, d_in: int, d_out: int, context_length: int, dropout: float, num_heads: int, qkv_bias: bool = False
) -> Variant:
    if name not in _CLASSES:
        raise ValueError(f"there is no variant {name!r}: the nine are {', '.join(names())}")
    return _CLASSES[name](d_in, d_out, context_length, dropout, num_heads, qkv_bias)


def convert(source: Variant, target: Variant) -> None:
    """Gives `target` the weights of `source`, so that both give the same. Raises ValueError where its
    sizes, heads or biases can't hold them."""
    source._native.convert_to(target._native)
