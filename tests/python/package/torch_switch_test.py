"""foveal.torch.enable() and disable(): what is on when, and that PyTorch is afterwards what it was. Skipped without
PyTorch."""

import itertools

import pytest

torch = pytest.importorskip("torch")
import foveal  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from foveal import _takeover  # noqa: E402

sdpa = F.scaled_dot_product_attention
FLASH = _takeover.FLASH
OPERATORS = [name for name, _, _ in _takeover._KERNELS]


@pytest.fixture(autouse=True)
def off_at_the_end():
    yield
    foveal.torch.disable()


def test_disable_leaves_pytorch_as_it_was():
    dumps = lambda: [torch._C._dispatch_dump(f"aten::{name}") for name in OPERATORS]  # noqa: E731
    x = torch.randn(2, 12, 128, 64, requires_grad=True)

    def bits():
        torch.manual_seed(5)
        plain, dropped = sdpa(x, x, x, is_causal=True), sdpa(x, x, x, dropout_p=0.3)
        return [plain, dropped, *torch.autograd.grad((plain * dropped).sum(), x)]

    before, dispatch = bits(), dumps()
    for _ in range(3):
        foveal.torch.enable()
        foveal.torch.enable()
        assert dumps() != dispatch
        ours = bits()
        here = {row.operator: row.calls for row in foveal.torch.report().rows if row.ran_here}
        assert here == {f"aten::{name}": 1 for name in (_takeover.SDPA, FLASH, _takeover.FLASH_BACKWARD)}
        torch.testing.assert_close(ours[0], before[0], atol=2e-5, rtol=0)
        foveal.torch.disable()
        foveal.torch.disable()
        assert dumps() == dispatch
        assert all(torch.equal(a, b) for a, b in zip(bits(), before))


def test_context_managers_restore_what_was_before():
    is_on = _takeover.is_enabled
    with foveal.torch.enable():
        with foveal.torch.enable():
            assert is_on()
        assert is_on()
        with foveal.torch.enable():
            foveal.torch.disable()
            assert not is_on()
        assert is_on()
    assert not is_on()
    foveal.torch.enable()
    with pytest.raises(KeyError), foveal.torch.enable():
        raise KeyError
    assert is_on()
    foveal.torch.disable()
    assert not is_on()


def test_blocks_of_several_threads_are_on_until_the_last_ends():
    is_on = _takeover.is_enabled
    for was_on in (False, True):
        for order in itertools.permutations((0, 1, 2)):
            if was_on:
                foveal.torch.enable()
            blocks = [foveal.torch.enable() for _ in order]
            for block in blocks:
                block.__enter__()
            for n in order:
                assert is_on()
                blocks[n].__exit__(None, None, None)
            assert is_on() == was_on
            foveal.torch.disable()
    first, second = foveal.torch.enable(), foveal.torch.enable()
    for block in (second, first):  # entered in another order than made
        block.__enter__()
    for block in (second, first):
        block.__exit__(None, None, None)
    assert not is_on()
    with foveal.torch.enable():
        late = foveal.torch.enable()  # made while another's block is open, entered after its end
    with late:
        assert is_on()
    assert not is_on()
    block = foveal.torch.enable()
    for _ in range(2):  # a block may be entered again
        with block:
            assert is_on()
        assert not is_on()


def test_a_kernel_outlives_its_switch():
    """Another thread may be on its way to it: torch_process_test has such threads, which need luck to meet."""
    _takeover._past.clear()
    for switch in range(1, 4):
        with foveal.torch.enable():
            assert len(_takeover._past) == switch * len(OPERATORS)
        assert len(_takeover._past) == switch * len(OPERATORS)


def test_an_old_pytorch_is_refused(monkeypatch):
    monkeypatch.delattr(torch.library, "get_kernel")
    monkeypatch.setattr(torch, "__version__", "2.8.0")
    dispatch = torch._C._dispatch_dump(f"aten::{FLASH}")
    with pytest.raises(RuntimeError, match=r"foveal.torch.enable: PyTorch 2\.8\.0 has no .*: use 2\.9 or later"):
        foveal.torch.enable()
    assert not _takeover.is_enabled() and torch._C._dispatch_dump(f"aten::{FLASH}") == dispatch
    foveal.torch.disable()  # nothing to end


def test_importing_foveal_imports_no_pytorch():
    import subprocess
    import sys

    program = "import sys, foveal; assert 'torch' not in sys.modules; foveal.torch; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError):
        foveal.nothing  # noqa: B018
