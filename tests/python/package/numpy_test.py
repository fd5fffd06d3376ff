"""The function on NumPy's arrays, held to the reference."""

import foveal
import ml_dtypes
import numpy as np
import pytest
import reference
from foveal import masks
from reference import CASES, Draw, tolerance

attend = foveal.scaled_dot_product_attention


def close(result, expected, dtype, scale=1.0):
    assert result.shape == expected.shape
    difference = np.abs(np.asarray(result, dtype=np.float64) - expected)
    assert difference.max(initial=0) <= tolerance(dtype) * scale * max(1, np.abs(expected).max(initial=0))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("seed", range(max(CASES // 10, 5)))
def test_agrees_over_shapes_strides_and_terms(dtype, seed):
    draw = Draw(seed)
    number = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    q, k, v = draw.qkv(number)
    batch, heads, queries, keys = q.shape[0], q.shape[1], q.shape[2], k.shape[2]
    given, terms, visible = {}, {}, None
    if draw.size(0, 1):
        visible = draw.random.random((draw.choice(1, batch), draw.choice(1, heads), queries, keys)) < 0.7
        visible = visible[0] if visible.shape[0] == 1 and draw.size(0, 1) else visible
        given["attn_mask"] = visible
    elif draw.size(0, 1):
        terms["bias"] = given["attn_mask"] = draw.array((draw.choice(1, heads), queries, keys), number)
    if draw.size(0, 2) == 0:
        terms["scale"] = given["scale"] = 0.3
    if draw.size(0, 2) == 0:
        terms["softcap"] = given["softcap"] = 2.0
    for name in ("alibi_slopes", "sinks"):
        if draw.size(0, 2) == 0:
            terms[name] = given[name] = abs(draw.array((heads,), "float32"))
    output, lse, weights = reference.attention(q, k, v, visible, **terms)
    result = attend(q, k, v, **given, enable_gqa=True, return_lse=True, return_weights=True)
    assert result.output.dtype == q.dtype and isinstance(result.output, np.ndarray)
    close(result.output, output, number)
    close(result.weights, weights, "float64" if dtype == "float64" else "float32", 1 if dtype[0] != "b" else 50)
    finite = np.isfinite(lse)
    assert (np.isfinite(result.lse) == finite).all()
    close(np.where(finite, result.lse, 0), np.where(finite, lse, 0), "float64" if dtype == "float64" else "float32", 50)
    assert np.array_equal(attend(q, k, v, **given, enable_gqa=True), result.output)


def test_causal_is_top_left_and_bool_masks_keep():
    draw = Draw(1)
    q, k, v = draw.array((1, 2, 5, 8)), draw.array((1, 2, 9, 8)), draw.array((1, 2, 9, 8))
    triangle = np.tri(5, 9, dtype=bool)
    close(attend(q, k, v, is_causal=True), reference.attention(q, k, v, triangle)[0], "float32")
    assert np.array_equal(attend(q, k, v, triangle), attend(q, k, v, is_causal=True))
    both = attend(q, k, v, triangle, mask=masks.window(2, -1))
    shifted = np.arange(9) >= np.arange(5)[:, None] + 4 - 2
    close(both, reference.attention(q, k, v, triangle & shifted)[0], "float32")
    assert np.array_equal(attend(q, k, v, is_causal=True, mask="window(2, -1)"), both)


@pytest.mark.parametrize("shape", [(6, 8), (3, 6, 8), (2, 3, 4, 6, 8), (2, 1, 2, 3, 6, 8)])
def test_leading_axes_are_pytorchs(shape):
    draw = Draw(len(shape))
    q, k, v = (draw.array(shape) for _ in range(3))
    flat = [np.ascontiguousarray(x).reshape((-1, 1) + shape[-2:]) for x in (q, k, v)]
    mask = draw.random.random(shape[:-1] + (6,)) < 0.7
    expected, lse, weights = reference.attention(*flat, mask.reshape((-1, 1, 6, 6)))
    result = attend(q, k, v, mask, return_lse=True, return_weights=True, statistics=["entropy", "column_mass"])
    close(result.output, expected.reshape(shape), "float32")
    close(result.weights, weights.reshape(shape[:-1] + (6,)), "float32")
    assert result.lse.shape == result.statistics.entropy.shape == shape[:-1]
    close(result.statistics.column_mass, weights.sum(axis=2).reshape(shape[:-1]), "float32", 10)
    out = np.empty(shape, "float32")
    assert attend(q, k, v, mask, out=out) is out and np.array_equal(out, attend(q, k, v, mask))


def test_leading_axes_broadcast():
    draw = Draw(3)
    q, k, v = draw.array((2, 1, 4, 5, 8)), draw.array((3, 1, 7, 8)), draw.array((1, 1, 4, 7, 8))
    shape = (2, 3, 4)
    whole = [np.broadcast_to(x, shape + x.shape[-2:]).reshape((6, 4) + x.shape[-2:]) for x in (q, k, v)]
    expected = reference.attention(*whole)[0].reshape(shape + (5, 8))
    close(attend(q, k, v), expected, "float32")
    close(
        attend(q, k[0], v[0]),
        reference.attention(q[:, 0], *[np.broadcast_to(x, (2, 4, 7, 8)) for x in (k[0], v[0, 0])])[0][:, None],
        "float32",
    )
    mask = draw.random.random((3, 1, 5, 7)) < 0.6
    visible = np.broadcast_to(mask, (2, 3, 1, 5, 7)).reshape(6, 1, 5, 7)
    close(attend(q, k, v, mask), reference.attention(*whole, visible)[0].reshape(shape + (5, 8)), "float32")


@pytest.mark.parametrize(
    "shapes",
    [
        ((0, 2, 3, 4), (0, 2, 5, 4)),
        ((2, 0, 3, 4), (2, 0, 5, 4)),
        ((2, 2, 0, 4), (2, 2, 5, 4)),
        ((2, 2, 3, 4), (2, 2, 0, 4)),
        ((0, 3, 4), (0, 5, 4)),
        ((2, 0, 2, 3, 4), (2, 0, 2, 5, 4)),
    ],
)
def test_axes_without_entries(shapes):
    query, key = (np.ones(shape, "float32") for shape in shapes)
    result = attend(query, key, key)
    assert result.shape == query.shape and not result.any()


def test_arrays_as_users_have_them():
    draw = Draw(5)
    q, k, v = (np.ascontiguousarray(draw.array((2, 2, 7, 8))) for _ in range(3))
    expected = attend(q, k, v)
    # Read-only memory, another order of bytes, memory that isn't aligned, a structured array's field.
    locked = q.copy()
    locked.flags.writeable = False
    assert np.array_equal(attend(locked, locked, locked), attend(q, q, q))
    big = [x.astype(">f4") for x in (q, k, v)]
    assert np.array_equal(attend(*big), expected) and attend(*big).dtype == np.float32
    raw = np.zeros(q.nbytes + 1, "uint8")
    odd = raw[1:].view("float32").reshape(q.shape)
    odd[...] = q
    assert not odd.flags.aligned and np.array_equal(attend(odd, k, v), expected)
    packed = np.zeros(q.shape, dtype=[("a", "i1"), ("b", "f4")])
    packed["b"] = q
    assert np.array_equal(attend(packed["b"], k, v), expected)
    reversed_last = np.ascontiguousarray(q[..., ::-1])[..., ::-1]
    assert np.array_equal(attend(reversed_last, k, v), expected)
    broadcast = np.broadcast_to(k[:1, :1], k.shape)
    assert np.array_equal(attend(q, broadcast, broadcast), attend(q, broadcast.copy(), broadcast.copy()))
    assert np.array_equal(attend(q, k, v, np.array(True)), expected)


class Foreign:
    """An array of a library that shares memory by DLPack and has the array API's namespace."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **keywords):
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __array_namespace__(self):
        class Namespace:
            from_dlpack = staticmethod(lambda array: Foreign(np.asarray(array)))

        return Namespace


def test_other_libraries_get_their_own():
    x = np.random.default_rng(1).normal(size=(1, 2, 5, 8)).astype("float32")
    y = Foreign(x)
    result = attend(y, y, y, return_lse=True)
    assert isinstance(result.output, Foreign) and isinstance(result.lse, Foreign)
    assert np.array_equal(result.output.array, attend(x, x, x))


class Elsewhere(Foreign):
    """In the memory of a GPU, as DLPack says."""

    def __dlpack__(self, **keywords):
        raise BufferError("not here")

    def __dlpack_device__(self):
        return 2, 0


class Strange(Foreign):
    """Of a dtype that NumPy doesn't read."""

    def __dlpack__(self, **keywords):
        raise BufferError("no such dtype")


def test_what_cannot_be_looked_at_is_named():
    x = np.ones((1, 2, 5, 8), "float32")
    with pytest.raises(ValueError, match="key isn't on a CPU"):
        attend(x, Elsewhere(x), x)
    with pytest.raises(TypeError, match="value is a Strange that NumPy can't look at: no such dtype"):
        attend(x, x, Strange(x))


def test_out_is_written_where_it_lies():
    draw = Draw(7)
    q, k, v = draw.array((2, 3, 9, 8)), draw.array((2, 3, 11, 8)), draw.array((2, 3, 11, 5))
    rows = np.full((2, 9, 3, 5), 7, "float32")
    out = rows.transpose(0, 2, 1, 3)
    assert attend(q, k, v, out=out) is out
    assert np.array_equal(out, attend(q, k, v)) and np.array_equal(rows.transpose(0, 2, 1, 3), out)
    result = attend(q, k, v, out=out, return_lse=True)
    assert result.output is out and result.lse.shape == (2, 3, 9)
    for wrong in (np.empty((2, 3, 9, 6), "float32"), np.empty((2, 3, 9, 5), "float64"), q[..., :5]):
        with pytest.raises(ValueError):
            attend(q, k, v, out=wrong)
    out.flags.writeable = False
    before = out.copy()
    with pytest.raises(ValueError, match="read-only"):
        attend(q, k, v, out=out)
    assert np.array_equal(before, out)


def test_out_of_other_ranks():
    """It is written where it lies where its leading axes can be seen as two, else copied; refused alike."""
    x = np.random.default_rng(1).normal(size=(3, 2, 4, 9, 8)).astype("float32")
    turned = np.empty((2, 3, 4, 9, 8), "float32").swapaxes(0, 1)
    for array, out in ((x, np.empty_like(x)), (x, turned), (x[0, 0], np.empty((4, 9, 8), "float32"))):
        assert attend(array, array, array, out=out) is out and np.array_equal(out, attend(array, array, array))
        result = attend(array, array, array, out=out, return_lse=True)
        assert result.output is out and result.lse.shape == out.shape[:-1]
        before = out.copy()
        for wrong in (out.astype("float64"), out.astype("int32"), out[..., :7], out[:2]):
            with pytest.raises((ValueError, TypeError), match="out has"):
                attend(array, array, array, out=wrong)
        out.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            attend(array, array, array, out=out)
        assert np.array_equal(out, before)
    flat = x[0, 0].copy()
    with pytest.raises(ValueError, match="out shares memory with query"):
        attend(flat, flat, flat, out=flat)


def test_results_keep_their_memory_and_no_more():
    x = np.random.default_rng(1).normal(size=(1, 2, 5, 8)).astype("float32")
    result = attend(x, x, x)
    expected = result.copy()
    view = result[0, 1:]
    del result
    for _ in range(100):
        attend(x + 1, x, x)
    assert np.array_equal(view, expected[0, 1:]) and view.flags.writeable
