"""Where dropout and weights are drawn from."""

from __future__ import annotations

from typing import Any

from . import _foveal
from ._given import whole

_ANY = (-(2**63), 2**64 - 1)  # as PyTorch's: negative ones are those of the same 64 bits


def manual_seed(seed: int) -> None:
    """Starts anew what foveal.nn and dropout without a seed draw from: as PyTorch does from that seed."""
    _foveal.manual_seed(whole("manual_seed: seed", seed, _ANY) % 2**64)


def seed_number(what: str, seed: Any) -> int:
    return whole(what, seed, _ANY) % 2**64
