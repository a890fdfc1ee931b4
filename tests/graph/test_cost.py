"""The cost is the exact count of the frozen network, and its gradient is the chained one."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from resnas.converting import convert, freeze
from resnas.costs._fvcore import fvcore_counts
from resnas.errors import UnknownName, UnsupportedLayer
from resnas.graph.program import evaluate
from tests.reference.cost import chain_cost

THESIS = {  # GMACs of the human networks, operators as re-counted, to three decimals
    ("vgg16", 32): 0.313,
    ("resnet50", 32): 1.298,
    ("mobilenet_v2", 32): 0.088,
    ("vgg16", 224): 15.35,
    ("resnet50", 224): 4.09,
    ("mobilenet_v2", 224): 0.30,
}
CLASSES = {32: 100, 224: 1000}


def _space(name, side, resizer="dynopool", place=None):
    torch.manual_seed(0)
    model = search_spaces.build(name, CLASSES.get(side, 10), (3, side, side))
    return convert(model, (3, side, side), resizer, place).eval()


def _products(counts):
    return sum(counts.get(kind, 0) for kind in ("conv", "linear", "matmul", "addmm"))


def _rows(space):
    """The cost of everything but the resizers."""
    mine = [o for o in space._operations if not hasattr(o.target, "from_site")]
    from resnas.costs.macs import Macs
    from resnas.polynomial import Polynomial

    return Polynomial.of(Macs().total(mine)).value(space._evaluate().integers)


@pytest.mark.parametrize(("name", "side"), THESIS)
def test_human_networks_cost_what_the_thesis_says(name, side):
    found = _space(name, side, "strided").human_cost("macs") / 1e9
    assert found == pytest.approx(THESIS[name, side], abs=0.5 * 10 ** -(3 if side == 32 else 2))


@pytest.mark.parametrize("side", [32, 224])
@pytest.mark.parametrize("name", ["vgg16", "resnet18", "resnet50", "mobilenet_v2"])
def test_convolution_and_linear_rows_equal_fvcores_of_the_frozen_network(name, side):
    space = _space(name, side, place="before" if side == 224 else None)
    with torch.no_grad():
        for group in space.groups:
            group.stride.mul_(torch.tensor([1.37, 1.1]))
    counts = fvcore_counts(freeze(space), space.input_size)
    assert _rows(space) == _products(counts)


@pytest.mark.parametrize("name", ["vgg_small", "resnet_small", "mobilenet_small"])
@pytest.mark.parametrize("resizer", ["dynopool", "diffstride", "max", "average", "strided"])
@pytest.mark.parametrize("place", ["after", "conv", "before"])
def test_small_networks_equal_fvcore_at_any_sizes(name, resizer, place):
    space = _space(name, 32, resizer, place)
    with torch.no_grad():
        for parameter in space.arch_parameters():
            parameter.mul_(torch.tensor([1.31, 1.9]))
    counts = fvcore_counts(freeze(space), space.input_size)
    resized = resizer == "diffstride"  # its matrix products are matmuls to fvcore as well
    assert _rows(space) == _products({**counts, "matmul": 0} if resized else counts)


class _Residual(nn.Module):
    """Strided convolutions and a strided shortcut, on maps too large for rounding to matter."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.main = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1))
        self.side = nn.Conv2d(8, 16, 1, stride=2)
        self.last = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x):
        x = self.stem(x)
        return self.last(self.main(x) + self.side(x)).mean((2, 3))


