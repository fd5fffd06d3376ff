"""foveal.torch.enable(): PyTorch's own calls, run here and not, are compared. Skipped without PyTorch."""

import contextlib
import itertools

import pytest
from reference import CASES, Draw

torch = pytest.importorskip("torch")
import foveal  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from foveal import _takeover, _takeover_rules, _torch_memory  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402

sdpa = F.scaled_dot_product_attention
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}


@pytest.fixture(autouse=True)
def off_at_the_end():
    yield
    foveal.torch.disable()


@pytest.fixture
def no_call_is_small(monkeypatch):
    monkeypatch.setattr(_takeover_rules, "SMALLEST_WORK", 0)
    monkeypatch.setattr(_takeover_rules, "SMALLEST_WORK_OF_FEW", 0)


def close(a, b, factor=1):
    assert a.shape == b.shape and a.dtype == b.dtype
    tolerance = factor * TOLERANCE[a.dtype]
    assert (a.double() - b.double()).abs().max().item() <= tolerance * max(1, b.double().abs().max().item())


def ran_here(operator="scaled_dot_product_attention"):
    return sum(row.calls for row in foveal.torch.report().rows if row.ran_here and row.operator == f"aten::{operator}")


def left():
    return {(row.operator.removeprefix("aten::"), row.reason) for row in foveal.torch.report().rows if not row.ran_here}


