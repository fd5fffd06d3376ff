"""bench/versus.py and bench/thresholds.py run, on their smallest work. Skipped without PyTorch."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("torch")
import foveal  # noqa: E402

BENCH = pathlib.Path(__file__).parents[3] / "bench"


def run(script, *given, **environment):
    made = subprocess.run(
        [sys.executable, BENCH / script, *given],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


@pytest.mark.skipif("avx2" not in foveal.targets(), reason="this machine has no AVX2")
def test_versus_verifies_a_row():
    lines = run("versus.py", "--only", "B1 H12 L64", "--no-peers", "--repeats", "1", FOVEAL_TARGET="avx2").splitlines()
    assert lines[0].startswith("machine: AVX2; PyTorch ")
    name, form, theirs, ours, ratio, goal = [cell.strip() for cell in lines[3].split("|")[1:7]]
    assert name == "B1 H12 L64 D64" and goal == "1.5" and form == "fused operator"
    assert float(theirs) > 0 and float(ours) > 0 and float(ratio) > 0
    assert lines[4].startswith("lowest ratio ")


def test_versus_names_a_machine_without_goals():
    portable = run("versus.py", "--only", "B1 H12 L64", "--no-peers", "--repeats", "1", FOVEAL_TARGET="portable")
    assert portable.startswith("machine: neither of the two kinds that goals are for (target portable); PyTorch ")


def test_the_grid_has_60_shapes():
    sys.path.insert(0, str(BENCH))
    try:
        import versus
    finally:
        sys.path.remove(str(BENCH))
    names = [work.name for work in versus.grid()]
    assert len(set(names)) == len(names) == 60


def test_thresholds_tell_those_that_are_shipped():
    from foveal import _takeover_rules

    text = run("thresholds.py", "--seconds", "0.01")
    assert re.search(rf"more queries: .* shipped: {_takeover_rules.SMALLEST_WORK:,}\n", text)
    assert re.search(rf"queries: .* shipped: {_takeover_rules.SMALLEST_WORK_OF_FEW:,}\n", text)
