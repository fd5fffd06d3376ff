"""foveal.explain and foveal.check: what they take, what they show, how they refuse."""

import copy
import html
import json
import os
import pathlib
import pickle
import shutil
from decimal import Decimal

import foveal
import numpy as np
import pytest
from foveal import masks

PROJECT = pathlib.Path(os.environ.get("FOVEAL_PROJECT", pathlib.Path(__file__).parents[3]))
INPUTS = PROJECT / "examples/inputs"
DATA = json.loads((INPUTS / "the_cat_sat.json").read_text())
random = np.random.default_rng(3)


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_the_worked_example():
    trace = foveal.explain()
    assert trace.steps == ["inputs", "queries", "keys", "values", "scores", "weights", "context"]
    document = json.loads(trace.to_json())
    assert document["schema"] == "foveal.trace/1" and [c["name"] for c in document["corrected"]] == ["unscaled", "scaled"]
    assert trace["S"][0, 2] == 3 and trace.cell("scores[0,2]").endswith("= 2·1 + 1·1 = 3")
    assert "The worked example" in str(trace) and repr(trace) == str(trace)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_traces_and_checks_pickle_and_copy(again):
    expected = {"weights": [["0.1", "0.2", "0.7"]]}
    for made in (foveal.explain(), foveal.explain(DATA, query=1, mask=masks.causal()), foveal.check(DATA, expected=expected)):
        other = again(made)
        assert type(other) is type(made) and str(other) == str(made) and other.to_json() == made.to_json()


def test_one_input_in_each_form(tmp_path):
    """A file, its text, a dict of lists, and arrays give the same bytes."""
    path = tmp_path / "input.json"
    path.write_text(json.dumps(DATA))
    arrays = {name: np.array(DATA[name], "float32") if name.startswith("W") else DATA[name] for name in DATA}
    fields = {name: value for name, value in arrays.items() if name not in ("schema", "inputs")}
    traces = [
        foveal.explain(path),
        foveal.explain(str(path)),
        foveal.explain(path.read_text()),
        foveal.explain(DATA),
        foveal.explain(arrays),
        foveal.explain(np.array(DATA["inputs"]), **fields),
    ]
    assert all(trace.to_json() == traces[0].to_json() for trace in traces)
    assert "corrected" not in json.loads(traces[0].to_json())


def test_what_a_file_lacks_is_added():
    trace = foveal.explain(INPUTS / "the_cat_sat.json", scale="sqrt", mask="causal")
    assert json.loads(trace.to_json())["settings"] == {
        "num_heads": 1,
        "scale": "sqrt",
        "mask": "causal",
        "dropout": None,
    }


