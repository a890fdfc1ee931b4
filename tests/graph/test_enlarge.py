"""Enlarged maps take the size of the map that they meet, whatever that has become."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnas.converting import convert, freeze
from resnas.costs._fvcore import fvcore_counts
from resnas.errors import NothingToResize
from resnas.exporting import export
from resnas.graph.enlarge import ToSize
from resnas.resizers._base import AbstractResizer

SIZE = (3, 32, 48)


def block(before, after, stride=1):
    conv = nn.Conv2d(before, after, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def shuffled(channels):
    return nn.Sequential(nn.Conv2d(channels, 4 * channels, 1), nn.PixelShuffle(2))


UPS = {
    "bilinear": lambda _: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    "nearest, then a convolution": lambda c: nn.Sequential(
        nn.Upsample(scale_factor=2), block(c, c)
    ),
    "transposed": lambda c: nn.ConvTranspose2d(c, c, 2, stride=2),
    "transposed, overlapping": lambda c: nn.ConvTranspose2d(c, c, 3, 2, 1, output_padding=1),
    "shuffled": shuffled,
}


class UNet(nn.Module):
    """Two levels down by max pools, two up, skips by concatenation."""

    def __init__(self, up):
        super().__init__()
        self.down = nn.ModuleList([block(3, 4), block(4, 6), block(6, 6)])
        self.up = nn.ModuleList([up(6), up(4)])
        self.join = nn.ModuleList([block(12, 4), block(8, 4)])
        self.head = nn.Conv2d(4, 2, 1)

    def enlarge(self, level, x, _skip):
        return self.up[level](x)

    def forward(self, x):
        high = self.down[0](x)
        middle = self.down[1](F.max_pool2d(high, 2))
        x = self.down[2](F.max_pool2d(middle, 2))
        x = self.join[0](torch.cat([self.enlarge(0, x, middle), middle], 1))
        x = self.join[1](torch.cat([high, self.enlarge(1, x, high)], 1))
        return self.head(x)


class Functional(UNet):
    """The same with interpolation to the size that is read from the skip."""

    def __init__(self):
        super().__init__(lambda _: nn.Identity())

    def enlarge(self, _level, x, skip):
        return F.interpolate(x, size=skip.shape[-2:], mode="bicubic")


class Padded(UNet):
    """As often written: what the enlarged map lacks of its skip's size is padded."""

    def enlarge(self, level, x, skip):
        x = self.up[level](x)
        rows, columns = skip.size()[2] - x.size()[2], skip.size(3) - x.shape[3]
        around = [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2]
        return F.pad(x, around)


class Pyramid(nn.Module):
    """Top-down additions by factors; lateral branches come after what is enlarged."""

    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList([block(3, 4, 2), block(4, 6, 2), block(6, 8, 2)])
        self.side = nn.ModuleList([nn.Conv2d(c, 5, 1) for c in (4, 6, 8)])
        self.head = nn.Conv2d(5, 2, 3, padding=1)

    def forward(self, x):
        high = self.down[0](x)
        middle = self.down[1](high)
        x = self.side[2](self.down[2](middle))
        x = F.interpolate(x, scale_factor=2.0, mode="nearest") + self.side[1](middle)
        x = self.side[0](high) + F.interpolate(x, None, 2, "bilinear")
        return F.interpolate(self.head(x), scale_factor=2, mode="bilinear")


MODELS = {name: lambda up=up: UNet(up) for name, up in UPS.items()}
MODELS |= {f"padded, {n}": lambda n=n: Padded(UPS[n]) for n in ("bilinear", "transposed")}
MODELS |= {"read from the skip": Functional, "pyramid": Pyramid}


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(0)
    return MODELS[request.param]().eval()


def moved(model, resizer="dynopool"):
    """A space whose sizes are all odd ones out."""
    space = convert(model, SIZE, resizer).eval()
    with torch.no_grad():
        for index, stride in enumerate(space.arch_parameters()):
            stride.mul_(torch.tensor([1.37 - 0.2 * index, 0.71 + 0.1 * index]))
    return space


def watched(module, x):
    """Shapes before and behind every layer that is called, by name."""
    seen = {}
    for name, layer in module.named_modules():
        layer.register_forward_hook(
            lambda _m, args, out, name=name: seen.update({name: (args[0].shape, out.shape)})
        )
    module(x)
    return seen


def test_the_space_of_the_backbone_itself_gives_its_outputs_bit_for_bit(model):
    x = torch.randn(2, *SIZE)
    space = convert(model, SIZE, "strided").eval()
    assert torch.equal(space(x), model(x))
    assert int(space.cost("macs")) >= space.human_cost("macs")


def test_outputs_keep_their_size_and_every_site_has_the_size_it_announces(model):
    space, x = moved(model), torch.randn(1, *SIZE)
    human = convert(model, SIZE, "strided").sizes()
    assert not space.fixed_sites
    assert not space.sizes().items() & human.items()
    assert space(x).shape == model(x).shape
    seen = watched(space.model, x)
    for name, size in space.sizes().items():
        assert seen["resizer_" + name.replace(".", "_")][1][2:] == size


def test_a_frozen_network_gives_the_outputs_of_its_space(model):
    space, x = moved(model), torch.randn(2, *SIZE)
    torch.testing.assert_close(freeze(space)(x), space(x), rtol=1e-5, atol=1e-5)


