"""Masks as expressions: which keys each query may attend to. True means "may attend".

>>> from foveal import masks
>>> masks.causal("top_left") & masks.window(512, 0)
Mask('causal(top_left) & window(512, 0)')

Joined by `&`, `|` and `~`; a number, a list or an array of one mask is checked when the mask is
used, as its lengths come then.
"""

from __future__ import annotations

from typing import Any

from . import _foveal
from ._given import whole

# What an expression's outermost operator is; the lower, the closer it binds.
ATOM, AND, OR = range(3)

__all__ = ["Mask", "causal", "dense", "document", "from_block_mask", "none", "padding", "prefix", "window"]


class Mask:
    """An expression, and the arrays that it names, in order, as #."""

    __slots__ = ("_level", "arrays", "text")

    def __init__(self, text: str, arrays: tuple[Any, ...] = (), _level: int = OR) -> None:
        self.text = text
        self.arrays = arrays
        self._level = _level

    def __and__(self, other: Mask) -> Mask:
        if not isinstance(other, Mask):
            return NotImplemented
        return Mask(f"{self._within(AND)} & {other._within(AND)}", self.arrays + other.arrays, AND)

    def __or__(self, other: Mask) -> Mask:
        if not isinstance(other, Mask):
            return NotImplemented
        return Mask(f"{self.text} | {other.text}", self.arrays + other.arrays, OR)

    def __invert__(self) -> Mask:
        return Mask(f"!{self._within(ATOM)}", self.arrays, ATOM)

    def __bool__(self) -> bool:
        raise TypeError("a mask is neither true nor false: join masks with &, | and ~, not with and, or, not")

    def __str__(self) -> str:
        """The expression as `foveal attend --mask` reads it, but for arrays."""
        return self.text.replace("#", "array")

    def __repr__(self) -> str:
        return f"Mask({str(self)!r})"

    def lint(self, batch: int, query_length: int, key_length: int) -> list[str]:
        """What is suspicious about it at these lengths: rows with every key masked, polarity that
        looks inverted, a causal mask that hides nothing, a window wider than the keys."""
        from ._arrays import any_readable

        arrays = tuple([any_readable(array, "mask") for array in self.arrays])
        given = (("batch", batch), ("query_length", query_length), ("key_length", key_length))
        sizes = [_integer("lint", name, size, 0) for name, size in given]
        return _foveal.lint_mask(self.text, arrays, *sizes)

    def _within(self, level: int) -> str:
        """In parentheses where it binds less."""
        return self.text if self._level <= level else f"({self.text})"


def as_mask(what: str, mask: Any) -> Mask:
    """An expression, or its text."""
    if isinstance(mask, str):
        return Mask(mask)
    if not isinstance(mask, Mask):
        raise TypeError(
            f"{what}: mask is a {type(mask).__name__}: give an expression of foveal.masks; arrays go to attn_mask"
        )
    return mask


def none() -> Mask:
    """Every key."""
    return Mask("none()", (), ATOM)


def causal(corner: str | None = None) -> Mask:
    """j <= i where L_q = L_k. Elsewhere say which corner the diagonal starts from: "top_left", as
    PyTorch's is_causal, or "bottom_right"."""
    if corner is None:
        return Mask("causal()", (), ATOM)
    if corner not in ("top_left", "bottom_right"):
        raise ValueError(f"causal: corner is {corner!r}: it must be 'top_left' or 'bottom_right'")
    return Mask(f"causal({corner})", (), ATOM)


def window(left: int, right: int) -> Mask:
    """i' - left <= j <= i' + right, both ends included, where i' = i + L_k - L_q; -1 leaves a side
    unbounded."""
    return Mask(f"window({_integer('window', 'left', left, -1)}, {_integer('window', 'right', right, -1)})", (), ATOM)


def document(ids: Any) -> Mask:
    """Queries see the keys of their own document. ids: one for each place, or such a list per batch
    entry; lists, or an array of integers, (L_k) or (B, L_k), read at each call."""
    return _of_numbers("document", ids)


