"""ONNX's operator Attention (opsets 23 to 25) by foveal's function."""

import numpy as np

import foveal
from foveal import masks


def attention(
    query,
    key,
    value,
    attn_mask=None,
    past_key=None,
    past_value=None,
    nonpad_kv_seqlen=None,
    *,
    is_causal=0,
    kv_num_heads=0,
    q_num_heads=0,
    scale=None,
    softcap=0.0,
    left_window_size=-1,
    right_window_size=-1,
    qk_matmul_output_mode=0,
    softmax_precision=None,  # sums are float32 or more, whatever is asked for
):
    """(output, present_key, present_value, scores as qk_matmul_output_mode says)."""
    joined = query.ndim == 3
    if joined:
        query = split_heads(query, q_num_heads)
        key, value = split_heads(key, kv_num_heads), split_heads(value, kv_num_heads)
    past = 0
    if past_key is not None:
        past = past_key.shape[2]
        key, value = np.concatenate([past_key, key], axis=2), np.concatenate([past_value, value], axis=2)
    given = {"scale": scale, "softcap": softcap, "enable_gqa": True, "attn_mask": widened(attn_mask, key.shape[2])}
    # Query i stands at place past + i; with lengths, the last one at its entry's last key.
    if nonpad_kv_seqlen is None:
        given["query_offset"] = past
    else:
        given["key_lengths"] = nonpad_kv_seqlen
    mask = masks.causal("bottom_right") if is_causal else masks.none()
    if left_window_size >= 0 or right_window_size >= 0:
        mask = mask & masks.window(left_window_size, right_window_size)
    asks_weights = qk_matmul_output_mode == 3
    result = foveal.scaled_dot_product_attention(query, key, value, mask=mask, return_weights=asks_weights, **given)
    output = result.output if asks_weights else result
    if asks_weights:
        scores = result.weights.astype(query.dtype)
    else:
        scores = scores_of(query, key, qk_matmul_output_mode, mask, given)
    if joined:
        output = output.transpose(0, 2, 1, 3).reshape(output.shape[0], output.shape[2], -1)
    return output, key, value, scores


def split_heads(array, heads):
    return array.reshape(*array.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def widened(attn_mask, keys):
    """Keys that a mask doesn't reach are masked."""
    if attn_mask is None or attn_mask.shape[-1] in (1, keys):
        return attn_mask
    missing = [(0, 0)] * (attn_mask.ndim - 1) + [(0, keys - attn_mask.shape[-1])]
    hidden = False if attn_mask.dtype == bool else -np.inf
    return np.pad(attn_mask, missing, constant_values=hidden)


def scores_of(query, key, mode, mask, given):
    """Scores before softmax, which the fused path never holds: computed here, in NumPy."""
    group = query.shape[1] // key.shape[1]
    q, k = query.astype("float32"), np.repeat(key.astype("float32"), group, axis=1)
    scale = query.shape[-1] ** -0.5 if given["scale"] is None else given["scale"]
    scores = q @ k.swapaxes(-1, -2) * scale
    if mode >= 1 and given["softcap"]:
        scores = given["softcap"] * np.tanh(scores / given["softcap"])
    if mode == 2:
        attn_mask = given["attn_mask"]
        if attn_mask is not None:
            scores = np.where(attn_mask, scores, -np.inf) if attn_mask.dtype == bool else scores + attn_mask
        # What the mask expression lets each query see: the weights of queries that weigh all alike.
        places = {name: given[name] for name in ("query_offset", "key_lengths") if name in given}
        alike = foveal.scaled_dot_product_attention(
            np.zeros_like(q), np.zeros_like(k), np.zeros_like(k), mask=mask, return_weights=True, **places
        )
        scores = np.where(alike.weights > 0, scores, -np.inf)
    return scores.astype(query.dtype)
