"""Numbers as callers give them: Python's, NumPy's, single ones in arrays. What is none is named, not rounded or
dropped. `what` is a function and its argument, "attention: offset"."""

from __future__ import annotations

from typing import Any

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)
UINT64 = (0, 2**64 - 1)


def whole(what: str, value: Any, bounds: tuple[int, int] = INT64) -> int:
    if type(value).__name__ == "SymInt":  # a tracer's, not known yet
        return value  # type: ignore[no-any-return]
    # Compilers know of their own numbers that they are int or float, and little else.
    number = value if isinstance(value, int) and not isinstance(value, bool) else _index(what, value)
    if not bounds[0] <= number <= bounds[1]:
        raise ValueError(f"{what} is {number}: it must be from {bounds[0]} to {bounds[1]}")
    return int(number)


def _index(what: str, value: Any) -> int:
    if not isinstance(value, bool) and hasattr(value, "__index__"):
        try:
            return int(value.__index__())
        except (TypeError, RuntimeError, ValueError):  # an array of several, or of floats
            pass
    raise TypeError(f"{what} is {_shown(value)}: it must be an integer")


def real(what: str, value: Any) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"{what} is {_shown(value)}: it must be a number")
    if getattr(value, "requires_grad", False):
        raise TypeError(f"{what} requires a gradient, which a number can't have: give it with float()")
    try:
        return float(value)
    except (TypeError, RuntimeError, ValueError):  # an array of several
        raise TypeError(f"{what} is {_shown(value)}: it must be a number") from None


def flag(what: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    # NumPy's own bool has no length.
    if isinstance(value, (str, bytes, float)) or hasattr(value, "__len__") or not hasattr(value, "__bool__"):
        raise TypeError(f"{what} is {_shown(value)}: it must be True or False")
    return bool(value)


def wholes(what: str, given: Any) -> tuple[int, ...] | None:
    """A list of integers, or an array of one axis."""
    if given is None:
        return None
    if hasattr(given, "tolist"):
        if getattr(given, "is_meta", False):
            raise ValueError(f"{what} is on meta, where there are no numbers: give a list")
        given = given.tolist()
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise TypeError(f"{what} is {_shown(given)}: it must be a list of integers, or an array of one axis")
    return tuple([whole(f"{what}[{place}]", number) for place, number in enumerate(given)])


def _shown(value: Any) -> str:
    if isinstance(value, (str, bytes, int, float)):
        return repr(value)
    return f"of type {type(value).__name__}"
