"""foveal.nn on NumPy arrays: the chapter's numbers, state_dict, and what is refused."""

import copy
import json
import os
import pathlib
import pickle
import threading

import foveal
import numpy as np
import pytest
from foveal import masks, nn
from foveal.nn import variants

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

PROJECT = pathlib.Path(os.environ.get("FOVEAL_PROJECT", pathlib.Path(__file__).parents[3]))
CASES = {case["id"]: case for case in json.loads((PROJECT / "tests/data/chapter3.json").read_text())["cases"]}
INPUTS = np.array(CASES["simple_scores_query2"]["values"]["inputs"]["data"], "float32").reshape(6, 3)
BATCH = np.stack([INPUTS, INPUTS])
CHAPTER = {  # golden case: the class, its arguments, the input
    "self_attention_v1": (nn.SelfAttention_v1, (3, 2), INPUTS),
    "self_attention_v2": (nn.SelfAttention_v2, (3, 2), INPUTS),
    "causal_attention": (nn.CausalAttention, (3, 2, 6, 0.0), BATCH),
    "multi_head_wrapper": (nn.MultiHeadAttentionWrapper, (3, 2, 6, 0.0, 2), BATCH),
    "exercise_3_2": (nn.MultiHeadAttentionWrapper, (3, 1, 6, 0.0, 2), BATCH),
    "multi_head": (nn.MultiHeadAttention, (3, 2, 6, 0.0, 2), BATCH),
    "multi_head_dropout": (nn.MultiHeadAttention, (3, 4, 6, 0.5, 2), BATCH),
}
random = np.random.default_rng(5)


def golden(entry):
    return np.array(entry["data"], "float32").reshape(entry["shape"])


def agree(ours, theirs):
    assert ours.shape == theirs.shape
    np.testing.assert_array_less(np.abs(ours - theirs), 1e-6 * np.maximum(1, np.abs(theirs)))


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", CHAPTER)
def test_the_chapters_numbers(name, fused):
    made, arguments, x = CHAPTER[name]
    case = CASES[name]
    foveal.manual_seed(case["seed"])
    module = made(*arguments)
    module.fused = fused
    assert module.fused == fused
    state = module.state_dict()
    assert list(state) == list(case["parameters"])
    for key, entry in case["parameters"].items():
        np.testing.assert_array_equal(state[key], golden(entry))
    agree(module(x), golden(case["output"]))


def test_exercise_3_1():
    case = CASES["exercise_3_1"]
    foveal.manual_seed(case["seed"])
    second = nn.SelfAttention_v2(3, 2)
    first = nn.SelfAttention_v1(3, 2)
    first.load_state_dict({name.removesuffix(".weight"): w.T for name, w in second.state_dict().items()})
    agree(first(INPUTS), golden(case["output"]))
    np.testing.assert_allclose(first(INPUTS), second(INPUTS), atol=1e-6)


def test_exercise_3_3_and_buffers():
    assert nn.MultiHeadAttention(768, 768, 1024, 0.0, 12).parameter_count == CASES["exercise_3_3"]["parameter_count"]
    case = CASES["buffers"]
    foveal.manual_seed(case["seed"])
    without = nn.CausalAttentionWithoutBuffers(3, 2, 6, 0.0)
    buffered = nn.CausalAttention(3, 2, 6, 0.0)
    assert list(without.state_dict()) == list(case["without_parameters"])
    agree(without(BATCH), golden(case["without_output"]))
    agree(buffered(BATCH), golden(case["with_output"]))


def test_the_loader_notebooks_wrapper():
    assert nn.CausalSelfAttention is nn.CausalAttention
    module = nn.MultiHeadAttentionWrapperWithProjection(3, 2, 6, 0.0, 2)
    assert list(module.state_dict())[-2:] == ["out_proj.weight", "out_proj.bias"] and module(BATCH).shape == (2, 6, 4)


@pytest.mark.parametrize("qkv_bias", [False, True])
def test_the_nine_agree(qkv_bias):
    chapter = variants.Chapter(8, 8, 7, 0.0, 2, qkv_bias)
    x = random.normal(size=(3, 5, 8)).astype("float32")
    assert variants.names() == [variants.make(name, 8, 8, 7, 0.0, 2).name for name in variants.names()]
    for name in variants.names():
        other = variants.make(name, 8, 8, 7, 0.0, 2, qkv_bias)
        assert np.abs(other(x) - chapter(x)).max() > 1e-3
        variants.convert(chapter, other)
        np.testing.assert_allclose(other(x), chapter(x), atol=1e-5, err_msg=name)


