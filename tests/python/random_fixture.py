#!/usr/bin/env python3
"""Writes tests/data/random_streams.json: what PyTorch draws on a CPU, as hashes.

usage: random_fixture.py OUT.json      (needs torch and numpy; not needed to run the tests)

Each stream is one seed and a mixed list of draws, so that values cached from one draw to the next
are tested too. PyTorch's AVX code rounds large normal draws differently, so the streams are drawn
with ATEN_CPU_CAPABILITY=default; Linear with avx2, where it multiplies and adds in one rounding.
"""
import json
import os
import random
import subprocess
import sys


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def draw(torch, op, size, dtype, extra):
    kind = getattr(torch, dtype)
    if op == "rand":
        return torch.rand(size, dtype=kind)
    if op == "randn":
        return torch.randn(size, dtype=kind)
    if op == "randint":
        return torch.randint(extra[0], extra[1], (size,))
    if op == "randperm":
        return torch.randperm(size)
    if op == "dropout":
        return torch.nn.functional.dropout(torch.arange(1, size + 1).to(kind) / 7, extra[0])
    if op == "embedding":
        return torch.nn.Embedding(size, extra[0]).weight.data
    layer = torch.nn.Linear(size, extra[0], bias=bool(extra[1]))
    parts = [layer.weight.data.flatten()] + ([layer.bias.data] if extra[1] else [])
    return torch.cat(parts)


def plan(chooser, with_linear):
    sizes = list(range(0, 41)) + [63, 64, 65, 100, 999, 1000, 1001]
    size = chooser.choice(sizes)
    if with_linear:
        return "linear", chooser.randrange(1, 200), "float32", [chooser.randrange(1, 40), chooser.randrange(2)]
    op = chooser.choice(["rand", "randn", "randn", "randn", "randint", "randperm", "dropout", "embedding"])
    if op in ("rand", "randn"):
        return op, size, chooser.choice(["float32", "float64"]), []
    if op == "randint":
        low = chooser.choice([0, 0, -5, 7, -2**40, -2**63])
        span = chooser.choice([1, 2, 1000, 2**24 + 1, 2**28 - 1, 2**28, 2**32 - 1, 2**33 + 5, 2**62])
        return op, size, "int64", [low, low + span]
    if op == "randperm":
        return op, size, "int64", []
    if op == "dropout":
        kinds = ["float32", "float64", "bfloat16", "float16"]
        return op, size, chooser.choice(kinds), [chooser.choice([0.0, 0.1, 0.2, 0.5, 0.9, 1.0, 1 / 3])]
    return op, chooser.randrange(1, 20), "float32", [chooser.randrange(1, 20)]


def streams(with_linear):
    import torch

    chooser = random.Random(2026 + with_linear)
    seeds = [0, 1, 42, 2**31, 2**32 - 1, 2**32 + 7, 2**63 - 1]
    seeds += [chooser.randrange(2**32) for _ in range(5 if with_linear else 33)]
    result = []
    for seed in seeds:
        torch.manual_seed(seed)
        draws = []
        for _ in range(4 if with_linear else 12):
            op, size, dtype, extra = plan(chooser, with_linear)
            values = draw(torch, op, size, dtype, extra).contiguous()
            data = bytes(values.flatten().view(torch.uint8).numpy()) if values.numel() else b""
            draws.append([op, size, dtype, extra, fnv1a(data)])
        result.append({"seed": seed, "draws": draws})
    return result


def main():
    if sys.argv[1] == "--part":
        json.dump(streams(sys.argv[2] == "linear"), sys.stdout)
        return
    parts = []
    for part, capability in (("mixed", "default"), ("linear", "avx2")):
        environment = dict(os.environ, ATEN_CPU_CAPABILITY=capability)
        command = [sys.executable, __file__, "--part", part]
        parts += json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
    import torch

    lines = ",\n".join(json.dumps(stream) for stream in parts)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write(f'{{"source": "PyTorch {torch.__version__.split("+")[0]}", "streams": [\n{lines}\n]}}\n')


main()
