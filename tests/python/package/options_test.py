"""What stands after the star, and what doesn't fit."""

import copy
import pickle

import foveal
import numpy as np
import pytest
import reference
from foveal import masks
from reference import Draw

attend = foveal.scaled_dot_product_attention
draw = Draw(11)
Q, K, V = draw.array((2, 4, 6, 8)), draw.array((2, 4, 9, 8)), draw.array((2, 4, 9, 5))


def test_statistics_are_those_of_the_weights():
    asked = {"top_k": 3, "entropy": True, "maximum": True, "column_mass": True, "rows": [0, 5]}
    result = attend(Q, K, V, return_weights=True, return_lse=True, statistics=asked)
    p, s = result.weights.astype("float64"), result.statistics
    order = np.argsort(-p, axis=-1, kind="stable")[..., :3]
    assert np.array_equal(s.top_k_keys, order) and s.top_k_keys.dtype == np.int64
    assert np.allclose(s.top_k_weights, np.take_along_axis(p, order, -1), atol=1e-6)
    assert np.allclose(s.entropy, -(p * np.log(p)).sum(-1), atol=1e-5)
    assert np.allclose(s.maximum, p.max(-1), atol=1e-6)
    assert np.allclose(s.column_mass, p.sum(2), atol=1e-5)
    assert np.allclose(s.rows, p[:, :, [0, 5]], atol=1e-6)
    few = attend(Q, K, V, statistics=["entropy"])
    assert few.lse is None and few.weights is None and few.statistics.maximum is None
    assert np.array_equal(few.statistics.entropy, attend(Q, K, V, statistics="entropy").statistics.entropy)


def test_places_and_packed_sequences():
    lengths = [9, 4]
    result = attend(Q, K, V, key_lengths=lengths)
    assert np.array_equal(result[1:], attend(Q[1:], K[1:, :, :4], V[1:, :, :4]))
    assert np.array_equal(attend(Q, K, V, key_lengths=np.array(lengths)), result)
    late = attend(Q, K, V, mask=masks.causal(), query_offset=3)
    visible = np.arange(9) <= np.arange(6)[:, None] + 3
    assert np.allclose(late, reference.attention(Q, K, V, visible)[0], atol=1e-5)
    assert np.array_equal(attend(Q, K, V, mask=masks.causal(), query_offset=[3, 3]), late)
    assert np.array_equal(attend(Q, K, V, mask=masks.causal(), query_offset=13, key_offset=10), late)
    packed = attend(Q[:1], K[:1], V[:1], query_starts=[0, 2, 6], key_starts=[0, 5, 9])
    assert np.allclose(packed[:, :, :2], attend(Q[:1, :, :2], K[:1, :, :5], V[:1, :, :5]), atol=1e-6)
    assert np.allclose(packed[:, :, 2:], attend(Q[:1, :, 2:], K[:1, :, 5:], V[:1, :, 5:]), atol=1e-6)


def test_dropout_goes_by_seed_and_offset():
    one = attend(Q, K, V, dropout_p=0.5, seed=3)
    assert np.array_equal(one, attend(Q, K, V, dropout_p=0.5, seed=3))
    assert not np.array_equal(one, attend(Q, K, V, dropout_p=0.5, seed=4))
    assert not np.array_equal(one, attend(Q, K, V, dropout_p=0.5, seed=3, offset=1))
    assert not np.array_equal(one, attend(Q, K, V, dropout_p=0.5, seed=3 + 2**63))
    foveal.manual_seed(5)
    first, second = attend(Q, K, V, dropout_p=0.5), attend(Q, K, V, dropout_p=0.5)
    assert not np.array_equal(first, second)
    foveal.manual_seed(5)
    assert np.array_equal(first, attend(Q, K, V, dropout_p=0.5))
    many = np.mean([attend(Q, K, V, dropout_p=0.3, seed=seed) for seed in range(3000)], axis=0)
    assert abs(many - attend(Q, K, V)).max() < 0.1
    assert not attend(Q, K, V, dropout_p=1.0).any()


