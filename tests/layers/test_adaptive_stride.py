"""CAS and PAS against their definition, and each reading of their paper."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resnas.errors import InvalidLayer
from resnas.layers._adaptive_stride import AdaptiveStride
from resnas.layers.cas import ConvAdaptiveStride
from resnas.layers.pas import PoolAdaptiveStride
from tests.reference.adaptive_stride import Convolution, MaxPool, Relu, Step, thin_out

READINGS = [
    {},
    {"from_result": True},
    {"full_size": True},
    {"per_channel": True},
    {"from_result": True, "full_size": True, "per_channel": True},
    {"kernel_size": 1, "width": 3},
]


def cas(**reading: object) -> ConvAdaptiveStride:
    torch.manual_seed(0)
    return ConvAdaptiveStride(nn.Conv2d(3, 4, 3, stride=2, padding=1), **reading)


def pas(**reading: object) -> PoolAdaptiveStride:
    torch.manual_seed(0)
    return PoolAdaptiveStride(nn.MaxPool2d(3, 2, 1), 4, **reading)


def steps(modules: Iterable[nn.Module]) -> list[Step]:
    """The same modules as steps of the reference."""
    found: list[Step] = []
    for module in modules:
        if isinstance(module, nn.Conv2d):
            assert module.bias is not None
            weights = (p.detach().numpy() for p in (module.weight, module.bias))
            found.append(Convolution(*weights, module.stride[0], int(module.padding[0])))
        elif isinstance(module, nn.MaxPool2d):
            found.append(MaxPool(module.kernel_size, module.stride, module.padding))
        else:
            assert isinstance(module, nn.ReLU)
            found.append(Relu())
    return found


@torch.no_grad()
def close_half(layer: AdaptiveStride, x: Tensor) -> None:
    """Move the mask so that it is 0 at half of the positions of `x`."""
    last = layer.gate[-2]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    before = layer.gate[:-1](layer.base(x) if layer.from_result else x)
    last.bias -= before.transpose(0, 1).flatten(1).median(dim=1).values


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("made", [cas, pas])
def test_values_and_gradients_are_those_of_the_definition(made, reading) -> None:
    layer = made(**reading).double()
    x = torch.randn(2, 3 if made is cas else 4, 7, 6, dtype=torch.float64, requires_grad=True)
    close_half(layer, x)
    out = layer(x)
    w = torch.randn_like(out)
    (out * w).sum().backward()
    (base,), gate = steps([layer.base]), steps(layer.gate)
    truth = thin_out(x.detach().numpy(), base, gate, layer.from_result, w.numpy())
    assert 0.3 < (truth.mask > 0).mean() < 0.7
    assert x.grad is not None
    np.testing.assert_allclose(layer.mask(x).detach(), truth.mask, atol=1e-12)
    np.testing.assert_allclose(out.detach(), truth.out, atol=1e-12)
    np.testing.assert_allclose(x.grad, truth.grad_x, atol=1e-11)
    for module, step in zip([layer.base, *layer.gate], [base, *gate], strict=True):
        if isinstance(step, Convolution):
            assert isinstance(module, nn.Conv2d)
            assert module.bias is not None
            np.testing.assert_allclose(module.weight.grad, step.grad_kernel, atol=1e-11)
            np.testing.assert_allclose(module.bias.grad, step.grad_bias, atol=1e-11)


@pytest.mark.parametrize("size", [(2, 2), (2, 3), (7, 8), (9, 12), (15, 14), (16, 17)])
@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_mask_and_map_have_one_size_for_every_input(reading, size) -> None:
    bases = [
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
        nn.Conv2d(4, 6, 1, stride=3),
        nn.Conv2d(4, 6, 4, stride=(2, 1), padding=2),
        nn.Conv2d(4, 6, 3, padding="same", dilation=2),
        nn.Conv2d(4, 4, 3, stride=2, padding=2, dilation=2, groups=4),
    ]
    pools = [nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2, 3, 1), nn.MaxPool2d(2, ceil_mode=True)]
    x = torch.randn(2, 4, *size)
    layers = [ConvAdaptiveStride(conv, **reading) for conv in bases]
    layers += [PoolAdaptiveStride(pool, 4, **reading) for pool in pools]
    for layer in layers:
        out, mask = layer(x), layer.mask(x)
        assert out.shape == layer.base(x).shape
        assert mask.shape == (2, out.shape[1] if reading.get("per_channel") else 1, *out.shape[2:])
        torch.testing.assert_close(out, mask * layer.base(x))


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("made", [cas, pas])
def test_the_mask_starts_open_and_every_weight_learns_at_once(made, reading) -> None:
    layer = made(**reading)
    x = torch.randn(8, 3 if made is cas else 4, 16, 16)
    assert float((layer.mask(x) > 0).float().mean()) > 0.99
    assert float(layer.mask(x).detach().mean()) == pytest.approx(1, abs=0.3)
    out = layer(x)
    (out * torch.randn_like(out)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


def test_a_mask_learns_to_close_where_nothing_is_wanted() -> None:
    layer = cas()
    optimizer = torch.optim.SGD(layer.gate.parameters(), lr=0.05, momentum=0.9)
    x = torch.randn(8, 3, 16, 16)
    x[:, :, :, 8:] += 3.0
    wanted = layer.base(x).detach()
    wanted[:, :, :, 4:] = 0
    for _ in range(60):
        optimizer.zero_grad()
        (layer(x) - wanted).square().mean().backward()
        optimizer.step()
    mask = layer.mask(x).detach()[
        :, :, :, [*range(3), *range(5, 8)]
    ]  # away from the edge between them
    assert float(mask[..., 3:].mean()) < 0.1
    assert float(mask[..., :3].mean()) > 0.5


def test_a_full_size_layer_leaves_its_argument_alone() -> None:
    conv, pool = nn.Conv2d(2, 2, 3, stride=2, padding=1), nn.MaxPool2d(2)
    assert ConvAdaptiveStride(conv, full_size=True)(torch.zeros(1, 2, 8, 8)).shape[2:] == (8, 8)
    pooled = PoolAdaptiveStride(pool, 2, full_size=True)(torch.zeros(1, 2, 8, 8))
    assert pooled.shape[2:] == (7, 7), "a window of 2 has one position less than the map"
    assert (conv.stride, pool.stride) == ((2, 2), 2)


@pytest.mark.parametrize("reading", [{"kernel_size": 2}, {"kernel_size": 0}, {"width": 0}])
@pytest.mark.parametrize("made", [cas, pas])
def test_a_reading_that_cannot_be_is_refused(made, reading) -> None:
    ((key, value),) = reading.items()
    with pytest.raises(InvalidLayer, match=f"AdaptiveStride: {key} is {value}"):
        made(**reading)


def test_a_pool_that_returns_indices_is_refused() -> None:
    with pytest.raises(InvalidLayer, match="return_indices=False"):
        PoolAdaptiveStride(nn.MaxPool2d(2, return_indices=True), 4)


@pytest.mark.parametrize(
    ("layer", "least"),
    [
        (ConvAdaptiveStride(nn.Conv2d(4, 4, 5, padding=1)), (3, 3)),
        (ConvAdaptiveStride(nn.Conv2d(4, 4, (1, 3), dilation=3)), (1, 7)),
        (ConvAdaptiveStride(nn.Conv2d(4, 4, 3, padding="same")), (1, 1)),
        (PoolAdaptiveStride(nn.MaxPool2d(2), 4), (2, 2)),
        (PoolAdaptiveStride(nn.AvgPool2d(4, 2, ceil_mode=True), 4), (3, 3)),
    ],
)
def test_the_smallest_map_is_the_one_that_it_says(layer: AdaptiveStride, least) -> None:
    assert min(layer(torch.zeros(1, 4, *least)).shape) == 1
    for axis in (0, 1):
        size = list(least)
        size[axis] -= 1
        with pytest.raises(InvalidLayer, match=f"{least[0]}×{least[1]} pixels"):
            layer(torch.zeros(1, 4, *size))


@pytest.mark.parametrize("made", [cas, pas])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_mask_has_the_precision_of_the_convolution(made, dtype: torch.dtype) -> None:
    layer = ConvAdaptiveStride(nn.Conv2d(4, 4, 3).to(dtype)) if made is cas else pas().to(dtype)
    x: Tensor = torch.randn(1, 4, 8, 8, dtype=dtype)
    assert layer(x).dtype == layer.mask(x).dtype == dtype