def test_the_weights_of_packed_projection():
    module = variants.PackedProjection(8, 8, 7, 0.0, 2)
    x = random.normal(size=(3, 5, 8)).astype("float32")
    output, weights = module.forward_with_weights(x)
    np.testing.assert_array_equal(output, module(x))
    np.testing.assert_allclose(weights.sum(-1), np.ones((3, 5)), rtol=1e-6)
    assert (np.triu(weights, 1) == 0).all()


def test_mask_expression():
    ids = np.array([0, 0, 1, 1])
    given = [masks.causal() & masks.document(ids), masks.causal() & masks.document([0, 0, 1, 1])]
    modules = [variants.MaskExpression(4, 4, 4, 0.0, 2, mask=mask) for mask in given]
    variants.convert(*modules)
    x = random.normal(size=(2, 4, 4)).astype("float32")
    np.testing.assert_array_equal(modules[0](x), modules[1](x))
    changed = x.copy()
    changed[:, :2] += 1
    np.testing.assert_array_equal(modules[0](x)[:, 2:], modules[0](changed)[:, 2:])


def test_state_dict_is_a_copy_and_comes_back(tmp_path):
    first, second = (nn.MultiHeadAttention(3, 4, 6, 0.0, 2, True) for _ in range(2))
    state = first.state_dict()
    before = first(BATCH)
    for name, array in state.items():
        if name != "mask":
            array += 1
    np.testing.assert_array_equal(first(BATCH), before)
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(second(BATCH), before)
    second.load_state_dict(state)
    assert np.abs(second(BATCH) - before).max() > 0.1
    first.save(tmp_path / "module.safetensors")
    second.load(tmp_path / "module.safetensors")
    np.testing.assert_array_equal(second(BATCH), before)
    with pytest.raises(OSError):
        second.load(tmp_path / "no.safetensors")


def test_dtypes():
    module = nn.MultiHeadAttention(3, 4, 6, 0.0, 2)
    state, expected = module.state_dict(), module(BATCH)
    for dtype, bound in (("float64", 1e-6), (np.float16, 1e-2), ("float32", 2e-3)):
        assert module.to(dtype) is module
        assert all(array.dtype == np.dtype(dtype) for array in module.state_dict().values())
        output = module(BATCH.astype(dtype))
        assert output.dtype == np.dtype(dtype)
        np.testing.assert_allclose(output, expected, atol=bound)
    module.to("float64").load_state_dict(state)  # converted to its own
    assert module.state_dict()["out_proj.bias"].dtype == np.float64


def test_bfloat16():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    module = nn.MultiHeadAttention(3, 4, 6, 0.0, 2)
    expected = module(BATCH)
    output = module.to(bfloat16)(BATCH.astype(bfloat16))
    assert output.dtype == bfloat16 == module.state_dict()["out_proj.bias"].dtype
    np.testing.assert_allclose(output.astype("float32"), expected, atol=2e-2)
    module.load_state_dict(module.state_dict())


def test_training_and_evaluation():
    module = nn.CausalAttention(3, 2, 6, 0.5)
    assert module.training and not module.eval().training
    np.testing.assert_array_equal(module(BATCH), module(BATCH))
    assert module.train() is module and (module(BATCH) != module(BATCH)).any()


def pickled(module):
    return pickle.loads(pickle.dumps(module))


EACH = {
    **{name: lambda made=made, given=given: made(*given) for name, (made, given, _) in CHAPTER.items()},
    "without_buffers": lambda: nn.CausalAttentionWithoutBuffers(3, 2, 6, 0.0),
    "with_projection": lambda: nn.MultiHeadAttentionWrapperWithProjection(3, 2, 6, 0.0, 2),
    **{name: lambda name=name: variants.make(name, 4, 4, 6, 0.5, 2, True) for name in variants.names()},
    "an array in its mask": lambda: variants.MaskExpression(4, 4, 6, 0.0, 2, mask=masks.dense(np.eye(6, dtype=bool))),
}


