"""How many threads a call takes, and whose."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from typing import Any

from . import _foveal
from ._given import INT32, whole

_chosen = False  # by set_num_threads
_looked = False  # for PyTorch's threads


def _leave_threads() -> None:
    """A forked child has none of its parent's OpenMP threads, which OpenMP would wait for."""
    global _looked
    _looked = True


os.register_at_fork(after_in_child=_leave_threads)


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
    """0: the library's own number. From PyTorch's loading on calls run on the threads that it runs on."""
    global _looked
    torch = sys.modules.get("torch")
    if torch is None:
        return 0
    if not _looked and hasattr(torch, "__config__"):
        _looked = True
        _join_threads_of(torch)
    return 0 if _chosen else get_num_threads()


def _join_threads_of(torch: Any) -> None:
    """Two pools would take the CPUs from one another: OpenMP's threads spin after each of PyTorch's operations."""
    if _may_be_forked() or "backend: OpenMP" not in torch.__config__.parallel_info():
        return
    path = _openmp_of(os.path.dirname(torch.__file__ or ""))
    if path is None:
        return
    try:
        library = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_NOLOAD)
        fork, most = library.GOMP_parallel, library.omp_get_max_threads
    except (AttributeError, OSError):
        return
    _foveal.run_on_openmp(*(ctypes.cast(function, ctypes.c_void_p).value or 0 for function in (fork, most)))


def _may_be_forked() -> bool:
    """Whether this is a child of multiprocessing's, whose parent may have had OpenMP's threads."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _openmp_of(folder: str) -> str | None:
    """The OpenMP library that is loaded: PyTorch's own, else the only one."""
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split(maxsplit=5)[5].rstrip() for line in maps if "omp" in line}
    except OSError:
        return None
    found = [path for path in paths if re.match(r"lib(gomp|iomp5|omp)\b", os.path.basename(path))]
    own = [path for path in found if path.startswith(folder)]  # torch/lib, or torch.libs beside it
    return own[0] if len(own) == 1 else found[0] if len(found) == 1 else None