@pytest.mark.parametrize("target", foveal.targets())
def test_every_target_inside(target):
    assert np.allclose(attend(Q, K, V, target=target), reference.attention(Q, K, V)[0], atol=1e-5)


BAD = [
    (dict(attn_mask=np.ones((6, 9), "int32")), TypeError, "attn_mask has dtype int32: give bools"),
    (dict(attn_mask=np.ones((5, 9), bool)), ValueError, r"\(5, 9\)"),
    (dict(attn_mask=[[True]]), TypeError, "attn_mask"),
    (dict(attn_mask=np.ones((6, 9), bool), is_causal=True), ValueError, "is_causal"),
    (dict(mask=np.ones((6, 9), bool)), TypeError, "arrays go to attn_mask"),
    (dict(mask="widow(2, 0)"), ValueError, "expected none, causal"),
    (dict(mask=masks.causal()), ValueError, "bottom_right"),
    (dict(dropout_p=1.5), ValueError, "dropout is 1.5"),
    (dict(scale=float("nan")), ValueError, "scale is nan"),
    (dict(softcap=-1), ValueError, "softcap is -1"),
    (dict(alibi_slopes=np.ones(3, "float32")), ValueError, r"\(H\) = \(4\)"),
    (dict(sinks=np.ones(4, "int32")), TypeError, "sinks has dtype int32"),
    (dict(key_lengths=[9]), ValueError, "key_lengths has 1 numbers"),
    (dict(query_offset=-1), ValueError, "query_offset is -1"),
    (dict(query_starts=[0, 6]), ValueError, "key_starts is not"),
    (dict(statistics={"top": 1}), ValueError, "'top'"),
    (dict(statistics=["top_k"]), ValueError, "needs a number"),
    (dict(statistics={"rows": [6]}), ValueError, "queries are 0 to 5"),
    (dict(target="riscv"), ValueError, "portable"),
    (dict(strict=True, return_weights=True), ValueError, "strict refuses"),
    (dict(is_causal=np.ones(2)), TypeError, "is_causal is of type ndarray: it must be True or False"),
    (dict(is_causal=0.5), TypeError, "is_causal is 0.5: it must be True or False"),
    (dict(dropout_p=""), TypeError, "dropout_p is '': it must be a number"),
    (dict(dropout_p=[]), TypeError, "dropout_p is of type list: it must be a number"),
    (dict(key_offset=[]), TypeError, "key_offset is of type list: it must be an integer"),
    (dict(scale="0.5"), TypeError, "scale is '0.5': it must be a number"),
    (dict(softcap=np.ones(2)), TypeError, "softcap is of type ndarray"),
    (dict(dropout_p="a"), TypeError, "dropout_p is 'a'"),
    (dict(dropout_p=0.5, seed=1.5), TypeError, "seed is 1.5: it must be an integer"),
    (dict(dropout_p=0.5, seed=2**64), ValueError, "seed is 18446744073709551616"),
    (dict(dropout_p=0.5, offset=-1), ValueError, "offset is -1: it must be from 0"),
    (dict(return_lse="yes"), TypeError, "return_lse is 'yes'"),
    (dict(strict="no"), TypeError, "strict is 'no'"),
    (dict(target=3), TypeError, "target is of type int"),
    (dict(key_lengths="99"), TypeError, "key_lengths is '99'"),
    (dict(key_lengths=9), TypeError, "key_lengths is 9"),
    (dict(key_lengths=np.array([4.5, 9])), TypeError, r"key_lengths\[0\] is 4.5"),
    (dict(key_lengths=[2**70, 9]), ValueError, r"key_lengths\[0\] is 1180591620717411303424"),
    (dict(key_lengths=[]), ValueError, "key_lengths has 0 numbers but the batch has 2"),
    (dict(query_offset=[]), ValueError, "query_offset has 0 numbers but the batch has 2"),
    (dict(query_offset=1.5), TypeError, "query_offset is 1.5"),
    (dict(key_offset="1"), TypeError, "key_offset is '1'"),
    (dict(query_starts=[], key_starts=[]), ValueError, "query_starts is empty"),
    (dict(statistics=True), TypeError, "statistics is of type bool"),
    (dict(statistics={"top_k": 2.5}), TypeError, r"statistics\['top_k'\] is 2.5"),
    (dict(statistics={"rows": 3}), TypeError, r"statistics\['rows'\] is 3"),
    (dict(attn_mask=np.ones((5, 9))), ValueError, r"attn_mask has shape \(5, 9\)"),
]


