"""What a call gives back where more than the output is asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._options import Options


class Statistics(NamedTuple):
    """What was asked for of the weights, before dropout; the others are None."""

    top_k_keys: Any = None  #: int64 (..., L_q, k), ties to the lower key; -1 past those seen
    top_k_weights: Any = None  #: (..., L_q, k)
    entropy: Any = None  #: in nats, (..., L_q)
    maximum: Any = None  #: (..., L_q)
    column_mass: Any = None  #: sum over the queries, (..., L_k)
    rows: Any = None  #: (..., rows, L_k)


class AttentionResult(NamedTuple):
    output: Any  #: (..., L_q, D_v)
    lse: Any = None  #: natural logarithm of each row's sum, (..., L_q)
    weights: Any = None  #: before dropout, (..., L_q, L_k)
    statistics: Statistics | None = None


def result_of(parts: Any, options: Options) -> AttentionResult:
    """From the extension's nine, None where not asked for."""
    output, lse, weights, *statistics = parts
    asked = options.top_k > 0 or options.entropy or options.maximum or options.column_mass or options.rows
    return AttentionResult(output, lse, weights, Statistics(*statistics) if asked else None)
