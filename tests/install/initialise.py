#!/usr/bin/env python3
"""Writes a program that initialises every public struct of an installed foveal by parts.

initialise.py INCLUDE all|few > initialise.cc

Each struct gets each of its members alone, each two of them (where all ways are asked for), and all but each, by name,
from values that may throw as they are copied: a compiler with -Wall -Wextra must have nothing to say. Read from the
headers, so that a new struct or member is among them.
"""

import itertools
import pathlib
import re
import sys


def structs(text):
    """(name with namespace, members in order) of each struct at namespace scope that is all data."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    for struct in re.finditer(r"^struct (\w+) \{\n(.*?)^\};", text, re.M | re.S):
        name, body = struct.groups()
        if re.search(rf"\b{name}\(|\boperator\b", body):
            continue  # has constructors: no aggregate
        namespace = re.findall(r"^namespace ([\w:]+) \{", text[: struct.start()], re.M)[-1]
        members = [name for line in body.split(";") for name in names_of(line)]
        yield f"{namespace}::{name}", members


def names_of(declaration):
    """The names that a declaration of members declares: "int a = 0, b" gives a and b."""
    if pointer := re.search(r"\(\*\s*(\w+)\)\s*\(", declaration):
        return [pointer.group(1)]
    plain = re.sub(r"<[^;]*>", "", re.sub(r"\{[^{}]*\}|\([^()]*\)", "", declaration)).strip()
    if not plain or plain.startswith(("static", "friend", "using", "enum")):
        return []
    return [re.sub(r"=.*", "", part, flags=re.S).split()[-1].lstrip("*&") for part in plain.split(",")]


def subsets(members, ways):
    chosen = [(member,) for member in members]
    if ways == "all":
        chosen += itertools.combinations(members, 2)
    chosen += [tuple(m for m in members if m != left_out) for left_out in members]
    return sorted(set(chosen) - {()}, key=lambda some: (len(some), some))


def function(number, struct, some):
    arguments = ", ".join(f"const decltype({struct}::{m})& {m}" for m in some)
    values = ", ".join(f".{m} = {m}" for m in some)
    return (
        f"void by_parts_{number}({arguments}) {{\n"
        f"  const {struct} whole{{{values}}};\n  look(whole);\n  look<{struct}>({{{values}}});\n}}\n"
    )


def main():
    include, ways = pathlib.Path(sys.argv[1]), sys.argv[2]
    headers = sorted(include.glob("foveal/**/*.h"))
    found = [one for header in headers for one in structs(header.read_text())]
    print("".join(f"#include <{header.relative_to(include)}>\n" for header in headers))
    print("template <class T>\nvoid look(const T& whole);\n")
    cases = [(struct, some) for struct, members in found for some in subsets(members, ways)]
    for number, (struct, some) in enumerate(cases):
        print(function(number, struct, some))
    print(f"initialise: {len(found)} structs, {len(cases)} ways", file=sys.stderr)


if __name__ == "__main__":
    main()