@pytest.mark.parametrize("given, kind, words", BAD)
def test_what_does_not_fit_is_named(given, kind, words):
    with pytest.raises(kind, match=words):
        attend(Q, K, V, **given)
    assert attend(Q, K, V).shape == (2, 4, 6, 5)


@pytest.mark.parametrize(
    "arrays, kind, words",
    [
        ((Q, K[..., :7], V), ValueError, r"key has shape \(2, 4, 9, 7\) but query has \(2, 4, 6, 8\)"),
        ((Q, K[:, :2], V[:, :2]), ValueError, "enable_gqa=True"),
        ((Q, K[:, :3], V[:, :3]), ValueError, r"heads \(axis 1\) must match"),
        ((Q, K, V[:, :, :4]), ValueError, "numbers of keys"),
        ((Q, K.astype("float64"), V), TypeError, "key has dtype float64 but query has float32"),
        ((Q.astype("int64"), K, V), TypeError, "query has dtype int64"),
        ((Q.astype("complex64"), K, V), TypeError, "query has dtype complex64"),
        ((Q.astype(object), K, V), TypeError, "query has dtype object"),
        ((Q[0, 0, 0], K, V), ValueError, "two axes or more"),
        ((Q.tolist(), K, V), TypeError, "query is a list"),
        ((None, K, V), TypeError, "query is None"),
        ((np.ma.masked_array(Q, Q > 0), K, V), TypeError, "query is a masked array"),
        ((np.concatenate([Q, Q[:1]]), K, V), ValueError, "don't broadcast"),
    ],
)
def test_wrong_arrays_are_named(arrays, kind, words):
    with pytest.raises(kind, match=words):
        attend(*arrays)


