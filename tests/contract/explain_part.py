"""foveal explain: every step, in JSON and CSV, at 1e-12; --query and --cell."""
import csv
import io
import json

import numpy as np

from cases import document
from command import Command, complaint
from reference import Setup

TRACE_KEYS = ["schema", "tokens", "settings", "steps", "checks"]
STEP_KEYS = ["name", "title", "axes", "shape", "data", "note"]
TOLERANCE = 1e-12


def array(nested):
    """-inf and nan are text in JSON."""
    if isinstance(nested, list):
        return np.array([array(x) for x in nested], float)
    return float(nested)


def difference(got, want):
    """The largest one, relative to the step's largest number; inf where shapes or gaps differ."""
    want = np.asarray(want, float)
    if got.shape != want.shape:
        return np.inf
    finite = np.isfinite(want)
    if (np.isfinite(got) != finite).any() or (np.isnan(got) != np.isnan(want)).any():
        return np.inf
    size = max(1.0, np.abs(want[finite]).max(initial=0))
    return np.abs(got[finite] - want[finite]).max(initial=0) / size


def compare_trace(doc, trace, want):
    bad = []
    if list(trace) != TRACE_KEYS:
        bad.append(f"keys {list(trace)}")
    if trace["schema"] != "foveal.trace/1" or trace["checks"] != []:
        bad.append("schema or checks")
    names = doc.get("tokens", [f"x{i + 1}" for i in range(len(doc["inputs"]))])
    if trace["tokens"] != names:
        bad.append(f"tokens {trace['tokens']}")
    weighted = "W_query" in doc
    mask = doc.get("mask", "none")
    settings = {"num_heads": doc.get("num_heads", 1),
                "scale": doc.get("scale", "sqrt" if weighted else "none"),
                "mask": mask if isinstance(mask, str) else "rows",
                "dropout": doc.get("dropout")}
    if trace["settings"] != settings or list(trace["settings"]) != list(settings):
        bad.append(f"settings {trace['settings']}")
    if [s["name"] for s in trace["steps"]] != list(want):
        bad.append(f"steps {[s['name'] for s in trace['steps']]}, not {list(want)}")
        return bad, 0.0
    worst = 0.0
    for step in trace["steps"]:
        if list(step) != STEP_KEYS or len(step["axes"]) != len(step["shape"]):
            bad.append(f"{step['name']}: keys or axes")
        got = array(step["data"])
        if list(got.shape) != step["shape"]:
            bad.append(f"{step['name']}: shape {step['shape']} but data {got.shape}")
        error = difference(got, want[step["name"]])
        worst = max(worst, error)
        if error > TOLERANCE:
            bad.append(f"{step['name']}: off by {error:.1e}")
    return bad, worst


def compare_csv(text, want):
    rows = list(csv.reader(io.StringIO(text)))
    if rows[0] != ["step", "head", "row", "column", "value"]:
        return [f"CSV header {rows[0]}"]
    at = 1
    for name, data in want.items():
        data = np.asarray(data, float)
        size = max(1.0, np.abs(data[np.isfinite(data)]).max(initial=0))
        for index in np.ndindex(data.shape):
            step, head, row, column, value = rows[at]
            at += 1
            place = ([int(head)] if head else []) + [int(row), int(column)]
            if step != name or place != list(index):
                return [f"CSV row {at}: {rows[at - 1]} where {name}{list(index)} belongs"]
            if not np.isclose(float(value), data[index], 0, TOLERANCE * size, equal_nan=True):
                return [f"CSV {name}{list(index)} is {value}, not {data[index]}"]
    return [] if at == len(rows) else [f"CSV has {len(rows) - at} rows too many"]


def compare_cell(command, file, rng, want):
    """The arithmetic of a random cell ends with the cell's number."""
    name = str(rng.choice(list(want)))
    data = np.asarray(want[name], float)
    index = [int(rng.integers(n)) for n in data.shape]
    cell = f"{name}[{','.join(map(str, index))}]"
    result = command.run("explain", file, "--cell", cell)
    if result.returncode:
        return [f"--cell {cell}: {complaint(result)}"]
    value = data[tuple(index)]
    whole = "-∞" if value == -np.inf else f"{value:.4f}".rstrip("0").rstrip(".")
    shown = result.stdout.replace("−", "-")
    if name not in ("mask", "dropout_mask") and np.isfinite(value) and abs(value) < 1e9:
        if whole not in shown and f"{value:.4f}" not in shown:
            return [f"--cell {cell}: {value} is not in {result.stdout.strip()!r}"]
    outside = [*index[:-1], data.shape[-1]]
    result = command.run("explain", file, "--cell", f"{name}[{','.join(map(str, outside))}]")
    return [] if result.returncode == 3 else [f"cell outside: {complaint(result)}"]


def compare_query(command, file, rng, doc):
    length = len(doc["inputs"])
    token = int(rng.integers(length))
    name = doc.get("tokens", [f"x{i + 1}" for i in range(length)])[token]
    by_name = command.run("explain", file, "--query", name)
    by_number = command.run("explain", file, "--query", f"#{token}")
    bad = []
    if by_name.returncode or by_number.returncode or by_name.stdout != by_number.stdout:
        bad.append(f"--query {name}: {complaint(by_name)}")
    for absent in ("nobody", f"#{length}"):
        result = command.run("explain", file, "--query", absent)
        if result.returncode != 3:
            bad.append(f"--query {absent}: {complaint(result)}")
    return bad


def explain(foveal, rng, cases):
    command, bad, worst = Command(foveal), [], 0.0
    for case in range(cases):
        doc = document(rng)
        want = Setup(doc).steps()
        file = command.write(doc)
        result = command.run("explain", file, "--format", "json")
        if result.returncode:
            bad.append(f"case {case}: {complaint(result)}")
            continue
        found, error = compare_trace(doc, json.loads(result.stdout), want)
        worst = max(worst, error)
        if command.run("explain", file, "--json").stdout != result.stdout:
            found.append("--json gives other bytes than --format json")
        found += compare_csv(command.run("explain", file, "--format", "csv").stdout, want)
        found += compare_cell(command, file, rng, want)
        if case % 5 == 0:
            found += compare_query(command, file, rng, doc)
        bad += [f"case {case}: {line}" for line in found]
    return f"{cases} inputs, worst {worst:.1e}", bad
