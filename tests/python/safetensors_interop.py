#!/usr/bin/env python3
"""Do foveal and PyPI's safetensors read each other's files? usage: safetensors_interop.py TOOL

TOOL is the program safetensors_tool: it reads a file and writes it again. Needs numpy, safetensors.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

DTYPES = {"F64": 8, "I64": 8, "F32": 4, "F16": 2, "BF16": 2, "BOOL": 1}


def random_array(rng):
    shape = tuple(int(rng.choice([0, 1, 2, 3, 5, 17])) for _ in range(rng.integers(0, 5)))
    dtype = rng.choice(["float32", "float64", "float16", "int64", "bool"])
    if dtype == "int64":
        return np.asarray(rng.integers(-(2**63), 2**63 - 1, size=shape, dtype=np.int64))
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    values = np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-8, 5)).astype(dtype)
    if values.size:
        values.flat[0] = rng.choice([np.nan, np.inf, -np.inf, -0.0])
    return values


def header_of(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    return length, json.loads(data[8 : 8 + length]), data[8 + length :]


def rewrite(tool, source, target):
    return subprocess.run([tool, source, target], capture_output=True, text=True, check=False)


def check_round_trip(tool, folder, rng, case):
    names = ["heads.0.W_query.weight", "mask", "", "naïve \"quoted\"\n", "日本"]
    arrays = {f"{rng.choice(names)}{i}": random_array(rng) for i in range(rng.integers(0, 7))}
    metadata = {"format": "np", "sätze": "a\tb"} if case % 2 else None
    source, target = os.path.join(folder, "in"), os.path.join(folder, "out")
    save_file(arrays, source, metadata=metadata)
    done = rewrite(tool, source, target)
    assert done.returncode == 0, done.stderr
    back = load_file(target)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype and back[name].shape == array.shape, name
        assert back[name].tobytes() == array.tobytes(), name
    with safe_open(target, "np") as file:
        assert file.metadata() == metadata
    length, header, _ = header_of(target)
    assert length % 8 == 0
    for name, entry in header.items():
        if name != "__metadata__":
            assert entry["data_offsets"][0] % DTYPES[entry["dtype"]] == 0, "data is not aligned"


def check_bfloat16(tool, folder):
    """NumPy has no bfloat16: the file is made by hand and compared as bytes."""
    source, target = os.path.join(folder, "in"), os.path.join(folder, "out")
    data = np.arange(12, dtype=np.uint16).tobytes()
    header = json.dumps({"w": {"dtype": "BF16", "shape": [3, 4], "data_offsets": [0, len(data)]}}).encode()
    with open(source, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)
    done = rewrite(tool, source, target)
    assert done.returncode == 0, done.stderr
    _, entries, written = header_of(target)
    assert entries == json.loads(header) and written == data
    with safe_open(target, "np") as file:
        assert list(file.keys()) == ["w"]


def check_other_dtypes(tool, folder, rng):
    """Tensors of dtypes that foveal lacks are named; those beside them are read."""
    source, target = os.path.join(folder, "in"), os.path.join(folder, "out")
    others = ["int32", "uint8", "int8", "int16", "uint64", "uint16", "uint32"]
    arrays = {f"w{i}": np.zeros(int(rng.integers(0, 5)), rng.choice(others)) for i in range(4)}
    kept = {f"x{i}": random_array(rng) for i in range(3)}
    save_file(arrays | kept, source)
    done = rewrite(tool, source, target)
    assert done.returncode == 0, done.stderr
    back = load_file(target)
    assert back.keys() == kept.keys()
    for name, array in kept.items():
        assert back[name].tobytes() == array.tobytes(), name
    codes = {name: entry["dtype"] for name, entry in header_of(source)[1].items() if name in arrays}
    assert dict(reversed(line.split(" ")) for line in done.stdout.splitlines()) == codes


def main():
    tool = sys.argv[1]
    rng = np.random.default_rng(2026)
    with tempfile.TemporaryDirectory() as folder:
        for case in range(60):
            check_round_trip(tool, folder, rng, case)
        check_bfloat16(tool, folder)
        for _ in range(20):
            check_other_dtypes(tool, folder, rng)
    print("safetensors: 60 files read and written back, as PyPI's safetensors sees them")


main()