def test_numbers_as_numpy_has_them():
    """Scalars and arrays of one number are taken for what they are; every seed of 64 bits too."""
    one, few = np.int64(1), attend(Q, K, V, dropout_p=0.5, seed=1, offset=1)
    assert np.array_equal(attend(Q, K, V, dropout_p=np.float64(0.5), seed=np.uint8(1), offset=one), few)
    assert np.array_equal(attend(Q, K, V, dropout_p=0.5, seed=-1), attend(Q, K, V, dropout_p=0.5, seed=2**64 - 1))
    plain = attend(Q, K, V, is_causal=True, scale=0.25, return_lse=True, query_offset=1, key_offset=1)
    given = dict(scale=np.float32(0.25), query_offset=np.array(1), key_offset=one)
    same = attend(Q, K, V, is_causal=np.bool_(True), return_lse=np.bool_(True), **given)
    assert np.array_equal(plain.output, same.output) and np.array_equal(plain.lse, same.lse)
    empty = np.zeros((0, 2, 3, 4), "float32")
    assert attend(empty, empty, empty, key_lengths=[], query_offset=[]).shape == empty.shape
    foveal.manual_seed(np.int64(-1))
    first = attend(Q, K, V, dropout_p=0.5)
    foveal.manual_seed(2**64 - 1)
    assert np.array_equal(first, attend(Q, K, V, dropout_p=0.5))


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda: foveal.manual_seed("a"), TypeError, "manual_seed: seed is 'a'"),
        (lambda: foveal.set_num_threads(2.5), TypeError, "set_num_threads: count is 2.5"),
        (lambda: foveal.plan("abc", K.shape, V.shape), TypeError, "plan: query_shape is 'abc'"),
        (lambda: foveal.plan(Q.shape, K.shape, V.shape, seed="a"), TypeError, "plan: seed is 'a'"),
        (lambda: foveal.plan(Q.shape, K.shape, V.shape, key_lengths=[]), ValueError, "key_lengths has 0 numbers"),
        (lambda: masks.document(3), TypeError, "document: it is given a int"),
        (lambda: masks.padding("ab"), TypeError, "padding: it is given a str"),
        (lambda: masks.causal().lint("a", 4, 4), TypeError, "lint: batch is 'a'"),
        (lambda: masks.causal().lint(-1, 4, 4), ValueError, "lint: batch is -1"),
    ],
)
def test_other_calls_name_what_does_not_fit(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_masks_read_as_they_are_written():
    mask = (masks.causal("top_left") & ~masks.window(128, 0)) | masks.prefix(4) & masks.none()
    assert str(mask) == "causal(top_left) & !window(128, 0) | prefix(4) & none()"
    assert repr(masks.causal()) == "Mask('causal()')"
    assert str(~(masks.none() | masks.causal())) == "!(none() | causal())"
    assert str((masks.none() | masks.causal()) & masks.prefix(1)) == "(none() | causal()) & prefix(1)"
    assert (
        str(masks.document([[0, 1], [1, 1]]) & masks.padding([2, 1])) == "document([[0, 1], [1, 1]]) & padding([2, 1])"
    )
    assert str(masks.dense(np.ones((2, 2), bool))) == "dense(array)"
    many = masks.causal()
    for n in range(300):
        many = many & masks.window(n, 0)
    assert many.lint(1, 4, 4) is not None
    with pytest.raises(TypeError, match="neither true nor false"):
        masks.causal() and masks.none()
    with pytest.raises(TypeError):
        masks.causal() & np.ones(2, bool)


def test_masks_of_any_integers():
    x = np.random.default_rng(1).normal(size=(1, 2, 5, 8)).astype("float32")
    for kind, numbers in ((masks.document, [0, 0, 1, 1, 1]), (masks.padding, [3])):
        for dtype in ("<i8", ">i8", ">i4", ">u2", "u1"):
            assert np.array_equal(attend(x, x, x, mask=kind(np.array(numbers, dtype))), attend(x, x, x, mask=kind(numbers)))


def test_masks_in_files_are_read_at_each_call(tmp_path):
    path = tmp_path / "mask.npy"
    for visible in (np.tri(6, 9, 3, dtype=bool), draw.random.random((6, 9)) < 0.5):
        np.save(path, visible)
        assert np.array_equal(attend(Q, K, V, mask=f"dense({path})"), attend(Q, K, V, visible))
    with pytest.raises(OSError, match="nothing.npy"):
        attend(Q, K, V, mask="none() & dense(nothing.npy)")


def test_masks_agree_with_bools():
    rows, columns = np.arange(6)[:, None], np.arange(9)
    placed = rows + 3
    ids = draw.random.integers(0, 3, (2, 9))
    lengths, visible = np.array([9, 5]), draw.random.random((2, 1, 6, 9)) < 0.6
    cases = [
        (masks.causal("bottom_right"), columns <= placed),
        (masks.window(2, 1), (columns >= placed - 2) & (columns <= placed + 1)),
        (masks.prefix(4), columns < 4),
        (masks.document(ids), ids[:, None, placed[:, 0]][..., None] == ids[:, None, None, :]),
        (masks.document(ids[0].tolist()), ids[0][placed] == ids[0][None]),
        (masks.document(ids.astype("int32")), ids[:, None, placed[:, 0]][..., None] == ids[:, None, None, :]),
        (masks.padding(lengths), columns < lengths[:, None, None, None]),
        (masks.padding([9, 5]), columns < lengths[:, None, None, None]),
        (masks.dense(visible), visible),
        (~masks.dense(visible) & masks.prefix(7) | masks.dense(visible[:1]), ~visible & (columns < 7) | visible[:1]),
    ]
    for mask, expected in cases:
        assert np.allclose(attend(Q, K, V, mask=mask), reference.attention(Q, K, V, expected)[0], atol=1e-5), mask


@pytest.mark.parametrize(
    "make, kind",
    [
        (lambda: masks.causal("left"), ValueError),
        (lambda: masks.window(-2, 0), ValueError),
        (lambda: masks.window(1.5, 0), TypeError),
        (lambda: masks.prefix(-1), ValueError),
        (lambda: masks.padding([-1]), ValueError),
        (lambda: masks.document(["a"]), TypeError),
        (lambda: masks.document(np.ones(3)), TypeError),
        (lambda: masks.dense(np.ones((2, 2))), TypeError),
        (lambda: masks.dense([[True]]), TypeError),
    ],
)
def test_wrong_masks(make, kind):
    with pytest.raises(kind):
        make()


def test_the_linter():
    assert masks.causal().lint(1, 8, 8) == []
    (warning,) = masks.window(100, 0).lint(1, 8, 8)
    assert "wider than the 8 keys" in warning
    assert masks.dense(np.zeros((4, 4), bool)).lint(1, 4, 4)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda plan: pickle.loads(pickle.dumps(plan))])
