"""ONNX's own cases of Attention, unmodified, at their own tolerances."""

import onnx
import onnx.backend.test.case.node as node_cases
import onnx_attention
import pytest
from onnx.backend.test.runner import Runner

# What collect_testcases("Attention") does, without making the cases of all other operators first: seconds.
node_cases._TargetOpType = "Attention"
import onnx.backend.test.case.node.attention  # noqa: E402, F401

CASES = {case.name: case for case in node_cases._NodeTestCases if "expanded" not in case.name}


def test_the_suite_is_whole():
    assert len(CASES) == 93


@pytest.mark.parametrize("name", list(CASES))
def test_case(name):
    case = CASES[name]
    (node,) = case.model.graph.node
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    for inputs, expected in case.data_sets:
        left = iter(inputs)
        arrays = [next(left) if name else None for name in node.input]
        results = onnx_attention.attention(*arrays, **attributes)
        wanted = [result for result, name in zip(results, node.output) if name]
        Runner.assert_similar_outputs(expected, wanted, rtol=case.rtol, atol=case.atol)
