"""foveal.torch.flex against FlexAttention and plain arithmetic. Skipped without PyTorch."""

import pytest

torch = pytest.importorskip("torch")
import foveal  # noqa: E402
from foveal import masks, scores  # noqa: E402
from torch.nn.attention import flex_attention as theirs  # noqa: E402

LENGTH = 37


def tensors():
    torch.manual_seed(1)
    return [torch.randn(2, 4, LENGTH, 16, requires_grad=True) for _ in range(3)]


def compare(ours, other, leaves, tolerance=2e-4):
    weight = torch.linspace(-1, 1, ours.numel()).reshape(ours.shape)
    assert (ours - other).abs().max() < tolerance
    gradients = [torch.autograd.grad((output * weight).sum(), leaves) for output in (ours, other)]
    for a, b in zip(*gradients):
        assert (a - b).abs().max() < tolerance * 10


def test_score_mods_and_masks_are_flex_attentions():
    q, k, v = tensors()
    slopes = torch.tensor([0.5, 0.25, 0.125, 0.0625])
    bias = torch.randn(4, LENGTH, LENGTH, requires_grad=True)
    distance = (torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)).abs()
    mods = {
        "softcap": (scores.softcap(2.0), lambda s, b, h, i, j: 2 * torch.tanh(s / 2), [q, k, v]),
        "bias": (scores.bias(bias), None, [q, k, v, bias]),
        "alibi": (scores.alibi(slopes.tolist()), None, [q, k, v]),
        "all": (scores.softcap(2.0) + scores.bias(bias) + scores.alibi(slopes), None, [q, k, v, bias]),
    }
    visible = torch.ones(LENGTH, LENGTH).tril().triu(-5).bool()
    mask = masks.causal() & masks.window(5, 0)
    for name, (mod, function, leaves) in mods.items():
        ours = foveal.torch.flex(q, k, v, score_mod=mod, mask=mask)
        if function is not None:
            block = theirs.create_block_mask(
                lambda b, h, i, j: (i >= j) & (i - j <= 5), None, None, LENGTH, LENGTH, device="cpu"
            )
            with torch.no_grad():  # it has no backward on CPUs
                plain = [x.detach() for x in (q, k, v)]
                other = theirs.flex_attention(*plain, score_mod=function, block_mask=block)
            assert (ours - other).abs().max() < 2e-4
        s = q @ k.transpose(-1, -2) / 4
        if name in ("softcap", "all"):
            s = 2 * torch.tanh(s / 2)
        if name in ("bias", "all"):
            s = s + bias
        if name in ("alibi", "all"):
            s = s - slopes[:, None, None] * distance
        compare(ours, s.masked_fill(~visible, float("-inf")).softmax(-1) @ v, leaves)


def test_grouped_heads_scale_and_lse():
    q, k, v = tensors()
    result = foveal.torch.flex(q, k[:, :2], v[:, :2], mask="causal()", scale=0.3, enable_gqa=True, return_lse=True)
    other = torch.nn.functional.scaled_dot_product_attention(
        q, k[:, :2], v[:, :2], is_causal=True, scale=0.3, enable_gqa=True
    )
    compare(result.output, other, [q, k, v])
    assert result.lse.shape == (2, 4, LENGTH)


def test_block_masks():
    q, k, v = tensors()
    whole = torch.tensor([[[[1, 1, 0], [0, 1, 1], [1, 1, 1]]]])
    counts = whole.sum(-1).int()
    order = whole.argsort(stable=True, dim=-1, descending=True).int()
    block = theirs.BlockMask.from_kv_blocks(counts, order, BLOCK_SIZE=(16, 16), seq_lengths=(LENGTH, LENGTH))
    mask = masks.from_block_mask(block)
    visible = whole.bool().repeat_interleave(16, -2).repeat_interleave(16, -1)[..., :LENGTH, :LENGTH]
    assert torch.equal(mask.arrays[0], visible)
    other = torch.nn.functional.scaled_dot_product_attention(q, k, v, visible)
    compare(foveal.torch.flex(q, k, v, mask=block), other, [q, k, v])
    halves = theirs.create_block_mask(
        lambda b, h, i, j: (i < 128) == (j < 128), 2, 1, 256, 256, device="cpu"
    )  # every block is whole
    assert torch.equal(
        masks.from_block_mask(halves).arrays[0].expand(2, 1, 256, 256),
        theirs.create_mask(lambda b, h, i, j: (i < 128) == (j < 128), 2, 1, 256, 256, device="cpu"),
    )
    causal = theirs.create_block_mask(lambda b, h, i, j: i >= j, None, None, LENGTH, LENGTH, device="cpu")
    with pytest.raises(ValueError, match="blocks are seen in part"):
        masks.from_block_mask(causal)
    with pytest.raises(TypeError, match="give PyTorch's BlockMask"):
        masks.from_block_mask(visible)


def test_block_masks_whose_last_blocks_the_length_cuts():
    """PyTorch counts those among the ones seen in part."""
    kinds = {"documents": lambda b, h, i, j: (i // 64) == (j // 64), "heads": lambda b, h, i, j: (j // 64) <= h}
    for name, function in kinds.items():
        block = theirs.create_block_mask(function, None, 4, 200, 150, device="cpu", BLOCK_SIZE=64)
        assert int(block.kv_num_blocks.sum()) > 0
        expected = theirs.create_mask(function, 1, 4, 200, 150, device="cpu")
        assert torch.equal(masks.from_block_mask(block).arrays[0], expected), name


def test_blocks_seen_whole_are_not_asked_of_the_function():
    number, index = torch.ones(1, 1, 2, dtype=torch.int32), torch.zeros(1, 1, 2, 2, dtype=torch.int32)
    index[..., 0] = torch.tensor([0, 1])
    block = theirs.BlockMask.from_kv_blocks(
        number, index, number, index.flip(-2), BLOCK_SIZE=64, mask_mod=lambda b, h, i, j: i // 64 == j // 64,
        seq_lengths=(128, 128),
    )  # fmt: skip
    assert masks.from_block_mask(block).arrays[0].all()


def test_a_function_named_as_pytorchs_is_looked_at():
    def noop_mask(b, h, i, j):
        return i >= j

    block = theirs.create_block_mask(noop_mask, None, None, 256, 256, device="cpu")
    with pytest.raises(ValueError, match="blocks are seen in part"):
        masks.from_block_mask(block)


def test_functions_are_refused():
    q, k, v = tensors()
    with pytest.raises(TypeError, match="score_mod is a function: give an expression of foveal.scores"):
        foveal.torch.flex(q, k, v, score_mod=lambda s, b, h, i, j: s)
    with pytest.raises(TypeError, match="mask is a function: give an expression of foveal.masks"):
        foveal.torch.flex(q, k, v, mask=lambda b, h, i, j: i >= j)
