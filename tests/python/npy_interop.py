#!/usr/bin/env python3
"""Do foveal and NumPy read each other's .npy files? usage: npy_interop.py TOOL

TOOL is the program npy_tool: it reads a file and writes it again. Needs numpy.
"""
import os
import subprocess
import sys
import tempfile
import warnings

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
    if rng.random() < 0.2:
        array = array.astype(array.dtype.newbyteorder(">"))
    if rng.random() < 0.4:
        array = np.asfortranarray(array)
    with open(source, "wb") as file:
        np.lib.format.write_array(file, array, version=(int(rng.integers(1, 4)), 0))
    done = rewrite(tool, source, target)
    assert done.returncode == 0, done.stderr
    back = np.load(target, allow_pickle=False)
    plain = array.astype(array.dtype.newbyteorder("<"))
    assert back.dtype == plain.dtype and back.shape == plain.shape, (back.shape, plain.shape)
    assert back.flags.c_contiguous and back.tobytes() == plain.tobytes("C")


def random_header(rng, size):
    """A header as some writer may spell it, right or slightly wrong, and the bytes of its dtype."""

    def pick(*choices):
        return choices[rng.integers(len(choices))]

    def space():
        return pick("", "", " ", " ", "\t", "  ", "\n")

    codes = ["f2", "f4", "f8", "i8", "b1", "e", "f", "d", "q", "l", "?"]
    names = ["float16", "half", "float32", "single", "float64", "float", "double", "int64", "int"]
    order = pick("", "<", ">", "=", "|", "<", "|")
    descr = pick(order + str(rng.choice(codes)), order + str(rng.choice(codes)), str(rng.choice(names + ["bool"])))
    sizes = pick([size], [1, size], [size, 1], [2, size // 2], [1, 1, size], [size // 3, 3, 1], [2, 621, 4])
    suffix = pick("", "", "L", " L", "l")
    shape = "(" + ",".join(space() + str(n) + pick(suffix, "") + space() for n in sizes)
    shape += pick(",", ",", "" if len(sizes) > 1 else ",", "") + space() + pick(")", ")", ")", "]")
    quote = pick("'", "'", '"')
    entries = [
        ("descr", pick("", "", "u") + quote + descr + quote),
        ("fortran_order", pick("True", "False", "False", "0")),
        ("shape", shape),
    ]
    rng.shuffle(entries)
    text = ("," + space()).join(f"{space()}{quote}{k}{quote}{space()}:{space()}{v}" for k, v in entries)
    text = pick("", " ") + "{" + text + pick("", ",", ", ") + space() + "}" + pick("", "\n", "  \n", "\t")
    return text, np.dtype(descr).itemsize


def check_spellings(tool, folder, rng):
    """Headers of other writers: read where NumPy reads them, as it reads them, else one line."""
    source, target = os.path.join(folder, "in"), os.path.join(folder, "out")
    size, major = 12, int(rng.integers(1, 4))
    header, width = random_header(rng, size)
    header = header.encode()
    length = len(header).to_bytes(2 if major == 1 else 4, "little")
    data = rng.integers(0, 2, size=size * width + int(rng.choice([0, 0, 0, 1, -1])), dtype=np.uint8)
    with open(source, "wb") as file:
        file.write(b"\x93NUMPY" + bytes([major, 0]) + length + header + data.tobytes())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = np.load(source, allow_pickle=False)
    except (ValueError, TypeError, SyntaxError):
        array = None
    done = rewrite(tool, source, target)
    if array is None:
        assert done.returncode == 3 and done.stderr.count("\n") == 1, (header, major, done)
        return False
    assert done.returncode == 0, (header, major, done.stderr)
    back = np.load(target, allow_pickle=False)
    assert back.shape == array.shape, (header, back.shape)
    assert back.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes("C"), header
    return True


def check_refusals(tool, folder):
    """Other dtypes: one clear line, and the old file stays."""
    source, target = os.path.join(folder, "in.npy"), os.path.join(folder, "out.npy")
    np.save(target, np.ones(3))
    before = open(target, "rb").read()
    others = [np.zeros(4, dtype) for dtype in ("i4", "u1", ">i4", "c8", "U3", "M8[s]")]
    others += [np.zeros(2, [("a", "f4")]), np.array([None, 1], dtype=object)]
    for array in others:
        np.save(source, array)
        done = rewrite(tool, source, target)
        assert done.returncode == 3 and done.stderr.count("\n") == 1, done.stderr
        assert "in.npy" in done.stderr and "must be" in done.stderr, done.stderr
        assert open(target, "rb").read() == before


def main():
    tool = sys.argv[1]
    trips = max(int(os.environ.get("FOVEAL_CASES", "300")) * 2 // 5, 20)
    spellings = trips * 5
    rng = np.random.default_rng(2026)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(trips):
            check_round_trip(tool, folder, rng)
        read = sum(check_spellings(tool, folder, rng) for _ in range(spellings))
        assert spellings / 6 < read < spellings * 5 / 6, read
        check_refusals(tool, folder)
    print(f"npy: {trips} files read and written back, as NumPy sees them; {spellings} spellings of headers")


main()
