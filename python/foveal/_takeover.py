"""Switching the takeover on and off: which of PyTorch's kernels are overridden, and how they come back."""

from __future__ import annotations

import collections
import threading
import warnings
from collections.abc import Callable
from typing import Any

import torch

from . import _takeover_report
from ._takeover_heads import HEADS, native_multi_head_attention
from ._takeover_kernels import (
    FLASH,
    FLASH_BACKWARD,
    SDPA,
    flash,
    flash_backward,
    originals,
    sdpa_above_autograd,
    sdpa_below_autograd,
)

_lock = threading.RLock()
_library: Any = None  # while it is on
_open = 0  # blocks of `with enable():`, in all threads
_before = False  # whether it was on before the first of them
# Our kernels of past switches: PyTorch frees one at once, under another thread that is about to call it. As many as no
# thread can be behind.
_past: collections.deque[Any] = collections.deque(maxlen=5000)

# The first operator is made of others, and PyTorch has no kernel of it for CPUs: ours stand before it.
_KERNELS: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    (SDPA, "CPU", sdpa_below_autograd),  # in inference mode
    (SDPA, "AutogradCPU", sdpa_above_autograd),
    (FLASH, "CPU", flash),
    (FLASH_BACKWARD, "CPU", flash_backward),
    (HEADS, "CPU", native_multi_head_attention),
)


class Enabled:
    """What enable() gives: as a context manager, which may be entered again, it restores at its end what was before
    enable(). Where several threads have blocks open at a time, the last one's end does."""

    def __init__(self, before: bool) -> None:
        self._before = before

    def __enter__(self) -> Enabled:
        global _open, _before
        with _lock:
            # Another thread's enable() may be what this one's found on, and its block is entered later.
            _before = self._before and (_open == 0 or _before)
            _open += 1
            enable()
        return self

    def __exit__(self, *_: object) -> None:
        global _open
        with _lock:
            _open -= 1
            if _open > 0 or _before:
                enable()
            else:
                disable()


def enable() -> Enabled:
    """From now on PyTorch's attention on CPUs runs here, in all threads: at once, and for what is
    already compiled too. Again, it changes nothing. `with enable():` restores what was before.

    What runs here and what doesn't, and why, is in report(), which counts from here on.

    Raises RuntimeError where PyTorch is too old to give back the kernels that are overridden (2.9).
    """
    global _library
    with _lock:
        before = _library is not None
        if not before:
            if not hasattr(torch.library, "get_kernel"):
                raise RuntimeError(
                    f"foveal.torch.enable: PyTorch {torch.__version__} has no torch.library.get_kernel: use 2.9 or "
                    "later, or call foveal.scaled_dot_product_attention"
                )
            for name, key, _ in _KERNELS:
                originals[name, key] = torch.library.get_kernel(f"aten::{name}", key)
            _takeover_report.begin()
            _library = _overridden()
        return Enabled(_before if _open > 0 else before)


def disable() -> None:
    """PyTorch's attention is PyTorch's again, however often enable() was called."""
    global _library
    with _lock:
        if _library is not None:
            _library._destroy()
            _library = None
            _look_again()


def is_enabled() -> bool:
    return _library is not None


def _overridden() -> Any:
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*Overriding a previously registered kernel")
        for name, key, kernel in _KERNELS:
            library.impl(name, kernel, key, with_keyset=True)
            _past.append(torch.library.get_kernel(f"aten::{name}", key))
    _look_again()
    return library


def _look_again() -> None:
    """What traces keeps the kernels that it has found: without this, code that is compiled after another switch isn't
    seen."""
    for name in {name for name, _, _ in _KERNELS}:
        getattr(getattr(torch.ops.aten, name).default, "_dispatch_cache", {}).clear()