def test_plans_pickle_and_copy(again):
    slopes, bias = np.array([0.5, 0.25, 0.1, 0.0], "float32"), draw.array((4, 6, 9))
    visible = np.random.default_rng(2).random((6, 9)) < 0.7
    made = foveal.plan(
        Q.shape,
        K.shape,
        V.shape,
        mask=masks.dense(visible) & masks.window(4, 4),
        attn_mask=bias,
        alibi_slopes=slopes,
        dropout_p=0.3,
        seed=2**63 + 5,
        statistics={"top_k": 2},
        key_lengths=[9, 4],
        query_offset=1,
        target="portable",
    )
    other = again(made)
    assert other.to_json() == made.to_json() and type(other) is type(made)
    for ours, theirs in zip(made.run(Q, K, V).statistics[:2], other.run(Q, K, V).statistics[:2]):
        assert np.array_equal(ours, theirs)
    assert np.array_equal(made.run(Q, K, V).output, other.run(Q, K, V).output)


def test_plans():
    made = foveal.plan(Q.shape, K.shape, V.shape, mask=masks.window(2, 0), return_lse=True, target="portable")
    assert "tiles: " in made.explain() and '"foveal.plan/1"' in made.to_json() and repr(made) == made.explain()
    result = made.run(Q, K, V)
    expected = attend(Q, K, V, mask=masks.window(2, 0), return_lse=True, target="portable")
    assert np.array_equal(result.output, expected.output) and np.array_equal(result.lse, expected.lse)
    out = np.empty(expected.output.shape, "float32")
    assert made.run(Q, K, V, out=out).output is out and np.array_equal(out, expected.output)
    for dtype in ("float64", np.float64, np.dtype("float64")):
        plan = foveal.plan(Q.shape, K.shape, V.shape, dtype)
        assert np.array_equal(
            plan.run(*(x.astype("float64") for x in (Q, K, V))), attend(*(x.astype("float64") for x in (Q, K, V)))
        )
    bias = draw.array((6, 9)).copy()
    held = foveal.plan(Q.shape, K.shape, V.shape, attn_mask=bias)
    bias[...] = 0  # read at each run
    assert np.array_equal(held.run(Q, K, V), attend(Q, K, V, bias))
    with pytest.raises(ValueError, match="shape"):
        made.run(Q[:1], K[:1], V[:1])
    with pytest.raises(TypeError, match="int32"):
        foveal.plan(Q.shape, K.shape, V.shape, "int32")
    with pytest.raises(ValueError):
        foveal.plan((1, 2), K.shape, V.shape)
