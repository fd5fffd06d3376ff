"""PyTorch's nine variants of multi-head attention, asked by `foveal compare --with torch`.

Reads one question a line from standard input and answers each with one line of JSON, after which
bytes may follow.
"""

import ctypes
import json
import os
import select
import sys
import time

try:  # ends with the process that started it
    ctypes.CDLL(None).prctl(1, 9)
except (AttributeError, OSError):
    pass
hung_up = select.poll()
hung_up.register(0, 0)
if hung_up.poll(0):  # that process ended before
    sys.exit(0)

answers_out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # whatever a library prints is no answer


def answer(reply, data=b""):
    answers_out.write(json.dumps(dict(reply, bytes=len(data))).encode() + b"\n" + data)
    answers_out.flush()


try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ModuleNotFoundError as error:
    answer({"missing": str(error)})
    sys.exit(0)
except Exception as error:  # pylint: disable=broad-except
    answer({"broken": f"{type(error).__name__}: {error}".splitlines()[0]})
    sys.exit(0)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}


def read_tensors(data):
    """Named float32 tensors from the bytes of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        numbers = torch.frombuffer(bytearray(data[8 + length + begin : 8 + length + end]), dtype=torch.float32)
        tensors[name] = numbers.reshape(entry["shape"])
    return tensors


def write_tensors(tensors):
    header, parts, place = {}, [], 0
    for name, tensor in tensors.items():
        tensor = tensor.detach().to(torch.float32).contiguous()
        size = tensor.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [place, place + size]}
        parts.append(ctypes.string_at(tensor.data_ptr(), size))
        place += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


class Variant(nn.Module):
    """Shapes, and the chapter's mask: True where a key comes after the query."""

    def __init__(self, settings):
        super().__init__()
        self.width, self.heads = settings["width"], settings["heads"]
        self.size = self.width // self.heads
        length = settings["tokens"]
        self.register_buffer("drop", torch.triu(torch.ones(length, length), diagonal=1).bool(), persistent=False)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, self.size).transpose(1, 2)

    def join(self, context):
        return context.transpose(1, 2).contiguous().view(context.shape[0], context.shape[2], self.width)

    def step_by_step(self, queries, keys, values):
        scores = queries @ keys.transpose(2, 3)
        length = queries.shape[2]
        scores.masked_fill_(self.drop[:length, :length], -torch.inf)
        return torch.softmax(scores / keys.shape[-1] ** 0.5, dim=-1) @ values


class Head(nn.Module):
    def __init__(self, width, size, drop):
        super().__init__()
        self.W_query, self.W_key, self.W_value = (nn.Linear(width, size, bias=False) for _ in range(3))
        self.register_buffer("drop", drop, persistent=False)

    def forward(self, x):
        keys, queries, values = self.W_key(x), self.W_query(x), self.W_value(x)
        scores = queries @ keys.transpose(1, 2)
        length = x.shape[1]
        scores.masked_fill_(self.drop[:length, :length], -torch.inf)
        return torch.softmax(scores / keys.shape[-1] ** 0.5, dim=-1) @ values


class CausalWrapper(Variant):
    def __init__(self, settings):
        super().__init__(settings)
        self.parts = nn.ModuleList(Head(self.width, self.size, self.drop) for _ in range(self.heads))
        self.out = nn.Linear(self.width, self.width)

    def forward(self, x):
        return self.out(torch.cat([head(x) for head in self.parts], dim=-1))

    def shared(self):
        def join(name):
            return [getattr(head, name).weight for head in self.parts]

        return {"query": join("W_query"), "key": join("W_key"), "value": join("W_value")}


class Chapter(Variant):
    def __init__(self, settings):
        super().__init__(settings)
        self.W_query, self.W_key, self.W_value = (nn.Linear(self.width, self.width, bias=False) for _ in range(3))
        self.out = nn.Linear(self.width, self.width)

    def forward(self, x):
        keys, queries, values = (self.split(layer(x)) for layer in (self.W_key, self.W_query, self.W_value))
        return self.out(self.join(self.step_by_step(queries, keys, values)))

    def shared(self):
        return {"query": [self.W_query.weight], "key": [self.W_key.weight], "value": [self.W_value.weight]}