def counted(space, frozen, size):
    """Multiply-accumulates of the frozen network, from the maps that its layers really see."""
    counts = fvcore_counts(frozen, size)
    macs = counts["conv"] + counts.get("linear", 0)
    seen = watched(frozen, torch.zeros(1, *size))
    weighed = {"bilinear": 4, "bicubic": 16, "nearest": 0}
    for name, (_, after) in seen.items():
        layer = frozen.get_submodule(name)
        if isinstance(layer, ToSize | nn.Upsample):
            macs += weighed[layer.mode] * after.numel()
    for name, layer in space.model.named_modules():
        if isinstance(layer, AbstractResizer):
            before, after = seen[name]
            macs += layer.macs(before[1], tuple(before[2:]), tuple(after[2:]))
    return macs


def test_the_cost_is_that_of_the_frozen_network(model):
    space = moved(model)
    assert int(space.cost("macs")) == counted(space, freeze(space), SIZE)


def test_gradients_of_task_and_cost_reach_every_stride(model):
    space = moved(model).train()
    loss = space(torch.randn(2, *SIZE)).square().mean() + space.cost("macs") / 1e9
    loss.backward()
    assert all((stride.grad != 0).all() for stride in space.arch_parameters())


def test_a_map_that_fits_is_not_interpolated():
    x = torch.randn(1, 2, 4, 6)
    assert ToSize("bilinear", False)(x, (4, 6)) is x


class _Late(nn.Module):
    """The enlarged map is there before the one that it meets, and perhaps wanted elsewhere too."""

    def __init__(self, shared):
        super().__init__()
        self.down = nn.ModuleList([block(3, 4, 2), block(4, 4, 2)])
        self.last = block(4, 4)
        self.shared = shared

    def forward(self, x):
        high = self.down[0](x)
        up = torch.relu(F.interpolate(self.down[1](high), scale_factor=2))
        late = self.last(high)
        out = torch.cat([up, late], 1) * 2
        return (out, up.mean((2, 3))) if self.shared else out


@pytest.mark.parametrize("shared", [False, True])
def test_the_met_map_may_come_later_in_the_graph(shared):
    torch.manual_seed(0)
    model, x = _Late(shared).eval(), torch.randn(1, *SIZE)
    torch.testing.assert_close(convert(model, SIZE, "strided").eval()(x), model(x))
    space = moved(model)
    assert len(space.groups) == 2
    torch.testing.assert_close(freeze(space)(x), space(x))
    factors = [m for m in space.model.modules() if isinstance(m, nn.Upsample)]
    assert len(factors) == shared, "put off where nobody else needs it, else fitted where they meet"


class _Decoder(nn.Module):
    """An autoencoder: enlarged maps that meet nothing, and one that meets another enlarged one."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(block(3, 4, 2), block(4, 4, 2))
        self.up = nn.Upsample(scale_factor=2)
        self.deconv = nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1)
        self.shuffle = shuffled(4)

    def forward(self, x):
        x = self.down(x)
        return self.shuffle(self.up(x) + self.deconv(x))


def test_what_meets_nothing_keeps_the_size_it_had():
    torch.manual_seed(0)
    model, x = _Decoder().eval(), torch.randn(1, *SIZE)
    assert torch.equal(convert(model, SIZE, "strided").eval()(x), model(x))
    space = moved(model)
    assert space(x).shape == (1, 4, 32, 48)
    assert watched(space.model, x)["shuffle.0"][0][2:] == (16, 24)
    torch.testing.assert_close(freeze(space)(x), space(x))


def test_what_no_site_reaches_is_left_as_it_is():
    model = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 3, 2, 1)).eval()
    space = convert(model, SIZE).eval()
    assert isinstance(space.model.get_submodule("0"), nn.Upsample)
    assert space.sizes() == {"1": (32, 48)}


class _ByHalves(nn.Module):
    """A factor that no polynomial follows, on a map that is fitted only where it meets."""

    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList([block(3, 4, 2), block(4, 4, 2)])
        self.valid = nn.Conv2d(4, 4, 3)

    def forward(self, x):
        high = self.down[0](x)
        up = F.interpolate(self.down[1](high), scale_factor=2.25)
        return self.valid(up) + high


def test_a_broken_factor_that_cannot_follow_is_refused_by_node_and_line():
    with pytest.raises(NothingToResize, match=r"node interpolate.*test_enlarge\.py.*2\.25 times"):
        convert(_ByHalves(), (3, 32, 32))


def test_a_space_with_enlarged_maps_is_stored_bounded_and_exported(tmp_path):
    model = UNet(UPS["bilinear"]).eval()
    space = moved(model)
    assert space.range("macs")[0] <= int(space.cost("macs")) <= space.range("macs")[1]
    other = convert(model, SIZE).eval()
    other.load_architecture(space.architecture())
    x = torch.randn(1, *SIZE)
    assert torch.equal(other(x), space(x))
    export(space, tmp_path, formats=("pt2",))


def test_folded_maps_pass_their_channels_through_interpolation():
    torch.manual_seed(0)
    model = Pyramid().eval()
    space = convert(model, SIZE, "space_to_depth").eval()
    x = torch.randn(2, *SIZE)
    torch.testing.assert_close(space(x), model(x), rtol=1e-5, atol=1e-5)


def test_hrnet_converts_and_freezes():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    space = convert(timm.create_model("hrnet_w18_small", num_classes=5), (3, 64, 64)).eval()
    assert not space.fixed_sites
    human = {site: group.human_size for group in space.groups for site in group.sites}
    assert space.sizes() == human
    with torch.no_grad():
        for index, stride in enumerate(space.arch_parameters()):
            stride.mul_(torch.tensor([1.2 - 0.05 * index, 0.9 + 0.05 * index]))
    assert space.sizes() != human
    x, frozen = torch.randn(1, 3, 64, 64), freeze(space)
    torch.testing.assert_close(frozen(x), space(x), rtol=1e-5, atol=1e-5)
    assert int(space.cost("macs")) == counted(space, frozen, (3, 64, 64))
