"""How many threads a call takes."""

from __future__ import annotations

import sys

from . import _foveal
from ._given import INT32, whole

_chosen = False  # by set_num_threads


def set_num_threads(count: int) -> None:
    """Threads that later calls use, the caller's included: 1 to 1024."""
    global _chosen
    _foveal.set_num_threads(whole("set_num_threads: count", count, INT32))
    _chosen = True


def get_num_threads() -> int:
    """Those of set_num_threads. Without one: the CPUs that this process may use, and no more than
    PyTorch's number where PyTorch is loaded."""
    own = _foveal.num_threads()
    torch = sys.modules.get("torch")
    if _chosen or torch is None or not hasattr(torch, "get_num_threads"):
        return own
    return min(own, int(torch.get_num_threads()))


def threads_of_call() -> int:
    """0: the library's own number."""
    torch = sys.modules.get("torch")
    if _chosen or torch is None:
        return 0
    return get_num_threads()