@pytest.mark.parametrize("again", [pickled, copy.deepcopy, copy.copy])
@pytest.mark.parametrize("name", EACH)
def test_pickle_and_copy(name, again):
    """The same module once more: its numbers, dtype and mode, with weights of its own; nothing is drawn."""
    module = EACH[name]()
    x = random.normal(size=(2, 6, 4 if name in variants.names() or "mask" in name else 3)).astype("float32")
    x = x[0] if name.startswith("self") else x
    changes = [lambda m: m.eval(), lambda m: m.to("float64"), lambda m: m.to("bfloat16").train()]
    # What isn't a buffer isn't converted, which is what that class shows; bfloat16 needs ml_dtypes.
    for change in changes[: 1 if name == "without_buffers" else 3 if ml_dtypes else 2]:
        change(module)
        foveal.manual_seed(7)
        other = again(module)
        after = foveal._foveal.next_seed()
        foveal.manual_seed(7)
        assert after == foveal._foveal.next_seed()
        assert type(other) is type(module) and repr(other) == repr(module) and other.training == module.training
        for ours, theirs in zip(module.state_dict().items(), other.state_dict().items()):
            assert ours[0] == theirs[0] and ours[1].dtype == theirs[1].dtype
            np.testing.assert_array_equal(*[array.astype("float64") for array in (ours[1], theirs[1])])
        dtype = next(a.dtype for a in module.state_dict().values() if a.dtype != bool)
        results = []
        for each in (module, other):
            foveal.manual_seed(3)  # dropout draws from this one, in the copy too
            results.append(each(x.astype(dtype)).astype("float64"))
        np.testing.assert_array_equal(*results)
    other.load_state_dict({key: array * 0 for key, array in other.state_dict().items()})
    assert any(array.astype("float64").any() for array in module.state_dict().values())


def test_what_a_pickle_holds_besides():
    class Layer(nn.MultiHeadAttention):
        pass

    layer = Layer(3, 2, 6, 0.0, 2)
    layer.fused = True
    layer.note = ["a user's own"]
    other = copy.deepcopy(layer)
    assert other.fused and other.note == layer.note and other.note is not layer.note


def test_inputs_as_they_come():
    module = nn.MultiHeadAttention(3, 4, 6, 0.0, 2)
    expected = module(BATCH)
    for x in (np.asfortranarray(BATCH), BATCH.astype(">f4"), np.repeat(BATCH, 2, axis=2)[:, :, ::2], BATCH[::-1]):
        np.testing.assert_array_equal(module(x), expected)
    frozen = BATCH.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(module(frozen), expected)
    np.testing.assert_allclose(module(BATCH[:, :4]), expected[:, :4], atol=1e-6)


def test_from_several_threads():
    module = nn.MultiHeadAttention(16, 16, 64, 0.1, 4)
    x = random.normal(size=(2, 64, 16)).astype("float32")
    expected = module.eval()(x)
    wrong = []

    def work():
        for _ in range(20):
            if (module(x) != expected).any():
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    "wrong, kind, text",
    [
        (lambda: nn.SelfAttention_v1(0, 2), ValueError, "SelfAttention_v1: d_in"),
        (lambda: nn.CausalAttention(3, 2, 6, 1.5), ValueError, "p is 1.5|dropout"),
        (lambda: nn.MultiHeadAttention(3, 3, 6, 0.0, 2), ValueError, "d_out must be divisible by num_heads"),
        (lambda: nn.MultiHeadAttention(3, 2, 6, 0.0, 2)(INPUTS), ValueError, "MultiHeadAttention: x"),
        (lambda: nn.MultiHeadAttention(3, 2, 5, 0.0, 2)(BATCH), ValueError, "context_length"),
        (lambda: nn.MultiHeadAttention(3, 2, 6, 0.0, 2)(BATCH.astype("int32")), TypeError, "x has dtype int32"),
        (lambda: nn.MultiHeadAttention(3, 2, 6, 0.0, 2)(BATCH.astype("float64")), ValueError, "float64"),
        (lambda: nn.MultiHeadAttention(3, 2, 6, 0.0, 2)(None), TypeError, "x is None"),
        (lambda: nn.SelfAttention_v1(3, 2).load_state_dict({"W_query": INPUTS}), ValueError, "W_key is missing"),
        (lambda: nn.SelfAttention_v1(3, 2).to("int64"), TypeError, "dtype is int64"),
        (lambda: nn.SelfAttention_v1("3", 2), TypeError, "SelfAttention_v1: d_in is '3': it must be an integer"),
        (lambda: nn.CausalAttention(3, 2, 6, "x"), TypeError, "CausalAttention: dropout is 'x'"),
        (lambda: nn.SelfAttention_v1(3, 2).load_state_dict([1]), TypeError, "state_dict is a list"),
        (lambda: variants.MaskExpression(4, 4, 4, 0.0, 2, mask=3), TypeError, "mask is a int"),
        (lambda: variants.make("tenth", 3, 2, 6, 0.0, 2), ValueError, "the nine are causal_wrapper"),
        (lambda: variants.PackedProjection(3, 2, 6, 0.0, 2), ValueError, "d_in is 3 and d_out 2"),
        (
            lambda: variants.convert(variants.Fused(4, 4, 6, 0.0, 2), variants.Fused(4, 4, 6, 0.0, 1)),
            ValueError,
            "num_heads",
        ),
    ],
)
def test_refused(wrong, kind, text):
    with pytest.raises(kind, match=text):
        wrong()
