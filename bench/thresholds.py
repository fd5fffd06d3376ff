"""Below which work foveal.torch.enable() leaves a call to PyTorch: small calls, by work, of both.

    python bench/thresholds.py [--seconds 0.3]

Work is the multiplications of a call: B H L_q L_k (D + D_v). For each shape, PyTorch alone and here take turns, with
the thresholds at 0; a time is the least of short batches, and a ratio PyTorch's by ours. Last: the thresholds below
which no shape is faster here, and those that are shipped (docs/pytorch.md). Run it on a quiet machine.
"""

import argparse
import time

import foveal
import torch
import torch.nn.functional as F
from foveal import _takeover_rules as rules

MANY = [  # B, H, L, L, D: prompts and encoders
    (1, 4, 8, 8, 32), (1, 8, 16, 16, 32), (1, 12, 16, 16, 64), (1, 8, 24, 24, 64), (4, 8, 16, 16, 32),
    (1, 12, 24, 24, 64), (1, 12, 32, 32, 64), (2, 12, 32, 32, 64), (4, 8, 32, 32, 32), (1, 12, 48, 48, 64),
    (8, 8, 32, 32, 32), (1, 12, 64, 64, 64),
]  # fmt: skip
FEW = [  # one query, over a cache
    (1, 8, 1, 16, 64), (1, 8, 1, 64, 64), (1, 8, 1, 128, 64), (1, 8, 1, 256, 64), (1, 32, 1, 64, 128),
    (1, 32, 1, 128, 128), (4, 8, 1, 256, 64), (1, 32, 1, 256, 128),
]  # fmt: skip


def work_of(shape):
    batch, heads, queries, keys, width = shape
    return batch * heads * queries * keys * 2 * width


def least(function, calls=5):
    function()
    begin = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - begin) / calls


def measured(shape, seconds):
    """(PyTorch's seconds, ours)"""
    batch, heads, queries, keys, width = shape
    q, k, v = (torch.randn(batch, n, heads, width).transpose(1, 2) for n in (queries, keys, keys))

    def run():
        with torch.no_grad():
            F.scaled_dot_product_attention(q, k, v)

    theirs, ours = [], []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(ours) < 5:
        theirs.append(least(run))
        with foveal.torch.enable():
            ours.append(least(run))
    return min(theirs), min(ours)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.3)
    given = parser.parse_args()
    shipped = {"many": rules.SMALLEST_WORK, "few": rules.SMALLEST_WORK_OF_FEW}
    rules.SMALLEST_WORK = rules.SMALLEST_WORK_OF_FEW = 0
    print("| B H L_q L_k D | work | PyTorch, us | here, us | ratio |\n|---|---|---|---|---|")
    for kind, shapes in (("many", MANY), ("few", FEW)):
        slower = 0
        for shape in sorted(shapes, key=work_of):
            theirs, ours = measured(shape, given.seconds)
            if ours > theirs:
                slower = work_of(shape)
            numbers = f"{theirs * 1e6:.1f} | {ours * 1e6:.1f} | {theirs / ours:.2f}"
            print(f"| {' '.join(map(str, shape))} | {work_of(shape):,} | {numbers} |", flush=True)
        which = f"at most {rules.FEW_QUERIES} queries" if kind == "few" else "more queries"
        print(f"{which}: the largest that is slower here has {slower:,}; shipped: {shipped[kind]:,}")


if __name__ == "__main__":
    main()
