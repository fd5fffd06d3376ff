#!/usr/bin/env python3
"""What alternating PyTorch's work and attention in one process costs either side.

  PYTHONPATH=build/release/python build/torch/bin/python bench/beside_pytorch.py [--rounds N] [--threads N] [--length N]

In each round, after a pause in which all threads fall asleep: attention alone; attention right after a matrix product of
PyTorch's; the product alone; the product right after attention. Then both by turns without a pause, beside the sum of the
two alone. Columns are medians in microseconds, `x` is a column over the one alone. A row is a process of its own with what
is set in its environment, as PyTorch's OpenMP reads it when it is loaded; processes take turns, five times each.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from statistics import median

SETTINGS = {
    "nothing set": {},
    "GOMP_SPINCOUNT=0": {"GOMP_SPINCOUNT": "0"},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    "both on one thread": {"OMP_NUM_THREADS": "1"},
}
COLUMNS = ("ours", "ours after", "product", "product after", "by turns")


def seconds(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def measure(rounds, threads, length):
    """Column -> seconds of each round, in this process."""
    import foveal
    import torch

    if threads:
        foveal.set_num_threads(threads)
    x, matrix = torch.randn(1, 8, length, 64), torch.randn(512, 512)

    def ours():
        foveal.scaled_dot_product_attention(x, x, x, is_causal=True)

    def product():
        torch.mm(matrix, matrix)

    def turns():
        for _ in range(10):
            product()
            ours()

    cases = ((None, ours), (product, ours), (None, product), (ours, product), (None, turns))
    columns = {name: [] for name in COLUMNS}
    turns()
    for _ in range(rounds):
        for name, (before, call) in zip(COLUMNS, cases):
            time.sleep(0.02)  # until all threads sleep
            if before:
                before()
            columns[name].append(seconds(call) / (10 if call is turns else 1))
    return columns


def in_a_process(setting, options):
    command = [sys.executable, __file__, "--inside", "--rounds", str(options.rounds), "--length", str(options.length)]
    command += ["--threads", str(options.threads)]
    done = subprocess.run(command, env=os.environ | SETTINGS[setting], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=0, help="of attention; 0: as many as PyTorch's")
    parser.add_argument("--length", type=int, default=256, help="queries and keys of attention, B 1, H 8, D 64, causal")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(measure(options.rounds, options.threads, options.length)))
        return
    times = {setting: {name: [] for name in COLUMNS} for setting in SETTINGS}
    for _ in range(5):
        for setting, columns in times.items():
            for name, found in in_a_process(setting, options).items():
                columns[name] += found
    print(f"{'':26}" + "".join(f"{name:>18}" for name in COLUMNS))
    for setting, columns in times.items():
        ours, after, product, product_after, turns = (median(columns[name]) * 1e6 for name in COLUMNS)
        shares = ("", after / ours, "", product_after / product, turns / (ours + product))
        cells = zip((ours, after, product, product_after, turns), shares)
        print(f"{setting:26}" + "".join(f"{t:10.1f}" + (f"{s:6.2f} x" if s else " " * 8) for t, s in cells))


if __name__ == "__main__":
    main()