FLASH, BACKWARD = _takeover.FLASH, _takeover.FLASH_BACKWARD


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("seed", range(max(CASES // 10, 5)))
def test_calls_give_what_pytorchs_do(dtype, seed, no_call_is_small, monkeypatch):
    if seed % 2:  # results in the library's memory, as large ones are
        monkeypatch.setattr(_torch_memory, "_LARGE", 0)
    draw = Draw(300 + seed)
    batch, groups, times = draw.size(1, 3), draw.size(1, 3), draw.size(1, 3)
    queries, keys, width = draw.size(1, 40), draw.size(1, 40), draw.size(1, 33)
    out_width = draw.choice(width, width, draw.size(1, 33))

    def rows(heads, length, width):
        x = torch.from_numpy(draw.random.normal(size=(batch, length, heads, width))).to(dtype)
        return draw.choice(x.transpose(1, 2), x.transpose(1, 2).contiguous())

    q, k, v = rows(groups * times, queries, width), rows(groups, keys, width), rows(groups, keys, out_width)
    given = {"enable_gqa": True}
    kind = draw.choice("none", "causal", "bool", "float", "learned")
    scores = (draw.choice(1, batch), draw.choice(1, groups * times), queries, keys)[draw.choice(0, 1, 2) :]
    if kind == "causal":
        given["is_causal"] = True
    elif kind == "bool":
        given["attn_mask"] = torch.from_numpy(draw.random.random(scores) < 0.8)
    elif kind != "none":
        given["attn_mask"] = torch.from_numpy(draw.random.normal(size=scores)).to(dtype)
    if draw.size(0, 1):
        given["scale"] = 0.25
    results = []
    for on in (False, True):
        with foveal.torch.enable() if on else contextlib.nullcontext():
            leaves = [x.detach().clone(memory_format=torch.preserve_format).requires_grad_() for x in (q, k, v)]
            if kind == "learned":
                given["attn_mask"] = given["attn_mask"].detach().clone().requires_grad_()
                leaves.append(given["attn_mask"])
            output = sdpa(*leaves[:3], **given)
            weight = torch.linspace(-1, 1, output.numel(), dtype=torch.float64).reshape(output.shape).to(dtype)
            gradients = torch.autograd.grad((output * weight).sum(), leaves)
            with torch.no_grad():
                again = sdpa(*leaves[:3], **given)
            with torch.inference_mode():
                inference = sdpa(*leaves[:3], **given)
        results.append([output, again, inference, *gradients])
    rows = foveal.torch.report().rows
    assert rows and all(row.ran_here for row in rows), str(foveal.torch.report())
    for place, (ours, theirs) in enumerate(zip(*reversed(results))):
        close(ours, theirs, 1 if place < 3 else 5 * (4 if dtype.itemsize == 2 else 1))
    if out_width == width and kind in ("none", "causal"):
        assert results[0][0].stride() == results[1][0].stride()


@pytest.mark.parametrize("from_bytes", [0, 1 << 20])
def test_results_lie_as_pytorchs(from_bytes, no_call_is_small, monkeypatch):
    """So that what an unchanged program views can be viewed: transposed back to (B, L, E), or as (B H, L, D)."""
    monkeypatch.setattr(_torch_memory, "_LARGE", from_bytes)
    torch.manual_seed(3)
    rows = lambda width=16: torch.randn(2, 33, 4, width).transpose(1, 2)  # noqa: E731
    seen, added = torch.rand(33, 33) < 0.9, torch.randn(33, 33)
    calls = {
        "none": (rows(), {}),
        "bool": (rows(), {"attn_mask": seen}),
        "added": (rows(), {"attn_mask": added}),
        "causal": (rows(), {"is_causal": True}),
        "3-D": (rows(), {"attn_mask": seen.expand(4, 33, 33)}),
        "learned": (rows(), {"attn_mask": added.clone().requires_grad_()}),
        "every second number": (rows(32)[..., ::2], {}),
        "another width": (rows(8), {}),
    }
    for name, (value, given) in calls.items():
        leaves = [rows().requires_grad_(), rows().requires_grad_(), value.requires_grad_()]
        for gradients in (True, False):
            strides = []
            for on in (False, True):
                with foveal.torch.enable() if on else contextlib.nullcontext(), torch.set_grad_enabled(gradients):
                    output = sdpa(*leaves, **given)
                    strides.append([output.stride()])
                    # The plain path's gradients follow its products; the fused operator's are all alike.
                    if gradients and name in ("none", "bool", "added", "causal"):
                        strides[-1] += [g.stride() for g in torch.autograd.grad(output.sum(), leaves)]
            assert strides[0] == strides[1], (name, gradients)


def test_a_bool_mask_may_change_before_the_backward(no_call_is_small):
    torch.manual_seed(4)
    q, k, v = (torch.randn(2, 3, 9, 8, requires_grad=True) for _ in range(3))
    gradients = []
    for on in (False, True):
        with foveal.torch.enable() if on else contextlib.nullcontext():
            mask = torch.ones(9, 9, dtype=torch.bool).tril()
            output = sdpa(q, k, v, mask.expand(2, 3, 9, 9))
            mask.fill_(True)
            gradients.append(torch.autograd.grad(output.square().sum(), [q, k, v]))
    for ours, theirs in zip(*gradients):
        close(ours, theirs, 10)


def test_scales_that_we_refuse_and_tensors_without_memory(no_call_is_small):
    x = torch.randn(1, 2, 9, 8)
    zero = torch._efficientzerotensor((1, 2, 9, 8))
    for scale in (float("nan"), float("inf"), 1e39):
        expected = sdpa(x, x, x, scale=scale)
        with foveal.torch.enable():
            assert torch.equal(sdpa(x, x, x, scale=scale).isnan(), expected.isnan())
        assert left() == {(FLASH, _takeover_rules.SCALE)}
    with foveal.torch.enable():
        close(sdpa(x, x, zero), torch.zeros(1, 2, 9, 8))
    close(foveal.scaled_dot_product_attention(x, x, zero), torch.zeros(1, 2, 9, 8))


def test_large_results_lie_in_kept_memory():
    leaves = [torch.randn(2, 1024, 8, 128).transpose(1, 2).requires_grad_() for _ in range(3)]
    size = leaves[0].nbytes
    with foveal.torch.enable():
        for mask in (None, torch.rand(1024, 1024) < 0.9):
            foveal.release_memory()
            output = sdpa(*leaves, mask)
            gradients = torch.autograd.grad(output, leaves, output.detach())
            assert foveal.release_memory() < size  # workspaces
            del output, gradients
            assert foveal.release_memory() >= 4 * size
            with torch.no_grad():
                sdpa(*leaves, mask)
            assert foveal.release_memory() >= size


def test_small_calls_are_left():
    foveal.torch.enable()
    small, big = torch.randn(1, 2, 8, 8), torch.randn(1, 12, 128, 64)
    with torch.no_grad():
        sdpa(small, small, small)
        sdpa(big, big, big)
        sdpa(big, big, big)
    assert ran_here() == 2 and left() == {(FLASH, _takeover_rules.SMALL)}
    assert "2 calls query, key, value (1, 12, 128, 64)" in str(foveal.torch.report())
    assert "so small" in str(foveal.torch.report())


def test_the_report_counts_from_the_switch(no_call_is_small):
    with foveal.torch.enable():
        x = torch.randn(1, 12, 128, 64)
        sdpa(x, x, x)
    sdpa(x, x, x)
    assert ran_here() == 1  # still told after the end
    with foveal.torch.enable():
        assert foveal.torch.report().rows == ()
        assert "no call" in str(foveal.torch.report())
        for length in range(300, 1500):
            y = torch.zeros(1, 1, length, 4)
            sdpa(y[:, :, :150], y, y)
        (row,) = foveal.torch.report().rows
    assert row.calls == 1200 and len(row.shapes) == 1001 and row.shapes[0] == ((), 200)


def test_what_is_left_is_named(no_call_is_small):
    foveal.torch.enable()
    x = torch.randn(2, 4, 9, 8)
    with sdpa_kernel(SDPBackend.MATH):
        sdpa(x, x, x)
    sdpa(x[None], x[None], x[None])
    sdpa(x[:, :, :0], x, x)
    sdpa(x[..., :0], x[..., :0], x)  # PyTorch gives a mean of the values
    with pytest.raises(RuntimeError):
        sdpa(x, x, x, x[0, 0], is_causal=True)
    with pytest.raises(RuntimeError):
        sdpa(x, x[:, :3], x[:, :3])
    names = {reason for operator, reason in left() if operator == "scaled_dot_product_attention"}
    assert {_takeover_rules.BACKEND, _takeover_rules.RANK, _takeover_rules.EMPTY} <= names


def test_dropout_is_drawn_from_pytorchs_generator(no_call_is_small):
    foveal.torch.enable()
    q, k = torch.randn(2, 1, 2, 40, 8)
    v = torch.ones(1, 2, 40, 8, requires_grad=True)
    torch.manual_seed(3)
    first, second = sdpa(q, k, v, dropout_p=0.5), sdpa(q, k, v, dropout_p=0.5)
    torch.manual_seed(3)
    assert torch.equal(first, sdpa(q, k, v, dropout_p=0.5)) and not torch.equal(first, second)
    (gradient,) = torch.autograd.grad(first.sum(), v)  # the output is linear in value
    assert abs((gradient * v).sum().item() - first.sum().item()) < 1e-2
    many = torch.stack([sdpa(q, k, v, dropout_p=0.5) for _ in range(200)])
    assert (many.mean(0) - 1).abs().max() < 0.5 and abs(many.mean().item() - 1) < 0.01
    assert ran_here() == 203
    from torch.utils.checkpoint import checkpoint

    function = lambda x: sdpa(x, x, x, dropout_p=0.3)  # noqa: E731
    torch.manual_seed(1)
    kept = torch.autograd.grad(function(v).square().sum(), v)[0]
    torch.manual_seed(1)
    assert torch.equal(kept, torch.autograd.grad(checkpoint(function, v, use_reentrant=False).square().sum(), v)[0])
    torch.manual_seed(1)
    checkpoint(function, v, use_reentrant=True).square().sum().backward()
    assert torch.equal(kept, v.grad)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_transforms_and_autocast(no_call_is_small):
    x = torch.randn(3, 2, 4, 9, 8)
    mask = torch.rand(9, 9) < 0.9
    functions = [
        lambda y: sdpa(y, y, y, is_causal=True),
        lambda y: sdpa(y, y, y, mask),
        lambda y: sdpa(y, y, y[..., :5]),
    ]
    gradient = lambda f: torch.func.grad(lambda y: f(y).square().sum())  # noqa: E731
    for function, wrap in itertools.product(functions, (lambda f: f, gradient)):
        expected = torch.vmap(wrap(function))(x)
        with foveal.torch.enable():
            close(torch.vmap(wrap(function))(x), expected, 10)
            close(torch.stack([wrap(function)(y) for y in x]), expected, 10)
    with foveal.torch.enable(), torch.autocast("cpu", torch.bfloat16):
        y = x[0].clone().requires_grad_()
        output = sdpa(y, y, y)
        assert output.dtype == torch.bfloat16 and ran_here(FLASH) == 1
        assert torch.autograd.grad(output.float().sum(), y)[0].dtype == torch.float32


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_code_runs_here_while_it_is_on(backend, no_call_is_small):
    torch._dynamo.reset()
    function = torch.compile(lambda a: sdpa(a * 2, a, a, is_causal=True), fullgraph=True, backend=backend)
    x = torch.randn(2, 4, 33, 16)
    eager = sdpa(x * 2, x, x, is_causal=True)
    close(function(x), eager)
    leaf = x.clone().requires_grad_()
    for on in (True, False):  # what was compiled before follows the switch, and what was compiled after too
        with foveal.torch.enable() if on else contextlib.nullcontext():
            close(function(x), eager)
            output = function(leaf)
            output.sum().backward()
    assert ran_here(FLASH) == 2 and ran_here(BACKWARD) == 1


@pytest.mark.parametrize("what", ["dropout", "value of another width"])
def test_what_compiled_code_leaves_is_named(what, no_call_is_small):
    torch._dynamo.reset()
    given = {"dropout_p": 0.5} if what == "dropout" else {}
    width = 16 if what == "dropout" else 12
    function = torch.compile(lambda a: sdpa(a, a, a[..., :width], **given), fullgraph=True, backend="aot_eager")
    with foveal.torch.enable():
        function(torch.randn(2, 4, 33, 16, requires_grad=True)).sum().backward()
        assert left() == {("scaled_dot_product_attention", _takeover_rules.LOOKED_ON)}, str(foveal.torch.report())
        assert "traced" in str(foveal.torch.report()) and "(2, 4, 33, 16)" in str(foveal.torch.report())


@pytest.mark.parametrize("mask", ["none", "queries", "padding", "whole"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_heads_for_evaluation(mask, dtype, no_call_is_small):
    torch.manual_seed(2)
    layer = torch.nn.MultiheadAttention(48, 4, batch_first=True).eval().to(dtype)
    x = torch.randn(3, 17, 48).to(dtype)
    hidden = torch.rand(17, 17) < 0.3
    hidden.fill_diagonal_(False)
    hidden[0] = True  # for one query all keys are
    hidden[0, 3] = False
    padded = torch.arange(17)[None] >= torch.tensor([17, 9, 4])[:, None]
    given = {"none": {}, "queries": {"attn_mask": hidden}, "padding": {"key_padding_mask": padded}}
    given["whole"] = {**given["queries"], "key_padding_mask": padded} if mask == "whole" else {}
    with torch.no_grad():
        expected = layer(x, x, x, need_weights=False, **given[mask])[0]
        with foveal.torch.enable():
            output, weights = layer(x, x, x, need_weights=False, **given[mask])
            assert ran_here("_native_multi_head_attention") == 1 and weights is None
            layer(x, x, x, **given[mask])
            assert ("_native_multi_head_attention", _takeover_rules.WEIGHTS) in left()
    seen = expected.isfinite()
    close(torch.where(seen, output, 0), torch.where(seen, expected, 0), 5)


def test_heads_under_autocast(no_call_is_small):
    """It makes three tensors of the one."""
    torch.manual_seed(5)
    layer = torch.nn.MultiheadAttention(48, 4, batch_first=True).eval()
    x = torch.randn(3, 17, 48)
    padded = torch.arange(17)[None] >= torch.tensor([17, 9, 4])[:, None]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = layer(x, x, x, key_padding_mask=padded, need_weights=False)[0]
        with foveal.torch.enable():
            output = layer(x, x, x, key_padding_mask=padded, need_weights=False)[0]
    assert ran_here("_native_multi_head_attention") == 1 and not left()
    close(output, expected, 5)


def test_a_mask_that_pytorch_refuses_is_refused(no_call_is_small):
    """Not broadcast in silence."""
    layer = torch.nn.MultiheadAttention(48, 4, batch_first=True).eval()
    x = torch.randn(3, 17, 48)
    with torch.no_grad(), foveal.torch.enable():
        for shape in ((1, 17), (3, 1)):
            with pytest.raises(RuntimeError, match="mask shape should be"):
                layer(x, x, x, key_padding_mask=torch.zeros(shape, dtype=torch.bool), need_weights=False)
    assert left() == {("_native_multi_head_attention", _takeover_rules.MASK)}


def test_transformer_layers_train_and_evaluate():
    torch.manual_seed(1)
    layer = torch.nn.TransformerEncoderLayer(128, 8, 256, dropout=0.0, batch_first=True)
    x = torch.randn(4, 65, 128)
    results = []
    for on in (False, True):
        with foveal.torch.enable() if on else contextlib.nullcontext():
            layer.zero_grad()
            layer.train()(x).square().sum().backward()
            with torch.inference_mode():
                results.append([layer.eval()(x), *[p.grad.clone() for p in layer.parameters()]])
    for a, b in zip(*results):
        close(a, b, 20)
