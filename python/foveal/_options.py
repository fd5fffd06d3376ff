"""The options of a call that hold no array, as the extension and PyTorch's operators take them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ._foveal import Settings
from ._given import INT32, flag, whole, wholes


class Options(NamedTuple):
    """In the order of `Settings`, and of the operators' schema."""

    mask: str = "none()"
    scale: float | None = None
    softcap: float = 0.0
    dropout: float = 0.0
    offset: int = 0
    return_lse: bool = False
    return_weights: bool = False
    top_k: int = 0
    entropy: bool = False
    maximum: bool = False
    column_mass: bool = False
    rows: tuple[int, ...] = ()
    key_lengths: tuple[int, ...] | None = None
    query_offset: int | None = None
    query_offsets: tuple[int, ...] | None = None
    key_offset: int = 0
    query_starts: tuple[int, ...] | None = None
    key_starts: tuple[int, ...] | None = None
    target: str = ""
    strict: bool = False


# Most calls have these: what is derived from them is kept, and found without comparing.
DEFAULT = Options()
CAUSAL = Options(mask="causal(top_left)")


@functools.lru_cache(maxsize=1024)
def _settings_of(options: Options) -> Settings:
    return Settings(*options)


def settings_of(options: Options) -> Settings:
    if options is DEFAULT:
        return _DEFAULT_SETTINGS
    return _CAUSAL_SETTINGS if options is CAUSAL else _settings_of(options)


_DEFAULT_SETTINGS = Settings(*DEFAULT)
_CAUSAL_SETTINGS = Settings(*CAUSAL)


@functools.lru_cache(maxsize=1024)
def _with_lse(options: Options) -> Options:
    return options if options.return_lse else options._replace(return_lse=True)


def recorded(options: Options) -> tuple[Options, Settings]:
    """What a backward needs of the forward: lse too. The most frequent ones are found without hashing."""
    if options is DEFAULT:
        return _DEFAULT_RECORDED
    if options is CAUSAL:
        return _CAUSAL_RECORDED
    with_lse = _with_lse(options)
    return with_lse, _settings_of(with_lse)


_DEFAULT_RECORDED = _with_lse(DEFAULT), _settings_of(_with_lse(DEFAULT))
_CAUSAL_RECORDED = _with_lse(CAUSAL), _settings_of(_with_lse(CAUSAL))


def wants_more_than_output(options: Options) -> bool:
    return (
        options is not DEFAULT
        and options is not CAUSAL
        and (
            options.return_lse
            or options.return_weights
            or options.top_k > 0
            or options.entropy
            or options.maximum
            or options.column_mass
            or len(options.rows) > 0
        )
    )


STATISTICS = ("top_k", "entropy", "maximum", "column_mass", "rows")


def read_statistics(given: Mapping[str, Any] | Sequence[str] | str | None) -> dict[str, Any]:
    """{"top_k": 4, "entropy": True, "rows": [0, 5]}, or names of those that need no number."""
    if given is None:
        return {}
    if isinstance(given, str):
        given = [given]
    if not hasattr(given, "__iter__"):
        raise TypeError(
            f"attention: statistics is of type {type(given).__name__}: give names, or a dict such as {{'top_k': 4}}"
        )
    if not isinstance(given, Mapping):
        given = {name: True for name in given}
    asked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in STATISTICS:
            raise ValueError(f"attention: statistics has {name!r}: it may have {', '.join(STATISTICS)}")
        what = f"attention: statistics[{name!r}]"
        if name in ("top_k", "rows") and isinstance(value, bool):
            example = "4" if name == "top_k" else "[0, 5]"
            raise ValueError(f"{what} needs a number: {{{name!r}: {example}}}")
        if name == "rows":
            asked[name] = wholes(what, value) or ()
        elif name == "top_k":
            asked[name] = whole(what, value, INT32)
        else:
            asked[name] = flag(what, value)
    return asked
