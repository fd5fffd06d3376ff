"""foveal.torch.enable() against PyTorch alone: the same calls in one process, turn by turn.

    python bench/versus.py [--grid] [--repeats 5]

Without --grid, the rows of docs/performance.md; with it, 60 everyday shapes. Each row is verified before it is
timed: both outputs are compared. A ratio is the median of --repeats ratios, PyTorch's time by ours; above 1 we are
faster. Run it on a quiet machine.
"""

import argparse
import contextlib
import statistics
import time

import foveal
import torch
import torch.nn.functional as F


def call(batch, heads, queries, keys, width, kv_heads=None, dtype=torch.float32, train=False, padded=False, **given):
    """(what runs once, what it gives)"""
    kv_heads = kv_heads or heads
    rows = lambda h, n: torch.randn(batch, n, h, width, dtype=dtype).transpose(1, 2)  # noqa: E731
    q, k, v = rows(heads, queries), rows(kv_heads, keys), rows(kv_heads, keys)
    if kv_heads != heads:
        given["enable_gqa"] = True
    if padded:
        lengths = torch.linspace(keys // 3, keys, batch).long()
        given["attn_mask"] = (torch.arange(keys) < lengths[:, None])[:, None, None, :]
    if not train:

        def run():
            with torch.no_grad():
                return F.scaled_dot_product_attention(q, k, v, **given)

        return run
    leaves = [x.requires_grad_() for x in (q, k, v)]
    weight = torch.randn(batch, heads, queries, width, dtype=dtype)

    def step():
        return torch.autograd.grad(F.scaled_dot_product_attention(*leaves, **given), leaves, weight)[0]

    return step


def folded_decode(batch, heads, kv_heads, keys, width, dtype):
    """(heads folded into queries, PyTorch's best form; the plain call, ours)"""
    q = torch.randn(batch, heads, 1, width, dtype=dtype)
    k, v = (torch.randn(batch, kv_heads, keys, width, dtype=dtype) for _ in range(2))
    group = heads // kv_heads

    def theirs():
        with torch.no_grad():
            return F.scaled_dot_product_attention(q.view(batch, kv_heads, group, width), k, v).view(q.shape)

    def ours():
        with torch.no_grad():
            return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    return theirs, ours


def window(length, left):
    x = torch.randn(1, 8, length, 64)
    distance = torch.arange(length)[:, None] - torch.arange(length)
    visible = (distance >= 0) & (distance <= left)
    mask = foveal.masks.causal() & foveal.masks.window(left, 0)
    return (
        lambda: F.scaled_dot_product_attention(x, x, x, visible),
        lambda: foveal.torch.flex(x, x, x, mask=mask),
    )


def table():
    half = torch.bfloat16
    big = (8, 12, 1024, 1024, 64)
    yield "float32 causal B8 H12 L1024 D64, forward", call(*big, is_causal=True)
    yield "the same, forward and backward", call(*big, is_causal=True, train=True)
    yield "float32 full, forward", call(*big)
    yield "bfloat16 causal, forward", call(*big, is_causal=True, dtype=half)
    yield "bfloat16 causal, forward and backward", call(*big, is_causal=True, dtype=half, train=True)
    yield "window 256 at L 8192 (flex, against a dense mask)", window(8192, 255)
    yield "decode 32 heads on 8, 8192 keys, float32", folded_decode(1, 32, 8, 8192, 128, torch.float32)
    yield "decode 32 heads on 8, 8192 keys, bfloat16", folded_decode(1, 32, 8, 8192, 128, half)
    yield "L 128 B32 H12 D64, padding mask", call(32, 12, 128, 128, 64, padded=True)
    yield "B1 H12 L64 D64", call(1, 12, 64, 64, 64)


def grid():
    """60 shapes: encoders, decoders' prompts, single tokens, training steps, both dtypes."""
    for dtype in (torch.float32, torch.bfloat16):
        short = "bfloat16" if dtype == torch.bfloat16 else "float32"
        for length in (64, 128, 256, 512, 1024):
            for batch, heads, width in ((1, 12, 64), (4, 8, 64)):
                shape = (batch, heads, length, length, width)
                for kind, given in (("full", {}), ("causal", {"is_causal": True})):
                    yield f"{short} {kind} B{batch} H{heads} L{length} D{width}", call(*shape, dtype=dtype, **given)
        for keys in (512, 2048, 4096):
            yield f"{short} decode H32/8 {keys} keys D128", call(1, 32, 1, keys, 128, kv_heads=8, dtype=dtype)
        for length in (128, 256, 512):
            shape = (4, 12, length, length, 64)
            yield f"{short} causal step B4 H12 L{length} D64", call(*shape, dtype=dtype, train=True, is_causal=True)
            yield f"{short} padded B4 H12 L{length} D64", call(*shape, dtype=dtype, padded=True)
        yield f"{short} cross B4 H8 L64 of 512 D64", call(4, 8, 64, 512, 64, dtype=dtype)


def seconds(function, times, on):
    with foveal.torch.enable() if on else contextlib.nullcontext():
        function()
        begin = time.perf_counter()
        for _ in range(times):
            function()
        return (time.perf_counter() - begin) / times


def measured(pair, repeats):
    theirs, ours = pair if isinstance(pair, tuple) else (pair, pair)
    expected = theirs()
    with foveal.torch.enable():
        torch.testing.assert_close(ours(), expected, atol=0.02 if expected.dtype == torch.bfloat16 else 1e-4, rtol=0.02)
    times = max(1, min(200, int(0.05 / max(seconds(theirs, 1, False), 1e-6))))
    both = [(seconds(theirs, times, False), seconds(ours, times, True)) for _ in range(repeats)]
    return statistics.median(a / b for a, b in both), min(a for a, _ in both), min(b for _, b in both)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.manual_seed(1)
    kind = "AVX-512 with bf16" if "avx512_bf16" in str(foveal.targets()) else "AVX2"
    print(f"machine: {kind}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print("| work | PyTorch, ms | here, ms | ratio |\n|---|---|---|---|")
    lowest = None
    for name, pair in grid() if given.grid else table():
        ratio, theirs, ours = measured(pair, given.repeats)
        lowest = min(ratio, lowest or ratio)
        print(f"| {name} | {theirs * 1e3:.3f} | {ours * 1e3:.3f} | {ratio:.2f} |", flush=True)
    print(f"lowest ratio {lowest:.2f}")


if __name__ == "__main__":
    main()
