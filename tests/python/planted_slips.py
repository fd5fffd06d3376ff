"""Plants every kind of slip in generated inputs and holds `foveal check` against what was planted.

planted_slips.py FOVEAL [--trials N] [--seed N] [--kind NAME] [--show]
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

from planted_attention import Setup, rounded, run
from planted_kinds import DECIMALS, KINDS


def number(value, decimals):
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "-inf" if value < 0 else "inf"
    return f"{value:.{decimals}f}"


def cut_number(value, decimals):
    if not math.isfinite(value):
        return number(value, decimals)
    text = f"{round(abs(value), 10):.12f}"
    text = text[:text.index(".") + 1 + decimals]
    return ("-" if value < 0 else "") + text


def printed(values, heads, step, decimals, write=number):
    by_head = heads > 1 and step not in ("mask", "context", "output")
    if values.ndim == 3 and not by_head:
        values = values[0]
    if step == "mask":
        return [[bool(x) for x in row] for row in values]
    if values.ndim == 3:
        return [[[write(float(x), decimals) for x in row] for row in m] for m in values]
    return [[write(float(x), decimals) for x in row] for row in values]


class Command:
    def __init__(self, path):
        self.path = path
        self.file = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)

    def ask(self, verb, document, *more):
        with open(self.file.name, "w") as out:
            json.dump(document, out)
        done = subprocess.run([self.path, verb, self.file.name, "--json", *more],
                              capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{verb} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def dropout_mask(self, setup):
        trace = self.ask("explain", setup.document())
        for step in trace["steps"]:
            if step["name"] == "dropout_mask":
                mask = np.array(step["data"])
                return mask if mask.ndim == 3 else mask[None]
        return None


def draw_setup(rng, needs, command):
    options = dict(heads=int(rng.integers(1, 3)), bias=bool(rng.integers(2)),
                   mask=bool(rng.integers(2)), dropout=bool(rng.integers(3) == 0),
                   projection=bool(rng.integers(3) == 0), hundredths=bool(rng.integers(2)))
    options.update(needs)
    if options["dropout"]:
        options["dropout"] = (float(rng.choice([0.3, 0.5, 0.25])), int(rng.integers(1000)))
    setup = Setup(rng, **options)
    if setup.dropout:
        setup.dropout_mask = command.dropout_mask(setup)
    return setup


def with_rounding(setup, step, decimals):
    """Later steps see `step` rounded."""
    right = run(setup)
    wrong = run(setup, {step: lambda x, v: rounded(x, decimals)})
    wrong[step] = right[step]
    return wrong


def planted(setup, change):
    if "rounded" in change:
        return with_rounding(setup, *change["rounded"])
    if "cut" in change:
        return run(setup)
    return run(setup, change)


def ask(command, setup, values, steps, decimals, write=number):
    document = setup.document()
    document["expected"] = {n: printed(values[n], setup.H, n, decimals, write) for n in steps}
    return command.ask("check", document)["checks"]


def chosen_steps(rng, setup, first):
    """All steps, or some of them, one that is wrong among them."""
    names = setup.steps()
    if rng.integers(2):
        return names
    if first not in names:
        first = names[min(len(names) - 1, 5)]
    later = [n for n in names if names.index(n) >= names.index(first)]
    keep = {later[0] if rng.integers(3) else later[rng.integers(len(later))]}
    keep |= {n for n in names if rng.integers(2)}
    return [n for n in names if n in keep]


class Score:
    def __init__(self):
        self.shown = self.named = self.misnamed = self.unmarked = self.consequences = 0
        self.examples = []


def judge(score, kind, checks, note):
    wrong = [c for c in checks if not c["agrees"]]
    if kind == "mask_fill_value":
        remarks = [c for c in checks if c["slip_kind"] == kind]
        if remarks and not wrong:
            score.shown += 1
            score.named += 1
            return
    if not wrong:
        return
    score.shown += 1
    first = wrong[0]["step"]
    of_first = [c for c in wrong if c["step"] == first]
    kinds = {c["slip_kind"] for c in of_first}
    also = {k for c in of_first for k in c["also_possible"]}
    # Kinds that come out alike are told together.
    told = kind in kinds or (kind in also and kinds != {None})
    if told:
        score.named += 1
    elif kinds - {None}:
        score.misnamed += 1
    if not told:
        score.examples.append(f"{note}: at {first} {kinds} also {also}")
    if kind == "cut":
        return
    later = [c for c in wrong if c["step"] != first]
    score.consequences += len(later)
    # A slip in several steps may be named in each.
    bad = [c for c in later if c["slip_kind"] not in ("follows", kind)]
    score.unmarked += len(bad)
    if bad:
        score.examples.append(
            f"{note}: {len(bad)} of {len(later)} unmarked, the first {bad[0]['step']}"
            f"{bad[0]['cell']} {bad[0]['printed']} {bad[0]['slip_kind']} {bad[0]['also_possible']}")


def try_kind(command, kind, trials, seed):
    score = Score()
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial, sum(map(ord, kind))])
        variants = KINDS[kind]
        needs, make = variants[trial % len(variants)]
        setup = draw_setup(rng, needs, command)
        change = make(setup, rng)
        if kind == "overflow" and setup.dropout:
            setup.dropout_mask = command.dropout_mask(setup)
        with np.errstate(all="ignore"):
            values = planted(setup, change)
        first = change["rounded"][0] if "rounded" in change else next(iter(change))
        steps = chosen_steps(rng, setup, first)
        write = cut_number if kind == "cut" else number
        checks = ask(command, setup, values, steps, DECIMALS, write)
        judge(score, kind, checks, f"trial {trial} H{setup.H} L{setup.L} D{setup.D} {steps}")
    return score


def try_unnamed(command, trials, seed):
    """Numbers that are wrong in no usual way: what follows from them is marked, and given no name."""
    score = Score()
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial, 1])
        setup = draw_setup(rng, {}, command)
        step = rng.choice([n for n in ("queries", "keys", "values", "scores", "scaled_scores",
                                       "weights", "dropped_weights") if n in setup.steps()])
        noise = rng.normal(size=(setup.H, setup.L, setup.L if step not in
                                 ("queries", "keys", "values") else setup.D))
        if rng.integers(2):  # one row alone
            keep = np.zeros_like(noise)
            keep[:, rng.integers(setup.L)] = 1
            noise = noise * keep
        values = run(setup, {step: lambda x, v: x + noise * 0.3})
        names = setup.steps()
        later = [n for n in names if names.index(n) > names.index(step) and rng.integers(3)]
        decimals = int(rng.integers(2, 6))
        for check in ask(command, setup, values, [step] + later, decimals):
            if check["agrees"] or check["step"] == step:
                continue
            score.consequences += 1
            if check["slip_kind"] != "follows":
                score.unmarked += 1
                score.examples.append(f"trial {trial} {step} {later} {decimals}: {check['step']}"
                                      f"{check['cell']} {check['printed']} {check['slip_kind']}"
                                      f" {check['also_possible']}")
    return score


# A second slip, in a later step, after one that has a name or none.
SECOND = ["scale_missing", "scale_by_size", "softmax_axis", "base_two", "sum_missing", "mask_missing",
          "mask_reversed", "weights_transposed_in_context", "value_is_key", "projection_missing",
          "dropout_ignored", "dropout_scale_missing", "cells_swapped", "digits_swapped",
          "row_shifted"]
FIRST = ["wrong_weight_matrix", "bias_missing", "key_is_query", "product_transposed", "misread"]


def try_second(command, trials, seed):
    score = Score()
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial, 2])
        second = SECOND[trial % len(SECOND)]
        needs, make = KINDS[second][0]
        first = FIRST[int(rng.integers(len(FIRST)))]
        first_needs, first_make = KINDS[first][0]
        setup = draw_setup(rng, {**first_needs, **needs}, command)
        if rng.integers(2):
            change = {"scores": lambda x, v: x + np.eye(setup.L) * 0.37}
        else:
            change = first_make(setup, rng)
        later = make(setup, rng)
        if set(change) & set(later):
            continue
        order = ["queries", "keys", "values", "scores", "scaled_scores", "mask", "masked_scores",
                 "weights", "dropped_weights", "context", "output"]
        if max(map(order.index, change)) >= min(map(order.index, later)):
            continue
        values = run(setup, {**change, **later})
        checks = ask(command, setup, values, setup.steps(), DECIMALS)
        at = min((n for n in later), key=order.index)
        wrong = [c for c in checks if c["step"] == at and not c["agrees"]]
        without = run(setup, change)
        if not wrong or np.allclose(np.nan_to_num(without[at]), np.nan_to_num(values[at]), atol=1e-3):
            continue
        score.shown += 1
        kinds = {c["slip_kind"] for c in wrong} | {k for c in wrong for k in c["also_possible"]}
        if second in kinds and {c["slip_kind"] for c in wrong} - {None, "follows"}:
            score.named += 1
        else:
            score.examples.append(f"trial {trial} {list(change)} then {second}: {kinds}")
    return score


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("foveal")
    parser.add_argument("--trials", type=int, default=int(os.environ.get("FOVEAL_CASES", "100")) // 25)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--kind", action="append")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    command = Command(options.foveal)
    total = Score()
    for kind in options.kind or KINDS:
        score = try_kind(command, kind, options.trials, options.seed)
        print(f"{kind:32} shown {score.shown:3} named {score.named:3} misnamed {score.misnamed:3} "
              f"unmarked {score.unmarked:4} of {score.consequences}")
        if options.show:
            print("\n".join("    " + example for example in score.examples[:12]))
        for name in ("shown", "named", "misnamed", "unmarked", "consequences"):
            setattr(total, name, getattr(total, name) + getattr(score, name))
    print(f"{'all':32} shown {total.shown} named {total.named} ({total.named / total.shown:.1%}) "
          f"misnamed {total.misnamed} unmarked {total.unmarked} of {total.consequences} "
          f"({total.unmarked / max(1, total.consequences):.2%})")
    unnamed = try_unnamed(command, 10 * options.trials, options.seed)
    print(f"after a number without a name: unmarked {unnamed.unmarked} of {unnamed.consequences}")
    second = try_second(command, 15 * options.trials, options.seed)
    print(f"second slips: shown {second.shown} named {second.named}")
    if options.show:
        print("\n".join("    " + e for e in unnamed.examples[:20] + second.examples[:30]))
    good = (total.named >= 0.9 * total.shown and total.misnamed == 0
            and total.unmarked <= 0.01 * total.consequences
            and unnamed.unmarked <= 0.01 * unnamed.consequences
            and second.named >= 0.8 * second.shown)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
