#!/usr/bin/env python3
"""Is foveal attend what NumPy computes in float64? usage: attend_compare.py FOVEAL [CASES]

Every option crossed with odd shapes: output, lse, weights, each statistic, dropout by counter, on
each target. Needs numpy.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

TOLERANCE = {"float32": 3e-5, "bfloat16": 3e-2, "float16": 4e-3}


def philox(seed, counters):
    """Philox4x32-10: counters (..., 4) of uint32 -> (..., 4) words."""
    c = [counters[..., n].astype(np.uint64) for n in range(4)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        first, second = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        k0, k1 = np.uint64(key[0]), np.uint64(key[1])
        c = [(second >> shift) ^ c[1] ^ k0, second & low, (first >> shift) ^ c[3] ^ k1, first & low]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, -1)


def dropout_factors(p, seed, shape):
    """0 or 1 / (1 - p) for each weight."""
    batch, heads, queries, keys = shape
    groups = (keys + 3) // 4
    counters = np.zeros((batch * heads, queries, groups, 4), np.uint32)
    counters[..., 0] = np.arange(groups)
    counters[..., 1] = np.arange(queries)[:, None]
    counters[..., 2] = np.arange(batch * heads)[:, None, None]
    words = philox(seed, counters).reshape(batch, heads, queries, groups * 4)[..., :keys]
    return np.where(words >= p * 2.0**32, 1 / (1 - p) if p < 1 else 0, 0)


def attention(q, k, v, o):
    """-> output, lse, weights before dropout, all float64."""
    group = q.shape[1] // k.shape[1]
    q, k, v = q.astype(float), np.repeat(k, group, 1).astype(float), np.repeat(v, group, 1).astype(float)
    queries, keys = q.shape[2], k.shape[2]
    i, j = np.arange(queries)[:, None] + keys - queries, np.arange(keys)
    scores = q @ k.swapaxes(-1, -2) * o["scale"]
    if o["softcap"]:
        scores = o["softcap"] * np.tanh(scores / o["softcap"])
    scores = scores + o["bias"] - o["alibi"][:, None, None] * np.abs(i - j)
    scores = np.where(o["mask"], scores, -np.inf)
    sinks = np.broadcast_to(o["sinks"][:, None, None], scores.shape[:3] + (1,))
    top = np.maximum(scores.max(-1, keepdims=True, initial=-np.inf), sinks)
    top = np.where(np.isfinite(top), top, 0)
    total = np.exp(scores - top).sum(-1, keepdims=True) + np.exp(sinks - top)
    with np.errstate(divide="ignore"):
        lse = np.log(total) + top
    weights = np.exp(scores - top) / np.where(total > 0, total, 1)
    seen = scores != -np.inf
    factors = dropout_factors(o["dropout"], o["seed"], scores.shape) if o["dropout"] else 1
    return (weights * factors) @ v, lse[..., 0], weights, seen


def round_to(dtype, x):
    if dtype == "float16":
        return x.astype(np.float16)
    if dtype != "bfloat16":
        return x
    bits = x.view(np.uint32)
    return (((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16).view(np.float32)


class Case:
    def __init__(self, rng, folder):
        self.folder, self.arguments = folder, []
        self.flat = rng.random() < 0.15
        kv = 1 if self.flat else int(rng.choice([1, 2, 3]))
        self.batch = 1 if self.flat else int(rng.integers(1, 3))
        self.heads = 1 if self.flat else kv * int(rng.choice([1, 2]))
        self.queries = int(rng.choice([1, 2, 7, 17, 49, 64, 70]))
        self.keys = int(rng.choice([1, 5, 31, 64, 65, 130]))
        head_size, value_size = int(rng.choice([1, 3, 8, 17, 64])), int(rng.choice([1, 5, 16, 33]))
        self.dtype = str(rng.choice(["float32", "float32", "bfloat16", "float16"]))
        draw = lambda *shape: round_to(self.dtype, rng.normal(size=shape).astype(np.float32))
        self.q = draw(self.batch, self.heads, self.queries, head_size)
        self.k = draw(self.batch, kv, self.keys, head_size)
        self.v = draw(self.batch, kv, self.keys, value_size)
        self.options = {"scale": head_size**-0.5, "softcap": 0, "bias": np.zeros(1), "dropout": 0,
                        "alibi": np.zeros(self.heads), "sinks": np.full(self.heads, -np.inf),
                        "seed": 0, "mask": True}
        self.draw_options(rng)

    def save(self, name, array):
        path = os.path.join(self.folder, name + ".npy")
        np.save(path, array)
        return path

    def draw_options(self, rng):
        o = self.options
        if rng.random() < 0.3:
            o["scale"] = float(rng.choice([0.125, 1.0, -0.5]))
            self.arguments += ["--scale", repr(o["scale"])]
        if rng.random() < 0.3:
            o["softcap"] = 1.5
            self.arguments += ["--softcap", "1.5"]
        if rng.random() < 0.3:
            o["bias"] = rng.normal(size=(self.queries, self.keys)).astype(np.float32)
            o["bias"][rng.random(o["bias"].shape) < 0.2] = -np.inf
            self.arguments += ["--bias", self.save("bias", o["bias"])]
        if rng.random() < 0.3:
            o["alibi"] = rng.random(self.heads).astype(np.float32)
            self.arguments += ["--alibi", self.save("alibi", o["alibi"])]
        if rng.random() < 0.3:
            o["sinks"] = rng.normal(size=self.heads).astype(np.float32)
            self.arguments += ["--sinks", self.save("sinks", o["sinks"])]
        if rng.random() < 0.3:
            o["dropout"], o["seed"] = float(rng.choice([0.25, 0.5, 1.0])), int(rng.integers(2**63))
            self.arguments += ["--dropout", repr(o["dropout"]), "--seed", str(o["seed"])]
        if rng.random() < 0.5:
            o["mask"] = rng.random((self.queries, self.keys)) < 0.4
            self.arguments += ["--mask", f"dense(\"{self.save('mask', o['mask'])}\")"]

    def files(self):
        arrays = [x[0, 0] if self.flat else x for x in (self.q, self.k, self.v)]
        return [self.save(name, x) for name, x in zip("qkv", arrays)]


def near(got, want, tolerance, what):
    got, want = np.array(got, float), np.array(want, float)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, not {want.shape}"
    with np.errstate(invalid="ignore"):
        same = (got == want) | (np.abs(got - want) <= tolerance)
    assert same.all(), f"{what}: {got[~same][0]}, not {want[~same][0]}"


def check_statistics(s, weights, seen, k, rows, tolerance):
    near(s["maximum"], weights.max(-1, initial=0), tolerance, "maximum")
    logs = np.log(np.where(weights > 0, weights, 1))
    near(s["entropy"], -(weights * logs).sum(-1), 20 * tolerance, "entropy")
    near(s["column_mass"], weights.sum(-2), tolerance * weights.shape[-2], "column_mass")
    near(s["rows"], weights[..., rows, :], tolerance, "rows")
    keys, top = np.array(s["top_k"]["keys"]), np.array(s["top_k"]["weights"], float)
    best = -np.sort(-weights, -1)[..., :k]
    best = np.pad(best, [(0, 0)] * (best.ndim - 1) + [(0, k - best.shape[-1])])
    near(top, best, tolerance, "top_k weights")
    found = np.take_along_axis(weights, np.maximum(keys, 0), -1)
    near(top, np.where(keys < 0, 0, found), tolerance, "top_k keys")
    assert ((keys >= 0).sum(-1) == np.minimum(seen.sum(-1), k)).all(), "top_k: a key too many or few"


def run_case(foveal, rng, folder, targets):
    case = Case(rng, folder)
    output, lse, weights, seen = attention(case.q, case.k, case.v, case.options)
    k, rows = int(rng.choice([1, 3, 40])), [0, case.queries - 1]
    paths = [os.path.join(folder, x) for x in ("o.npy", "l.npy", "p.npy")]
    command = [foveal, "attend", *case.files(), "--dtype", case.dtype, *case.arguments]
    command += ["--target", str(rng.choice(targets)), "--threads", str(rng.integers(1, 4))]
    command += ["--out", paths[0], "--lse", paths[1], "--weights", paths[2], "--json"]
    command += ["--statistics", f"top_k={k},entropy,maximum,column_mass,rows=[{rows[0]},{rows[1]}]"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    result = json.loads(done.stdout)
    if case.flat:
        output, lse, weights, seen = output[0, 0], lse[0, 0], weights[0, 0], seen[0, 0]
    got = [np.load(path) for path in paths]
    assert all(x.dtype == np.float32 for x in got)
    near(got[0], output, TOLERANCE[case.dtype] * max(1, np.abs(output).max()), "output")
    # Inputs are exact in their type, and scores accumulate in float32 whatever it is.
    near(got[1], lse, 3e-5 * 8, "lse")
    near(got[2], weights, 3e-5, "weights")
    check_statistics(result["statistics"], weights, seen, k, rows, 3e-5)
    return command


def main():
    foveal, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 80
    listed = subprocess.run([foveal, "targets"], capture_output=True, text=True, check=True).stdout
    targets = [line.split()[0] for line in listed.splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            try:
                run_case(foveal, np.random.default_rng(seed), folder, targets)
            except AssertionError as error:
                sys.exit(f"attend: case {seed}: {error}")
    print(f"attend: {count} cases are what NumPy computes, on {', '.join(targets)}")


main()
