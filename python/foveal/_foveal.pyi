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
    def run(
        self, query: Any, key: Any, value: Any, kind: int, threads: int, out: Any | None = None
    ) -> tuple[Any, ...]: ...

class Module:
    """A class of the chapter's, or a variant."""

    def __init__(
        self,
        name: str,
        d_in: int,
        d_out: int,
        context_length: int,
        dropout: float,
        num_heads: int,
        qkv_bias: bool,
        mask: str,
        mask_arrays: Any,
        draws: bool,
    ) -> None: ...
    def forward(self, x: Any, threads: int, need_weights: bool) -> tuple[Any, Any]: ...
    def state(self) -> list[tuple[str, Any, str]]: ...
    def load_state(self, given: Sequence[tuple[str, Any]]) -> None: ...
    def save(self, path: str) -> None: ...
    def load(self, path: str) -> None: ...
    def to(self, dtype: str) -> None: ...
    def train(self, on: bool) -> None: ...
    def training(self) -> bool: ...
    def fused(self) -> bool: ...
    def set_fused(self, on: bool) -> None: ...
    def parameter_count(self) -> int: ...
    def convert_to(self, other: Module) -> None: ...

def variant_names() -> list[str]: ...

class Trace:
    """One run of attention, step by step."""

    def __init__(self, text: str | None, name: str | None, query: str | None) -> None: ...
    def text(self) -> str: ...
    def json(self) -> str: ...
    def csv(self) -> str: ...
    def html(self) -> str: ...
    def svg(self, theme: str, narrow: bool) -> str: ...
    def png(self, theme: str, narrow: bool) -> tuple[bytes, str]: ...
    def cell(self, text: str) -> str: ...
    def steps(self) -> list[str]: ...
    def step(self, name: str) -> Any: ...

def check_input(text: str | None, name: str) -> tuple[bool, str, str]: ...
def set_torch(to_dlpack: object, from_dlpack: object, exchange: object | None) -> None: ...
def empty_like(like: Any, strides: Sequence[int]) -> Any: ...
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
def run_on_openmp(fork: int, most: int) -> None: ...
def release_memory() -> int: ...
def manual_seed(seed: int) -> None: ...
def next_seed() -> int: ...
