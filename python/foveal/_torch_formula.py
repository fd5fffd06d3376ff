"""Attention in PyTorch's own operations, which know every derivative: for gradients of gradients and for
forward mode. It holds all scores, and goes by what the engine shows and drops."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from ._options import Options
from ._torch_operators import as_tensor, attention_operator

Primals = tuple[Any, ...]  # query, key, value, bias, alibi_slopes, sinks; the last three may be None


class Unchanging(NamedTuple):
    """What a call is besides the arrays that have derivatives."""

    options: Options
    mask_arrays: tuple[Any, ...]
    seed: Any


class _Part(NamedTuple):
    """A packed sequence, or the batch, by rows of query and of key; the first query's place counted from the
    first key, of each entry."""

    queries: slice
    keys: slice
    offsets: list[int]


def gradients(grad_output: Any, primals: Primals, asked: tuple[bool, ...], call: Unchanging) -> tuple[Any, ...]:
    """What AttentionBackward gives, differentiable: of query, key, value and of what else is asked for."""
    wanted = (True, True, True, *asked)
    given = [primal for primal, want in zip(primals, wanted) if want]
    with _in_its_own_dtypes():
        pull = torch.func.vjp(lambda *some: output(_merged(primals, wanted, some), call), *given)[1]
        made: tuple[Any, ...] = pull(grad_output)
    return made


def second_gradients(grads: Any, primals: Primals, asked: tuple[bool, ...], call: Unchanging) -> tuple[Any, ...]:
    """The gradients of gradients(*primals, asked, call), None for primals that are None. primals: grad_output first."""
    there = tuple([primal is not None for primal in primals])

    def first(*some: Any) -> tuple[Any, ...]:
        grad_output, *rest = _merged(primals, there, some)
        return gradients(grad_output, tuple(rest), asked, call)

    with _in_its_own_dtypes():
        made = iter(torch.func.vjp(first, *[primal for primal in primals if primal is not None])[1](grads))
    return tuple([next(made) if is_there else None for is_there in there])


def _in_its_own_dtypes() -> Any:
    """Autocast would compute products in bfloat16."""
    return torch.autocast("cpu", enabled=False)


def _merged(primals: Primals, there: tuple[bool, ...], some: tuple[Any, ...]) -> Primals:
    left = iter(some)
    return tuple([next(left) if is_there else primal for primal, is_there in zip(primals, there)])


def output(primals: Primals, call: Unchanging) -> Any:
    """O, (B, H, L_q, D_v), in query's dtype; computed in float32, or float64. The engine has taken
    the same arguments."""
    with _in_its_own_dtypes():
        return _output(primals, call)


def _output(primals: Primals, call: Unchanging) -> Any:
    query, key, value, bias, slopes, sinks = primals
    options = call.options
    dtype = query.dtype
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    query, key, value = (array.to(wide) for array in (query, key, value))
    bias, slopes, sinks = (None if term is None else term.to(wide) for term in (bias, slopes, sinks))
    group = query.shape[1] // max(key.shape[1], 1)
    key, value = (array.repeat_interleave(group, 1) for array in (key, value))
    scale = query.shape[3] ** -0.5 if options.scale is None else options.scale
    shown = _shown(query, key, call)
    # What nobody sees may hold anything, and 0 times NaN is NaN.
    seen, sees = shown.any(2).unsqueeze(3), shown.any(3, keepdim=True)
    query = torch.where(sees, query, 0.0)
    key, value = (torch.where(seen, array, 0.0) for array in (key, value))
    factors = None
    if options.dropout:
        factors = _kept(query, key, call).to(wide) / (1 - options.dropout if options.dropout < 1 else 1)
    parts = []
    for part in _parts(options, query, key):
        cells = (slice(None), slice(None), part.queries, part.keys)
        scores = query[:, :, part.queries] @ key[:, :, part.keys].transpose(2, 3) * scale
        if options.softcap:
            scores = options.softcap * torch.tanh(scores / options.softcap)
        if bias is not None:
            scores = scores + bias
        if slopes is not None:
            scores = scores - slopes[:, None, None] * _distances(part, scores)
        weights = _softmax(torch.where(shown[cells], scores, -torch.inf), sinks)
        if factors is not None:
            weights = weights * factors[cells]
        parts.append(weights @ value[:, :, part.keys])
    made = torch.cat(parts, 2) if parts else query @ key.transpose(2, 3) @ value
    return made.to(dtype)


def _shown(query: Any, key: Any, call: Unchanging) -> Any:
    """Whether query i may see key j, (B, H, L_q, L_k): where the engine gives weight to equal scores."""
    nothing = torch.zeros((query.shape[0], 1, key.shape[2], 1), dtype=torch.float32, device=query.device)
    return _of_equal_scores(query, nothing, call, return_weights=True)[1] > 0


def _kept(query: Any, key: Any, call: Unchanging) -> Any:
    """Whether dropout keeps a weight that is shown, (B, H, L_q, L_k): the engine's output of equal scores and of
    values of which key j has a 1 in column j."""
    keys = key.shape[2]
    ones = torch.eye(keys, dtype=torch.float32, device=query.device).expand(query.shape[0], 1, keys, keys)
    return _of_equal_scores(query, ones, call, dropout=call.options.dropout)[0] > 0


def _of_equal_scores(query: Any, value: Any, call: Unchanging, **asked: Any) -> Any:
    batch, heads, queries, _ = query.shape
    places = ("mask", "offset", "key_lengths", "query_offset", "query_offsets", "key_offset", "query_starts", "key_starts")
    options = Options(scale=1.0, **asked)._replace(**{name: getattr(call.options, name) for name in places})
    rows = torch.zeros((batch, heads, queries, 1), dtype=torch.float32, device=query.device)
    key = torch.zeros((batch, 1, value.shape[2], 1), dtype=torch.float32, device=query.device)
    seed = as_tensor(call.seed) if options.dropout else None
    return attention_operator(rows, key, value, None, None, None, list(call.mask_arrays), seed, *options)


def _softmax(scores: Any, sinks: Any) -> Any:
    """Rows of -inf give 0. A sink takes its share of a row, and has no value."""
    if scores.shape[3] == 0:
        return scores
    top = scores.detach().amax(3, keepdim=True)
    if sinks is not None:
        sinks = sinks[:, None, None]
        top = torch.maximum(top, sinks.detach())
    top = torch.where(top == -torch.inf, 0.0, top)
    weights = torch.exp(scores - top)
    total = weights.sum(3, keepdim=True)
    if sinks is not None:
        total = total + torch.exp(sinks - top)
    return weights / torch.where(total == 0, 1.0, total)


def _parts(options: Options, query: Any, key: Any) -> list[_Part]:
    batch, _, queries, _ = query.shape
    keys = key.shape[2]
    if options.query_starts is None or options.key_starts is None:
        whole = _offsets(options, range(batch), [queries] * batch, [keys] * batch)
        return [_Part(slice(0, queries), slice(0, keys), whole)]
    rows = [slice(*ends) for ends in zip(options.query_starts, options.query_starts[1:])]
    columns = [slice(*ends) for ends in zip(options.key_starts, options.key_starts[1:])]
    lengths = [[part.stop - part.start for part in parts] for parts in (rows, columns)]
    offsets = _offsets(options, range(len(rows)), *lengths)
    return [_Part(some, others, [offset]) for some, others, offset in zip(rows, columns, offsets)]


def _offsets(options: Options, entries: Any, queries: list[int], keys: list[int]) -> list[int]:
    """docs/places.md."""
    if options.query_offsets is not None:
        return [offset - options.key_offset for offset in options.query_offsets]
    if options.query_offset is not None:
        return [options.query_offset - options.key_offset for _ in entries]
    lengths = keys if options.key_lengths is None else options.key_lengths
    return [lengths[entry] - queries[entry] for entry in entries]


def _distances(part: _Part, scores: Any) -> Any:
    """|i' - j|, (B, 1, L_q, L_k)."""
    device = scores.device
    rows = torch.arange(scores.shape[2], device=device) + torch.tensor(part.offsets, device=device).view(-1, 1)
    return (rows.unsqueeze(2) - torch.arange(scores.shape[3], device=device)).abs().unsqueeze(1).to(scores.dtype)
