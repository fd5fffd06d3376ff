"""explain and check: attention on a small input, step by step, and the numbers that someone printed."""

from __future__ import annotations

import html
import json
import os
import warnings
from typing import TYPE_CHECKING, Any

from . import _foveal
from ._inputs import Fields, document_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Trace:
    """One run, every step with its numbers in float64. A notebook shows it as a page, str() is the
    report as text. Pickles and copies hold the input, and run again."""

    def __init__(self, text: str | None, name: str | None, followed: str | None) -> None:
        self._native = _foveal.Trace(text, name, followed)
        self._made_of = text, name, followed

    def __reduce__(self) -> tuple[Any, ...]:
        return Trace, self._made_of

    @property
    def steps(self) -> list[str]:
        """The names of its steps, in order."""
        return self._native.steps()

    def __getitem__(self, step: str) -> Any:
        """A step's numbers as a NumPy array, by its name ("weights"), letter ("P") or name in the
        chapter ("attn_weights")."""
        data = self._native.step(step)
        if data is None:
            raise KeyError(f"{step!r}: the steps of this run are {', '.join(self.steps)}")
        return data

    def cell(self, cell: str) -> str:
        """The arithmetic of one: "weights[0,2]"; with several heads "weights[head,0,2]"; from 0."""
        return self._native.cell(cell)

    def to_json(self) -> str:
        """foveal.trace/1."""
        return self._native.json()

    def to_csv(self) -> str:
        """One line a number: step,head,row,column,value."""
        return self._native.csv()

    def to_html(self) -> str:
        """A page that needs nothing else."""
        return self._native.html()

    def to_svg(self, theme: str = "light", narrow: bool = False) -> str:
        """A picture of all steps; narrow: for 390 px, steps stacked."""
        return self._native.svg(theme, narrow)

    def to_png(self, theme: str = "light", narrow: bool = False) -> bytes:
        """The same by librsvg's command rsvg-convert."""
        data, missing = self._native.png(theme, narrow)
        if missing:
            warnings.warn(missing, stacklevel=2)
        return data

    def save(self, path: str | os.PathLike[str]) -> None:
        """By the path's suffix: .txt, .json, .csv, .svg, .png or .html."""
        views = {
            ".txt": self.__str__,
            ".json": self.to_json,
            ".csv": self.to_csv,
            ".svg": self.to_svg,
            ".png": self.to_png,
            ".html": self.to_html,
        }
        _save(path, views)

    def __str__(self) -> str:
        return self._native.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        # In a frame of its own: the page's styles stay inside, the notebook's outside. It grows to
        # the page's height where the notebook lets it.
        return (
            f'<iframe srcdoc="{html.escape(self.to_html())}" width="100%" height="700" style="border: 0" '
            "onload=\"this.style.height = this.contentDocument.documentElement.scrollHeight + 20 + 'px'\"></iframe>"
        )


class Check:
    """Printed numbers held against what comes out. str() is the report as text."""

    def __init__(self, agrees: bool, text: str, document: str) -> None:
        self.agrees = agrees
        self._text = text
        self._json = document

    @property
    def checks(self) -> list[dict[str, Any]]:
        """Each printed number, as foveal.check/1 has it: step, cell, printed, ours, arithmetic, slip,
        slip_kind, also_possible, agrees."""
        checks: list[dict[str, Any]] = json.loads(self._json)["checks"]
        return checks

    @property
    def slips(self) -> list[dict[str, Any]]:
        """Those of them that differ and don't follow from an earlier one."""
        return [check for check in self.checks if not check["agrees"] and check["slip_kind"] != "follows"]

    def to_json(self) -> str:
        """foveal.check/1."""
        return self._json

    def save(self, path: str | os.PathLike[str]) -> None:
        """By the path's suffix: .txt or .json."""
        _save(path, {".txt": self.__str__, ".json": self.to_json})

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def explain(inputs: Any = None, *, query: str | int | None = None, **fields: Unpack[Fields]) -> Trace:
    """Attention on `inputs`, each step in float64, and where every number came from.

    inputs: an array (L, d_in), a dict or text of foveal.input/1, or the path of such a file; without
    it the worked example. fields: the other keys of foveal.input/1, as arrays or lists: W_query,
    W_key, W_value (d_in, d), b_query, ..., W_out, b_out, num_heads, tokens, scale ("sqrt", "none" or
    a factor), mask (an expression of foveal.masks, text, or rows, True where a query may look),
    dropout, weights, expected. query: the token whose row is followed, or its number from 0.

    Raises ValueError where they don't fit, naming the place, and OSError where a file can't be read.
    """
    followed = f"#{query}" if isinstance(query, int) else query
    if inputs is None:
        if fields:
            raise TypeError(f"explain: {next(iter(fields))} is given without inputs")
        return Trace(None, None, followed)
    text, name = document_of("explain", inputs, fields, None)
    return Trace(text, name, followed)


def check(inputs: Any, *, decimals: int | None = None, **fields: Unpack[Fields]) -> Check:
    """Holds printed numbers, `expected`, against what comes out, and names the likely slips.

    inputs, fields: as in explain; expected: {"weights": [[0.27, 0.72]], ...}, steps by their names,
    their first rows. A number has the decimals that it shows: "0.30" as text has two, 0.30 as a
    float has one, an array's are those that NumPy would print. decimals: floats and arrays have so
    many instead, which suits numbers that a program computed.
    """
    text, name = document_of("check", inputs, fields, decimals)
    return Check(*_foveal.check_input(text, name))


def _save(path: str | os.PathLike[str], views: dict[str, Any]) -> None:
    """Under another name until all is written."""
    path = os.fspath(path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in views:
        raise ValueError(f"save: {path} ends with {suffix!r}: it must end with {', '.join(views)}")
    made = views[suffix]()
    data = made if isinstance(made, bytes) else made.encode()
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            file.write(data)
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.unlink(part)
