"""The extension: C++ calls on arrays. What it is given has been made ready by the modules beside it."""

from collections.abc import Sequence
from typing import Any

version: str

class Settings:
    """A call's options but for its arrays."""

    def __init__(
        self,
        mask: str,
        scale: float | None,
        softcap: float,
        dropout: float,
        offset: int,
        return_lse: bool,
        return_weights: bool,
        top_k: int,
        entropy: bool,
        maximum: bool,
        column_mass: bool,
        rows: Sequence[int],
        key_lengths: Sequence[int] | None,
        query_offset: int | None,
        query_offsets: Sequence[int] | None,
        key_offset: int,
        query_starts: Sequence[int] | None,
        key_starts: Sequence[int] | None,
        target: str,
        strict: bool,
    ) -> None: ...

class Plan:
    """What a call will run."""

    def __init__(
        self,
        settings: Settings,
        query: Sequence[int],
        key: Sequence[int],
        value: Sequence[int],
        dtype: str,
        bias: Any | None,
        alibi_slopes: Any | None,
        sinks: Any | None,
        mask_arrays: Any,
        seed: int,
    ) -> None: ...
    def explain(self) -> str: ...
    def to_json(self) -> str: ...
    def run(self, query: Any, key: Any, value: Any, kind: int, out: Any | None = None) -> tuple[Any, ...]: ...

def set_torch(to_dlpack: object, from_dlpack: object) -> None: ...
def forward(
    settings: Settings,
    query: Any,
    key: Any,
    value: Any,
    kind: int,
    threads: int,
    out: Any | None = None,
    bias: Any | None = None,
    alibi_slopes: Any | None = None,
    sinks: Any | None = None,
    mask_arrays: Any = ...,
    seed: int = 0,
) -> Any: ...
def backward(
    settings: Settings,
    grad_output: Any,
    query: Any,
    key: Any,
    value: Any,
    output: Any,
    lse: Any,
    kind: int,
    threads: int,
    bias: Any | None = None,
    alibi_slopes: Any | None = None,
    sinks: Any | None = None,
    mask_arrays: Any = ...,
    seed: int = 0,
    bias_gradient: bool = False,
    alibi_gradient: bool = False,
    sinks_gradient: bool = False,
    gradients: tuple[Any, Any, Any] | None = None,
) -> tuple[Any, ...]: ...
def time_call(
    settings: Settings, query: Any, key: Any, value: Any, grad_output: Any | None, threads: int
) -> tuple[float, float]: ...
def lint_mask(text: str, arrays: Any, batch: int, query_length: int, key_length: int) -> list[str]: ...
def targets() -> list[str]: ...
def set_num_threads(count: int) -> None: ...
def num_threads() -> int: ...
def release_memory() -> int: ...
def manual_seed(seed: int) -> None: ...
def next_seed() -> int: ...
