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


@pytest.mark.parametrize("seed", range(60))
def test_the_formulas_output_is_the_engines(seed):
    call, tensors = generated(seed)
    with torch.no_grad(), forward_ad.dual_level():
        moving = [forward_ad.make_dual(x.detach(), torch.ones_like(x)) for x in tensors]
        close(forward_ad.unpack_dual(call(*moving)).primal, call(*tensors))


@pytest.mark.parametrize("places", [{"key_lengths": [5, 3]}, {"query_offset": [0, 2]}, {"query_offset": 3, "key_offset": 1}])
def test_distances_are_counted_from_places(places):
    query, key, slopes = torch.randn(2, 2, 3, 4), torch.randn(2, 2, 5, 4), torch.tensor([0.5, 2.0])
    with forward_ad.dual_level():
        moved = attend(forward_ad.make_dual(query, query), key, key, alibi_slopes=slopes, **places)
        close(forward_ad.unpack_dual(moved).primal, attend(query, key, key, alibi_slopes=slopes, **places), 1e-6)


def test_a_gradient_moves_with_what_it_is_given():
    x, tangent = leaf(1, 2, 5, 4), torch.randn(1, 2, 5, 4, dtype=torch.float64)
    output = ours(x, x, x)
    with forward_ad.dual_level():
        given = forward_ad.make_dual(torch.ones_like(tangent), tangent)
        (gradient,) = torch.autograd.grad(output, x, given, retain_graph=True)
        moved = forward_ad.unpack_dual(gradient)
    close(moved.primal, torch.autograd.grad(output, x, torch.ones_like(tangent), retain_graph=True)[0])
    close(moved.tangent, torch.autograd.grad(output, x, tangent)[0])


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


def test_forward_mode_refuses_what_a_call_refuses():
    x = torch.randn(1, 2, 5, 8)
    wrong = [
        lambda q: attend(q, x[..., :3], x),
        lambda q: attend(q, x.double(), x),
        lambda q: attend(q, x, x, torch.zeros(3, 1, 5, 5)),
        lambda q: attend(q, x, x, torch.zeros(5, 5, device="meta")),
        lambda q: attend(q, x, x, sinks=torch.ones(1)),
        lambda q: attend(q, x, x, alibi_slopes=torch.ones(2, 1)),
        lambda q: attend(q, x, x, softcap=-1.0),
        lambda q: attend(q, x, x, scale=float("nan")),
        lambda q: attend(q, x, x, target="none"),
        lambda q: attend(q[..., :0], x[..., :0], x),
    ]
    for call in wrong:
        with pytest.raises((ValueError, TypeError)) as error:
            call(x)
        with forward_ad.dual_level(), pytest.raises(error.type) as moved:
            call(forward_ad.make_dual(x, x))
        assert str(moved.value) == str(error.value)
    plan = foveal.plan(x.shape, x.shape, x.shape)
    with forward_ad.dual_level():
        assert torch.equal(plan.run(x, x, x), attend(x, x, x))
        with pytest.raises(ValueError, match="key has a tangent, but a plan records nothing"):
            plan.run(x, forward_ad.make_dual(x, x), x)


@pytest.mark.parametrize("held", [float("nan"), float("inf")])
@pytest.mark.parametrize("how", ["key_lengths", "attn_mask"])
def test_what_nobody_sees_may_hold_anything(held, how):
    query, key, value = (torch.randn(1, 2, 6, 4, dtype=torch.float64) for _ in range(3))
    visible = torch.ones(6, 6, dtype=torch.bool)
    visible[:, 4:] = visible[0] = False
    given = {"key_lengths": [4]} if how == "key_lengths" else {"attn_mask": visible}
    spoiled = [query.clone(), key.clone(), value.clone()]
    for x in spoiled[1:]:
        x[:, :, 4:] = held
    if how == "attn_mask":
        spoiled[0][:, :, 0] = held

    def derivatives(tensors):
        function = lambda *x: attend(*x, **given)  # noqa: E731
        moved = torch.func.jvp(function, tuple(tensors), tuple(torch.ones_like(x) for x in tensors))
        leaves = [x.clone().requires_grad_() for x in tensors]
        return [*moved, *penalty(function, leaves)]

    for got, want in zip(derivatives(spoiled), derivatives([query, key, value])):
        close(got, want)


def test_autocast_is_for_the_arguments_alone():
    x = torch.randn(1, 2, 40, 16) * 3
    narrow = x.bfloat16().requires_grad_()
    ones = torch.ones_like(narrow)

    def results(x):
        moved = torch.func.jvp(lambda y: attend(y, x, x), (x,), (ones.to(x.dtype),))
        first = torch.autograd.grad(attend(narrow, narrow, narrow), narrow, ones, create_graph=True)[0]
        return [*moved, *torch.autograd.grad(first, narrow, ones)]

    with torch.autocast("cpu", torch.bfloat16):
        under = results(x)
    for got, want in zip(under, results(narrow.detach())):
        assert torch.equal(got, want)


def test_batched_gradients_have_gradients():
    x = leaf(1, 2, 4, 3)
    output = ours(x, x, x)
    many = torch.randn(3, *output.shape, dtype=torch.float64)
    batched = torch.autograd.grad(output, x, many, is_grads_batched=True, create_graph=True)[0]
    each = [torch.autograd.grad(output, x, one, create_graph=True)[0] for one in many]
    close(batched, torch.stack(each))
    close(*[torch.autograd.grad(y.square().sum(), x, retain_graph=True)[0] for y in (batched, torch.stack(each))])


def test_shapes_without_numbers():
    x = torch.randn(1, 2, 5, 8, device="meta", requires_grad=True)
    made = penalty(lambda y: attend(y, y, y, dropout_p=0.5, alibi_slopes=y[0, :, 0, 0]), [x])
    assert [part.shape for part in made] == [x.shape]
    none = leaf(1, 2, 0, 8)
    for given in ({}, {"query_starts": [0], "key_starts": [0]}):
        assert torch.func.jvp(lambda y: attend(y, y, y, **given), (none,), (none,))[1].shape == none.shape
        assert penalty(lambda y: attend(y, y, y, **given), [none])[0].shape == none.shape


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
