"""Beside PyTorch: workers of a DataLoader, memory. Skipped where PyTorch isn't installed."""

import gc

import pytest
from process_test import resident, run_python

torch = pytest.importorskip("torch")
import foveal  # noqa: E402

attend = foveal.scaled_dot_product_attention


def test_modules_that_import_pytorch_do_so_when_they_are_asked_for():
    code = """
        import sys
        import foveal
        assert "torch" not in sys.modules
        print(foveal.nn.torch.MultiHeadAttention, foveal.torch.report())
        assert "torch" in sys.modules
    """
    assert "no call of attention was seen" in run_python(code).stdout


@pytest.mark.parametrize(
    "call",
    [
        "foveal.transformers.attention_forward(torch.nn.Module(), x, x, x, None)[0].transpose(1, 2)",
        "(foveal.torch.enable(), torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True))[1]",
        "foveal.scaled_dot_product_attention(x, x, x, is_causal=True)",
    ],
)
def test_a_process_may_begin_with_a_large_call(call):
    program = f"""
import foveal, torch
x = torch.randn(2, 1024, 8, 32).transpose(1, 2)
made = {call}
foveal.torch.disable()
expected = torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
assert (made - expected).abs().max() < 1e-5
"""
    if "transformers" in call:
        pytest.importorskip("transformers")
    run_python(program)


def test_calls_run_on_pytorchs_threads():
    code = """
        import os
        import torch
        torch.set_num_threads(3)
        import foveal
        foveal.set_num_threads(3)
        threads = lambda: len(os.listdir("/proc/self/task"))
        x, matrix = torch.randn(4, 8, 200, 16), torch.randn(500, 500)
        matrix @ matrix
        before = threads()
        first = foveal.scaled_dot_product_attention(x, x, x)
        assert threads() == before, (before, threads())
        foveal.set_num_threads(1)
        assert torch.equal(foveal.scaled_dot_product_attention(x, x, x), first)
        print("same")
    """
    if "backend: OpenMP" not in torch.__config__.parallel_info():
        pytest.skip("this PyTorch has no OpenMP")
    assert run_python(code).stdout == "same\n"


@pytest.mark.parametrize("called", [False, True])
def test_a_forked_child_has_threads_of_its_own(called):
    code = """
        import os
        import torch
        import foveal
        foveal.set_num_threads(2)
        x = torch.randn(4, 8, 200, 16)
        torch.randn(500, 500) @ torch.randn(500, 500)  # PyTorch's threads run
        if CALLED:
            foveal.scaled_dot_product_attention(x, x, x)
        child = os.fork()
        if child == 0:
            # Not torch.equal: PyTorch's own operations may wait for threads that a child doesn't have.
            y = foveal.scaled_dot_product_attention(x, x, x).numpy()
            os._exit(0 if (y == y).all() and len(os.listdir("/proc/self/task")) == 2 else 1)
        assert os.waitpid(child, 0)[1] == 0
        foveal.scaled_dot_product_attention(x, x, x)
        print("same")
    """.replace("CALLED", str(called))
    assert run_python(code).stdout == "same\n"


def test_no_more_threads_than_pytorchs_are_asked_for():
    code = """
        import torch
        import foveal
        torch.set_num_threads(2)
        foveal.set_num_threads(300)  # libgomp would end the process where it got fewer
        x = torch.randn(4, 100, 200, 16)
        foveal.scaled_dot_product_attention(x, x, x)
        import os
        assert len(os.listdir("/proc/self/task")) < 100
        print("same")
    """
    if "backend: OpenMP" not in torch.__config__.parallel_info():
        pytest.skip("this PyTorch has no OpenMP")
    assert run_python(code).stdout == "same\n"


class Attended(torch.utils.data.Dataset):
    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, n):
        x = self.x[n : n + 1]
        return attend(x, x, x, is_causal=True)[0]


@pytest.mark.parametrize("workers", ["fork", "spawn", "forkserver"])
def test_in_a_data_loaders_workers(workers):
    x = torch.randn(16, 4, 64, 16)
    expected = attend(x, x, x, is_causal=True)  # this process's threads run before the fork
    loader = torch.utils.data.DataLoader(Attended(x), batch_size=4, num_workers=2, multiprocessing_context=workers)
    assert torch.equal(torch.cat(list(loader)), expected)


def test_nothing_leaks_over_10000_calls():
    x = torch.randn(1, 2, 8, 8)
    leaf = x.clone().requires_grad_()
    visible = torch.ones(8, 8, dtype=torch.bool)
    out = torch.empty_like(x)

    def go(count):
        for n in range(count):
            kind = n % 5
            if kind == 0:
                attend(x, x, x)
            elif kind == 1:
                attend(leaf, leaf, leaf, visible, dropout_p=0.1).sum().backward()
                leaf.grad = None
            elif kind == 2:
                attend(x[0], x[0], x[0], return_lse=True, return_weights=True)
            elif kind == 3:
                attend(x, x, x, out=out)
            else:
                torch.func.grad(lambda y: attend(y, x, x).sum())(x)
        gc.collect()
        return len(gc.get_objects())

    go(1000)
    before, objects = resident(), go(100)
    assert go(10000) - objects < 100
    assert resident() - before < 8 << 20


SWITCHING = """
import threading, time, torch, foveal
x = torch.randn(2, 4, 80, 32)
failed, end = [], time.monotonic() + 5

def train():
    while time.monotonic() < end:
        try:
            with foveal.torch.enable():
                q = x.clone().requires_grad_()
                torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True).sum().backward()
        except Exception as error:
            failed.append(error)

threads = [threading.Thread(target=train) for _ in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
assert not failed, failed[0]
"""


def test_threads_switch_the_takeover_under_one_another():
    run_python(SWITCHING)
