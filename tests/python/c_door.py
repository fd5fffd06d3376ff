#!/usr/bin/env python3
"""Calls foveal/c.h from Python by ctypes, through the shared library, on NumPy's arrays.

c_door.py libfoveal.so.N

Results are compared with the formula in float64; structs are written down here once more, so that one
whose layout changes is noticed.
"""

import ctypes
import sys
import threading
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

import numpy

DTYPES = {
    "float16": 2 * 256 + 16,
    "float32": 2 * 256 + 32,
    "float64": 2 * 256 + 64,
    "int64": 64,
    "bool": 6 * 256 + 8,
}
STOPPED = 130
Stop = ctypes.CFUNCTYPE(c_int32, c_void_p)


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("dtype", c_int32),
        ("rank", c_int32),
        ("shape", c_int64 * 8),
        ("strides", c_int64 * 8),
    ]


TensorPointer = POINTER(Tensor)


class Options(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("mask", c_char_p),
        ("mask_tensors", TensorPointer),
        ("mask_tensor_count", c_int32),
        ("has_scale", c_int32),
        ("scale", c_double),
        ("softcap", c_double),
        ("bias", TensorPointer),
        ("alibi_slopes", TensorPointer),
        ("sinks", TensorPointer),
        ("dropout", c_double),
        ("seed", c_uint64),
        ("offset", c_uint64),
        ("dropout_mask", TensorPointer),
        ("query_starts", TensorPointer),
        ("key_starts", TensorPointer),
        ("key_lengths", TensorPointer),
        ("query_offsets", TensorPointer),
        ("query_offset", c_int64),
        ("has_query_offset", c_int32),
        ("strict", c_int32),
        ("key_offset", c_int64),
        ("rows", TensorPointer),
        ("target", c_char_p),
        ("stop", Stop),
        ("stop_user", c_void_p),
        ("threads", c_int32),
        ("reserved", c_int32),
    ]


class Result(ctypes.Structure):
    _fields_ = [
        (name, TensorPointer)
        for name in "output lse weights top_k_keys top_k_weights entropy maximum column_mass rows".split()
    ] + [("plan", c_uint64 * 4)]


class Gradients(ctypes.Structure):
    _fields_ = [(name, TensorPointer) for name in "query key value bias sinks alibi_slopes".split()] + [
        ("add", c_int32),
        ("reserved", c_int32),
    ]


class Partial(ctypes.Structure):
    _fields_ = [(name, TensorPointer) for name in ("output", "maximum", "sum")]


def load(path):
    library = ctypes.CDLL(path)
    library.foveal_version.restype = c_uint32
    library.foveal_last_error.restype = c_char_p
    library.foveal_options_init.argtypes = [POINTER(Options), c_size_t]
    return library