@pytest.mark.parametrize("place", ["after", "conv", "before"])
def test_the_gradient_is_the_slope_of_the_cost(place):
    space = convert(_Residual(), (3, 2048, 2048), place=place)
    for group in space.groups:
        (gradient,) = torch.autograd.grad(space.cost("macs"), group.stride)
        for axis in (0, 1):
            costs = []
            for change in (-0.1, 0.1):
                with torch.no_grad():
                    group.stride[axis] += change
                    costs.append(int(space.cost("macs")))
                    group.stride[axis] -= change
            slope = (costs[1] - costs[0]) / 0.2
            assert slope == pytest.approx(gradient[axis].item(), rel=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_value_and_gradient_equal_the_slow_reference(seed):
    rng = np.random.default_rng(seed)
    channels, alphas = (3, 5, 4, 6), rng.uniform(1.4, 3.2, (3, 2))
    layers = [
        layer
        for before, after in itertools.pairwise(channels)
        for layer in (nn.MaxPool2d(2), nn.Conv2d(before, after, 3, padding=1))
    ]
    space = convert(nn.Sequential(*layers), (3, 40, 28)).double()
    with torch.no_grad():
        for group, alpha in zip(space.groups, alphas, strict=True):
            group.stride.copy_(torch.from_numpy(alpha))
    macs, gradient = chain_cost(alphas, channels, 3, (40, 28))
    cost = space.cost("macs")
    assert int(cost.detach()) == macs
    found = torch.autograd.grad(cost, [g.stride for g in space.groups])
    np.testing.assert_allclose(torch.stack(found).numpy(), gradient, rtol=1e-12)


def test_the_value_is_an_exact_integer_far_beyond_float32():
    space = _space("vgg16", 224)
    cost = space.cost("macs")
    assert cost.dtype == torch.float64
    assert int(cost) == 15_347_142_656 + sum(
        16 * channels * side * side
        for channels, side in ((64, 112), (128, 56), (256, 28), (512, 14), (512, 7))
    )


@pytest.mark.parametrize("name", ["vgg_small", "resnet_small", "mobilenet_small"])
@pytest.mark.parametrize("resizer", ["dynopool", "diffstride"])
def test_every_reachable_cost_is_within_the_range(name, resizer):
    space = _space(name, 32, resizer)
    low, high = space.range("macs")
    before = space.sizes()
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        with torch.no_grad():
            for group in space.groups:
                group.stride.copy_(torch.rand(2, generator=generator) * 6 + 0.05)
        assert low <= int(space.cost("macs")) <= high
    with torch.no_grad():
        for group in space.groups:
            group.stride.fill_(1e5)
    assert int(space.cost("macs")) == low
    assert before  # sizes can be read at any time


def test_reading_the_range_changes_nothing():
    space = _space("resnet_small", 32)
    before = [g.stride.clone() for g in space.groups]
    space.range("macs")
    assert all(torch.equal(a, g.stride) for a, g in zip(before, space.groups, strict=True))


def test_params_and_activations_follow_their_definitions():
    space = _space("resnet_small", 32, "strided")
    model = search_spaces.build("resnet_small", CLASSES[32], (3, 32, 32))
    assert int(space.cost("params")) == sum(p.numel() for p in model.parameters())
    maps = []
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(lambda _m, _i, out: maps.append(out.numel()))
    model.eval()(torch.zeros(1, 3, 32, 32))
    assert int(space.cost("activations")) == sum(maps)


def test_an_unknown_cost_is_refused_with_a_suggestion():
    with pytest.raises(UnknownName, match="Did you mean 'macs'"):
        _space("vgg_small", 32).cost("mac")


class _Odd(nn.Module):
    def forward(self, x):
        return torch.fft.rfft2(x).abs()


def test_a_layer_without_a_rule_is_never_free():
    space = convert(nn.Sequential(nn.MaxPool2d(2), _Odd()), (3, 16, 16))
    for name in ("macs", "activations"):
        with pytest.raises(UnsupportedLayer, match=r"node .*no rule for fft_rfft2"):
            space.cost(name)


@pytest.mark.skipif("RESNAS_GOLDEN_DIR" not in os.environ, reason="RESNAS_GOLDEN_DIR is not set")
def test_the_published_cost_loss_has_the_golden_gradients():
    golden = np.load(Path(os.environ["RESNAS_GOLDEN_DIR"]) / "dynopool_gmacs_loss.npz")
    model = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 4, 1), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1))
    space = convert(model, (3, 32, 32)).double()
    with torch.no_grad():
        for group, alpha in zip(space.groups, ("alpha1", "alpha2"), strict=True):
            group.stride.copy_(torch.from_numpy(golden[alpha]))
    sizes = evaluate(space._program, space.model).tensors.view(2, 2)
    expected = np.stack([golden["size1"], golden["size2"]])
    np.testing.assert_allclose(sizes.detach().numpy(), expected, atol=1e-12)
    areas = torch.cat((torch.tensor([32.0 * 32], dtype=torch.float64), sizes.prod(dim=1)))
    initial = torch.from_numpy(golden["init_sizes"]).prod(dim=1)
    loss = (areas / initial * torch.from_numpy(golden["gmacs_init"])).sum()
    assert float(loss.detach()) == pytest.approx(float(golden["loss"]), abs=1e-12)
    first, second = torch.autograd.grad(loss, [g.stride for g in space.groups])
    np.testing.assert_allclose(first.numpy(), golden["grad_alpha1_chained"], atol=1e-12)
    np.testing.assert_allclose(second.numpy(), golden["grad_alpha2_chained"], atol=1e-12)


class _Attention(nn.Module):
    """Global attention over the pixels of a map, by products written in three ways."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)

    def forward(self, x):
        x = self.conv(x).flatten(2)
        scores = torch.matmul(x.transpose(1, 2), x).softmax(-1)
        x = x @ scores
        return F.scaled_dot_product_attention(x, x, x)


def _flops(module, x):
    with FlopCounterMode(display=False) as counter:
        module(x)
    return counter.get_total_flops() // 2


def test_matrix_products_equal_torchs_counter():
    model, x = _Attention().eval(), torch.zeros(1, 3, 16, 16)
    space = convert(model, (3, 16, 16), "strided")
    assert space.human_cost("macs") == _flops(model, x)
    assert space.human_cost("activations") > 0


@pytest.mark.parametrize("name", ["vgg_small", "resnet_small"])
def test_diffstrides_rows_are_the_products_that_the_frozen_network_does(name):
    space = _space(name, 32, "diffstride")
    with torch.no_grad():
        for group in space.groups:
            group.stride.copy_(torch.tensor([2.6, 3.4]))
    assert int(space.cost("macs").detach()) == _flops(freeze(space), torch.zeros(1, 3, 32, 32))
