"""What ran where: calls of PyTorch's operators that were seen, by operator, reason and shapes."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

HERE = ""  # the reason of what ran here
_MOST_SHAPES = 1000  # kept apart; further ones are counted together

_lock = threading.Lock()
_counts: dict[tuple[Any, ...], int] = {}


class Row(NamedTuple):
    """Calls of one operator that fared alike."""

    operator: str  #: as PyTorch's profiler names it, aten::...
    calls: int
    ran_here: bool
    reason: str  #: why not, "" where it ran here
    #: (shapes of query, key, value) and their calls, most first; the shapes are empty for those past
    #: the thousandth.
    shapes: tuple[tuple[tuple[tuple[int, ...], ...], int], ...]


class Report(NamedTuple):
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        if not self.rows:
            return "foveal.torch: no call of attention was seen"
        lines = []
        for row in self.rows:
            where = "ran here" if row.ran_here else f"left to PyTorch: {row.reason}"
            lines.append(f"{row.operator}: {_counted(row.calls)} {where}")
            lines += [f"  {_counted(calls)} {_text(shapes)}" for shapes, calls in row.shapes[:_SHOWN]]
            if len(row.shapes) > _SHOWN:
                lines.append(f"  {_counted(sum(calls for _, calls in row.shapes[_SHOWN:]))} with other shapes")
        return "\n".join(lines)


_SHOWN = 5  # shapes of a row that are printed


def report() -> Report:
    """What was seen since attention was last switched on here: each operator, its calls and shapes,
    and for what didn't run here why. str() of it is text. A call that PyTorch hands on from one operator to another is
    counted where it ran.

    Never seen, so never counted: nested tensors, tensors on other devices, and vmap where PyTorch takes
    its plain path.
    """
    with _lock:
        counts = dict(_counts)
    rows: dict[tuple[str, str], dict[Any, int]] = {}
    for (operator, reason, *shapes), calls in counts.items():
        rows.setdefault((operator, reason), {})[tuple(shapes)] = calls
    made = []
    for (operator, reason), shapes_of in rows.items():
        ordered = sorted(shapes_of.items(), key=lambda entry: -entry[1])
        whole = tuple([(tuple([tuple(shape) for shape in shapes]), calls) for shapes, calls in ordered])
        made.append(Row(f"aten::{operator}", sum(shapes_of.values()), reason == HERE, reason, whole))
    made.sort(key=lambda row: (not row.ran_here, -row.calls))
    return Report(tuple(made))


def begin() -> None:
    with _lock:
        _counts.clear()


def count(operator: str, reason: str, query: Any, key: Any, value: Any) -> None:
    entry: tuple[Any, ...] = (operator, reason, query.shape, key.shape, value.shape)
    with _lock:
        calls = _counts.get(entry)
        if calls is None:
            if len(_counts) >= _MOST_SHAPES:
                entry = entry[:2]
            calls = _counts.get(entry, 0)
        _counts[entry] = calls + 1


def _counted(calls: int) -> str:
    return "1 call" if calls == 1 else f"{calls} calls"


def _text(shapes: tuple[tuple[int, ...], ...]) -> str:
    if not shapes:
        return "with further shapes"
    query, key, value = shapes
    parts = [f"query {query}"]
    if key == value == query:
        return f"query, key, value {query}"
    return ", ".join([*parts, f"key, value {key}"] if key == value else [*parts, f"key {key}", f"value {value}"])
