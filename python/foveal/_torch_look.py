"""Whether a call may go straight to the extension."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad


def nobody_looks_on(*arrays: torch.Tensor) -> bool:
    """Plain tensors on a CPU, and nothing that must see operators: no tracing, transform or mode."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    for array in arrays:
        if type(array) not in _PLAIN or not array.is_cpu or array.is_neg() or array.is_nested or array._is_zerotensor():
            return False
    return _no_modes() and _no_transforms()


def forward_mode() -> bool:
    """Within a level of torch.autograd.forward_ad, which torch.func's jvp, jacfwd and hessian open too."""
    return bool(getattr(forward_ad, "_current_level", 0) >= 0)


def is_batched(array: torch.Tensor) -> bool:
    """By the vmap of torch.autograd.grad(is_grads_batched=True) and of jacobian(vectorize=True), which torch.func
    knows nothing of. No compiler comes across one."""
    if torch.compiler.is_compiling():
        return False
    batched: bool = torch._C._dispatch_keys(array).has(torch._C._parse_dispatch_key("Batched"))
    return batched


def _levels_of_gradients() -> int:
    """torch.func's that are open."""
    return sum(str(level.key()).endswith("Grad") for level in _levels())


# What torch.compiler.assume_constant_result does, which would load the compiler.
_levels_of_gradients._dynamo_marked_constant = True  # type: ignore[attr-defined]


def compiles_gradients_of_gradients() -> bool:
    """Dynamo takes what the backward of an autograd.Function gives for constant there, without a word."""
    return torch.compiler.is_compiling() and _levels_of_gradients() > 1


_PLAIN = (torch.Tensor, torch.nn.Parameter)
# PyTorch's inner names; where a version lacks them, every call goes by the operators.
_inner = getattr(getattr(torch, "_functorch", None), "pyfunctorch", None)
_levels = getattr(_inner, "retrieve_all_functorch_interpreters", list)
_no_modes_inner = getattr(torch._C, "_len_torch_dispatch_stack", None)
_interpreter = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", None)


def _no_modes() -> bool:
    return _no_modes_inner is not None and _no_modes_inner() == 0


def _no_transforms() -> bool:
    return _interpreter is not None and _interpreter() is None
