"""Bad input: one line on standard error, the documented exit status, nothing on standard output."""
import json
import os


from command import Command, complaint

GOOD = {"inputs": [[1, 0], [0, 1]], "W_query": [[1, 0], [0, 1]], "W_key": [[1, 2], [3, 4]],
        "W_value": [[1, 1], [0, 1]], "tokens": ["a", "b"],
        "expected": {"scores": [["1.0", "3.0"]]}}


def changed(**changes):
    doc = {**GOOD, **changes}
    return {k: v for k, v in doc.items() if v is not None}


# What is wrong, the document, and the place that the message must name.
DOCUMENTS = [
    ("a ragged row", changed(inputs=[[1, 0], [0]]), "/inputs/1"),
    ("text for a number", changed(inputs=[[1, "x"], [0, 1]]), "/inputs/0/1"),
    ("null for a number", changed(inputs=[[1, None], [0, 1]]), "/inputs/0/1"),
    ("no tokens", changed(inputs=[], tokens=None), "/inputs"),
    ("too few tokens", changed(tokens=["a"]), "/tokens"),
    ("a W too narrow", changed(W_query=[[1, 0]]), "/W_query"),
    ("one W missing", changed(W_key=None), "W_key"),
    ("heads that don't divide", changed(num_heads=3), "/num_heads"),
    ("no heads", changed(num_heads=0), "/num_heads"),
    ("an unknown key", changed(weight=[[1]]), "/weight"),
    ("weights beside W", changed(weights={"seed": 1, "init": "rand", "d_out": 2}), "/weights"),
    ("weights of no init", changed(W_query=None, W_key=None, W_value=None,
                                   weights={"seed": 1, "d_out": 2}), "/weights"),
    ("an unknown scale", changed(scale="root"), "/scale"),
    ("an unknown mask", changed(mask="cusal"), "/mask"),
    ("a mask of numbers", changed(mask=[[1, 0], [1, 1]]), "/mask"),
    ("a mask too small", changed(mask=[[True]]), "/mask"),
    ("a probability above 1", changed(dropout={"p": 1.5, "seed": 1}), "/dropout/p"),
    ("an unknown step", changed(expected={"score": [[1, 2]]}), "/expected"),
    ("a step that isn't there", changed(expected={"output": [[1, 2]]}), "/expected"),
    ("a printed row too long", changed(expected={"scores": [[1, 2, 3]]}), "/expected/scores/0"),
    ("printed rows too many", changed(expected={"scores": [[1, 2]] * 3}), "/expected/scores"),
    ("a comma for a point", changed(expected={"scores": [["1,0", 3]]}), "/expected/scores/0/0"),
    ("an unknown schema", changed(schema="foveal.input/2"), "/schema"),
]
TEXTS = [
    ("an empty file", b""), ("half a document", b'{"inputs": [[1'), ("a list", b"[1, 2]"),
    ("NaN", b'{"inputs": [[NaN]]}'), ("a number too large", b'{"inputs": [[1e999]]}'),
    ("a key twice", b'{"inputs": [[1]], "inputs": [[2]]}'),
    ("invalid UTF-8", b'{"inputs": [[1]], "tokens": ["\xff"]}'),
    ("deep nesting", b'{"inputs": ' + b"[" * 100000), ("a null byte", b"\0" * 100),
]


def expect(result, status, what, part=""):
    lines = result.stderr.strip("\n").split("\n")
    if result.returncode != status:
        return [f"{what}: {complaint(result)}, not {status}"]
    if result.stdout or len(lines) != 1 or part not in lines[0]:
        return [f"{what}: {result.stdout[:80]!r} {result.stderr[:160]!r} should be one line with "
                f"{part!r}"]
    return []


