"""Attention of Hugging Face's transformers, run here.

>>> import foveal
>>> foveal.transformers.register()
>>> model = AutoModelForCausalLM.from_pretrained(name, attn_implementation="foveal")
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from . import masks
from ._attention import scaled_dot_product_attention
from ._torch_look import nobody_looks_on
from ._torch_memory import empty_heads_inside

__all__ = ["attention_forward", "register"]

NAME = "foveal"


def register() -> None:
    """Adds attn_implementation="foveal": attention, and the masks it wants (without which padding would
    be ignored in silence). Again, it changes nothing. Needs transformers 5 or later."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attention_forward)
    AttentionMaskInterface.register(NAME, attention_mask)


def attention_mask(*sizes: Any, config: Any = None, **given: Any) -> Any:
    """The mask that transformers' sdpa gets: bools (B, 1, L_q, L_k), or None.

    Raises ValueError for a model whose attention doesn't ask for an implementation (BLOOM, MPNet): it would add the
    bools to its scores, and see what is masked.
    """
    from transformers.masking_utils import sdpa_mask

    if config is not None and not _takes_implementations(config):
        raise ValueError(
            f'attn_implementation="{NAME}": the model of a {type(config).__name__} computes its attention on its own, '
            'whatever implementation is named: give attn_implementation="eager"'
        )
    return sdpa_mask(*sizes, config=config, **given)


def _takes_implementations(config: Any) -> bool:
    """Whether the model of a configuration looks implementations up, or one within it does. True where its code isn't
    where transformers' is."""
    code = _code_of(type(config).__module__)
    if not code or any(hasattr(file, "ALL_ATTENTION_FUNCTIONS") for file in code):
        return True
    entries = [entry for file in code for entry in list(vars(file).values())]
    return any(getattr(entry, "_supports_attention_backend", False) for entry in entries)


def _code_of(configuration: str) -> list[Any]:
    """The module of models that belongs to one of configurations, or all beside it: BLIP's text model has its own. None
    of a program's own configuration, whose model may be anywhere."""
    package, _, model = configuration.rpartition(".configuration_")
    own = sys.modules.get(f"{package}.modeling_{model}")
    if own is not None:
        return [own]
    return [module for name, module in list(sys.modules.items()) if name.startswith(f"{package}.modeling_")]


def attention_forward(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    softcap: float | None = None,
    s_aux: Any = None,
    position_bias: Any = None,
    **kwargs: Any,
) -> tuple[Any, Any]:
    """What transformers' models call: query (B, H, L_q, D), key and value (B, H_kv, L_k, D); (output (B,
    L_q, H, D), weights).

    attention_mask: bool, True takes part, or floating, which is added; None: causal where the module
    is and there are several queries, from the top left corner (the keys of a cache of fixed length
    that aren't there yet lie behind it), as transformers' sdpa has it. Sliding windows and packed
    sequences are in the mask. softcap, s_aux (a sink for each head) and position_bias (added) are
    those of models that have them. Weights are given where output_attentions asks for them, before dropout.
    """
    if is_causal is None:
        is_causal = getattr(module, "is_causal", True)
    mask, bias = None, position_bias
    if attention_mask is None:
        if is_causal and query.shape[2] > 1:
            mask = masks.causal("top_left")
    elif attention_mask.dtype == torch.bool:
        mask = masks.dense(attention_mask)
    else:
        bias = attention_mask if bias is None else bias + attention_mask
    wants_weights = bool(kwargs.get("output_attentions"))
    result = scaled_dot_product_attention(
        query,
        key,
        value,
        bias,
        dropout,
        scale=scaling,
        enable_gqa=True,
        mask=mask,
        softcap=softcap,
        sinks=s_aux,
        return_weights=wants_weights,
        out=_rows(query, key, value, bias, s_aux),
    )
    output, weights = (result.output, result.weights.to(query.dtype)) if wants_weights else (result, None)
    return output.transpose(1, 2).contiguous(), weights


def _rows(query: Any, key: Any, value: Any, bias: Any, sinks: Any) -> Any:
    """Memory in which heads lie side by side, as models want it next: without it they would copy."""
    if not nobody_looks_on(query, key, value):
        return None
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in (query, key, value, bias, sinks)):
        return None
    batch, heads, queries, _ = query.shape
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype
    if dtype == query.dtype and value.shape[3] == query.shape[3]:
        return empty_heads_inside(query)
    return query.new_empty((batch, queries, heads, value.shape[3]), dtype=dtype).transpose(1, 2)