class Combined(Variant):
    """One projection makes queries, keys and values."""

    def __init__(self, settings):
        super().__init__(settings)
        self.qkv = nn.Linear(self.width, 3 * self.width, bias=False)
        self.out = nn.Linear(self.width, self.width)

    def attend(self, queries, keys, values):
        return self.step_by_step(queries, keys, values)

    def forward(self, x):
        qkv = self.qkv(x).view(x.shape[0], x.shape[1], 3, self.heads, self.size)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(self.join(self.attend(queries, keys, values)))

    def shared(self):
        return {"qkv": self.qkv.weight}


class Einsum(Variant):
    def __init__(self, settings):
        super().__init__(settings)
        self.W_query, self.W_key, self.W_value = (
            nn.Parameter(torch.zeros(self.width, self.width)) for _ in range(3)
        )
        self.out = nn.Linear(self.width, self.width)

    def forward(self, x):
        queries, keys, values = (
            self.split(torch.einsum("bnd,do->bno", x, weight)) for weight in (self.W_query, self.W_key, self.W_value)
        )
        scores = torch.einsum("bhnd,bhmd->bhnm", queries, keys) / self.size**0.5
        length = x.shape[1]
        scores = scores.masked_fill(self.drop[:length, :length], -torch.inf)
        weights = torch.softmax(scores, dim=-1)
        context = torch.einsum("bhnm,bhmd->bhnd", weights, values)
        return self.out(context.transpose(1, 2).reshape(x.shape))

    def shared(self):
        return {"query_t": self.W_query, "key_t": self.W_key, "value_t": self.W_value}


class Fused(Combined):
    def attend(self, queries, keys, values):
        return F.scaled_dot_product_attention(queries, keys, values, is_causal=True)


class FusedExplicitMask(Combined):
    def attend(self, queries, keys, values):
        length = queries.shape[2]
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=~self.drop[:length, :length])


class PackedProjection(Variant):
    needs_weights = True

    def __init__(self, settings):
        super().__init__(settings)
        self.attention = nn.MultiheadAttention(self.width, self.heads, bias=False, batch_first=True)
        self.out = nn.Linear(self.width, self.width)
        with torch.no_grad():
            self.attention.out_proj.weight.copy_(torch.eye(self.width))

    def forward(self, x):
        length = x.shape[1]
        context, _ = self.attention(
            x, x, x, attn_mask=self.drop[:length, :length], need_weights=self.needs_weights
        )
        return self.out(context)

    def shared(self):
        return {"qkv": self.attention.in_proj_weight}


class PackedProjectionNoWeights(PackedProjection):
    needs_weights = False


class MaskExpression(Combined):
    """PyTorch's FlexAttention."""

    def __init__(self, settings):
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention

        super().__init__(settings)
        self.attention = flex_attention
        self.mask = create_block_mask(
            lambda b, h, query, key: query >= key,
            B=None,
            H=None,
            Q_LEN=settings["tokens"],
            KV_LEN=settings["tokens"],
            device="cpu",
        )

    def attend(self, queries, keys, values):
        return self.attention(queries, keys, values, block_mask=self.mask)


CLASSES = {
    "causal_wrapper": CausalWrapper,
    "chapter": Chapter,
    "combined_qkv": Combined,
    "einsum": Einsum,
    "fused": Fused,
    "fused_explicit_mask": FusedExplicitMask,
    "packed_projection": PackedProjection,
    "packed_projection_no_weights": PackedProjectionNoWeights,
    "mask_expression": MaskExpression,
}


