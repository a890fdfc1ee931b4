"""Operations that have no rule: networks as people write them, followed by asking."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.utils.flop_counter import FlopCounterMode

from resnas.converting import convert, freeze
from resnas.polynomial import Polynomial
from resnas.resizers._base import AbstractResizer

SIZE = (3, 28, 36)


def conv(channels, width, stride=1, **settings):
    return nn.Conv2d(channels, width, 3, stride=stride, padding=1, **settings)


class Shuffled(nn.Module):
    """Channels split, one half convolved with stride, shuffled by view and transpose."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 8)
        self.left, self.right = conv(4, 4, 2), conv(4, 4, 2)

    def forward(self, x):
        left, right = self.stem(x).chunk(2, dim=1)
        x = torch.cat((self.left(left), self.right(right)), dim=1)
        batch, channels, height, width = x.size()
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        return x.view(batch, -1, height, width).mean((2, 3))


class Sliced(nn.Module):
    """Channels taken by index; gates of one pixel; the last axis first and back again."""

    def __init__(self):
        super().__init__()
        self.first, self.second = conv(3, 8, 2), conv(6, 6, 2)
        self.gate = nn.Conv2d(6, 6, 1)

    def forward(self, x):
        x = self.second(self.first(x)[:, :6])
        x = x * self.gate(F.adaptive_avg_pool2d(x, 1)).sigmoid()
        x = x.permute(0, 2, 3, 1).softmax(-1).permute(0, 3, 1, 2)
        return x.amax((2, 3))


class Attending(nn.Module):
    """Keys and values come down by pools of their own: there must be as many of both."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 8, 2)
        self.key, self.value = nn.AvgPool2d(2), nn.MaxPool2d(2)

    def forward(self, x):
        x = self.stem(x)
        batch, channels, height, width = x.shape
        query = x.flatten(2).transpose(1, 2)
        key = self.key(x).flatten(2).transpose(1, 2)
        value = self.value(x).reshape(batch, channels, -1).transpose(1, 2)
        out = F.scaled_dot_product_attention(query, key, value)
        return out.transpose(1, 2).reshape(batch, channels, height, width)


class Windowed(nn.Module):
    """Windows of 4 pixels, padded where they do not fill the map, cut back afterwards."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 4, 2)
        self.mix = nn.Linear(16, 16)

    def forward(self, x):
        x = self.stem(x)
        batch, channels, height, width = x.shape
        below, right = (4 - height % 4) % 4, (4 - width % 4) % 4
        x = F.pad(x, (0, right, 0, below))
        high, wide = (height + below) // 4, (width + right) // 4
        x = x.view(batch, channels, high, 4, wide, 4).permute(0, 1, 2, 4, 3, 5)
        x = self.mix(x.reshape(batch, channels, high, wide, 16))
        x = x.view(batch, channels, high, wide, 4, 4).permute(0, 1, 2, 4, 3, 5)
        return x.reshape(batch, channels, high * 4, wide * 4)[:, :, :height, :width]


