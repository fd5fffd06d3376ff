"""Whether a call may go straight to the extension."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad


def nobody_looks_on(*arrays: torch.Tensor) -> bool:
    """Plain tensors on a CPU, and nothing that must see operators: no tracing, transform or mode."""
    if torch.compiler.is_compiling():
        return False
    for array in arrays:
        if type(array) not in _PLAIN or not array.is_cpu or array.is_neg() or array.is_nested:
            return False
    return _no_modes() and _no_transforms()


def forward_mode() -> bool:
    """Within a level of torch.autograd.forward_ad, which torch.func's jvp, jacfwd and hessian open too."""
    return bool(getattr(forward_ad, "_current_level", 0) >= 0)


def is_batched(array: torch.Tensor) -> bool:
    """By the vmap of torch.autograd.grad(is_grads_batched=True) and of jacobian(vectorize=True), which torch.func
    knows nothing of."""
    batched: bool = torch._C._dispatch_keys(array).has(torch._C._parse_dispatch_key("Batched"))
    return batched


_PLAIN = (torch.Tensor, torch.nn.Parameter)
# PyTorch's inner names; where a version lacks them, every call goes by the operators.
_no_modes_inner = getattr(torch._C, "_len_torch_dispatch_stack", None)
_interpreter = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", None)


def _no_modes() -> bool:
    return _no_modes_inner is not None and _no_modes_inner() == 0


def _no_transforms() -> bool:
    return _interpreter is not None and _interpreter() is None
