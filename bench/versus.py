"""foveal.torch.enable() against PyTorch alone: the same calls in one process, turn by turn.

    python bench/versus.py [--grid | --models] [--only TEXT] [--no-peers] [--repeats 5]

Without --grid, the rows of docs/performance.md; with it, 60 everyday shapes; with --models, whole models of
transformers. Each row is verified before it is timed: all outputs are compared with PyTorch's. A ratio is the median
of --repeats ratios, the other's time by ours; above 1 we are faster; times are the least. OpenVINO and ONNX Runtime
take turns too where they are installed (openvino; onnxruntime, onnx), and the fastest of their forms is named.
Run it on a quiet machine.
"""

import argparse
import contextlib
import importlib.util
import json
import statistics
import sys
import time
from typing import Any, Callable, NamedTuple

import foveal
import models
import torch
import torch.nn.functional as F
from peers import Wanted, peers_of


class Work(NamedTuple):
    name: str
    theirs: Callable[[], Any]  # PyTorch's best form
    ours: Callable[[], Any] | None = None  # the same call where there is none
    wanted: Wanted | None = None  # what peers are asked for
    goal: tuple[float, float] | None = None  # AVX-512 with bf16, AVX2
    form: str = "fused operator"  # which of PyTorch's forms it is


def call(name, shape, kv_heads=None, dtype=torch.float32, train=False, padded=False, goal=None, **given):
    batch, heads, queries, keys, width = shape
    kv_heads = kv_heads or heads
    rows = lambda h, n: torch.randn(batch, n, h, width, dtype=dtype).transpose(1, 2)  # noqa: E731
    q, k, v = rows(heads, queries), rows(kv_heads, keys), rows(kv_heads, keys)
    wanted = Wanted(q, k, v, given.get("is_causal", False))
    if kv_heads != heads:
        given["enable_gqa"] = True
    if padded:
        lengths = torch.linspace(keys // 3, keys, batch).long()
        given["attn_mask"] = (torch.arange(keys) < lengths[:, None])[:, None, None, :]
        wanted = wanted._replace(lengths=lengths)
    if not train:

        def run():
            with torch.no_grad():
                return F.scaled_dot_product_attention(q, k, v, **given)

        return Work(name, run, wanted=wanted, goal=goal)
    leaves = [x.requires_grad_() for x in (q, k, v)]
    weight = torch.randn(batch, heads, queries, width, dtype=dtype)

    def step():
        return torch.autograd.grad(F.scaled_dot_product_attention(*leaves, **given), leaves, weight)

    return Work(name, step, goal=goal)


def folded_decode(name, batch, heads, kv_heads, keys, width, dtype, goal):
    """Against heads folded into queries, PyTorch's best form; ours is the plain call."""
    q = torch.randn(batch, heads, 1, width, dtype=dtype)
    k, v = (torch.randn(batch, kv_heads, keys, width, dtype=dtype) for _ in range(2))
    folded = q.view(batch, kv_heads, heads // kv_heads, width)

    def theirs():
        with torch.no_grad():
            return F.scaled_dot_product_attention(folded, k, v).view(q.shape)

    def ours():
        with torch.no_grad():
            return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    return Work(name, theirs, ours, Wanted(folded, k, v), goal, "heads folded into queries")


def window(name, length, left, goal):
    x = torch.randn(1, 8, length, 64)
    distance = torch.arange(length)[:, None] - torch.arange(length)
    visible = (distance >= 0) & (distance <= left)
    mask = foveal.masks.causal() & foveal.masks.window(left, 0)
    return Work(
        name,
        lambda: F.scaled_dot_product_attention(x, x, x, visible),
        lambda: foveal.torch.flex(x, x, x, mask=mask),
        Wanted(x, x, x, True, left=left),
        goal,
        "a dense bool mask",
    )


def table():
    half = torch.bfloat16
    big, decode = (8, 12, 1024, 1024, 64), (1, 32, 8, 8192, 128)
    yield call("float32 causal B8 H12 L1024 D64, forward", big, is_causal=True, goal=(1.9, 1.8))
    yield call("the same, forward and backward", big, is_causal=True, train=True, goal=(2.0, 1.9))
    yield call("float32 full, forward", big, goal=(1.25, 1.35))
    yield call("bfloat16 causal, forward", big, is_causal=True, dtype=half, goal=(3.0, 1.5))
    yield call("bfloat16 causal, forward and backward", big, is_causal=True, dtype=half, train=True, goal=(2.5, 8.0))
    yield window("window 256 at L 8192 (flex)", 8192, 255, (20.0, 20.0))
    yield folded_decode("decode 32 heads on 8, 8192 keys, float32", *decode, torch.float32, (2.4, 1.3))
    yield folded_decode("decode 32 heads on 8, 8192 keys, bfloat16", *decode, half, (3.0, 1.8))
    yield call("L 128 B32 H12 D64, padding mask", (32, 12, 128, 128, 64), padded=True, goal=(1.5, 1.5))
    yield call("B1 H12 L64 D64", (1, 12, 64, 64, 64), goal=(1.6, 1.5))


def grid():
    """60 shapes: encoders, decoders' prompts, single tokens, training steps, both dtypes."""
    for dtype in (torch.float32, torch.bfloat16):
        short = "bfloat16" if dtype == torch.bfloat16 else "float32"
        for length in (64, 128, 256, 512, 1024):
            for batch, heads, width in ((1, 12, 64), (4, 8, 64)):
                shape = (batch, heads, length, length, width)
                for kind, given in (("full", {}), ("causal", {"is_causal": True})):
                    yield call(f"{short} {kind} B{batch} H{heads} L{length} D{width}", shape, dtype=dtype, **given)
        for keys in (512, 2048, 4096):
            yield call(f"{short} decode H32/8 {keys} keys D128", (1, 32, 1, keys, 128), kv_heads=8, dtype=dtype)
        for length in (128, 256, 512):
            shape = (4, 12, length, length, 64)
            yield call(f"{short} causal step B4 H12 L{length} D64", shape, dtype=dtype, train=True, is_causal=True)
            yield call(f"{short} padded B4 H12 L{length} D64", shape, dtype=dtype, padded=True)
        yield call(f"{short} cross B4 H8 L64 of 512 D64", (4, 8, 64, 512, 64), dtype=dtype)


def whole_models():
    """Where transformers is: the same model with its sdpa, and eager, and here."""
    if importlib.util.find_spec("transformers") is None:
        return
    for name, goal, runs in models.all_of_them():
        for other in ("sdpa", "eager"):
            yield Work(f"{name}, against {other}", runs[other], runs["foveal"], goal=goal, form=other)


PAUSE = 0.01  # seconds, in which threads of whoever ran before stop to spin


def seconds(function, times, on):
    with foveal.torch.enable() if on else contextlib.nullcontext():
        time.sleep(PAUSE)
        function()
        begin = time.perf_counter()
        for _ in range(times):
            function()
        return (time.perf_counter() - begin) / times


class Result(NamedTuple):
    ratio: float
    theirs: float  # seconds
    ours: float
    peer: str  # the fastest, with its time and ratio


def verified(work, with_peers):
    """The peers that give what PyTorch gives. Raises AssertionError where we don't."""
    expected = work.theirs()  # or the gradients of query, key and value
    dtype = (expected if isinstance(expected, torch.Tensor) else expected[0]).dtype
    close = {"atol": 0.02 if dtype == torch.bfloat16 else 1e-4, "rtol": 0.02}
    with foveal.torch.enable():
        torch.testing.assert_close((work.ours or work.theirs)(), expected, **close)
    if not with_peers or work.wanted is None:
        return []
    peers, refused = peers_of(work.wanted, torch.get_num_threads())
    right = []
    for peer in peers:
        try:
            peer.run()
            torch.testing.assert_close(peer.output().reshape(expected.shape), expected, **close)
            right.append(peer)
        except Exception as error:  # noqa: BLE001
            refused.append(f"{peer.name}: {str(error).splitlines()[0]}")
    for line in refused:
        print(f"{work.name}: without {line}", file=sys.stderr)
    return right


def measured(work, repeats, with_peers):
    peers = verified(work, with_peers)
    times = max(1, min(200, int(0.05 / max(seconds(work.theirs, 1, False), 1e-6))))
    turns = []
    for _ in range(repeats):
        turn = [seconds(work.theirs, times, False), seconds(work.ours or work.theirs, times, True)]
        turns.append(turn + [seconds(peer.run, times, False) for peer in peers])
    ratio = lambda n: statistics.median(turn[n] / turn[1] for turn in turns)  # noqa: E731
    least = [min(column) for column in zip(*turns)]
    best = min(range(len(peers)), key=lambda n: ratio(n + 2), default=None)
    peer = "" if best is None else f"{peers[best].name}: {least[best + 2] * 1e3:.3f} ms, {ratio(best + 2):.2f}"
    return Result(ratio(0), least[0], least[1], peer)


#: The kinds of machines that goals are for, by target: a name, and which of a row's goals is its.
KINDS = {"avx512_bf16": ("AVX-512 with bf16", 0), "avx2": ("AVX2", 1)}


def kind_of_machine():
    target = json.loads(foveal.plan((1, 1, 8, 8), (1, 1, 8, 8), (1, 1, 8, 8), "float32").to_json())["target"]
    return KINDS.get(target, (f"neither of the two kinds that goals are for (target {target})", None))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", action="store_true")
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has this text")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.manual_seed(1)
    kind, goal_of_kind = kind_of_machine()
    print(f"machine: {kind}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print("| work | PyTorch's form | PyTorch, ms | here, ms | ratio | goal | the fastest other peer, its ratio |")
    print(7 * "|---" + "|")
    ratios = {}
    for work in grid() if given.grid else whole_models() if given.models else table():
        if given.only not in work.name:
            continue
        made = measured(work, given.repeats, not given.no_peers and not given.grid)
        ratios[work.name] = made.ratio
        goal = "" if work.goal is None or goal_of_kind is None else f"{work.goal[goal_of_kind]}"
        numbers = (f"{made.theirs * 1e3:.3f}", f"{made.ours * 1e3:.3f}", f"{made.ratio:.2f}")
        cells = (work.name, work.form, *numbers, goal, made.peer)
        print(f"| {' | '.join(cells)} |", flush=True)
    if ratios:
        lowest = min(ratios, key=ratios.get)
        print(f"lowest ratio {ratios[lowest]:.2f}: {lowest}")


if __name__ == "__main__":
    main()
