#!/usr/bin/env python3
"""Compares our tokenizer with PyPI's tokenizers, id by id, on generated text.

tokenizer_compare.py TOOL MERGES [--seed N] [--megabytes M] [--rare SHARE] [--every-character]

--every-character is a sample of them where nobody waits for all (no variable CI).

TOOL is tests/text/tokenizer_tool.cc, built. With --write FILE the text alone is written (for
bench/tokenizer_bench.cc) and nothing is compared.
"""

import argparse
import array
import os
import pathlib
import subprocess
import sys

import mixed_text


def reference(merges_path):
    """Byte-level BPE from the merges alone: ids by the order of bytes, then of merges."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    printing = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [chr(b) for b in printing] + [chr(256 + n) for n in range(256 - len(printing))]
    lines = pathlib.Path(merges_path).read_text(encoding="utf-8").split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    symbols += [left + right for left, right in merges]
    vocabulary = {symbol: id for id, symbol in enumerate(symbols)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    return tokenizer


def run_tool(tool, merges, verb, data):
    done = subprocess.run([tool, merges, verb], input=data, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{tool} {verb} fails: {done.stderr.decode(errors='replace')}")
    return done.stdout


def first_difference(ours, theirs):
    for at, (a, b) in enumerate(zip(ours, theirs)):
        if a != b:
            return at
    return None if len(ours) == len(theirs) else min(len(ours), len(theirs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", nargs="?")
    parser.add_argument("merges", nargs="?")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--megabytes", type=float, default=2)
    parser.add_argument("--rare", type=float, default=0.3)
    parser.add_argument("--every-character", action="store_true")
    parser.add_argument("--write", metavar="FILE")
    options = parser.parse_args()

    if options.every_character:
        pieces = list(mixed_text.every_character(stride=1 if os.environ.get("CI") else 61))
    else:
        pieces = [mixed_text.mixed_text(options.seed, int(options.megabytes * 1e6), options.rare)]
    data = "".join(pieces).encode()
    if options.write:
        pathlib.Path(options.write).write_bytes(data)
        return
    if options.tool is None or options.merges is None:
        parser.error("give TOOL and MERGES, or --write FILE")

    encoded = run_tool(options.tool, options.merges, "encode", data)
    ours = array.array("q", encoded)
    theirs_tokenizer = reference(options.merges)
    theirs = array.array("q", (id for part in theirs_tokenizer.encode_batch_fast(pieces) for id in part.ids))
    at = first_difference(ours, theirs)
    if at is not None:
        before = theirs_tokenizer.decode(list(ours[max(0, at - 8) : at]))
        sys.exit(
            f"seed {options.seed}: token {at} differs, after {before!r}: "
            f"ours {list(ours[at:at + 8])}, tokenizers {list(theirs[at:at + 8])}"
        )
    if run_tool(options.tool, options.merges, "decode", encoded) != data:
        sys.exit(f"seed {options.seed}: decode does not give the text back")
    print(f"{len(data)} bytes, {len(ours)} tokens: equal to tokenizers, and decoded to the same bytes")


if __name__ == "__main__":
    main()