def tensor(array):
    result = Tensor(array.ctypes.data, DTYPES[array.dtype.name], array.ndim)
    result.shape[: array.ndim] = array.shape
    result.strides[: array.ndim] = [stride // array.itemsize for stride in array.strides]
    return result


def pointer(array):
    made = tensor(array)
    result = ctypes.pointer(made)
    result.kept = (made, array)
    return result


def check(library, status, expected=0):
    error = library.foveal_last_error().decode()
    assert status == expected, f"status {status}: {error}"
    assert (error == "") == (status == 0), error
    return error


def default_options(library, mask=None):
    options = Options()
    check(library, library.foveal_options_init(byref(options), ctypes.sizeof(options)))
    options.mask = mask
    return options


def formula(query, key, value, visible):
    """Output and lse in float64; key and value may have fewer heads."""
    query, key, value = (array.astype(numpy.float64) for array in (query, key, value))
    group = query.shape[1] // key.shape[1]
    key, value = (numpy.repeat(array, group, axis=1) for array in (key, value))
    scores = query @ key.swapaxes(2, 3) / numpy.sqrt(query.shape[3])
    exponentials = numpy.where(visible, numpy.exp(scores), 0)
    sums = exponentials.sum(axis=3)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        output = numpy.where(sums[..., None] > 0, exponentials @ value / sums[..., None], 0)
        return output, numpy.log(sums)


class Call:
    """A drawn call: strides of (B, L, H, D), heads that share keys, a dense mask and a window."""

    def __init__(self, seed, library):
        random = numpy.random.default_rng(seed)
        self.dtype = ("float32", "float64", "float16")[seed % 3]
        batch, kv, group = random.integers(1, 4), random.integers(1, 3), random.integers(1, 4)
        queries, keys, size = random.integers(1, 70), random.integers(1, 70), random.integers(1, 40)

        def draw(heads, rows):
            array = random.standard_normal((batch, rows, heads, size)).astype(self.dtype)
            return array.swapaxes(1, 2)

        self.query, self.key, self.value = draw(kv * group, queries), draw(kv, keys), draw(kv, keys)
        dense = random.random((batch, 1, queries, keys)) < 0.8
        self.visible = dense & (numpy.arange(keys)[None, :] < keys - 1)
        self.masks = (Tensor * 1)(tensor(dense))
        self.kept = dense
        self.options = default_options(library, f"dense(0) & prefix({keys - 1})".encode())
        self.options.mask_tensors = self.masks
        self.options.mask_tensor_count = 1
        shape = self.query.shape
        self.output = numpy.zeros((shape[0], shape[2], shape[1], size), self.dtype).swapaxes(1, 2)
        self.lse = numpy.zeros(shape[:3], "float64" if self.dtype == "float64" else "float32")
        self.result = Result(output=pointer(self.output), lse=pointer(self.lse))
        self.kept_results = [pointer(self.output), pointer(self.lse)]
        self.result.output, self.result.lse = self.kept_results
        self.inputs = [byref(tensor(array)) for array in (self.query, self.key, self.value)]

    def expect_formula(self):
        output, lse = formula(self.query, self.key, self.value, self.visible)
        tolerance = {"float32": 2e-5, "float64": 1e-12, "float16": 4e-3}[self.dtype]
        numpy.testing.assert_allclose(self.output.astype(numpy.float64), output, tolerance, tolerance)
        numpy.testing.assert_allclose(self.lse, lse, max(tolerance / 10, 1e-12), max(tolerance / 10, 1e-12))


def gradient_of(library, call):
    """The query's gradient of the sum of the output, by the library."""
    gradient = numpy.zeros(call.query.shape, call.dtype)
    ones = numpy.ones(call.output.shape, call.dtype)
    gradients = Gradients(query=pointer(gradient))
    check(
        library,
        library.foveal_attention_backward(
            byref(tensor(ones)), *call.inputs, byref(call.result), byref(call.options), byref(gradients)
        ),
    )
    return gradient


def expect_gradient(library, call):
    """Against a difference along one direction, in float64."""
    gradient = gradient_of(library, call)
    direction = numpy.random.default_rng(1).standard_normal(call.query.shape)
    step = 1e-6
    sums = [
        formula(call.query + sign * step * direction, call.key, call.value, call.visible)[0].sum() for sign in (1, -1)
    ]
    wanted = (sums[0] - sums[1]) / (2 * step)
    numpy.testing.assert_allclose((gradient * direction).sum(), wanted, 1e-5, 1e-5)


def test_calls(library):
    for seed in range(30):
        call = Call(seed, library)
        check(library, library.foveal_attention(*call.inputs, byref(call.options), byref(call.result)))
        call.expect_formula()
        if call.dtype == "float64":
            expect_gradient(library, call)


def test_plan(library):
    call = Call(0, library)
    plan = c_void_p()
    check(library, library.foveal_plan_create(*call.inputs, byref(call.options), byref(plan)))
    for _ in range(2):
        call.output[...] = 7
        check(library, library.foveal_plan_run(plan, *call.inputs, byref(call.result)))
        call.expect_formula()
    length = c_size_t()
    check(library, library.foveal_plan_explain(plan, None, c_size_t(0), byref(length)))
    text = ctypes.create_string_buffer(length.value + 1)
    check(library, library.foveal_plan_explain(plan, text, c_size_t(len(text)), None))
    assert b"prefix(" in text.value, text.value
    check(library, library.foveal_plan_destroy(plan))


def test_errors_of_threads(library):
    """Each thread sees its own error."""
    call = Call(1, library)
    seen = []

    def run(mask, status, word):
        options = default_options(library, mask)
        for _ in range(50):
            error = check(library, library.foveal_attention(*call.inputs, byref(options), byref(call_result)), status)
            seen.append(word in error)

    output = numpy.zeros(call.output.shape, call.dtype)
    call_result = Result(output=pointer(output))
    threads = [
        threading.Thread(target=run, args=(b"cuasal", 2, "expected none, causal")),
        threading.Thread(target=run, args=(b"prefix(1000)", 3, "prefix")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 100 and all(seen)


def test_stop(library):
    query = numpy.ones((2, 4, 200, 16), numpy.float32)
    output = numpy.zeros_like(query)
    options = default_options(library)
    options.threads = 1
    asked = []
    options.stop = Stop(lambda user: asked.append(user) or len(asked) > 2)
    inputs = [byref(tensor(query))] * 3
    result = Result(output=pointer(output))
    check(library, library.foveal_attention(*inputs, byref(options), byref(result)), STOPPED)
    assert len(asked) == 3


def main():
    library = load(sys.argv[1])
    assert library.foveal_version() >= 256
    for test in (test_calls, test_plan, test_errors_of_threads, test_stop):
        test(library)
        print(f"{test.__name__}: good")


if __name__ == "__main__":
    main()
