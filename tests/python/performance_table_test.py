"""tools/performance_table on made-up runs: the best of several, goals, and tables put into a file."""

import json
import pathlib
import subprocess
import sys
import tempfile

TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / "tools/performance_table"
SHAPE = {"B": 8, "H": 12, "H_kv": 12, "L_q": 1024, "L_k": 1024, "D": 64, "D_v": 64}


def row(median, share, **other):
    made = {
        "op": "forward", "dtype": "float32", "shape": SHAPE, "mask": "causal()", "repeats": 5,
        "median_ms": median, "spread_ms": 0.5, "gflops": 1000 / median, "gbs": 1,
        "share_of_peak": share, "max_error": 1e-7, "target": "avx512", "threads": 2, "peak": 200,
    }
    return made | other


def run(median, share):
    small = SHAPE | {"B": 1, "H": 4, "H_kv": 4}
    machine = {
        "cpu": "CPU", "target": "avx512", "threads": 2, "peak_float32_gflops": 100 * share,
        "peak_bfloat16_gflops": 200, "read_gbs": 30,
    }
    rungs = [
        row(time, 0.1, op=op, shape=small, mask="none()")
        for op, time in (("naive", 80), ("online", 40), ("tiled", 10), ("forward", 2))
    ]
    others = [
        row(median, share, target="avx2", mask="none()"),
        row(25, share, mask="none()"),
        row(50, share, mask="none()", threads=1),
        row(3, None, op="plan", gflops=None, gbs=None),
    ]
    return {"schema": "foveal.bench/1", "machine": machine, "rows": [row(median, share), *others, *rungs]}


def main():
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / f"{n}.json" for n in (1, 2)]
        paths[0].write_text(json.dumps(run(20, 0.8)))
        paths[1].write_text(json.dumps(run(16, 0.75)))
        page = pathlib.Path(folder) / "page.md"
        page.write_text("a\n<!-- table: speed -->\nold\n<!-- end -->\nb\n<!-- table: ladder -->\n<!-- end -->\n"
                        "<!-- table: ratios -->\n<!-- end -->\n")
        subprocess.run([TOOL, *paths, "--write", page], check=True)
        text = page.read_text()
        expected = [
            "| forward | float32 | B8 H12 L1024 D64 | causal | 16.0 | 16.0–20.0 | 62.5 GFLOP/s | 75 % | 85 % |",
            "| forward | float32 | B8 H12 L1024 D64 | none, avx2 | 16.0 | 16.0–20.0 | 62.5 GFLOP/s | 75 % | 75 % |",
            "| plan | float32 | B8 H12 L1024 D64 | causal | 3.00 | 3.00–3.00 |  |  | 5 ms |",
            "| one thread's speed to that of two | 0.50 | ≥ 0.48 |",
            "| naive | 80.0 | 12.5 GFLOP/s | 10.0 % |  |",
            "| fused | 2.00 | 500 GFLOP/s | 10.0 % | 5.0 × |",
        ]
        missing = [line for line in expected if line not in text.splitlines()]
        if missing or "old" in text or not text.startswith("a\n") or "\nb\n" not in text:
            sys.exit(f"missing: {missing}\n{text}")
        paths[1].write_text(json.dumps(run(16, 0.75) | {"rows": []}))
        if subprocess.run([TOOL, *paths], capture_output=True, check=False).returncode == 0:
            sys.exit("runs of different lists were taken together")


if __name__ == "__main__":
    main()
