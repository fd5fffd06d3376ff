"""Derivatives of derivatives, and forward mode: held to differences, and to PyTorch's plain path. Skipped
without PyTorch."""

import pytest
from reference import CASES, Draw

torch = pytest.importorskip("torch")
import foveal  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from foveal import _takeover_rules, masks  # noqa: E402
from torch.autograd import forward_ad, gradcheck, gradgradcheck  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402

attend = foveal.scaled_dot_product_attention


def leaf(*shape):
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def close(a, b, tolerance=1e-12):
    assert a.shape == b.shape
    assert (a - b).abs().max().item() <= tolerance * max(1, b.abs().max().item())


def generated(seed):
    """A call with some of all that a call may have: a function of its tensors, and those."""
    draw = Draw(seed)
    torch.manual_seed(seed)
    kv, batch = draw.size(1, 2), draw.size(1, 2)
    heads, queries, keys, d = kv * draw.size(1, 2), draw.size(1, 3), draw.size(1, 4), draw.size(1, 3)
    given = {"scale": draw.choice(None, 0.7), "softcap": draw.choice(0, 2.0), "seed": 5}
    given["dropout_p"] = draw.choice(0.0, 0.0, 0.4, 1.0)
    given["mask"] = draw.choice(None, masks.window(1, 1), masks.dense(torch.rand(batch, 1, queries, keys) < 0.6))
    places = draw.choice({}, {"query_offset": 1, "key_offset": 2}, {"query_offset": list(range(batch))}, {"key_lengths": 1})
    if "key_lengths" in places:
        places = {"key_lengths": [draw.size(0, keys) for _ in range(batch)], "query_offset": draw.choice(None, 0)}
    if draw.size(0, 3) == 0:
        batch, given["mask"] = 1, draw.choice(None, masks.window(1, 1))
        places = {"query_starts": [0, queries // 2, queries], "key_starts": [0, keys // 3, keys]}
    given |= places
    tensors = [leaf(batch, heads, queries, d), leaf(batch, kv, keys, d), leaf(batch, kv, keys, draw.size(1, 3))]
    shapes = {"attn_mask": (heads, 1, keys), "alibi_slopes": (heads,), "sinks": (heads,)}
    if "query_starts" in places:  # an axis of its own is as long as each sequence
        shapes["attn_mask"] = (heads, 1, 1)
    names = [name for name in shapes if draw.size(0, 1)]
    terms = [leaf(*shapes[name]) for name in names]

    def call(query, key, value, *others):
        return attend(query, key, value, **dict(zip(names, others)), **given, enable_gqa=True)

    return call, [*tensors, *terms]


@pytest.mark.parametrize("seed", range(max(CASES // 10, 8)))
def test_differences_agree(seed):
    call, tensors = generated(seed)
    assert gradcheck(call, tensors, check_forward_ad=True, check_batched_grad=True, fast_mode=True)
    assert gradgradcheck(call, tensors, check_fwd_over_rev=True, fast_mode=True)


def plain(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def ours(query, key, value):
    return attend(query, key, value, is_causal=True)


def test_transforms_in_any_order_are_pytorchs():
    func = torch.func
    query, key, value, tangent = (torch.randn(1, 2, 4, 3, dtype=torch.float64) for _ in range(4))
    with sdpa_kernel(SDPBackend.MATH):
        want = func.hessian(lambda x: plain(x, key, x).square().sum())(query)
        moved = func.jvp(lambda x: plain(x, key, value), (query,), (tangent,))
    function = lambda x: ours(x, key, x).square().sum()  # noqa: E731
    for outer in (func.jacfwd, func.jacrev):
        for inner in (func.jacfwd, func.jacrev):
            close(outer(inner(function))(query), want)
    close(func.hessian(function)(query), want)
    for got, wanted in zip(func.jvp(lambda x: ours(x, key, value), (query,), (tangent,)), moved):
        close(got, wanted)
    third = func.jacrev(func.jacfwd(func.grad(lambda x: ours(x, key, value)[0, 0, 3, 0])))(query)
    with sdpa_kernel(SDPBackend.MATH):
        close(third, func.jacrev(func.jacrev(func.jacrev(lambda x: plain(x, key, value)[0, 0, 3, 0])))(query))
    batch = torch.stack([query, key])
    each = torch.stack([func.hessian(function)(x) for x in batch])
    close(torch.vmap(func.hessian(function))(batch), each)


def test_jacobians_of_autograd():
    query, key, value = (torch.randn(1, 2, 4, 3, dtype=torch.float64) for _ in range(3))
    jacobian, hessian = torch.autograd.functional.jacobian, torch.autograd.functional.hessian
    function = lambda x: ours(x, key, value)  # noqa: E731
    want = jacobian(function, query)
    close(jacobian(function, query, vectorize=True), want)
    close(jacobian(function, query, vectorize=True, strategy="forward-mode"), want)
    summed = lambda x: function(x).square().sum()  # noqa: E731
    want = torch.func.hessian(summed)(query)
    close(hessian(summed, query), want)
    close(hessian(summed, query, vectorize=True), want)
    close(hessian(summed, query, vectorize=True, outer_jacobian_strategy="forward-mode"), want)


def test_forward_mode_moves_the_output_alone():
    x, tangent = torch.randn(1, 2, 4, 8), torch.randn(1, 2, 4, 8)
    asked = {"return_lse": True, "return_weights": True, "statistics": {"top_k": 2, "entropy": True, "rows": [1]}}
    still = attend(x, x, x, **asked)
    with forward_ad.dual_level():
        assert forward_ad.unpack_dual(attend(x, x, x)).tangent is None
        result = attend(x, forward_ad.make_dual(x, tangent), x, **asked)
        assert forward_ad.unpack_dual(result.output).tangent is not None
        others = [result.lse, result.weights, *[part for part in result.statistics if part is not None]]
        assert len(others) == 6 and all(forward_ad.unpack_dual(other).tangent is None for other in others)
        assert (result.output - still.output).abs().max() < 1e-6
        assert torch.equal(result.lse, still.lse)
        with pytest.raises(ValueError, match="out is given"):
            attend(x, forward_ad.make_dual(x, tangent), x, out=torch.empty_like(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_dtypes(dtype):
    wide = [torch.randn(1, 2, 5, 4, dtype=torch.float64) for _ in range(3)]
    tolerance = 1e-4 if dtype == torch.float32 else 0.1
    with sdpa_kernel(SDPBackend.MATH):
        want = torch.func.grad(lambda x: torch.func.grad(lambda y: plain(y, *wide[1:]).square().sum())(x).square().sum())
        want = want(wide[0].to(dtype).double())
    narrow = [x.to(dtype) for x in wide]
    second = torch.func.grad(
        lambda x: torch.func.grad(lambda y: ours(y, *narrow[1:]).float().square().sum())(x).float().square().sum()
    )(narrow[0])
    assert second.dtype == dtype
    close(second.double(), want, tolerance)


def penalty(function, tensors):
    """The gradients of a gradient's length."""
    first = torch.autograd.grad(function(*tensors).square().sum(), tensors, create_graph=True)
    return torch.autograd.grad(sum(part.square().sum() for part in first), tensors)


@pytest.mark.parametrize("kind", ["learned mask", "d_v"])
def test_a_taken_over_call_knows_them_where_pytorchs_does(kind, monkeypatch):
    monkeypatch.setattr(_takeover_rules, "SMALLEST_WORK", 0)
    tensors = [leaf(1, 2, 5, 4), leaf(1, 2, 5, 4), leaf(1, 2, 5, 3 if kind == "d_v" else 4)]
    if kind == "learned mask":
        tensors.append(leaf(2, 5, 5))
    want = penalty(F.scaled_dot_product_attention, tensors)
    with foveal.torch.enable():
        got = penalty(F.scaled_dot_product_attention, tensors)
        assert any(row.ran_here for row in foveal.torch.report().rows)
    for a, b in zip(got, want):
        close(a, b)
