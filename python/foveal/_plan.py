"""What a call will run, before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import _foveal
from ._arrays import NUMPY, TORCH, any_readable, as_given, held, is_torch, readable, required
from ._attention import options_of
from ._given import wholes
from ._options import Options, settings_of, wants_more_than_output
from ._results import result_of
from ._seeds import seed_number
from ._terms import Terms
from ._threads import threads_of_call
from .masks import Mask


class _Recipe(NamedTuple):
    options: Options
    query_shape: tuple[int, ...]
    key_shape: tuple[int, ...]
    value_shape: tuple[int, ...]
    dtype: str
    arrays: Terms
    seed: int


class Plan:
    """Holds the mask bound to its lengths and cut into tiles, so that many runs pay for that once.
    Made by foveal.plan. Several threads may run it at once. Nothing that it runs has a gradient. Pickles
    and copies are planned again where they are read."""

    def __init__(self, made_of: _Recipe) -> None:
        self._native = _foveal.Plan(
            settings_of(made_of.options),
            made_of.query_shape,
            made_of.key_shape,
            made_of.value_shape,
            made_of.dtype,
            *made_of.arrays.each(held),
            made_of.seed,
        )
        self._made_of = made_of
        self._options = made_of.options
        self._arrays = made_of.arrays  # the plan looks at their memory

    def __reduce__(self) -> tuple[Any, ...]:
        return Plan, (self._made_of,)

    def explain(self) -> str:
        """A few lines in words: target, tiles, work, memory, and why."""
        return self._native.explain()

    def to_json(self) -> str:
        """The same as JSON."""
        return self._native.to_json()

    def run(self, query: Any, key: Any, value: Any, *, out: Any = None) -> Any:
        """As scaled_dot_product_attention gives it. Shapes and dtype are the plan's."""
        like = query
        if is_torch(query):
            from . import _torch

            query = _torch.without_gradient("query", query)
            key, value = _torch.without_gradient("key", key), _torch.without_gradient("value", value)
            if out is not None:
                _torch.without_gradient("out", out)
            for name, array in zip(("attn_mask", "alibi_slopes", "sinks"), self._arrays[:3]):
                if array is not None and is_torch(array):
                    _torch.without_gradient(name, array)
            kind = TORCH
        else:
            query, key, value = required(query, "query"), required(key, "key"), required(value, "value")
            kind = NUMPY
        given = out if kind == TORCH else readable(out, "out")
        parts = self._native.run(query, key, value, kind, threads_of_call(), given)
        if kind == NUMPY:
            from ._attention import as_bfloat16

            parts = (as_bfloat16(parts[0], query), *parts[1:])
            parts = tuple([as_given(part, like) for part in parts])
        if out is not None:
            parts = (out, *parts[1:])
        return result_of(parts, self._options) if wants_more_than_output(self._options) else parts[0]

    def __repr__(self) -> str:
        return self.explain()


def plan(
    query_shape: Sequence[int],
    key_shape: Sequence[int],
    value_shape: Sequence[int],
    dtype: Any = "float32",
    *,
    is_causal: bool = False,
    attn_mask: Any = None,
    mask: Mask | str | None = None,
    dropout_p: float = 0.0,
    scale: float | None = None,
    softcap: float | None = None,
    alibi_slopes: Any = None,
    sinks: Any = None,
    return_lse: bool = False,
    return_weights: bool = False,
    statistics: Mapping[str, Any] | Sequence[str] | str | None = None,
    seed: int = 0,
    offset: int = 0,
    key_lengths: Any = None,
    query_offset: Any = None,
    key_offset: int = 0,
    query_starts: Any = None,
    key_starts: Any = None,
    target: str | None = None,
    strict: bool = False,
) -> Plan:
    """A plan for query (B, H, L_q, D), key (B, H_kv, L_k, D) and value (B, H_kv, L_k, D_v), with the
    options of scaled_dot_product_attention. dtype: a name, or NumPy's or PyTorch's own. A mask's
    arrays are read now, the terms' (attn_mask, alibi_slopes, sinks) at each run."""
    options, terms = options_of(
        attn_mask=attn_mask,
        dropout_p=dropout_p,
        is_causal=is_causal,
        scale=scale,
        mask=mask,
        softcap=softcap,
        alibi_slopes=alibi_slopes,
        sinks=sinks,
        return_lse=return_lse,
        return_weights=return_weights,
        statistics=statistics,
        offset=offset,
        key_lengths=key_lengths,
        query_offset=query_offset,
        key_offset=key_offset,
        query_starts=query_starts,
        key_starts=key_starts,
        target=target,
        strict=strict,
    )
    arrays = Terms(
        any_readable(terms.bias, "attn_mask"),
        any_readable(terms.alibi_slopes, "alibi_slopes"),
        any_readable(terms.sinks, "sinks"),
        tuple([any_readable(array, "mask") for array in terms.mask_arrays]),
    )
    recipe = _Recipe(
        options,
        wholes("plan: query_shape", query_shape) or (),
        wholes("plan: key_shape", key_shape) or (),
        wholes("plan: value_shape", value_shape) or (),
        dtype_name(dtype),
        arrays,
        seed_number("plan: seed", seed),
    )
    return Plan(recipe)


def dtype_name(dtype: Any) -> str:
    if isinstance(dtype, type):  # numpy.float32
        return dtype.__name__
    return str(dtype).removeprefix("torch.")
