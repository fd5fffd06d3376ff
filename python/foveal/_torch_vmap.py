"""How attention is batched by torch.vmap: the new axis is folded into the batch axis where nothing
in the call counts batch entries, else each of its entries is a call of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ._options import Options


def batched(
    apply: Callable[..., Any], count: int, in_dims: Sequence[Any], arguments: Sequence[Any], tensors: int, options: int
) -> Any:
    """The forward: (query, key, value, bias, alibi_slopes, sinks, seed, *options, *mask_arrays)."""
    in_dims = _flat(in_dims)
    given = Options(*arguments[tensors : tensors + options])
    foldable = _counts_no_entries(given) and _unbatched(in_dims[4:]) and _fits_any_batch(arguments[3], in_dims[3])
    if not foldable:
        return _one_by_one(apply, count, in_dims, arguments)
    folded = [_fold(array, dim, count) for array, dim in zip(arguments[:3], in_dims[:3])]
    results = apply(*folded, *arguments[3:])
    return _unfold_all(results, count)


def batched_backward(
    apply: Callable[..., Any], count: int, in_dims: Sequence[Any], arguments: Sequence[Any], options: int
) -> Any:
    """(grad_output, query, key, value, output, lse, bias, alibi_slopes, sinks, seed, three bools,
    *options, *mask_arrays)."""
    in_dims = _flat(in_dims)
    given = Options(*arguments[13 : 13 + options])
    foldable = (
        _counts_no_entries(given)
        and _unbatched(in_dims[7:])
        and _fits_any_batch(arguments[6], in_dims[6])
        and not any(arguments[10:13])  # gradients that add up over the batch
    )
    if not foldable:
        return _one_by_one(apply, count, in_dims, arguments)
    folded = [_fold(array, dim, count) for array, dim in zip(arguments[:6], in_dims[:6])]
    results = apply(*folded, *arguments[6:])
    return _unfold_all(results, count)


def _counts_no_entries(options: Options) -> bool:
    per_entry = (options.key_lengths, options.query_offsets, options.query_starts, options.key_starts)
    # Dropout's counter holds the batch entry; lists and arrays of masks may be per entry.
    return (
        not options.dropout
        and all(numbers is None for numbers in per_entry)
        and "[" not in options.mask
        and "#" not in options.mask
    )


def _flat(in_dims: Sequence[Any]) -> list[Any]:
    """Of options that are lists, dims are lists too."""
    return [dim if isinstance(dim, int) else None for dim in in_dims]


def _unbatched(dims: Sequence[Any]) -> bool:
    return all(dim is None for dim in dims)


def _fits_any_batch(bias: Any, dim: Any) -> bool:
    return bias is None or (dim is None and (bias.dim() < 4 or bias.shape[0] == 1))


def _fold(array: torch.Tensor, dim: Any, count: int) -> torch.Tensor:
    """The new axis in front of the batch axis, and both as one."""
    if dim is None:
        array = array.unsqueeze(0).expand((count, *array.shape))
    else:
        array = array.movedim(dim, 0)
    return array.reshape((array.shape[0] * array.shape[1], *array.shape[2:]))


def _unfold_all(results: Sequence[torch.Tensor], count: int) -> Any:
    made = tuple([result.reshape((count, result.shape[0] // count, *result.shape[1:])) for result in results])
    return made, (0,) * len(made)


def _one_by_one(apply: Callable[..., Any], count: int, in_dims: Sequence[Any], arguments: Sequence[Any]) -> Any:
    entries = []
    for entry in range(count):
        single = [a if dim is None else a.select(dim, entry) for a, dim in zip(arguments, in_dims)]
        entries.append(apply(*single))
    made = tuple([torch.stack(parts) for parts in zip(*entries)])
    return made, (0,) * len(made)
