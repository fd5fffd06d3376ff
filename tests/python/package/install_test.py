"""`pip install .` in a clean virtual environment. Where somebody waits for it, pip builds with what this Python has,
whose headers ccache knows from the build tree; where CI is set, with what pip fetches."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import venv
import zipfile

PROJECT = pathlib.Path(os.environ.get("FOVEAL_PROJECT", pathlib.Path(__file__).parents[3]))
LOOK = """
import pathlib, sys, foveal
assert foveal.__version__ in pathlib.Path(sys.argv[1], "include/foveal/version.h").read_text()
assert "The worked example" in str(foveal.explain()) and "<html" in foveal.explain().to_html()
assert foveal.nn.MultiHeadAttention(3, 2, 6, 0.0, 2).parameter_count == 24
assert "numpy" not in sys.modules
print(pathlib.Path(foveal.__file__).parent)
print(*foveal.targets())
shape = (1, 2, 300, 16)
print(foveal.plan(shape, shape, shape, mask=foveal.masks.causal()).explain())
"""


FETCHES = bool(os.environ.get("CI")) or importlib.util.find_spec("scikit_build_core") is None


def test_pip_install(tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    if FETCHES:
        run(python, "-m", "pip", "install", "--quiet", PROJECT)
    else:
        offline = ["--quiet", "--no-index", "--no-deps"]
        run(sys.executable, "-m", "pip", "wheel", *offline, "--no-build-isolation", "--wheel-dir", tmp_path, PROJECT)
        (wheel,) = tmp_path.glob("foveal-*.whl")
        assert wheel.stat().st_size < 5_000_000
        run(python, "-m", "pip", "install", *offline, wheel)
    folder, targets, *plan = run(python, "-c", LOOK, PROJECT).splitlines()
    assert pathlib.Path(folder).is_relative_to(tmp_path) and plan
    import foveal

    assert targets.split() == foveal.targets()
    files = [path for path in pathlib.Path(folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {"py.typed", "_foveal.pyi", "masks.py", "variants.py"} <= {path.name for path in files}
    with zipfile.ZipFile(tmp_path / "size.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files:
            packed.write(path)
    assert (tmp_path / "size.zip").stat().st_size < 5_000_000
    run(python, "-m", "pip", "uninstall", "--yes", "--quiet", "foveal")
