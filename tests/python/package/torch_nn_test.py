"""foveal.nn.torch: drawn as PyTorch draws, the same numbers and gradients as plain PyTorch, and one
state_dict with foveal.nn."""

import copy
import io
import pickle

import foveal
import numpy as np
import pytest
import torch
from foveal import masks
from foveal.nn import torch as tnn

SIZES = {  # class: its arguments, and whether x has a batch axis
    "SelfAttention_v1": ((8, 6), False),
    "SelfAttention_v2": ((8, 6), False),
    "CausalAttention": ((8, 6, 9, 0.0), True),
    "CausalAttentionWithoutBuffers": ((8, 6, 9, 0.0), True),
    "MultiHeadAttentionWrapper": ((8, 6, 9, 0.0, 2), True),
    "MultiHeadAttentionWrapperWithProjection": ((8, 6, 9, 0.0, 2), True),
    "MultiHeadAttention": ((8, 6, 9, 0.0, 2), True),
}
VARIANTS = foveal.nn.variants.names()
EVERY = [*SIZES, *VARIANTS]


def make(name, seed=123, **more):
    """The same from NumPy's classes and from PyTorch's, and an x."""
    if name in SIZES:
        arguments, batched = SIZES[name]
        makers = getattr(foveal.nn, name), getattr(tnn, name)
    else:
        arguments, batched = (name, 8, 8, 9, 0.0, 2), True
        makers = foveal.nn.variants.make, tnn.variants.make
    foveal.manual_seed(seed)
    torch.manual_seed(seed)
    ours, theirs = (maker(*arguments, **more) for maker in makers)
    generator = torch.Generator().manual_seed(7)
    return ours, theirs, torch.randn(*([3] if batched else []), 7, 8, generator=generator)


def plain(module, x):
    """MultiHeadAttention as the chapter writes it."""
    batch, length, _ = x.shape

    def split(y):
        return y.view(batch, length, module.num_heads, -1).transpose(1, 2)

    queries, keys, values = split(module.W_query(x)), split(module.W_key(x)), split(module.W_value(x))
    scores = queries @ keys.transpose(2, 3)
    scores = scores.masked_fill(module.mask.bool()[:length, :length], -torch.inf)
    context = torch.softmax(scores / keys.shape[-1] ** 0.5, dim=-1) @ values
    return module.out_proj(context.transpose(1, 2).reshape(batch, length, -1))


