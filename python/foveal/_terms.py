"""The arrays of a call besides query, key and value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Terms(NamedTuple):
    """In the order in which the extension takes them."""

    bias: Any = None
    alibi_slopes: Any = None
    sinks: Any = None
    mask_arrays: tuple[Any, ...] = ()

    def each(self, change: Callable[[Any], Any]) -> Terms:
        """What `change` makes of each array that is there."""
        bias, slopes, sinks = (None if array is None else change(array) for array in self[:3])
        return Terms(bias, slopes, sinks, tuple([change(array) for array in self.mask_arrays]))


NO_TERMS = Terms()
