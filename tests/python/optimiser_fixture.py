#!/usr/bin/env python3
"""Writes tests/data/optimisers.json: where PyTorch's optimisers take a few parameters.

usage: optimiser_fixture.py OUT.json      (needs torch; not needed to run the tests)

Parameters are randn of seed 1, gradients randn of seed 2, step by step, which the library draws bit
for bit (docs/notation.md) as PyTorch does with ATEN_CPU_CAPABILITY=default. The second parameter has
no gradient at every third step. A gradient is times 1e-4 in the last parameter, so that eps matters.
"""
import json
import os
import sys

os.environ["ATEN_CPU_CAPABILITY"] = "default"
import torch  # noqa: E402

SHAPES = [[3, 2], [5], []]
STEPS = 50
SHOWN = [1, 2, 3, 25, 50]
OPTIMISERS = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.2}),
    ("Adam", {"lr": 0.05, "betas": [0.3, 0.5], "eps": 1e-3}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.03, "betas": [0.8, 0.95], "eps": 1e-5, "weight_decay": 0.3}),
]


def gradients(dtype):
    for step in range(STEPS):
        drawn = [torch.randn(shape, dtype=dtype) for shape in SHAPES]
        drawn[2] = drawn[2] * 1e-4
        if step % 3 == 2:
            drawn[1] = None
        yield drawn


def numbers(parameters):
    return [value for parameter in parameters for value in parameter.flatten().tolist()]


def trained(name, options, dtype):
    torch.manual_seed(1)
    parameters = [torch.nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in SHAPES]
    optimiser = getattr(torch.optim, name)(parameters, **options)
    torch.manual_seed(2)
    shown = {}
    for step, drawn in enumerate(gradients(dtype), 1):
        for parameter, gradient in zip(parameters, drawn):
            parameter.grad = gradient
        optimiser.step()
        if step in SHOWN:
            shown[str(step)] = numbers(parameters)
    return shown


def clipped(max_norm):
    torch.manual_seed(3)
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape)
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return {"max_norm": max_norm, "norm": norm.item(), "gradients": numbers([p.grad for p in parameters])}


def main():
    lines = []
    for name, options in OPTIMISERS:
        for dtype in ("float32", "float64"):
            case = {"optimiser": name, "options": options, "dtype": dtype}
            case["parameters"] = trained(name, options, getattr(torch, dtype))
            lines.append(json.dumps(case))
    clips = ",\n".join(json.dumps(clipped(max_norm)) for max_norm in (0.5, 100.0, 0.0))
    cases = ",\n".join(lines)
    source = f'"source": "PyTorch {torch.__version__.split("+")[0]}"'
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write(f'{{{source}, "shapes": {json.dumps(SHAPES)}, "steps": {STEPS},\n"cases": [\n{cases}\n],\n"clips": [\n{clips}\n]}}\n')


main()
