#!/usr/bin/env python3
"""Do foveal and NumPy read each other's .npy files? usage: npy_interop.py TOOL

TOOL is the program npy_tool: it reads a file and writes it again. Needs numpy.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np


def random_array(rng):
    shape = tuple(int(rng.choice([0, 1, 2, 3, 5, 17])) for _ in range(rng.integers(0, 6)))
    dtype = rng.choice(["float16", "float32", "float64", "int64", "bool"])
    if dtype == "int64":
        return np.asarray(rng.integers(-(2**63), 2**63 - 1, size=shape, dtype=np.int64))
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    values = np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-8, 5)).astype(dtype)
    if values.size:
        values.flat[0] = rng.choice([np.nan, np.inf, -np.inf, -0.0])
    return values


def rewrite(tool, source, target):
    return subprocess.run([tool, source, target], capture_output=True, text=True, check=False)


def check_round_trip(tool, folder, rng):
    source, target = os.path.join(folder, "in"), os.path.join(folder, "out")
    array = random_array(rng)
    if rng.random() < 0.4:
        array = np.asfortranarray(array)
    with open(source, "wb") as file:
        np.lib.format.write_array(file, array, version=(int(rng.integers(1, 4)), 0))
    done = rewrite(tool, source, target)
    assert done.returncode == 0, done.stderr
    back = np.load(target, allow_pickle=False)
    assert back.dtype == array.dtype and back.shape == array.shape, (back.shape, array.shape)
    assert back.flags.c_contiguous and back.tobytes() == array.tobytes("C")


def check_refusals(tool, folder):
    """Other dtypes: one clear line, and the old file stays."""
    source, target = os.path.join(folder, "in.npy"), os.path.join(folder, "out.npy")
    np.save(target, np.ones(3))
    before = open(target, "rb").read()
    others = [np.zeros(4, dtype) for dtype in ("i4", "u1", ">f4", "c8", "U3", "M8[s]")]
    others += [np.zeros(2, [("a", "f4")]), np.array([None, 1], dtype=object)]
    for array in others:
        np.save(source, array)
        done = rewrite(tool, source, target)
        assert done.returncode == 3 and done.stderr.count("\n") == 1, done.stderr
        assert "in.npy" in done.stderr and "must be" in done.stderr, done.stderr
        assert open(target, "rb").read() == before


def main():
    tool = sys.argv[1]
    rng = np.random.default_rng(2026)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(120):
            check_round_trip(tool, folder, rng)
        check_refusals(tool, folder)
    print("npy: 120 files read and written back, as NumPy sees them")


main()
