#!/usr/bin/env python3
"""Does a built foveal keep its promises? Generated inputs against NumPy, through the command alone.

usage: contract.py FOVEAL [--part explain|check|errors|all] [--seed N] [--cases N]
N is a fifth of FOVEAL_CASES where it isn't given, and 60 where that isn't set either. Prints one line a part; every broken promise goes to standard error. Exit 0 where all hold, else 1.
"""
import argparse
import os
import sys

import numpy as np

from check_part import check
from errors_part import errors
from explain_part import explain

PARTS = {"explain": explain, "check": check, "errors": errors}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("foveal")
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=int(os.environ.get("FOVEAL_CASES", "300")) // 5)
    options = parser.parse_args()
    broken = 0
    for name, part in PARTS.items():
        if options.part not in (name, "all"):
            continue
        done, bad = part(options.foveal, np.random.default_rng(options.seed), options.cases)
        for line in bad:
            print(f"{name}: {line}", file=sys.stderr)
        print(f"{name}: {done}" + (f"; {len(bad)} broken" if bad else ", all hold"))
        broken += len(bad)
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
