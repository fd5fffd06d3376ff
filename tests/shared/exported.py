#!/usr/bin/env python3
"""Looks at what a shared foveal shows to other libraries: what public headers declare, all of it, and
nothing else.

exported.py LIBRARY.so ARCHIVE.a INCLUDE

A symbol counts as declared where each name in its signature stands in a public header. The archive is
made of the same objects: it knows what there is to be shown.
"""

import pathlib
import re
import subprocess
import sys

LANGUAGE = set(
    "abi cxx11 bool char const double float int long operator short signed unsigned void typeinfo vtable name for "
    "std __cxx11 vector allocator basic_string char_traits map less pair function shared_ptr optional "
    "basic_string_view initializer_list tuple hash array default_delete".split()
)


def symbols(path, *options):
    """(type letter, demangled name) of each symbol that is defined."""
    text = subprocess.run(["nm", "-C", "--defined-only", *options, path], capture_output=True, text=True, check=True)
    for line in text.stdout.splitlines():
        if found := re.match(r"[0-9a-f]+ (\w) (.*)$", line):
            yield found[1], found[2]


def words(text):
    return set(re.findall(r"[A-Za-z_]\w*", text))


def public_text(include):
    text = "".join(header.read_text() for header in sorted(include.rglob("*.h")))
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def is_declared(name, text):
    """Whether a function of this name is: a free one in a line that isn't indented, or any member."""
    *scopes, last = re.sub(r"\(.*|\[abi:cxx11\]|<.*", "", name).split("::")
    member = any(scope[:1].isupper() for scope in scopes)
    return bool(re.search(rf"{'' if member else '^[^ ].*'}\b{re.escape(last)}\(", text, re.M))


def main():
    library, archive, include = sys.argv[1:]
    declared = public_text(pathlib.Path(include))
    known = words(declared) | LANGUAGE
    problems = []

    exported = {name for _, name in symbols(library, "-D")}
    ours = re.compile(r"(typeinfo (name )?for |vtable for )?foveal(::|_)|.* foveal::")
    for name in sorted(exported):
        unknown = words(name) - known
        if not ours.match(name) or unknown:
            problems.append(f"shows {name}, of which no public header declares {', '.join(sorted(unknown))}")

    for letter, name in symbols(archive):
        mentioned = letter == "T" and ours.match(name) and not words(name) - known
        if mentioned and is_declared(name, declared) and name not in exported:
            problems.append(f"hides {name}, which a public header declares")
    for name in set(re.findall(r"\b(foveal_\w+)\(", (pathlib.Path(include) / "foveal/c.h").read_text())):
        if name not in exported:
            problems.append(f"hides {name}, which foveal/c.h declares")

    soname = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    if not re.search(r"SONAME.*\[libfoveal\.so\.\d+\]", soname):
        problems.append("has no SONAME libfoveal.so.N")
    print(f"{library} shows {len(exported)} names")
    for problem in problems:
        print(f"{library} {problem}", file=sys.stderr)
    return 1 if problems or len(exported) < 300 else 0


if __name__ == "__main__":
    sys.exit(main())
