"""torch.compile, export and the checks of operators. Skipped where PyTorch isn't installed."""

import pytest

torch = pytest.importorskip("torch")
import foveal  # noqa: E402
from foveal import masks  # noqa: E402
from foveal._options import DEFAULT  # noqa: E402

attend = foveal.scaled_dot_product_attention
X = torch.randn(2, 4, 9, 8)
VISIBLE = torch.ones(9, 9).tril().bool()
LOCAL = masks.causal("top_left") & masks.window(4, 0)

FUNCTIONS = {
    "plain": lambda x: attend(x, x, x),
    "causal": lambda x: attend(x, x * 2, x, is_causal=True, scale=0.3),
    "expression": lambda x: attend(x, x, x, mask=LOCAL),
    "expression made inside": lambda x: attend(x, x, x, mask=masks.causal() & ~masks.window(2, 1) | masks.prefix(1)),
    "bool mask": lambda x: attend(x, x, x, VISIBLE),
    "bias": lambda x: attend(x, x, x, x @ x.transpose(-1, -2)),
    "rank 3": lambda x: attend(x[0], x[1], x[0]),
    "grouped": lambda x: attend(x, x[:, :2], x[:, 2:], enable_gqa=True),
    "lengths": lambda x: attend(x, x, x, key_lengths=[9, 4], query_offset=0),
    "slopes": lambda x: attend(x, x, x, alibi_slopes=x[0, :, 0, 0].abs(), sinks=x[0, :, 1, 1], softcap=2.0),
    "more": lambda x: attend(x, x, x, return_lse=True, statistics={"top_k": 2}).output,
    "seeded": lambda x: attend(x, x, x, dropout_p=0.5, seed=3),
}


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_compiles_whole(name, backend):
    if backend == "inductor" and name not in ("plain", "bias", "rank 3"):
        pytest.skip("one backend is enough for what is traced alike")
    function = FUNCTIONS[name]
    compiled = torch.compile(function, fullgraph=True, backend=backend)
    a, b = X.clone().requires_grad_(), X.clone().requires_grad_()
    ours, eager = compiled(a), function(b)
    assert torch.allclose(ours, eager, atol=1e-6)
    ours.square().sum().backward()
    eager.square().sum().backward()
    assert torch.allclose(a.grad, b.grad, atol=1e-4)
    with torch.no_grad():
        assert torch.allclose(compiled(X), function(X), atol=1e-6)


def test_dropout_is_drawn_anew_and_kept_for_the_backward():
    function = torch.compile(lambda x: attend(x, x, x, dropout_p=0.5), fullgraph=True, backend="aot_eager")
    assert not torch.equal(function(X), function(X))
    v = X.clone().requires_grad_()
    linear = torch.compile(lambda v: attend(X, X, v, dropout_p=0.5), fullgraph=True, backend="aot_eager")
    y = linear(v)
    y.sum().backward()
    assert abs((v.grad * v).sum().item() - y.sum().item()) < 1e-3  # the output is linear in value


def test_transforms_compile():
    # PyTorch 2.15 doesn't compile vmap of grad of any autograd.Function.
    gradient = torch.func.grad(lambda x: attend(x[0], x[1], x[2], is_causal=True).square().sum())
    batched = torch.vmap(lambda x: attend(x, x, x, VISIBLE))
    many = torch.randn(3, 2, 4, 9, 8)
    for function in (gradient, batched):
        compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
        assert torch.allclose(compiled(many), function(many), atol=1e-4)


def test_gradients_of_gradients_compile():
    grad, jacrev, jacfwd = torch.func.grad, torch.func.jacrev, torch.func.jacfwd
    length = lambda x: attend(x, x.roll(1, -2), x, is_causal=True).square().sum()  # noqa: E731
    penalty = grad(lambda x: grad(length)(x).square().sum())
    wide = X.double()
    small = lambda x: length(wide[:1] + x)  # noqa: E731
    for function, x in ((penalty, wide), (jacrev(jacrev(small)), wide[0, 0, 0]), (jacfwd(jacrev(small)), wide[0, 0, 0])):
        compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
        assert torch.allclose(compiled(x), function(x), atol=1e-8) and function(x).abs().max() > 0.1


def test_dynamic_shapes():
    function = torch.compile(
        lambda x: attend(x, x, x, is_causal=True), fullgraph=True, dynamic=True, backend="aot_eager"
    )
    for length in (5, 9, 17):
        x = torch.randn(2, 4, length, 8)
        assert torch.allclose(function(x), attend(x, x, x, is_causal=True), atol=1e-6)


def test_dynamic_numbers():
    """Numbers that a compiler doesn't know yet."""
    functions = (
        lambda x, n: attend(x, x, x, scale=1 / x.shape[-2]),
        lambda x, n: attend(x, x, x, mask=masks.causal(), query_offset=n),
        lambda x, n: attend(x, x, x, mask=masks.causal(), query_offset=n + 2, key_offset=n),
        lambda x, n: attend(x, x, x, key_lengths=[n, n + 1]),
        lambda x, n: attend(x, x, x, dropout_p=0.5, seed=n, offset=n),
    )
    for function in functions:
        compiled = torch.compile(function, fullgraph=True, dynamic=True, backend="aot_eager")
        for length, n in ((9, 3), (8, 5)):
            x = X[:, :, :length].clone().requires_grad_()
            assert torch.allclose(compiled(x, n), function(x, n), atol=1e-6)


def test_a_trace_keeps_the_call():
    function = lambda x: attend(x, 2 * x, x, VISIBLE) + x  # noqa: E731
    traced = torch.jit.trace(function, (X,))
    other = X.flip(2)
    assert torch.allclose(traced(other), function(other), atol=1e-6)


def test_a_module_exports():
    class Layer(torch.nn.Module):
        def forward(self, x):
            return attend(x, x, x, mask=LOCAL)

    program = torch.export.export(Layer(), (X,))
    assert torch.allclose(program.module()(X), Layer()(X), atol=1e-6)
    assert "foveal.attention" in str(program.graph)


CALLS = {
    "plain": ([None, None, None, [], None], DEFAULT._replace(return_lse=True)),
    "terms": (
        [torch.randn(9, 9), torch.rand(4), torch.rand(4), [VISIBLE], torch.tensor(3)],
        DEFAULT._replace(mask="dense(#)", dropout=0.3, return_lse=True, softcap=2.0),
    ),
    "statistics": (
        [None, None, None, [], None],
        DEFAULT._replace(
            return_lse=True, return_weights=True, top_k=2, entropy=True, maximum=True, column_mass=True, rows=(0, 3)
        ),
    ),
}


@pytest.mark.parametrize("name", list(CALLS))
def test_operators_pass_opcheck(name):
    terms, options = CALLS[name]
    call = (X, X * 2, X * 3, *terms, *options)
    torch.library.opcheck(torch.ops.foveal.attention.default, call)
    output, lse, *_ = torch.ops.foveal.attention(*call)
    asked = [term is not None for term in terms[:3]]
    back = (torch.ones_like(output), *call[:3], output, lse, *terms, *asked, *options)
    torch.library.opcheck(torch.ops.foveal.attention_backward.default, back)
