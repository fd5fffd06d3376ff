"""On PyTorch's tensors: its own function is the reference. Skipped where PyTorch isn't installed."""

import numpy as np
import pytest
from reference import CASES, Draw

torch = pytest.importorskip("torch")
import foveal  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from foveal import masks  # noqa: E402
from torch.testing._internal.two_tensor import TwoTensor  # noqa: E402

attend = foveal.scaled_dot_product_attention
theirs = F.scaled_dot_product_attention
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}


def tensors(draw, dtype=torch.float32):
    return [torch.from_numpy(draw.array(x.shape, "float64").copy()).to(dtype) for x in draw.qkv()]


def close(a, b, tolerance=None):
    assert a.shape == b.shape and a.dtype == b.dtype
    tolerance = tolerance or TOLERANCE[a.dtype]
    assert (a.double() - b.double()).abs().max().item() <= tolerance * max(1, b.double().abs().max().item())


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("seed", range(max(CASES // 10, 5)))
def test_output_and_gradients_are_pytorchs(dtype, seed):
    draw = Draw(100 + seed)
    q, k, v = tensors(draw, dtype)
    q, k, v = (draw.choice(x, x.transpose(1, 2).contiguous().transpose(1, 2)) for x in (q, k, v))
    shape = (draw.choice(1, q.shape[0]), draw.choice(1, q.shape[1]), q.shape[2], k.shape[2])
    given = {"enable_gqa": True}
    kind = draw.choice("none", "causal", "bool", "float")
    if kind == "causal":
        given["is_causal"] = True
    elif kind == "bool":
        given["attn_mask"] = torch.from_numpy(draw.random.random(shape) < 0.8)
        given["attn_mask"][..., 0] = True
    elif kind == "float":
        given["attn_mask"] = torch.from_numpy(draw.random.normal(size=shape)).to(dtype)
    if draw.size(0, 1):
        given["scale"] = 0.25
    leaves = [q, k, v] + ([given["attn_mask"]] if kind == "float" else [])
    results = []
    for function in (attend, theirs):
        own = [x.detach().clone(memory_format=torch.preserve_format).requires_grad_() for x in leaves]
        if kind == "float":
            given["attn_mask"] = own[3]
        output = function(*own[:3], **given)
        weight = torch.linspace(-1, 1, output.numel(), dtype=torch.float64).reshape(output.shape).to(dtype)
        results.append([output, *torch.autograd.grad((output * weight).sum(), own)])
    for name, ours, other in zip(("output", "q", "k", "v", "attn_mask"), *results):
        close(ours, other, TOLERANCE[dtype] * (1 if name == "output" else 5 * (4 if dtype.itemsize == 2 else 1)))


@pytest.mark.parametrize("shape", [(5, 8), (3, 5, 8), (2, 3, 4, 5, 8)])
def test_leading_axes(shape):
    q, k, v = (torch.randn(shape, requires_grad=True) for _ in range(3))
    close(attend(q, k, v, is_causal=True), theirs(q, k, v, is_causal=True))
    mask = torch.rand(shape[:-1] + (5,)) < 0.9
    mask[..., 0] = True
    ours = torch.autograd.grad(attend(q, k, v, mask).square().sum(), (q, k, v))
    for a, b in zip(ours, torch.autograd.grad(theirs(q, k, v, mask).square().sum(), (q, k, v))):
        close(a, b, 1e-4)
    wide = torch.randn((4, 1, 2, 3, 1, 5, 8), requires_grad=True)
    small = torch.randn((2, 1, 6, 7, 8), requires_grad=True)
    ours, other = attend(wide, small, small), theirs(wide, small, small)
    close(ours, other)
    for a, b in zip(torch.autograd.grad(ours.sum(), (wide, small)), torch.autograd.grad(other.sum(), (wide, small))):
        close(a, b, 1e-4)


def test_gradients_by_differences():
    draw = Draw(5)
    q, k, v = (torch.from_numpy(draw.array((2, 2, 4, 3), "float64").copy()).requires_grad_() for _ in range(3))
    bias = torch.randn(2, 4, 4, dtype=torch.float64, requires_grad=True)
    slopes = torch.rand(2, dtype=torch.float64, requires_grad=True)
    sinks = torch.randn(2, dtype=torch.float64, requires_grad=True)
    check = torch.autograd.gradcheck
    assert check(
        lambda *x: attend(*x[:4], mask=masks.window(2, 1), alibi_slopes=x[4], sinks=x[5], softcap=3.0),
        (q, k, v, bias, slopes, sinks),
    )
    assert check(lambda x: attend(x, x, x, is_causal=True), (q,))
    assert check(lambda x, y: attend(x, y, y, dropout_p=0.4, seed=7), (q, k))
    assert check(lambda x, y: attend(x, y, y, key_lengths=[3, 4], query_offset=0, return_lse=True).output, (q, k))
    assert check(lambda x: attend(x, x, x, mask=masks.dense(torch.ones(4, 4).tril().bool())), (q,))


def test_only_the_output_has_a_gradient():
    x = torch.randn(1, 2, 5, 8, requires_grad=True)
    result = attend(
        x, x, x, return_lse=True, return_weights=True, statistics={"top_k": 2, "entropy": True, "rows": [1]}
    )
    assert result.output.requires_grad
    others = [result.lse, result.weights, *[s for s in result.statistics if s is not None]]
    assert len(others) == 6 and not any(other.requires_grad for other in others)
    weights = (x @ x.transpose(-1, -2) / 8**0.5).softmax(-1)
    close(result.weights, weights.detach())
    with torch.no_grad():
        assert not attend(x, x, x).requires_grad
    with torch.inference_mode():
        close(attend(x, x, x), result.output.detach())
    only = torch.randn(1, 2, 5, 8)
    y = attend(only, only, x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.shape == x.shape


def test_func_transforms():
    x = torch.randn(6, 2, 4, 9, 8)
    bias = torch.randn(6, 4, 9, 9)
    places = dict(key_lengths=[9, 4]), dict(mask=masks.padding([5, 9]))
    for given in (dict(is_causal=True), dict(dropout_p=0.5, seed=3), *places):
        function = lambda y: attend(y, y, y, **given)  # noqa: E731
        close(torch.vmap(function)(x), torch.stack([function(y) for y in x]))
        gradient = torch.func.grad(lambda y: function(y).square().sum())
        close(torch.vmap(gradient)(x), torch.stack([gradient(y) for y in x]), 1e-4)
    function = lambda y, b: attend(y, x[0], x[1], b)  # noqa: E731
    close(
        torch.vmap(function, in_dims=(1, 0))(x.transpose(0, 1), bias),
        torch.stack([function(y, b) for y, b in zip(x, bias)]),
    )
    gradient = torch.func.grad(lambda y, b: function(y, b).square().sum(), argnums=(0, 1))
    for a, b in zip(torch.vmap(gradient)(x, bias), zip(*[gradient(y, b) for y, b in zip(x, bias)])):
        close(a, torch.stack(b), 1e-4)
    value, back = torch.func.vjp(lambda y: attend(y, y, y), x[0])
    (ours,) = back(torch.ones_like(value))
    y = x[0].clone().requires_grad_()
    close(ours, torch.autograd.grad(theirs(y, y, y).sum(), y)[0], 1e-4)
    jacobian = torch.func.jacrev(lambda y: attend(y, y, y))(x[0, :1, :1, :3])
    assert jacobian.shape == (1, 1, 3, 8) * 2


def test_autocast_and_checkpoint():
    x = torch.randn(2, 4, 9, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = attend(x, x.double().float(), x)
        assert y.dtype == torch.bfloat16
    (gradient,) = torch.autograd.grad(y.float().sum(), x)
    assert gradient.dtype == torch.float32
    from torch.utils.checkpoint import checkpoint

    def function(t):
        return attend(t, t, t, dropout_p=0.3)

    torch.manual_seed(1)
    kept = torch.autograd.grad(function(x).square().sum(), x)[0]
    torch.manual_seed(1)
    again = torch.autograd.grad(checkpoint(function, x, use_reentrant=False).square().sum(), x)[0]
    assert torch.equal(kept, again)


def test_dropout_draws_from_pytorchs_generator():
    x = torch.randn(1, 2, 8, 8)
    torch.manual_seed(3)
    first, second = attend(x, x, x, dropout_p=0.5), attend(x, x, x, dropout_p=0.5)
    torch.manual_seed(3)
    assert torch.equal(first, attend(x, x, x, dropout_p=0.5)) and not torch.equal(first, second)
    array = x.numpy()
    assert np.array_equal(
        attend(x, x, x, dropout_p=0.5, seed=2**63 + 1).numpy(),
        attend(array, array, array, dropout_p=0.5, seed=2**63 + 1),
    )
    y = x.clone().requires_grad_()
    torch.manual_seed(3)
    assert torch.equal(attend(y, y, y, dropout_p=0.5), first)


def test_the_default_device_is_for_new_tensors_alone():
    x = torch.randn(1, 2, 8, 8)
    try:
        torch.set_default_device("meta")
        assert attend(x, x, x, dropout_p=0.1).device == x.device
        moved = torch.func.jvp(lambda y: attend(y, x, x, dropout_p=0.1, seed=3), (x,), (x,))[1]
        assert moved.device == x.device
    finally:
        torch.set_default_device(None)


def test_memory_that_is_not_aligned():
    """Read by a copy, as NumPy's; not written to."""
    x = torch.randn(1, 2, 6, 8)
    odd = torch.frombuffer(bytearray(x.numel() * 4 + 1), dtype=torch.float32, offset=1).reshape(x.shape).copy_(x)
    assert odd.data_ptr() % 4 == 1
    expected = attend(x, x, x)
    assert torch.equal(attend(odd, odd, odd), expected)
    assert torch.equal(foveal.plan(x.shape, x.shape, x.shape).run(x, odd, odd), expected)
    leaf = odd.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(attend(leaf, odd, odd).square().sum(), leaf)
    (wanted,) = torch.autograd.grad(attend(leaf, x, x).square().sum(), leaf)
    assert torch.equal(gradient, wanted)
    with pytest.raises(ValueError, match="out isn't aligned"):
        attend(x, x, x, out=odd)
    with pytest.raises(ValueError, match="key is a tensor without memory"):
        foveal.plan(x.shape, x.shape, x.shape).run(x, torch._efficientzerotensor(x.shape), x)
    assert torch.equal(attend(x, torch._efficientzerotensor(x.shape), x), attend(x, torch.zeros_like(x), x))


def test_out_and_plans():
    x = torch.randn(2, 4, 9, 8)
    rows = torch.zeros(2, 9, 4, 8)
    out = rows.transpose(1, 2)
    assert attend(x, x, x, out=out) is out and torch.equal(rows.transpose(1, 2), attend(x, x, x))
    flat = torch.empty(8, 9, 8)
    assert attend(*[x.reshape(8, 9, 8)] * 3, out=flat, return_lse=True).output is flat
    assert torch.equal(flat.reshape(2, 4, 9, 8), out)
    deep, turned = torch.randn(2, 3, 4, 9, 8), torch.empty(3, 2, 4, 9, 8).transpose(0, 1)  # no view of rank 4
    assert attend(deep, deep, deep, out=turned) is turned and torch.equal(turned, attend(deep, deep, deep))
    with pytest.raises(ValueError, match="out has dtype torch.float64"):
        attend(deep, deep, deep, out=turned.double())
    y = x.clone().requires_grad_()
    with pytest.raises(ValueError, match="isn't recorded"):
        attend(y, y, y, out=out)
    plan = foveal.plan(x.shape, x.shape, x.shape, torch.float32, is_causal=True)
    assert torch.equal(plan.run(x, x, x), attend(x, x, x, is_causal=True))
    with pytest.raises(ValueError, match="records nothing"):
        plan.run(y, y, y)


X = torch.randn(1, 2, 5, 8)


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda: attend(X, X, X.double()), TypeError, "value has dtype float64 but query has float32"),
        (lambda: attend(X.int(), X.int(), X.int()), TypeError, "query has dtype int32"),
        (lambda: attend(X, X.numpy(), X), TypeError, "key is a ndarray"),
        (lambda: attend(X.numpy(), X.numpy(), X), TypeError, "value"),
        (lambda: attend(X, X, X, torch.ones(5, 5, dtype=torch.int32)), TypeError, "attn_mask has dtype int32"),
        (lambda: attend(X, X, X, torch.ones(4, 5)), ValueError, "attn_mask has shape"),
        (lambda: attend(X, X[..., :4], X), ValueError, "head sizes"),
        (lambda: attend(X, X[:, :1].expand(1, 3, 5, 8), X), ValueError, "."),
        (lambda: attend(X.to_sparse(), X, X), TypeError, "query has layout torch.sparse_coo"),
        (lambda: attend(X, X, X.to_mkldnn()), TypeError, "value has layout torch._mkldnn"),
        (lambda: attend(*[torch.nested.nested_tensor([X[0]] * 2)] * 3), TypeError, "query is nested"),
        (lambda: attend(*[torch.nested.nested_tensor([X[0]] * 2, layout=torch.jagged)] * 3), TypeError, "is nested"),
        (lambda: attend(X, torch.quantize_per_tensor(X, 0.1, 0, torch.qint8), X), TypeError, "key has dtype qint8"),
        (lambda: attend(X.to(torch.complex64), X, X), TypeError, "query has dtype complex64"),
        (lambda: attend(X, X.to("meta"), X), ValueError, "key is on meta but query on cpu"),
        (lambda: attend(X, X, X, torch.ones(5, 5, device="meta")), ValueError, "attn_mask is on meta but query on cpu"),
        (lambda: attend(*[X.to("meta")] * 2, X.to("meta")[:, :, :3]), ValueError, "numbers of keys must match"),
        (lambda: attend(X, X, X, out=X.numpy()), TypeError, "out is a ndarray"),
        (lambda: attend(X, X, X, out=X.to("meta")), ValueError, "out is on meta"),
        (lambda: attend(X[0], X[0], X[0], out=X[0]), ValueError, "out shares memory with query"),
        (lambda: attend(X[0], X[0], X[0], out=X[0].double()), ValueError, "out has shape .* float64"),
        (lambda: attend(X, X, X, scale=torch.tensor(1.0, requires_grad=True)), TypeError, "scale requires a gradient"),
        (lambda: attend(X, X, X, dropout_p=0.5, seed=torch.rand(2)), TypeError, "seed has shape"),
        (lambda: attend(X, X, X, key_lengths=[]), ValueError, "key_lengths has 0 numbers but the batch has 1"),
        (lambda: attend(X, X, X, key_lengths=torch.ones(1, device="meta").long()), ValueError, "key_lengths is on meta"),
        (lambda: foveal.plan(X.shape, X.shape, X.shape).run(X, X, X.numpy()), TypeError, "value is a ndarray"),
        (lambda: foveal.plan(X.shape, X.shape, X.shape).run(*[X.to("meta")] * 3), ValueError, "query is on meta"),
        (
            lambda: foveal.plan(X.shape, X.shape, X.shape, attn_mask=torch.zeros(5, 5, requires_grad=True)).run(X, X, X),
            ValueError,
            "records nothing",
        ),
    ],
)
def test_what_does_not_fit(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_meta_tensors_and_odd_ones():
    meta = X.to("meta")
    result = attend(meta, meta, meta, return_lse=True)
    assert result.output.device.type == "meta" and result.output.shape == X.shape and result.lse.shape == (1, 2, 5)
    imaginary = torch.randn(1, 2, 5, 8, dtype=torch.complex64).conj().imag
    assert imaginary.is_neg()
    close(attend(imaginary, X, X), theirs(imaginary.resolve_neg(), X, X))
    wide = torch.randn(1, 2, 5, 16)[..., ::2]
    close(attend(wide, X, X), theirs(wide.contiguous(), X, X))
    empty = torch.randn(1, 2, 0, 8, requires_grad=True)
    assert attend(empty, X, X).shape == (1, 2, 0, 8)
    y = X.clone().requires_grad_()
    attend(y, empty, empty).sum().backward()
    assert not y.grad.any()
    bias = torch.randn(5, 5)
    two = TwoTensor(bias, bias)  # a subclass that has no memory of its own
    close(attend(X, X, X, two).a, attend(X, X, X, bias))
    close(attend(X, X, X, mask=masks.dense(TwoTensor(bias > 0, bias > 0))).a, attend(X, X, X, bias > 0))
    parameter = torch.nn.Parameter(X)
    assert attend(parameter, X, X).requires_grad
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False):
        close(attend(X, X, X), theirs(X, X, X))


def test_by_capsules_too():
    """As with a PyTorch that has no __dlpack_c_exchange_api__."""
    from foveal import _foveal
    from torch.utils.dlpack import from_dlpack, to_dlpack

    bias, shared = torch.randn(5, 5, requires_grad=True), X.clone().requires_grad_()
    wrong = [X.to_sparse(), X.to("meta"), X.to(torch.complex64)]

    def results():
        output = attend(shared, X, X[:, :1].expand(1, 2, 5, 8), bias)
        gradients = torch.autograd.grad(output.square().sum(), (shared, bias))
        texts = []
        for each in wrong:
            with pytest.raises((TypeError, ValueError)) as error:
                foveal.plan(X.shape, X.shape, X.shape).run(X, each, X)
            texts.append(str(error.value))
        return [output, *gradients], texts

    by_table, texts = results()
    before = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    try:
        _foveal.set_torch(to_dlpack, from_dlpack, None)
        by_capsule, same_texts = results()
    finally:
        _foveal.set_torch(to_dlpack, getattr(torch._C, "_from_dlpack", from_dlpack), before)
    assert texts == same_texts
    for ours, other in zip(by_table, by_capsule):
        assert torch.equal(ours, other) and ours.stride() == other.stride()


def test_threads_are_pytorchs():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert foveal.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_a_plan_keeps_the_memory_of_its_terms():
    query = torch.randn(1, 2, 300, 16)
    bias = torch.zeros(1, 2, 300, 300)
    plan = foveal.plan(query.shape, query.shape, query.shape, attn_mask=bias)
    before = plan.run(query, query, query)
    bias.data = torch.full((1,), 7.0)  # the memory is the plan's alone now
    noise = torch.randn(1, 2, 300, 300)
    assert torch.equal(plan.run(query, query, query), before) and noise is not None


def test_tensors_whose_sign_waits_are_read_with_it():
    negative = torch.randn(1, 2, 40, 40, dtype=torch.complex64).conj().imag
    query = torch.randn(1, 2, 40, 8)
    assert negative.is_neg()
    expected = foveal.scaled_dot_product_attention(query, query, query, negative.resolve_neg().contiguous())
    assert torch.allclose(foveal.scaled_dot_product_attention(query, query, query, negative), expected, atol=1e-6)
    plan = foveal.plan(query.shape, query.shape, query.shape, attn_mask=negative)
    assert torch.allclose(plan.run(query, query, query), expected, atol=1e-6)
