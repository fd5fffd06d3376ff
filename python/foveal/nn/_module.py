"""What the classes of foveal.nn share: a module of the library's, seen through NumPy arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .. import _foveal
from .._arrays import any_readable, held, is_torch, readable
from .._given import INT32, flag, real, whole
from .._plan import dtype_name
from .._threads import threads_of_call
from ..masks import Mask, as_mask, causal


class Module:
    """Holds its parameters, float32 unless to() has changed that, and computes in the library.
    Nothing has a gradient: foveal.nn.torch has the same classes as torch.nn.Module."""

    _native: _foveal.Module

    def __init__(
        self,
        name: str,
        d_in: int,
        d_out: int,
        context_length: int = 0,
        dropout: float = 0.0,
        num_heads: int = 1,
        qkv_bias: bool = False,
        mask: Mask | str | None = None,
    ) -> None:
        self._sizes = (
            whole(f"{name}: d_in", d_in, INT32),
            whole(f"{name}: d_out", d_out, INT32),
            whole(f"{name}: context_length", context_length, INT32),
            real(f"{name}: dropout", dropout),
            whole(f"{name}: num_heads", num_heads, INT32),
            flag(f"{name}: qkv_bias", qkv_bias),
        )
        self._name = name
        self._mask = causal() if mask is None else as_mask(name, mask)
        self._native = self._made(draws=True)
        self._shown = f"d_in={d_in}, d_out={d_out}" + (f", num_heads={num_heads}" if num_heads > 1 else "")

    def _made(self, draws: bool) -> _foveal.Module:
        """Weights are drawn; without `draws` the generator then stands where it stood."""
        arrays = tuple([held(any_readable(array, "mask")) for array in self._mask.arrays])
        return _foveal.Module(self._name, *self._sizes, self._mask.text, arrays, draws)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy.deepcopy: what the native module holds, as arrays."""
        held = {name: (_exact(array, dtype), dtype) for name, array, dtype in self._native.state()}
        return {**self.__dict__, "_native": (held, self._native.training(), self._native.fused())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        held, training, fused = state["_native"]
        native = self._made(draws=False)
        native.to(next(dtype for _, dtype in held.values() if dtype != "bool"))
        native.load_state([(name, array) for name, (array, _) in held.items()])
        native.train(training)
        native.set_fused(fused)
        self._native = native

    def __call__(self, x: Any) -> Any:
        return self.forward(x)

    def forward(self, x: Any) -> Any:
        return self._forward(x, False)[0]

    def _forward(self, x: Any, need_weights: bool) -> tuple[Any, Any]:
        if is_torch(x):
            raise TypeError(
                f"{type(self).__name__}: x is a tensor of PyTorch's, and foveal.nn holds NumPy arrays: "
                "foveal.nn.torch has the same classes for tensors"
            )
        x = readable(x, "x")
        if x is None:
            raise TypeError(f"{type(self).__name__}: x is None: give an array of NumPy's")
        output, weights = self._native.forward(x, threads_of_call(), need_weights)
        if str(x.dtype) == "bfloat16":
            output = output.view(x.dtype)
        return output, weights

    def state_dict(self) -> dict[str, Any]:
        """Copies of parameters and buffers by the names that PyTorch gives them."""
        return {name: _as_named(array, dtype) for name, array, dtype in self._native.state()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over values, NumPy arrays or PyTorch tensors, in the parameters' own dtype. All names
        must be there with their shapes, and no others, else ValueError lists what is wrong and
        nothing has changed."""
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: state_dict is a {type(state_dict).__name__}: give a dict of arrays")
        given = []
        for name, array in state_dict.items():
            if hasattr(array, "detach"):
                array = array.detach()
            given.append((name, any_readable(array, name)))
        self._native.load_state(given)

    def save(self, path: str | os.PathLike[str]) -> None:
        """state_dict() as a safetensors file."""
        self._native.save(os.fspath(path))

    def load(self, path: str | os.PathLike[str]) -> None:
        """Of a safetensors file, whoever wrote it."""
        self._native.load(os.fspath(path))

    def to(self, dtype: Any) -> Module:
        """Converts the floating parameters and buffers: "float64", numpy.float16, ..."""
        self._native.to(dtype_name(dtype))
        return self

    def train(self, mode: bool = True) -> Module:
        """Dropout drops in training mode, in which a module is made."""
        self._native.train(mode)
        return self

    def eval(self) -> Module:
        return self.train(False)

    @property
    def training(self) -> bool:
        return self._native.training()

    @property
    def parameter_count(self) -> int:
        """Numbers in all parameters together."""
        return self._native.parameter_count()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"


def _exact(array: Any, dtype: str) -> Any:
    """bfloat16, which comes as bits, as the float32 of the same value."""
    if dtype != "bfloat16":
        return array
    import numpy

    return (array.view("uint16").astype("uint32") << 16).view(numpy.float32)


def _as_named(array: Any, dtype: str) -> Any:
    """bfloat16, which NumPy has from ml_dtypes alone, comes as bits."""
    if dtype != "bfloat16":
        return array
    from ml_dtypes import bfloat16

    return array.view(bfloat16)
