"""The arrays of a call besides query, key and value."""

from __future__ import annotations

from typing import Any, NamedTuple


class Terms(NamedTuple):
    """In the order in which the extension takes them."""

    bias: Any = None
    alibi_slopes: Any = None
    sinks: Any = None
    mask_arrays: tuple[Any, ...] = ()


NO_TERMS = Terms()