@pytest.mark.parametrize("heads", [1, 2])
def test_numbers_are_attention(heads):
    x, w = random.normal(size=(5, 6)), [random.normal(size=(6, 4)) for _ in range(3)]
    w_out, b_out = random.normal(size=(4, 3)), random.normal(size=3)
    trace = foveal.explain(
        x, W_query=w[0], W_key=w[1], W_value=w[2], W_out=w_out, b_out=b_out, num_heads=heads, mask=masks.causal()
    )
    q, k, v = ((x @ each).reshape(5, heads, -1).swapaxes(0, 1) for each in w)
    scores = q @ k.swapaxes(1, 2) / (4 // heads) ** 0.5
    weights = softmax(np.where(np.tril(np.ones((5, 5), bool)), scores, -np.inf))
    context = (weights @ v).swapaxes(0, 1).reshape(5, 4)
    np.testing.assert_allclose(trace["weights"], weights if heads > 1 else weights[0], rtol=1e-12)
    np.testing.assert_allclose(trace["output"], context @ w_out + b_out, rtol=1e-12)
    assert trace["mask"].dtype == bool and np.array_equal(trace["mask"], np.tril(np.ones((5, 5), bool)))


def test_masks():
    x, visible = random.normal(size=(4, 2)), np.tril(np.ones((4, 4), bool), 1)
    given = [foveal.explain(x, mask=mask)["weights"] for mask in (visible, masks.dense(visible), visible.tolist())]
    given.append(foveal.explain(x, mask=masks.window(-1, 1))["weights"])
    for weights in given:
        np.testing.assert_array_equal(weights, given[0])
        assert (weights[~visible] == 0).all()
    with pytest.raises(ValueError, match="rows of True and False"):
        foveal.explain(x, mask=masks.dense(visible) & masks.causal())


def test_a_float32_is_what_it_shows():
    x = np.array([[0.43, 0.15], [1e-8, 3e38]], "float32")
    assert foveal.explain(x)["inputs"].tolist() == [[0.43, 0.15], [1e-8, 3e38]]


def test_the_query_that_is_followed():
    x = np.eye(3)
    assert "query 1" in str(foveal.explain(x, query=1)).lower()
    assert str(foveal.explain(x, tokens=["a", "b", "c"], query="b")) == str(
        foveal.explain(x, tokens=["a", "b", "c"], query=1)
    )
    with pytest.raises(ValueError, match="explain: "):
        foveal.explain(x, query=3)


def test_views_are_saved(tmp_path):
    trace = foveal.explain()
    views = {"txt": str(trace), "json": trace.to_json(), "csv": trace.to_csv(), "html": trace.to_html()}
    views["SVG"] = trace.to_svg()
    for suffix, text in views.items():
        trace.save(tmp_path / f"trace.{suffix}")
        assert (tmp_path / f"trace.{suffix}").read_text() == text
    assert trace.to_svg("dark") != trace.to_svg() != trace.to_svg(narrow=True)
    with pytest.raises(ValueError, match="theme is red"):
        trace.to_svg("red")
    with pytest.raises(ValueError, match=r"ends with '.pdf'"):
        trace.save(tmp_path / "trace.pdf")
    with pytest.raises(OSError):
        trace.save(tmp_path / "no" / "trace.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"trace.{suffix}" for suffix in views)


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="rsvg-convert isn't installed")
def test_png(tmp_path):
    foveal.explain().save(tmp_path / "trace.png")
    assert (tmp_path / "trace.png").read_bytes().startswith(b"\x89PNG")


def test_a_notebook_shows_the_page_in_a_frame():
    trace = foveal.explain()
    frame = trace._repr_html_()
    assert frame.startswith("<iframe srcdoc=") and frame.count("<") == 2
    assert html.unescape(frame).count(trace.to_html()) == 1


def test_check_names_the_slip(tmp_path):
    result = foveal.check(INPUTS / "the_cat_sat.json")
    assert not result.agrees and len(result.checks) == 16
    (slip,) = result.slips
    assert (slip["step"], slip["cell"], slip["slip_kind"]) == ("keys", [2, 0], "term_lost")
    assert "K_sat[0] is printed as 0; it is 1" in str(result) == repr(result)
    result.save(tmp_path / "check.json")
    assert json.loads((tmp_path / "check.json").read_text()) == json.loads(result.to_json())
    assert foveal.check(INPUTS / "the_cat_sat_scaled.json").agrees


def test_numbers_have_the_decimals_they_show():
    weights = softmax(np.eye(2))  # 0.7310585786, 0.2689414214
    shown = np.float32(weights[:1].round(4))
    for right in ([["0.7311", None]], [[0.731, None]], [[Decimal("0.73"), None]], shown, [[0.7310585786, "0.269"]]):
        assert foveal.check(np.eye(2), expected={"weights": right}).agrees, right
    for wrong in ([["0.7310", None]], [[0.732, None]], [[Decimal("0.730"), None]], shown + np.float32(1e-4)):
        assert not foveal.check(np.eye(2), expected={"weights": wrong}).agrees, wrong


def test_computed_numbers_are_held_at_the_decimals_asked_for():
    x = random.normal(size=(4, 3))
    computed = softmax((x @ x.T)).astype("float32")
    assert foveal.check(x, expected={"weights": computed}, decimals=4).agrees
    assert foveal.check({"inputs": x, "expected": {"weights": computed}}, decimals=4).agrees
    wrong = foveal.check(x, expected={"weights": softmax(x @ x.T / 3**0.5)}, decimals=4)
    assert {slip["slip_kind"] for slip in wrong.slips} == {"scale_extra"}


def test_infinities_are_words():
    expected = {"masked_scores": np.where(np.tril(np.ones((2, 2), bool)), np.eye(2), -np.inf)}
    assert foveal.check(np.eye(2), mask="causal", expected=expected).agrees


@pytest.mark.parametrize(
    "wrong, kind, text",
    [
        (lambda: foveal.explain([[1, 2], [3]]), ValueError, "explain: /inputs/1: "),
        (lambda: foveal.explain([[1.0, float("nan")]]), ValueError, "explain: /inputs/0/1: "),
        (lambda: foveal.explain({"inputs": [[1]], "heads": 2}), ValueError, "heads"),
        (lambda: foveal.explain([[1]], heads=2), TypeError, "'heads' is no argument"),
        (lambda: foveal.explain(scale="none"), TypeError, "scale is given without inputs"),
        (lambda: foveal.explain([[1]], scale=object()), TypeError, "object can't stand in an input"),
        (lambda: foveal.explain("no/such.json"), OSError, "no/such.json"),
        (lambda: foveal.explain("no/such.json", scale="none"), OSError, "no/such.json"),
        (lambda: foveal.explain('{"inputs": [[1]], "inputs": [[2]]}'), ValueError, "inputs"),
        (lambda: foveal.explain('{"inputs": [[1]], "inputs": [[2]]}', scale=2), ValueError, "stands twice"),
        (lambda: foveal.explain('{"inputs": '), ValueError, "explain: "),
        (lambda: foveal.check([[1.0]]), ValueError, "check: .*expected"),
        (lambda: foveal.explain([[1]])["output"], KeyError, "the steps of this run are inputs"),
        (lambda: foveal.explain([[1]]).cell("weights[0,9]"), ValueError, "weights"),
        (lambda: foveal.explain([[1]]).cell("weights"), ValueError, "weights"),
    ],
)
def test_refused(wrong, kind, text):
    with pytest.raises(kind, match=text):
        wrong()