def copy_weights(module, weights):
    """The chapter's weights, (width, width) each, into the module's parameters."""
    with torch.no_grad():
        for name, place in module.shared().items():
            if name == "qkv":
                place.copy_(torch.cat([weights["query"], weights["key"], weights["value"]]))
            elif name.endswith("_t"):
                place.copy_(weights[name[:-2]].T)
            else:
                for part, rows in zip(place, weights[name].chunk(len(place))):
                    part.copy_(rows)
        module.out.weight.copy_(weights["out"])
        module.out.bias.copy_(weights["out_bias"])


def shared_gradients(module):
    result = {"out": module.out.weight.grad, "out_bias": module.out.bias.grad}
    for name, place in module.shared().items():
        if name == "qkv":
            result.update(zip(("query", "key", "value"), place.grad.chunk(3)))
        elif name.endswith("_t"):
            result[name[:-2]] = place.grad.T
        else:
            result[name] = torch.cat([part.grad for part in place])
    return result


def warm_up(name, settings, dtype):
    """What PyTorch loads at its first products counts as no variant's: a short input goes first."""
    tokens = min(settings["tokens"], 64)
    module = CLASSES[name](dict(settings, tokens=tokens)).to(dtype)
    module(torch.randn(1, tokens, settings["width"]).to(dtype)).sum().backward()


class Peer:
    def __init__(self, settings, data):
        torch.set_num_threads(settings["threads"])
        self.settings, self.dtype = settings, DTYPES[settings["dtype"]]
        tensors = read_tensors(data)
        self.x = tensors.pop("x").to(self.dtype)
        self.grad = tensors.pop("grad").to(self.dtype)
        self.weights = tensors
        self.modules = {}

    def module(self, name, compiled):
        key = (name, compiled)
        if key not in self.modules:
            module = CLASSES[name](self.settings)
            copy_weights(module, self.weights)
            module = module.to(self.dtype).train()
            self.modules[key] = (module, torch.compile(module) if compiled else module)
        return self.modules[key]

    def answers(self, name, compiled):
        plain, module = self.module(name, compiled)
        plain.zero_grad(set_to_none=True)
        x = self.x.clone().requires_grad_()
        parameters = sum(p.numel() for p in plain.parameters())
        try:
            output = module(x)
            output.backward(self.grad)
        except NotImplementedError as error:  # FlexAttention's backward, on a CPU
            with torch.no_grad():
                output = module(self.x)
            note = "forward alone: " + str(error).strip().splitlines()[0]
            return {"parameters": parameters, "note": note}, write_tensors({"output": output})
        return {"parameters": parameters}, write_tensors({"output": output, "x": x.grad, **shared_gradients(plain)})

    def forward(self, name, compiled):
        _, module = self.module(name, compiled)
        with torch.no_grad():
            start = time.perf_counter()
            module(self.x)
            return {"seconds": time.perf_counter() - start}, b""

    def forward_backward(self, name, compiled):
        plain, module = self.module(name, compiled)
        plain.zero_grad(set_to_none=True)
        start = time.perf_counter()
        module(self.x).backward(self.grad)
        return {"seconds": time.perf_counter() - start}, b""

    def peak(self, name, _):
        self.module(name, False)
        warm_up(name, self.settings, self.dtype)
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        before = status_bytes("VmRSS")
        self.forward_backward(name, False)
        return {"peak_bytes": status_bytes("VmHWM") - before}, b""


def status_bytes(key):
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"no {key}")


def main():
    questions = os.fdopen(0, "rb")
    settings = json.loads(questions.readline())
    peer = Peer(settings, questions.read(settings["bytes"]))
    answer({"version": torch.__version__})
    for line in questions:
        question, name, compiled = line.decode().split()
        try:
            reply, data = getattr(peer, question)(name, compiled == "compiled")
            answer(reply, data)
        except Exception as error:  # pylint: disable=broad-except
            text = str(error).strip().splitlines() or [""]
            answer({"failed": f"{type(error).__name__}: {text[0]}"})


main()
