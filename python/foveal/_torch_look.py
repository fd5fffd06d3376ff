"""Whether a call may go straight to the extension."""

from __future__ import annotations

import torch


def nobody_looks_on(*arrays: torch.Tensor) -> bool:
    """Plain tensors on a CPU, and nothing that must see operators: no tracing, transform or mode."""
    if torch.compiler.is_compiling():
        return False
    for array in arrays:
        if type(array) not in _PLAIN or not array.is_cpu or array.is_neg() or array.is_nested:
            return False
    return _no_modes() and _no_transforms()


_PLAIN = (torch.Tensor, torch.nn.Parameter)
# PyTorch's inner names; where a version lacks them, every call goes by the operators.
_no_modes_inner = getattr(torch._C, "_len_torch_dispatch_stack", None)
_interpreter = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", None)


def _no_modes() -> bool:
    return _no_modes_inner is not None and _no_modes_inner() == 0


def _no_transforms() -> bool:
    return _interpreter is not None and _interpreter() is None