@pytest.mark.parametrize("qkv_bias", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_the_same_draws_names_and_numbers(name, qkv_bias):
    if name == "SelfAttention_v1" and qkv_bias:
        return
    ours, theirs, x = make(name, **({"qkv_bias": True} if qkv_bias else {}))
    state = theirs.state_dict()
    assert list(state) == list(ours.state_dict())
    for key, array in ours.state_dict().items():
        np.testing.assert_array_equal(array, state[key].numpy(), err_msg=key)
    np.testing.assert_allclose(theirs(x).detach().numpy(), ours(x.numpy()), atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_state_goes_either_way(name):
    ours, _, x = make(name, 1)
    _, theirs, _ = make(name, 2)
    assert np.abs(ours(x.numpy()) - theirs(x).detach().numpy()).max() > 1e-3
    ours.load_state_dict(theirs.state_dict())
    np.testing.assert_allclose(ours(x.numpy()), theirs(x).detach().numpy(), atol=1e-5)
    theirs.load_state_dict({key: torch.from_numpy(array) for key, array in make(name, 3)[0].state_dict().items()})
    np.testing.assert_allclose(make(name, 3)[0](x.numpy()), theirs(x).detach().numpy(), atol=1e-5)


def test_gradients_are_plain_pytorchs():
    _, module, x = make("MultiHeadAttention", qkv_bias=True)
    x.requires_grad_()
    inputs = [x, *module.parameters()]
    ours = torch.autograd.grad(module(x).square().sum(), inputs)
    theirs = torch.autograd.grad(plain(module, x).square().sum(), inputs)
    for one, other in zip(ours, theirs):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", EVERY)
def test_every_parameter_has_a_gradient(name):
    _, module, x = make(name)
    module(x).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in module.parameters())


def test_the_nine_agree_under_one_set_of_weights():
    ours, _, x = make("chapter")
    for name in VARIANTS:
        numpys, theirs, _ = make(name)
        foveal.nn.variants.convert(ours, numpys)
        theirs.load_state_dict({key: torch.from_numpy(array) for key, array in numpys.state_dict().items()})
        np.testing.assert_allclose(theirs(x).detach().numpy(), ours(x.numpy()), atol=1e-5)


def test_the_mask_that_a_module_holds_is_the_one_that_counts():
    for name in ("CausalAttention", "MultiHeadAttention", "combined_qkv", "einsum", "fused_explicit_mask"):
        ours, theirs, x = make(name)
        mask = (1 - theirs.state_dict()["mask"].float()).tril(1) if name == "fused_explicit_mask" else None
        mask = torch.ones(9, 9).tril(1) if mask is None else mask
        mask = mask if name == "fused_explicit_mask" else 1 - mask
        state = {**theirs.state_dict(), "mask": mask}
        before = theirs(x)
        ours.load_state_dict(state)
        theirs.load_state_dict(state)
        assert not torch.equal(torch.nan_to_num(theirs(x)), before)
        if name != "fused_explicit_mask":
            np.testing.assert_allclose(theirs(x).detach().numpy(), ours(x.numpy()), atol=1e-5)


def test_mask_expression():
    mask = masks.causal() & masks.window(2, 0)
    x = torch.randn(2, 9, 8)
    module = tnn.variants.MaskExpression(8, 8, 9, 0.0, 2, mask=mask)
    changed = x.clone()
    changed[:, 0] += 1
    assert torch.equal(module(x)[:, 3:], module(changed)[:, 3:]) and not torch.equal(module(x), module(changed))


def test_dropout_in_training_alone():
    for name in ("MultiHeadAttention", "fused", "packed_projection_no_weights", "mask_expression"):
        _, module, x = make(name)
        if isinstance(getattr(module, "dropout", None), torch.nn.Dropout):
            module.dropout.p = 0.5
        else:
            module.multihead_attn.dropout = 0.5
        torch.manual_seed(1)
        first = module(x)
        assert not torch.equal(first, module(x))
        torch.manual_seed(1)
        assert torch.equal(first, module(x))
        module.eval()
        assert torch.equal(module(x), module(x))


def test_a_module_like_any_other():
    _, module, x = make("MultiHeadAttention")
    expected = module(x)
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(copied(x), expected)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    module.load_state_dict(torch.load(file))
    torch.testing.assert_close(module.double()(x.double()), expected.double(), atol=1e-5, rtol=1e-5)
    assert module.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


def test_it_compiles_whole():
    _, module, x = make("MultiHeadAttention")
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), module(x))
    compiled(x).sum().backward()
    assert module.W_query.weight.grad is not None


def test_functional_call_and_vmap():
    _, module, x = make("MultiHeadAttention")
    parameters = {key: 2 * value for key, value in module.state_dict().items() if key != "mask"}
    stacked = {key: torch.stack([value, 2 * value]) for key, value in module.state_dict().items() if key != "mask"}
    called = torch.func.vmap(lambda given: torch.func.functional_call(module, given, (x,)))(stacked)
    torch.testing.assert_close(called[0], module(x))
    torch.testing.assert_close(called[1], torch.func.functional_call(module, parameters, (x,)))


def test_it_learns():
    """To repeat the token before: a loss that falls by half."""
    torch.manual_seed(3)
    module = tnn.MultiHeadAttention(16, 16, 12, 0.0, 2)
    place = torch.randn(12, 16)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        tokens = torch.randn(8, 12, 16)
        loss = (module(tokens + place)[:, 1:] - tokens[:, :-1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_refused():
    for wrong, text in [
        (lambda: tnn.MultiHeadAttention(8, 5, 9, 0.0, 2), "d_out must be divisible by num_heads"),
        (lambda: tnn.variants.Fused(8, 5, 9, 0.0, 2), "Fused: d_out is 5 and num_heads 2"),
        (lambda: tnn.variants.PackedProjection(8, 4, 9, 0.0, 2), "d_in is 8 and d_out 4"),
        (lambda: tnn.variants.make("tenth", 8, 4, 9, 0.0, 2), "the nine are"),
        (lambda: tnn.MultiHeadAttention(8, 6, 3, 0.0, 2)(torch.randn(1, 4, 8)), "context_length, 3"),
        (lambda: tnn.CausalAttention(8, 6, 3, 0.0)(torch.randn(3, 8)), r"must be \(B, L, d_in\)"),
    ]:
        with pytest.raises(ValueError, match=text):
            wrong()
    with pytest.raises(TypeError, match="foveal.nn.torch has the same classes"):
        foveal.nn.SelfAttention_v1(8, 6)(torch.randn(3, 8))
