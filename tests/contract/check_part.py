"""foveal check: which numbers agree, which slip is named, and what is left alone."""
import json

import numpy as np

from cases import document, numbers
from command import Command, complaint
from reference import Setup


def printed(data, decimals, rows=None):
    """The first rows of a step as text; with heads, of each head."""
    if data.ndim == 3:
        return [printed(head, decimals, rows) for head in data]
    text = {np.inf: "inf", -np.inf: "-inf"}
    return [["nan" if np.isnan(x) else text.get(x, f"{x:.{decimals}f}") for x in row]
            for row in np.asarray(data, float)[:rows]]


def flat(nested, cell=()):
    for i, entry in enumerate(nested):
        if isinstance(entry, list):
            yield from flat(entry, (*cell, i))
        elif entry is not None:
            yield (*cell, i), entry


def agrees(ours, text):
    value = float(text)
    if not np.isfinite(ours) or not np.isfinite(value):
        return ours == value or (np.isnan(ours) and np.isnan(value))
    decimals = len(text.partition(".")[2])
    room = max(0.5 * 10.0**-decimals + 1e-15 * max(1, abs(ours)), 1e-9 * max(1, abs(ours)))
    return abs(ours - value) <= room


def judge(expected, right):
    """(step, cell, agrees) of every printed number, in order."""
    return [(name, list(cell), bool(agrees(float(right[name][cell]), text)))
            for name in right if name in expected for cell, text in flat(expected[name])]


def compare(command, doc, right):
    """Runs check on a document with `expected`; -> (broken promises, the checks)."""
    file = command.write(doc)
    result = command.run("check", file, "--json")
    want = judge(doc["expected"], right)
    good = all(entry[2] for entry in want)
    if result.returncode != (0 if good else 1):
        return [complaint(result)], []
    report = json.loads(result.stdout)
    bad = []
    if report["schema"] != "foveal.check/1" or report["agrees"] != good:
        bad.append("schema or agrees")
    got = [(c["step"], c["cell"], c["agrees"]) for c in report["checks"]]
    if got != want:
        first = next((pair for pair in zip(got, want) if pair[0] != pair[1]), (len(got), len(want)))
        bad.append(f"judged {first[0]}, not {first[1]}")
    for one in report["checks"]:
        ours = float(one["ours"])
        truth = float(right[one["step"]][tuple(one["cell"])])
        if np.isfinite(truth) and abs(ours - truth) > 1e-12 * max(1, abs(truth)) * 50:
            bad.append(f"{one['step']}{one['cell']}: ours is {ours}, not {truth}")
        if one["agrees"] and one["slip"] is not None:
            bad.append(f"{one['step']}{one['cell']} agrees, but has the slip {one['slip']}")
    text = command.run("check", file)
    if text.returncode != result.returncode or max(map(len, text.stdout.split("\n"))) > 80:
        bad.append("text: exit status, or a line beyond 80 columns")
    return bad, report["checks"]


# --- slips: (words, what the document needs, change of the setup, steps that show it)

def causal(doc, rng):
    doc["mask"] = "causal"


def square(doc, rng):
    for name in ("query", "key", "value"):
        doc["W_" + name] = numbers(rng, 6, 6)


def sqrt(doc, rng):
    doc["scale"] = "sqrt"


def two_heads(doc, rng):
    doc["num_heads"] = 2


def dropout(doc, rng):
    doc["dropout"] = {"p": 0.4, "seed": int(rng.integers(1000))}


def no_scale(setup):
    setup.scale = 1.0


def by_size(setup):
    setup.scale = 1 / setup.head_size


def wrong_axis(setup):
    setup.softmax_axis = -2


def transposed(name):
    def change(setup):
        setup.W[name] = setup.W[name].T
    return change


def without_mask(setup):
    setup.mask = None


def other_polarity(setup):
    setup.mask = ~setup.mask


def not_renormalised(setup):
    setup.mask_after_softmax = True


def unscaled_dropout(setup):
    setup.dropout_scale = 1.0


def swap_queries_and_keys(setup):
    setup.transpose_scores = True


