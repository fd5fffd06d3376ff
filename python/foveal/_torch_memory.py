"""Memory for results, laid out as PyTorch lays them."""

from __future__ import annotations

from typing import Any

import torch

from . import (
    _foveal,
    _torch_operators,  # noqa: F401  introduces PyTorch to the extension
)

# Bytes from which results lie in the library's memory: it keeps what is let go of, where PyTorch's comes from the
# system again, and a fresh page costs a fault at its first write: 5 ms for a result of 25 MB.
_LARGE = 1 << 20


def empty_like(tensor: Any) -> Any:
    """torch.empty_like(tensor)."""
    if _is_small(tensor):
        return torch.empty_like(tensor)
    return _foveal.empty_like(tensor, torch.empty_like(tensor, device="meta").stride())


def empty_heads_inside(tensor: Any) -> Any:
    """For (B, H, L, D) one that is (B, L, H, D) in memory."""
    if _is_small(tensor):
        return torch.empty_permuted(tensor.shape, (0, 2, 1, 3), dtype=tensor.dtype, device=tensor.device)
    _, heads, length, size = tensor.shape
    return _foveal.empty_like(tensor, (length * heads * size, size, heads * size, 1))


def _is_small(tensor: Any) -> bool:
    return bool(tensor.nbytes < _LARGE)
