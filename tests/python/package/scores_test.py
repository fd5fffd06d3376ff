"""foveal.scores: joined, shown and refused."""

import numpy as np
import pytest
from foveal import scores

BIAS = np.zeros((2, 3), "float32")


def test_each_holds_its_own():
    assert scores.softcap(30).softcap == 30.0
    assert scores.bias(BIAS).bias is BIAS
    assert scores.alibi([1, 0.5]).alibi_slopes == [1.0, 0.5]
    assert scores.alibi(BIAS[0]).alibi_slopes is not None


def test_joined_in_any_order():
    one = scores.bias(BIAS) + scores.softcap(2)
    for joined in (one + scores.alibi([0.5]), scores.alibi([0.5]) + one):
        assert (joined.softcap, joined.alibi_slopes) == (2.0, [0.5]) and joined.bias is BIAS
        assert repr(joined) == "Scores('softcap(2.0) + bias(array of shape (2, 3)) + alibi([0.5])')"


@pytest.mark.parametrize(
    "wrong, kind, text",
    [
        (lambda: scores.softcap(0), ValueError, "softcap: c is 0.0"),
        (lambda: scores.softcap(float("nan")), ValueError, "softcap: c is nan"),
        (lambda: scores.softcap(True), TypeError, "softcap: c is True"),
        (lambda: scores.bias([1.0]), TypeError, "bias: b is a list"),
        (lambda: scores.bias(BIAS > 0), TypeError, r"masks.dense\(array\)"),
        (lambda: scores.alibi(0.5), TypeError, "alibi: slopes is a float"),
        (lambda: scores.alibi(np.ones(2, "int64")), TypeError, "alibi: slopes have dtype int64"),
        (lambda: scores.softcap(1) + scores.softcap(1), ValueError, "softcap is given twice"),
        (lambda: scores.softcap(1) + 1, TypeError, "unsupported operand"),
    ],
)
def test_refused(wrong, kind, text):
    with pytest.raises(kind, match=text):
        wrong()
