"""Attention on plain CPUs, for NumPy arrays and PyTorch tensors.

>>> import numpy, foveal
>>> x = numpy.random.default_rng(1).normal(size=(1, 4, 100, 16)).astype("float32")
>>> foveal.scaled_dot_product_attention(x, x, x, is_causal=True).shape
(1, 4, 100, 16)
"""

from typing import TYPE_CHECKING, Any

from . import masks, nn, scores
from ._attention import scaled_dot_product_attention
from ._explain import Check, Trace, check, explain
from ._foveal import release_memory, targets
from ._foveal import version as __version__
from ._plan import Plan, plan
from ._results import AttentionResult, Statistics
from ._seeds import manual_seed
from ._threads import get_num_threads, set_num_threads

__all__ = [
    "AttentionResult",
    "Check",
    "Plan",
    "Statistics",
    "Trace",
    "__version__",
    "check",
    "explain",
    "get_num_threads",
    "manual_seed",
    "masks",
    "nn",
    "plan",
    "release_memory",
    "scaled_dot_product_attention",
    "scores",
    "set_num_threads",
    "targets",
]

if TYPE_CHECKING:
    from . import torch as torch
    from . import transformers as transformers

# Modules that import PyTorch: when they are asked for, which `import *` doesn't.
_LATER = ("torch", "transformers")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        import importlib

        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
