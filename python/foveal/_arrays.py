"""Arrays that aren't PyTorch's: NumPy's, and those of libraries that share memory by DLPack."""

from __future__ import annotations

import sys
from typing import Any

NUMPY, TORCH = range(2)  # what the extension makes of results
_CPU = 1  # what DLPack calls it


def is_torch(array: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def readable(array: Any, name: str) -> Any:
    """What the extension reads of a call on arrays that aren't PyTorch's: NumPy's as they are, others
    through NumPy without a copy."""
    numpy = sys.modules.get("numpy")
    if array is None or (numpy is not None and type(array) is numpy.ndarray):
        return array
    if numpy is not None and isinstance(array, numpy.ndarray):
        if hasattr(array, "mask"):
            raise TypeError(f"attention: {name} is a masked array, whose mask would be lost: give .data, and a mask")
        return array
    if is_torch(array):
        raise TypeError(
            f"attention: {name} is a tensor of PyTorch's but query isn't: give arrays of one library, here .numpy()"
        )
    if not hasattr(array, "__dlpack__"):
        raise TypeError(
            f"attention: {name} is a {type(array).__name__}: give an array of NumPy's, a tensor of PyTorch's, "
            "or what has __dlpack__"
        )
    import numpy as np

    try:
        return np.from_dlpack(array)
    except (BufferError, RuntimeError, TypeError) as error:  # a dtype that DLPack or NumPy lacks, or a device
        if hasattr(array, "__dlpack_device__") and array.__dlpack_device__()[0] != _CPU:
            raise ValueError(f"attention: {name} isn't on a CPU, where foveal runs: give it from there") from error
        seen = np.asarray(array)
        if seen.dtype == object:
            raise TypeError(f"attention: {name} is a {type(array).__name__} that NumPy can't look at: {error}") from error
        return seen


def required(array: Any, name: str) -> Any:
    if array is None:
        raise TypeError(f"attention: {name} is None: give an array of NumPy's or a tensor of PyTorch's")
    return readable(array, name)


def any_readable(array: Any, name: str) -> Any:
    """The same, PyTorch's tensors as they are."""
    if is_torch(array):
        from . import _torch

        return _torch.readable(array)
    return readable(array, name)


def held(array: Any) -> Any:
    """What a plan or a module keeps, whose memory stays whatever becomes of the tensor that was given."""
    return array.detach().resolve_neg() if is_torch(array) else array


def as_given(array: Any, like: Any) -> Any:
    """A NumPy array as one of the library that `like` is from."""
    numpy = sys.modules["numpy"]
    if array is None or isinstance(like, numpy.ndarray) or not hasattr(like, "__array_namespace__"):
        return array
    namespace = like.__array_namespace__()
    try:
        return namespace.from_dlpack(array)
    except (BufferError, RuntimeError, TypeError):
        return namespace.asarray(array)