def bad_documents(command):
    bad = []
    for verb in ("explain", "check"):
        for what, document, place in DOCUMENTS:
            file = command.write(document, "bad.json")
            result = command.run(verb, file)
            bad += expect(result, 3, f"{verb}: {what}", place)
            bad += expect(result, 3, f"{verb}: {what}", "bad.json")
        for what, text in TEXTS:
            bad += expect(command.run(verb, command.write(text, "bad.json")), 3, f"{verb}: {what}",
                          "bad.json")
        bad += expect(command.run(verb, "absent.json"), 4, f"{verb}: no such file", "absent.json")
        bad += expect(command.run(verb, command.folder.name), 4, f"{verb}: a folder")
    return bad


def bad_usage(command, file):
    usage = [["explain", file, "--format", "pdf"], ["explain", file, "--colour"], ["expound"],
             ["check"], ["check", file, "--cell", "scores[0,0]"], [],
             ["explain", file, "--cell", "scores"], ["explain", file, "--cell", "scores[0;0]"]]
    bad = []
    for arguments in usage:
        bad += expect(command.run(*arguments), 2, " ".join(arguments))
    return bad


def misfits(command, file):
    """Options that are well formed but don't fit the data."""
    bad = expect(command.run("check", command.write(changed(expected=None), "bare.json")), 3,
                 "check without expected", "bare.json")
    for option, value in (("--query", "c"), ("--query", "#2"), ("--cell", "scores[0,2]"),
                          ("--cell", "output[0,0]"), ("--cell", "scores[0,0,0]")):
        bad += expect(command.run("explain", file, option, value), 3, f"{option} {value}")
    twins = command.write(changed(tokens=["a", "a"]), "twins.json")
    return bad + expect(command.run("explain", twins, "--query", "a"), 3, "a token twice", "#1")


def outputs(command, file):
    """--out writes the same bytes, and leaves what stood there where it fails."""
    bad = []
    for arguments in (["explain", file, "--json"], ["check", file], ["check", file, "--json"]):
        out = command.path("out")
        direct = command.run(*arguments)
        result = command.run(*arguments, "--out", out)
        with open(out, encoding="utf-8") as written:
            text = written.read()
        if result.stdout or text != direct.stdout or result.returncode != direct.returncode:
            bad.append(f"--out of {arguments[0]}: {complaint(result)}")
        failed = command.run(arguments[0], command.write(b"{", "bad.json"), "--out", out)
        with open(out, encoding="utf-8") as written:
            if failed.returncode != 3 or written.read() != text:
                bad.append(f"--out of {arguments[0]}: lost by an error")
        bad += expect(command.run(*arguments, "--out", command.path("no/such/folder")), 4,
                      "--out into no folder")
    left = [name for name in os.listdir(command.folder.name) if "tmp" in name or "~" in name]
    return bad + [f"left behind: {left}"] * bool(left)


def broken_bytes(command, rng, cases):
    """A good file with bytes changed, cut or doubled: a documented status, never a crash."""
    good = json.dumps(GOOD).encode()
    bad = []
    for case in range(cases):
        data = bytearray(good)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(data)))
            kind = int(rng.integers(3))
            if kind == 0:
                data[at] = int(rng.integers(256))
            elif kind == 1:
                del data[at:at + int(rng.integers(1, 20))]
            else:
                data[at:at] = data[at:at + int(rng.integers(1, 20))]
            data = data or bytearray(b"{")
        verb = ["explain", "check"][case % 2]
        result = command.run(verb, command.write(bytes(data), "broken.json"))
        if result.returncode not in (0, 1, 3) or len(result.stderr.splitlines()) > 1:
            bad.append(f"{verb} of {bytes(data)!r}: {complaint(result)}")
    return bad


def errors(foveal, rng, cases):
    command = Command(foveal)
    file = command.write(GOOD)
    bad = bad_documents(command) + bad_usage(command, file) + misfits(command, file)
    bad += outputs(command, file) + broken_bytes(command, rng, cases)
    return f"{2 * (len(DOCUMENTS) + len(TEXTS)) + 25} bad inputs, {cases} broken files", bad