WEIGHTS = ["weights", "context"]
SLIPS = [
    ("not scaled", [sqrt], no_scale, ["scaled_scores", *WEIGHTS]),
    ("not scaled", [sqrt, causal, two_heads], no_scale, ["scaled_scores", *WEIGHTS]),
    ("scaled by D", [sqrt], by_size, ["scaled_scores", *WEIGHTS]),
    ("wrong axis", [], wrong_axis, WEIGHTS),
    ("wrong axis", [two_heads, causal], wrong_axis, WEIGHTS),
    ("W_query was transposed", [square], transposed("query"), ["queries"]),
    ("W_key was transposed", [square, two_heads], transposed("key"), ["keys"]),
    ("W_value was transposed", [square], transposed("value"), ["values"]),
    ("transposed", [], swap_queries_and_keys, ["scores"]),
    ("mask is missing", [causal], without_mask, ["masked_scores", *WEIGHTS]),
    ("polarity", [causal, two_heads], other_polarity, ["masked_scores", *WEIGHTS]),
    ("not renormalised", [causal], not_renormalised, WEIGHTS),
    ("dropout scale", [dropout], unscaled_dropout, ["dropped_weights", "context"]),
]


def plain_document(rng):
    doc = {"inputs": numbers(rng, int(rng.integers(4, 9)), 6)}
    for name in ("query", "key", "value"):
        doc["W_" + name] = numbers(rng, 6, 10)
    return doc


def planted(command, rng, counts):
    words, needs, change, steps = SLIPS[int(rng.integers(len(SLIPS)))]
    doc = plain_document(rng)
    for need in needs:
        need(doc, rng)
    setup = Setup(doc)
    right = setup.steps()
    change(setup)
    step = str(rng.choice(steps))
    wrong = setup.steps()[step]
    rows = None if rng.random() < 0.7 else 3
    doc["expected"] = {step: printed(wrong, int(rng.integers(3, 6)), rows)}
    bad, checks = compare(command, doc, right)
    first = next((c for c in checks if not c["agrees"]), None)
    if first is not None:
        counts["planted"] += 1
        counts["named"] += words in (first["slip"] or "")
        if words not in (first["slip"] or ""):
            counts["others"].append(f"{words} in {step}: {first['slip']}")
    return bad


def right_numbers(command, rng):
    """Rounded right numbers of any input agree, whatever its settings."""
    doc = document(rng, most_tokens=8)
    right = Setup(doc).steps()
    names = [n for n in right if n not in ("inputs", "mask", "dropout_mask")]
    chosen = rng.choice(names, size=min(3, len(names)), replace=False)
    decimals = int(rng.integers(1, 9))
    doc["expected"] = {str(n): printed(right[str(n)], decimals, 2) for n in chosen}
    bad, checks = compare(command, doc, right)
    return bad + ([] if all(c["agrees"] for c in checks) else ["a right number differs"])


def noise(command, rng, counts):
    """One wrong number among right ones: found, and given no slip but by chance."""
    doc = plain_document(rng)
    right = Setup(doc).steps()
    step = str(rng.choice([n for n in right if n != "inputs"]))
    wrong = np.array(right[step], float)
    cell = tuple(int(rng.integers(n)) for n in wrong.shape)
    wrong[cell] += float(rng.choice([-1, 1])) * rng.uniform(0.05, 2)
    doc["expected"] = {step: printed(wrong, int(rng.integers(2, 6)))}
    bad, checks = compare(command, doc, right)
    counts["noise"] += 1
    counts["explained"] += any(c["slip"] for c in checks)
    return bad


def check(foveal, rng, cases):
    command, bad = Command(foveal), []
    counts = {"planted": 0, "named": 0, "noise": 0, "explained": 0, "others": []}
    kinds = [lambda: planted(command, rng, counts), lambda: planted(command, rng, counts),
             lambda: right_numbers(command, rng), lambda: noise(command, rng, counts)]
    for case in range(cases):
        bad += [f"case {case}: {line}" for line in kinds[case % len(kinds)]()]
    if counts["named"] < 0.97 * counts["planted"] - 1:
        bad += ["slips not named: " + "; ".join(counts["others"])]
    if counts["explained"] > 1 + 0.03 * counts["noise"]:
        bad.append(f"{counts['explained']} of {counts['noise']} random errors were given a slip")
    return (f"{cases} inputs, {counts['named']} of {counts['planted']} slips named, "
            f"{counts['explained']} of {counts['noise']} random errors given one"), bad
