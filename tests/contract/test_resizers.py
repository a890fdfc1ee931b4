"""What every file in resnas/resizers promises."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from resnas.catalog import resizers
from resnas.errors import InvalidResizer
from resnas.resizers._base import AbstractResizer, Site

NAMES = resizers.names()
STRIDES = [(2.0, 2.0), (3.0, 1.0), (1.0, 2.0), (1.7, 2.3), (4.4, 1.6), (0.6, 0.75), (1.5, 0.4)]
SIZES = [(1, 1), (1, 6), (2, 3), (4, 4), (7, 5), (8, 12), (13, 17), (20, 20)]
GENERIC = (1.73, 2.21)


def build(name: str, stride: tuple[float, float]) -> AbstractResizer:
    """The resizer, or a skip where it states that it does not take this stride."""
    try:
        return resizers[name].at(stride)
    except InvalidResizer as refused:
        pytest.skip(f"refused: {refused.found}")


def allowed(name: str) -> AbstractResizer:
    """The resizer at a stride in general position, or at 2 where it takes only whole ones."""
    for stride in (GENERIC, (1.73, 1.21)):
        try:
            return resizers[name].at(stride)
        except InvalidResizer:
            continue
    return resizers[name].at((2.0, 2.0))


def announced(resizer: AbstractResizer, size: tuple[int, int]) -> tuple[int, ...] | None:
    """The size it announces; None where it states that it cannot take such maps."""
    try:
        return resizer.hard_size(size)
    except InvalidResizer:
        with pytest.raises(InvalidResizer):
            resizer(image(1, 1, *size))
        return None


def like(resizer: AbstractResizer, *size: int) -> tuple[int, ...]:
    """This size, or the next larger one that the resizer takes."""
    for more in itertools.product((0, 1), repeat=2):
        larger = (size[0] + more[0], size[1] + more[1])
        if announced(resizer, larger):
            return larger
    raise AssertionError(f"it takes no map near {size}")


def image(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stride", STRIDES)
def test_the_announced_size_is_the_real_one(name: str, stride: tuple[float, float]) -> None:
    resizer = build(name, stride)
    for size in SIZES:
        hard = announced(resizer, size)
        if hard is not None:
            assert all(isinstance(n, int) and n >= 1 for n in hard)
            channels = 3 * resizer.widening
            assert tuple(resizer(image(2, 3, *size)).shape) == (2, channels, *hard)
            assert tuple(resizer(image(1, 3, *size).double()).shape[2:]) == hard


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stride", STRIDES)
def test_the_soft_size_is_near_the_hard_one(name: str, stride: tuple[float, float]) -> None:
    resizer = build(name, stride)
    for size in SIZES:
        soft = resizer.soft_size(torch.tensor(size, dtype=torch.float64))
        assert soft.shape == (2,)
        for real, whole in zip(soft.tolist(), announced(resizer, size) or (), strict=False):
            assert abs(real - whole) <= 2


@pytest.mark.parametrize("name", NAMES)
def test_small_steps_of_the_stride_keep_announced_and_real_size_together(name: str) -> None:
    resizer = allowed(name)
    if not resizer.stride.requires_grad:
        pytest.skip("its stride does not move")
    x = image(1, 1, 15, 12)
    for step in range(40):
        with torch.no_grad():
            resizer.stride.copy_(torch.tensor([1.0 + step / 10, 4.0 - step / 13]))
        assert tuple(resizer(x).shape[2:]) == resizer.hard_size((15, 12))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    resizer = allowed(name).double()
    x = image(2, 2, *like(resizer, 9, 8), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(resizer, (x,))


@pytest.mark.parametrize("name", NAMES)
def test_the_task_gradient_reaches_every_learned_stride(name: str) -> None:
    resizer = allowed(name)
    if not resizer.stride.requires_grad:
        pytest.skip("its stride is not learned")
    x = image(2, 3, 20, 20)
    out = resizer(x)
    (out * image(*out.shape, seed=1)).sum().backward()
    assert resizer.stride.grad is not None
    assert resizer.stride.grad.isfinite().all()
    assert (resizer.stride.grad != 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_cost_shrinks_with_a_growing_stride(name: str) -> None:
    resizer = allowed(name)
    size = torch.tensor([20.0, 22.0], requires_grad=True)
    gradients = (
        torch.autograd.grad(
            resizer.soft_size(size).sum(), [resizer.stride, size], allow_unused=True
        )
        if resizer.stride.requires_grad
        else (None, *torch.autograd.grad(resizer.soft_size(size).sum(), [size]))
    )
    assert (gradients[1] > 0).all()
    if resizer.stride.requires_grad:
        assert gradients[0] is not None
        assert (gradients[0] < 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stride", [(2.0, 2.0), (3.0, 1.0), GENERIC, (0.6, 0.75)])
@pytest.mark.parametrize("size", [(1, 1), (8, 12), (13, 9)])
def test_the_fixed_operator_is_the_operator(
    name: str, stride: tuple[float, float], size: tuple[int, ...]
) -> None:
    resizer = build(name, stride).eval()
    size = like(resizer, *size)
    fixed = resizer.fixed(size).eval()
    assert not list(fixed.parameters())
    x = image(2, 3, *size)
    torch.testing.assert_close(fixed(x), resizer(x).detach(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_fixed_operator_can_be_exported(name: str) -> None:
    resizer = allowed(name)
    size = like(resizer, 9, 12)
    x = image(2, 3, *size)
    fixed = resizer.fixed(size).eval()
    program = torch.export.export(fixed, (x,))
    torch.testing.assert_close(program.module()(x), fixed(x))


@pytest.mark.parametrize("name", NAMES)
def test_a_state_dict_carries_the_stride(name: str) -> None:
    trained, fresh = allowed(name), allowed(name)
    if trained.stride.requires_grad:
        with torch.no_grad():
            trained.stride.copy_(torch.tensor([1.31, 1.57]))
    fresh.load_state_dict(trained.state_dict())
    x = image(1, 2, 16, 16)
    assert fresh.hard_size((16, 16)) == trained.hard_size((16, 16))
    torch.testing.assert_close(fresh(x), trained(x))


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_under_autocast(name: str) -> None:
    resizer = allowed(name)
    x = image(2, 3, 12, 16).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = resizer(x)
    out.float().square().mean().backward()
    torch.testing.assert_close(out.float(), resizer(x), rtol=0.05, atol=0.05)
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_maps_stay_in_half_precision(name: str) -> None:
    resizer = allowed(name)
    x = image(2, 3, 12, 16)
    out = resizer(x.bfloat16())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), resizer(x), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_gives_the_same_values_and_gradients(name: str) -> None:
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        resizer = allowed(name).double()
        x = image(2, 3, *like(resizer, 11, 14), dtype=torch.float64)
        x = x.to(memory_format=memory_format)
        out = resizer(x.requires_grad_())
        (out * image(*out.shape, seed=1, dtype=torch.float64)).sum().backward()
        results.append((out, x.grad, resizer.stride.grad))
    for plain, last in zip(*results, strict=True):
        torch.testing.assert_close(plain, last)


@pytest.mark.parametrize("name", NAMES)
def test_samples_and_channels_do_not_mix(name: str) -> None:
    resizer = allowed(name)
    x = image(3, 2, 10, 12)
    whole = resizer(x)
    for n, c in itertools.product(range(3), range(2)):
        alone = resizer(x[n : n + 1, c : c + 1])
        mine = whole.unflatten(1, (resizer.widening, 2))[n, :, c]
        torch.testing.assert_close(mine, alone[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_forward_pass_changes_no_parameter(name: str) -> None:
    resizer = allowed(name)
    before = resizer.stride.detach().clone()
    for size in SIZES:
        if announced(resizer, size):
            resizer(image(1, 1, *size))
    assert torch.equal(resizer.stride, before)


@pytest.mark.parametrize("name", NAMES)
def test_inference_mode_leaves_training_possible(name: str) -> None:
    resizer = allowed(name)
    with torch.inference_mode():
        resizer(image(1, 2, 18, 18))
    x = image(1, 2, 18, 18).requires_grad_()
    resizer(x).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("name", NAMES)
def test_what_happens_to_a_fixed_operator_stays_there(name: str) -> None:
    resizer = allowed(name)
    x = image(1, 1, 8, 8)
    before = resizer(x).detach().clone()
    for buffer in resizer.fixed((8, 8)).buffers():
        buffer.zero_()
    assert torch.equal(resizer(x), before)
    assert torch.equal(resizer.fixed((8, 8))(x), allowed(name).fixed((8, 8))(x))
    torch.testing.assert_close(resizer.fixed((8, 8))(x), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_it_stands_at_a_site_or_leaves_it_alone(name: str) -> None:
    site = Site("stage2", 3, (2, 2), (16, 12), (8, 6))
    resizer = resizers[name].from_site(site)
    assert resizers[name].place in ("after", "conv", "before")
    if resizer is not None:
        assert isinstance(resizer, nn.Module)
        assert resizer(image(1, 3, 16, 12)).shape[2:] == resizer.hard_size((16, 12))


@pytest.mark.parametrize("name", NAMES)
def test_compiling_changes_nothing(name: str) -> None:
    torch.compiler.reset()
    results = []
    for compiled in (False, True):
        resizer = allowed(name)
        call = torch.compile(resizer, backend="aot_eager") if compiled else resizer
        x = image(2, 3, 12, 16).requires_grad_()
        out = call(x)
        (out * image(*out.shape, seed=1)).sum().backward()
        results.append((out, x.grad, resizer.stride.grad))
    for plain, other in zip(*results, strict=True):
        torch.testing.assert_close(plain, other)


@pytest.mark.parametrize("name", NAMES)
def test_its_cost_is_a_whole_number_of_macs(name: str) -> None:
    macs = allowed(name).macs(3, (16, 12), (8, 6))
    assert isinstance(macs, int)
    assert macs >= 0
