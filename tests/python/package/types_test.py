"""The package's types, by mypy: within, beside the extension, and as a user meets them."""

import ast
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import foveal
from foveal import _foveal

PROJECT = pathlib.Path(os.environ.get("FOVEAL_PROJECT", pathlib.Path(__file__).parents[3]))
USER = """
import numpy as np
import foveal
from foveal import masks

x: np.ndarray = np.ones((1, 2, 3, 4))
mask: masks.Mask = masks.causal("top_left") & ~masks.window(2, 0) | masks.prefix(1)
y = foveal.scaled_dot_product_attention(x, x, x, mask=mask, statistics={"top_k": 2}, key_lengths=[3])
plan: foveal.Plan = foveal.plan(x.shape, x.shape, x.shape, "float64", mask=mask)
text: str = plan.explain() + str(mask) + foveal.__version__
count: int = foveal.get_num_threads() + len(foveal.targets())
trace: foveal.Trace = foveal.explain(x[0, 0], W_query=x, mask=mask, scale=2.0)
slips: list[dict[str, object]] = foveal.check("input.json", decimals=4).slips
module: foveal.nn.Module = foveal.nn.MultiHeadAttention(3, 2, 6, 0.0, num_heads=2).to("float64").eval()
"""
CACHE = tempfile.TemporaryDirectory()  # what these runs have in common is read once
WRONG = {
    "foveal.scaled_dot_product_attention(1, 2, 3, causal=True)": "causal",
    'foveal.set_num_threads("2")': "set_num_threads",
    "foveal.masks.causal() & 1": "&",
    "foveal.plan((1,), (1,))": "value_shape",
    "foveal.explain([[1]], heads=2)": "heads",
    "foveal.nn.CausalAttention(3, 2, 6)": "dropout",
}


def mypy(*arguments):
    command = [sys.executable, "-m", "mypy", "--config-file", PROJECT / "pyproject.toml", "--cache-dir", CACHE.name]
    environment = os.environ | {"MYPYPATH": str(PROJECT / "python")}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=PROJECT, env=environment)


def test_the_package_is_typed_strictly():
    done = mypy("-p", "foveal")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_extensions_stub_is_true():
    """The same names, with the same parameters in the same order."""
    stub = ast.parse((pathlib.Path(foveal.__file__).parent / "_foveal.pyi").read_text())
    written, found = {}, {}
    for scope, body in [("", stub.body)] + [(c.name + ".", c.body) for c in stub.body if isinstance(c, ast.ClassDef)]:
        for function in body:
            if isinstance(function, ast.FunctionDef):
                written[scope + function.name] = parameters(function)
    for name in dir(_foveal):
        thing = getattr(_foveal, name)
        if isinstance(thing, type):
            members = [m for m in vars(thing) if m == "__init__" or not m.startswith("_")]
            found |= {f"{name}.{m}": parameters_of(getattr(thing, m)) for m in members}
        elif callable(thing):
            found[name] = parameters_of(thing)
    assert written == found


def parameters(function):
    return [argument.arg for argument in function.args.args]


def parameters_of(native):
    """nanobind writes the signature as a docstring's first line."""
    (function,) = ast.parse(f"def {native.__doc__.splitlines()[0]}: ...").body
    return parameters(function)


def test_a_users_file(tmp_path):
    path = tmp_path / "user.py"
    path.write_text(USER)
    assert (pathlib.Path(foveal.__file__).parent / "py.typed").exists()
    done = mypy(str(path))
    assert done.returncode == 0, done.stdout
    path.write_text("\n".join(["import foveal", *WRONG]))
    done = mypy(str(path))
    assert done.returncode == 1
    for number, name in enumerate(WRONG.values(), 2):
        assert re.search(rf"user.py:{number}: error: .*{name}", done.stdout), (number, done.stdout)
