#!/usr/bin/env python3
"""Writes tests/data/training_losses.json: the first losses of examples/train/ as PyTorch has them.

usage: training_fixture.py OUT.json      (needs torch; not needed to run the tests)

The model of examples/train/model.h, written again in PyTorch, from the same seed: the library draws
as PyTorch does with ATEN_CPU_CAPABILITY=default. Linear alone is drawn by its rule, as that capability
doesn't multiply and add in one rounding (docs/notation.md).
"""
import json
import math
import os
import pathlib
import sys

os.environ["ATEN_CPU_CAPABILITY"] = "default"
import torch  # noqa: E402
from torch import nn  # noqa: E402

TEXT = pathlib.Path(__file__).resolve().parents[2] / "examples/train/text.txt"
CONTEXT, WIDTH, HEADS, BLOCKS, BATCH = 64, 64, 4, 2, 16
SEED, STEPS, RATE = 1, 20, 2e-3


def drawn(shape, bound):
    low = torch.tensor(-bound).float().double()
    width = (torch.tensor(bound).float() - low.float()).double()
    return nn.Parameter((torch.rand(shape).double() * width + low).float())


def linear(d_in, d_out, bias=True):
    layer = nn.utils.skip_init(nn.Linear, d_in, d_out, bias=bias)
    layer.weight = drawn((d_out, d_in), math.sqrt(3.0) * (math.sqrt(2.0 / 6) / math.sqrt(d_in)))
    if bias:
        layer.bias = drawn((d_out,), 1 / math.sqrt(d_in))
    return layer


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.W_query, self.W_key, self.W_value = (linear(WIDTH, WIDTH, False) for _ in range(3))
        self.out_proj = linear(WIDTH, WIDTH)
        self.register_buffer("mask", torch.triu(torch.ones(CONTEXT, CONTEXT), 1))

    def forward(self, x):
        batch, length, _ = x.shape
        heads = lambda y: y.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)  # noqa: E731
        queries, keys, values = heads(self.W_query(x)), heads(self.W_key(x)), heads(self.W_value(x))
        scores = queries @ keys.transpose(2, 3) / keys.shape[-1] ** 0.5
        scores = scores.masked_fill(self.mask.bool()[:length, :length], -torch.inf)
        context = torch.softmax(scores, -1) @ values
        return self.out_proj(context.transpose(1, 2).reshape(batch, length, WIDTH))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.feed_forward = nn.Sequential(linear(WIDTH, 4 * WIDTH), nn.GELU(), linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))


class LanguageModel(nn.Module):
    def __init__(self, characters):
        super().__init__()
        self.token = nn.Embedding(characters, WIDTH)
        self.place = nn.Embedding(CONTEXT, WIDTH)
        with torch.no_grad():
            self.token.weight *= 0.02
            self.place.weight *= 0.02
        self.blocks = nn.Sequential(*[Block() for _ in range(BLOCKS)])
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, ids):
        x = self.token(ids) + self.place(torch.arange(ids.shape[1]))
        return self.norm(self.blocks(x)) @ self.token.weight.T


def losses():
    text = TEXT.read_text(encoding="ascii")
    characters = sorted(set(text))
    ids = torch.tensor([characters.index(character) for character in text])
    torch.manual_seed(SEED)
    model = LanguageModel(len(characters))
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE)
    for _ in range(STEPS):
        starts = torch.randint(0, len(ids) - CONTEXT, (BATCH,)).tolist()
        inputs = torch.stack([ids[start : start + CONTEXT] for start in starts])
        targets = torch.stack([ids[start + 1 : start + CONTEXT + 1] for start in starts])
        loss = nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        yield loss.item()


def main():
    result = {"source": f'PyTorch {torch.__version__.split("+")[0]}', "seed": SEED, "batch": BATCH,
              "learning_rate": RATE, "losses": list(losses())}
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write(json.dumps(result) + "\n")


main()