class Standardised(nn.Conv2d):
    """A convolution whose weights are normalised at each call."""

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class Same(nn.Conv2d):
    """A convolution padded by what the size of the map asks for, as TensorFlow does."""

    def forward(self, x):
        steps = zip(x.shape[-2:], self.kernel_size, self.stride, strict=True)
        v, h = (max((math.ceil(n / s) - 1) * s + k - n, 0) for n, k, s in steps)
        x = F.pad(x, (h // 2, h - h // 2, v // 2, v - v // 2))
        return F.conv2d(x, self.weight, self.bias, self.stride)


class Blurred(nn.Module):
    """An antialiased pool, as a convolution with constant weights that is called as a function."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 4)
        self.register_buffer("blur", torch.full((4, 1, 3, 3), 1 / 9))

    def forward(self, x):
        x = F.pad(torch.relu(self.stem(x)), (1, 1, 1, 1), mode="reflect")
        return F.conv2d(x, self.blur, stride=2, groups=4)


NETWORKS = {
    "channel shuffle": (Shuffled, [("left", "right")]),
    "slices and gates": (Sliced, [("first",), ("second",)]),
    "attention": (Attending, [("stem",), ("key", "value")]),
    "windows": (Windowed, [("stem",)]),
    "standardised weights": (
        lambda: nn.Sequential(Standardised(3, 4, 3, 2, 1), nn.ReLU()),
        [("0",)],
    ),
    "padding of the same": (lambda: nn.Sequential(Same(3, 4, 3, 2), nn.ReLU()), [("0",)]),
    "blur": (Blurred, [("conv2d",)]),
    "Lp pool": (lambda: nn.Sequential(conv(3, 4), nn.LPPool2d(2, 2)), [("1",)]),
}


class Watched(fx.Interpreter):
    """Holds shape and matrix products of every node against what the space says."""

    def __init__(self, space, frozen):
        super().__init__(frozen)
        self.values = space._integers()
        self.operations = iter(space._operations)

    def run_node(self, n):
        if n.op in {"placeholder", "output"}:
            return super().run_node(n)
        operation = next(self.operations)
        counter = FlopCounterMode(display=False)
        with counter:
            result = super().run_node(n)
        if isinstance(result, torch.Tensor):
            dims = operation.output or ()
            assert tuple(Polynomial.of(d).value(self.values) for d in dims) == tuple(result.shape)
        if operation.counted is not None and not isinstance(operation.target, AbstractResizer):
            said = Polynomial.of(operation.counted.macs).value(self.values)
            assert said == counter.get_total_flops() // 2
        return result


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("place", ["after", "conv", "before"])
def test_sizes_are_followed_through_operations_without_a_rule(name, place):
    torch.manual_seed(0)
    build, groups = NETWORKS[name]
    model, x = build().eval(), torch.randn(2, *SIZE)
    with torch.no_grad():
        expected = model(x)
        assert torch.equal(convert(model, SIZE, "strided").eval()(x), expected)
        space = convert(model, SIZE, place=place).eval()
        assert [group.sites for group in space.groups] == groups
        assert space(x).shape == expected.shape
        for strides in [(1.37, 2.2), (2.9, 1.1), (1.8, 1.9)]:
            for group in space.groups:
                group.stride.copy_(torch.tensor(strides))
            frozen = freeze(space)
            torch.testing.assert_close(frozen(x), space(x), rtol=1e-5, atol=1e-5)
            Watched(space, frozen).run(x[:1])


class Fitting(nn.Module):
    """Stretches its map to a multiple of 2, as mobile transformers do; fx cannot follow it."""

    patch = 2

    def __init__(self):
        super().__init__()
        self.width = 2
        self.mix = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        height, width = x.shape[-2:]
        fitted = -(-height // self.width) * self.width, -(-width // self.width) * self.width
        if fitted != (height, width):
            x = F.interpolate(x, fitted, mode="bilinear")
        return self.mix(x)


class Leaves(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.fit, self.second = conv(3, 4, 2), Fitting(), conv(4, 4, 2)

    def forward(self, x):
        return self.second(self.fit(self.first(x)))


def test_a_layer_that_stays_whole_is_asked_for_its_sizes_and_its_cost(monkeypatch):
    """Its map is a multiple of 2 where it would not be: no polynomial, a window's positions."""
    monkeypatch.setattr("resnas.graph.trace._timm_leaves", lambda: ((Fitting,), ()))
    torch.manual_seed(0)
    model, x = Leaves().eval(), torch.randn(2, *SIZE)
    space = convert(model, SIZE).eval()
    with torch.no_grad():
        for strides in [(1.37, 2.2), (2.9, 1.1), (1.8, 1.9)]:
            for group in space.groups:
                group.stride.copy_(torch.tensor(strides))
            frozen = freeze(space)
            torch.testing.assert_close(frozen(x), space(x), rtol=1e-5, atol=1e-5)
            Watched(space, frozen).run(x[:1])
    slopes = torch.autograd.grad(space.cost("macs"), space.arch_parameters())
    assert all((slope < 0).all() for slope in slopes)


class Remembering(nn.Module):
    """Keeps a table of the map's size, as relative positions are kept."""

    def __init__(self):
        super().__init__()
        self.tables = {}
        self.pool = nn.MaxPool2d(2)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        key = x.device
        if key not in self.tables:
            self.tables[key] = self.scale * 2
        return self.pool(x) * self.tables[key]


def test_nothing_of_running_without_data_stays_in_the_backbone():
    model, x = Remembering(), torch.randn(1, *SIZE)
    before = model(x)
    space = convert(model, SIZE).eval()
    assert list(model.tables) == [x.device]
    assert type(model.tables[x.device]) is torch.Tensor
    torch.testing.assert_close(space(x), before)


@pytest.mark.parametrize("resizer", ["dynopool", "diffstride", "shape_adaptor", "space_to_depth"])
def test_a_frozen_network_may_be_converted_again(resizer):
    """What stands at its former sites is left; a strided layer of it is a site."""
    torch.manual_seed(0)
    model = nn.Sequential(conv(3, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), conv(4, 4, 2)).eval()
    x = torch.randn(2, *SIZE)
    frozen = freeze(convert(model, SIZE, resizer, sites=["0"]))
    space = convert(frozen, SIZE).eval()
    assert [group.sites for group in space.groups][-1] == ("3",)
    torch.testing.assert_close(convert(frozen, SIZE, "strided").eval()(x), frozen(x))
