"""What explain and check are given, as the text of a foveal.input/1 document."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypedDict

from .masks import Mask

if TYPE_CHECKING:
    from typing import TypeAlias

    Printed: TypeAlias = Mapping[str, Any]


class Fields(TypedDict, total=False):
    """The keys of foveal.input/1 but for `inputs`."""

    tokens: Sequence[str]
    W_query: Any
    W_key: Any
    W_value: Any
    b_query: Any
    b_key: Any
    b_value: Any
    W_out: Any
    b_out: Any
    num_heads: int
    scale: str | float
    mask: Mask | str | Any
    dropout: Mapping[str, Any]
    weights: Mapping[str, Any]
    expected: Printed


def document_of(function: str, inputs: Any, fields: Mapping[str, Any], decimals: int | None) -> tuple[str | None, str]:
    """Text, or None for a file that is read as it is, and the name that stands in errors."""
    unknown = [name for name in fields if name not in Fields.__annotations__]
    if unknown:
        raise TypeError(f"{function}: {unknown[0]!r} is no argument: there are {', '.join(Fields.__annotations__)}")
    given = {name: value for name, value in fields.items() if value is not None}
    name = function
    if isinstance(inputs, (str, os.PathLike)):
        text = os.fspath(inputs)
        if not text.lstrip().startswith("{"):
            if not given:
                return None, text
            name = text
            with open(text, encoding="utf-8") as file:
                text = file.read()
        if not given:
            return text, name
        inputs = json.loads(text, parse_float=Decimal, object_pairs_hook=_each_once)
    if not isinstance(inputs, Mapping):
        inputs = {"inputs": inputs}
    whole = {**inputs, **given}
    if "expected" in whole and decimals is not None:
        whole["expected"] = _printed(whole["expected"], decimals)
    return _json(whole), name


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"/{key}: stands twice in one object")
        result[key] = value
    return result


def _plain(value: Any) -> Any:
    """Arrays as lists, masks as text or rows."""
    if isinstance(value, Mask):
        if value.text == "dense(#)":
            return _plain(value.arrays[0])
        if value.arrays:
            raise ValueError(f"mask is {value}: give its arrays as lists, or the mask as rows of True and False")
        return value.text
    if not hasattr(value, "tolist"):
        return value
    if hasattr(value, "detach"):
        value = value.detach()
    numbers = value.tolist()
    return numbers if "float64" in str(value.dtype) else _as_shown(numbers)


def _as_shown(numbers: Any) -> Any:
    """A float32 as the shortest number that it stands for: 0.43, not 0.4300000071525574."""
    if isinstance(numbers, list):
        return [_as_shown(number) for number in numbers]
    if not isinstance(numbers, float) or not math.isfinite(numbers):
        return numbers
    from ctypes import c_float

    for digits in range(1, 10):
        short = float(f"{numbers:.{digits}g}")
        if c_float(short).value == numbers:
            return short
    return numbers


def _printed(value: Any, decimals: int) -> Any:
    """Numbers that were computed, as they would be printed."""
    value = _plain(value)
    if isinstance(value, Mapping):
        return {key: _printed(entry, decimals) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printed(entry, decimals) for entry in value]
    return f"{value:.{decimals}f}" if isinstance(value, (float, Decimal)) else value


def _json(value: Any) -> str:
    value = _plain(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_json(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, (list, tuple, range)):
        return "[" + ", ".join([_json(entry) for entry in value]) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    if isinstance(value, (float, Decimal)) and not math.isfinite(value):
        return f'"{float(value)}"'  # JSON has no number for it; `expected` takes the word
    if value is None or isinstance(value, (bool, int, float, str)):
        return json.dumps(value)
    raise TypeError(f"{type(value).__name__} can't stand in an input: give numbers, lists, arrays or text")