def prefix(n: int) -> Mask:
    """The first n keys."""
    return Mask(f"prefix({_integer('prefix', 'n', n, 0)})", (), ATOM)


def padding(lengths: Any) -> Mask:
    """The first lengths[b] keys of batch entry b: a list, or an array of integers, (B), read at each
    call."""
    return _of_numbers("padding", lengths)


def dense(visible: Any) -> Mask:
    """A bool array, broadcast from the right to (B, H, L_q, L_k), says so. It is read at each call."""
    if not hasattr(visible, "dtype"):
        raise TypeError(f"dense: visible is a {type(visible).__name__}: give an array of bools")
    if not str(visible.dtype).endswith("bool"):
        raise TypeError(f"dense: visible has dtype {visible.dtype}: give bools, True where a key is visible")
    return Mask("dense(#)", (visible,), ATOM)


def from_block_mask(block_mask: Any) -> Mask:
    """A BlockMask of torch.nn.attention.flex_attention whose blocks are seen as a whole, as a dense
    mask (B or 1, H or 1, L_q, L_k). Raises ValueError where a block is seen in part, by a Python function."""
    for name in ("kv_num_blocks", "full_kv_num_blocks", "mask_mod", "seq_lengths", "BLOCK_SIZE", "to_dense"):
        if not hasattr(block_mask, name):
            raise TypeError(f"from_block_mask: block_mask is a {type(block_mask).__name__}: give PyTorch's BlockMask")
    from torch.nn.attention.flex_attention import create_mask, noop_mask

    queries, keys = block_mask.seq_lengths
    rows, columns = block_mask.BLOCK_SIZE

    def cells(x: Any) -> Any:
        return x.repeat_interleave(rows, -2).repeat_interleave(columns, -1)[..., :queries, :keys]

    visible = cells(block_mask.to_dense().bool())
    in_part = int(block_mask.kv_num_blocks.sum())
    if in_part and block_mask.mask_mod is not noop_mask:
        # PyTorch takes blocks that the end of the queries or keys cuts for such: what the function says tells.
        batch, heads = visible.shape[:2]
        said = create_mask(block_mask.mask_mod, batch, heads, queries, keys, device=visible.device)
        asked = type(block_mask).from_kv_blocks(
            block_mask.kv_num_blocks, block_mask.kv_indices, BLOCK_SIZE=(rows, columns), seq_lengths=(queries, keys)
        )
        if not bool(said[cells(asked.to_dense().bool())].all()):
            raise ValueError(
                f"from_block_mask: {in_part} blocks are seen in part, as a Python function says: give an expression of "
                "foveal.masks, or masks.dense(create_mask(block_mask.mask_mod, B, H, L_q, L_k))"
            )
    return dense(visible)


def _integer(mask: str, name: str, value: Any, lowest: int | None = None) -> int:
    number = whole(f"{mask}: {name}", value)
    if lowest is not None and number < lowest:
        raise ValueError(f"{mask}: {name} is {number}: it must be {lowest} or more")
    return number


def _of_numbers(kind: str, given: Any) -> Mask:
    if not hasattr(given, "dtype"):
        return Mask(f"{kind}({_list(kind, given)})", (), ATOM)
    dtype = getattr(given.dtype, "name", str(given.dtype).removeprefix("torch."))  # NumPy's without its order of bytes
    if not dtype.startswith(("int", "uint")):
        raise TypeError(f"{kind}: dtype is {dtype}: give integers")
    if dtype != "int64" or str(given.dtype).startswith(">"):
        given = given.long() if hasattr(given, "long") else given.astype("int64")
    return Mask(f"{kind}(#)", (given,), ATOM)


def _list(kind: str, given: Any) -> str:
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise TypeError(f"{kind}: it is given a {type(given).__name__}: give a list or an array of integers")
    lowest = 0 if kind == "padding" else None
    entries = [
        _list(kind, entry)
        if isinstance(entry, (list, tuple, range))
        else str(_integer(kind, "an entry", entry, lowest))
        for entry in given
    ]
    return "[" + ", ".join(entries) + "]"
