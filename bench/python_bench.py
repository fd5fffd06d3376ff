#!/usr/bin/env python3
"""What a call from Python costs beside the same call in C++, in one process.

  PYTHONPATH=build/release/python python bench/python_bench.py [--threads N] [--seconds S] [--check]

For each shape the calls take turns: attention() in C++ (the extension times it, on the same memory,
with the GIL released), foveal on NumPy arrays, and, where PyTorch is installed, foveal on its tensors,
and forward and backward through autograd beside attention_backward() in C++. Columns are medians in
microseconds; `more` is the median of the differences within a turn. --check fails where NumPy or
PyTorch is more than 3 % + 10 us over C++ in the forward, or autograd more than 5 % and what PyTorch
takes for a Function that computes nothing (`nothing`; caches are cold then, as after any long call).
"""

import argparse
import sys
import time
from statistics import median

import numpy as np

import foveal
from foveal import _foveal
from foveal._options import DEFAULT, settings_of
from foveal._threads import threads_of_call

try:
    import torch
except ImportError:
    torch = None

SHAPES = [  # B, H, H_kv, L_q, L_k, D, dtype, causal
    (1, 1, 1, 1, 16, 64, "float32", False), (1, 1, 1, 8, 8, 16, "float32", False),
    (1, 2, 2, 16, 16, 32, "float32", True), (1, 4, 4, 32, 32, 64, "float32", True),
    (1, 8, 8, 64, 64, 64, "float32", True), (2, 12, 12, 64, 64, 64, "float32", False),
    (1, 8, 2, 1, 512, 64, "float32", False), (1, 32, 8, 1, 1024, 128, "float32", False),
    (4, 8, 8, 1, 300, 64, "float32", False), (1, 8, 8, 128, 128, 64, "float32", True),
    (4, 12, 12, 128, 128, 64, "float32", False), (8, 12, 12, 128, 128, 64, "float32", True),
    (32, 12, 12, 128, 128, 64, "float32", False), (1, 16, 4, 256, 256, 64, "float32", True),
    (1, 12, 12, 512, 512, 64, "float32", True), (2, 8, 8, 512, 512, 128, "float32", False),
    (1, 8, 8, 1024, 1024, 64, "float32", True), (2, 12, 12, 1024, 1024, 64, "float32", True),
    (1, 8, 8, 2048, 2048, 64, "float32", True), (1, 4, 4, 2048, 2048, 128, "float32", False),
    (1, 12, 12, 77, 77, 64, "float32", True), (3, 5, 5, 33, 90, 40, "float32", False),
    (1, 8, 8, 64, 64, 64, "float64", True), (1, 8, 8, 512, 512, 64, "float64", True),
    (1, 8, 8, 64, 64, 64, "float16", True), (2, 12, 12, 512, 512, 64, "float16", True),
    (1, 8, 8, 64, 64, 64, "bfloat16", True), (2, 12, 12, 512, 512, 64, "bfloat16", True),
    (1, 8, 8, 1024, 1024, 64, "bfloat16", False), (1, 32, 8, 1, 2048, 128, "bfloat16", False),
]  # fmt: skip


def seconds(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def arrays_of(shape):
    batch, heads, kv_heads, queries, keys, size, dtype, _ = shape
    random = np.random.default_rng(1)
    if dtype == "bfloat16":
        try:
            import ml_dtypes
        except ImportError:
            return None
        dtype = ml_dtypes.bfloat16
    sizes = (batch, heads, queries, size), (batch, kv_heads, keys, size), (batch, kv_heads, keys, size)
    return [random.normal(size=each).astype("float32").astype(dtype) for each in sizes]


def calls_of(shape):
    """Name -> a function that gives seconds; those of one kind begin with the same word."""
    causal = shape[7]
    given = {"is_causal": causal, "enable_gqa": True}
    settings = settings_of(DEFAULT._replace(mask="causal(top_left)") if causal else DEFAULT)
    arrays = arrays_of(shape)
    calls = {}
    if arrays is not None:
        attend = foveal.scaled_dot_product_attention
        calls["C++"] = lambda: _foveal.time_call(settings, *arrays, None, threads_of_call())[0]
        calls["NumPy"] = lambda: seconds(lambda: attend(*arrays, **given))
    if torch is None or arrays is None:
        return calls
    dtype = getattr(torch, shape[6])
    tensors = [torch.from_numpy(array.astype("float32")).to(dtype) for array in arrays]
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    gradient = torch.ones_like(tensors[0])
    attend = foveal.scaled_dot_product_attention
    calls["PyTorch"] = lambda: seconds(lambda: attend(*tensors, **given))
    calls["C++ both"] = lambda: sum(_foveal.time_call(settings, *tensors, gradient, threads_of_call()))
    calls["nothing"] = lambda: seconds(lambda: torch.autograd.grad(Nothing.apply(*leaves), leaves, gradient))
    calls["autograd"] = lambda: seconds(lambda: torch.autograd.grad(attend(*leaves, **given), leaves, gradient))
    return calls


class Nothing(torch.autograd.Function if torch else object):
    """What a Function's forward and backward cost by themselves."""

    @staticmethod
    def forward(ctx, query, key, value):
        ctx.save_for_backward(query, key, value)
        return query.view_as(query)

    @staticmethod
    def backward(ctx, gradient):
        return tuple(torch.empty_like(saved) for saved in ctx.saved_tensors)


def measure(calls, budget):
    """Name -> seconds of each turn."""
    for call in calls.values():
        call()
    turns, begin = {name: [] for name in calls}, time.perf_counter()
    while len(turns["C++"]) < 9 or (time.perf_counter() - begin < budget and len(turns["C++"]) < 2000):
        for name, call in calls.items():
            turns[name].append(call())
    return turns


def more(turns, ours, base):
    """(microseconds, share) that a call takes beyond another in the same turn."""
    difference = median(a - b for a, b in zip(turns[ours], turns[base]))
    return difference * 1e6, difference / median(turns[base])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each shape")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.threads:
        foveal.set_num_threads(options.threads)
    columns = [("C++", 10), ("NumPy", 10), ("more", 16)]
    if torch is not None:
        columns += [("PyTorch", 10), ("more", 16), ("C++ both", 12), ("nothing", 10), ("autograd", 10), ("more", 16)]
    print(f"{'shape':44}" + "".join(f"{name:>{width}}" for name, width in columns))
    bad = []
    for shape in SHAPES:
        calls = calls_of(shape)
        if not calls:
            continue
        turns = measure(calls, options.seconds)
        name = "B{} H{} KV{} Lq{} Lk{} D{} {}{}".format(*shape[:7], " causal" if shape[7] else "")
        line = f"{name:44}"
        for ours, base, share in (("NumPy", "C++", 0.03), ("PyTorch", "C++", 0.03), ("autograd", "C++ both", 0.05)):
            if ours not in turns:
                continue
            constant = median(turns["nothing"]) * 1e6 if ours == "autograd" else 10
            if ours != "PyTorch":
                line += f"{median(turns[base]) * 1e6:{10 if ours == 'NumPy' else 12}.1f}"
            if ours == "autograd":
                line += f"{constant:10.1f}"
            over, part = more(turns, ours, base)
            line += f"{median(turns[ours]) * 1e6:10.1f}{over:+8.1f}{part:+8.1%}"
            if over > share * median(turns[base]) * 1e6 + constant:
                bad.append(f"{name}: {ours} {over:+.1f} us")
        print(line, flush=True)
    print("\n".join(["", "over the bound:", *bad]) if bad else "\nall within the bounds")
    return 1 if bad and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
