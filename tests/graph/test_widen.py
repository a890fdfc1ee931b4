"""A backbone folded by space to depth computes what it did, with more channels to train."""

from __future__ import annotations

import copy
import itertools
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import search_spaces
from resnas.converting import convert, freeze
from resnas.costs._fvcore import fvcore_counts
from resnas.exporting import export
from resnas.graph.embed import embed
from resnas.resizers.space_to_depth import SpaceToDepth
from tests.graph.test_convert import CIFAR, PLACES, SMALL

SIZE = (3, 32, 32)


def folded(model, place=None, size=SIZE):
    return convert(model, size, "space_to_depth", place).eval()


def lively(model):
    """The model in eval mode, its batch norms as after some training."""
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.running_mean, std=0.1)
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias, std=0.1)
    return model.eval()


def built(name):
    torch.manual_seed(0)
    return lively(search_spaces.build(name, 10, SIZE))


def same(one, other, x):
    wanted = other(x).detach()
    torch.testing.assert_close(one(x), wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["resnet_small", "mobilenet_small", "resnet18"])
def test_where_convolutions_stood_the_outputs_are_the_backbones(name, place):
    model = built(name)
    space = folded(model, place)
    assert any(isinstance(m, SpaceToDepth) for m in space.modules())
    same(space, model, torch.randn(2, *SIZE))


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("padding", [0, 1, 2, 3])
@pytest.mark.parametrize(("stride", "dilation"), [(2, 1), (3, 1), (4, 1), (2, 2), (2, 3)])
def test_any_strided_convolution_is_one_of_stride_1_behind_the_fold(
    kernel, padding, stride, dilation
):
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, kernel, stride, padding, dilation).double()
    x = torch.randn(2, 2, 24, 36, dtype=torch.float64)
    wanted = conv(x)
    rows, columns = (24 // stride - wanted.shape[2], 36 // stride - wanted.shape[3])
    taken = embed(conv, stride, (rows, columns))
    torch.testing.assert_close(taken(SpaceToDepth(stride)(x)), wanted)
    assert taken.stride == (1, 1)
    if kernel % 2 and dilation == 1 and padding == kernel // 2:
        assert taken.kernel_size == conv.kernel_size
        assert taken.padding == conv.padding


@pytest.mark.parametrize(
    ("name", "place"),
    [*((name, "before") for name in CIFAR), *itertools.product(SMALL, ("before", "conv"))],
)
def test_folded_networks_train_freeze_and_cost_what_is_counted(name, place):
    space = folded(built(name), place)
    x = torch.randn(2, *SIZE)
    frozen = freeze(space)
    torch.testing.assert_close(frozen(x), space(x), rtol=1e-6, atol=1e-6)
    counts = fvcore_counts(frozen, SIZE)
    assert int(space.cost("macs")) == counts["conv"] + counts["linear"]
    assert int(space.cost("params")) == sum(p.numel() for p in frozen.parameters())
    assert space.range("macs") == (int(space.cost("macs")),) * 2
    F.cross_entropy(space.train()(x), torch.tensor([0, 1])).backward()
    assert all(p.grad is not None for p in space.weight_parameters())
    assert not space.arch_parameters()


def test_weights_that_began_at_zero_are_trained():
    space = folded(built("resnet_small")).train()
    conv = space.model.get_submodule("stage1.0.body.conv1")
    added = conv.weight == 0
    assert added.any()
    optimiser = torch.optim.SGD(space.weight_parameters(), lr=0.1)
    F.cross_entropy(space(torch.randn(4, *SIZE)), torch.tensor([0, 1, 2, 3])).backward()
    optimiser.step()
    assert (conv.weight[added] != 0).all()


def test_the_announced_sizes_are_those_of_the_maps():
    model = built("resnet_small")
    space = folded(model)
    assert space.sizes() == convert(model, SIZE, "strided").sizes()
    name = "stage2.0.body.conv1"
    seen = []
    space.model.get_submodule(name).register_forward_hook(
        lambda _m, _i, out: seen.append(tuple(out.shape[2:]))
    )
    space(torch.zeros(1, *SIZE))
    assert seen == [space.sizes()[name]]


def test_shortcuts_stay_strided_where_their_sum_takes_no_more_channels():
    space = folded(built("resnet_small"), "conv")
    left = {f"stage{n}.0.shortcut.conv" for n in (1, 2, 3)}
    assert set(space.fixed_sites) == left
    assert all("node add" in reason for reason in space.fixed_sites.values())
    assert all(space.model.get_submodule(name).stride == (2, 2) for name in left)
    assert not left & set(space.sizes())


def test_average_pools_become_folds_with_equal_outputs():
    conv, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
    pools = [nn.AvgPool2d(2), norm, nn.Conv2d(4, 5, 3, padding=1), nn.AvgPool2d(4)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 7)]
    model = lively(nn.Sequential(conv, nn.ReLU(), *pools, *end))
    space = folded(model)
    assert space.sizes() == {"2": (16, 16), "5": (4, 4)}
    assert space.model.get_submodule("8").in_features == 5 * 16
    same(space, model, torch.randn(2, *SIZE))


class _Branches(nn.Module):
    """Widened maps are concatenated, gated by one channel, counted, viewed and given to a head."""

    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.right = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.mask = nn.Conv2d(3, 1, 1, stride=2)
        self.slope = nn.PReLU(4)
        self.filter = nn.Conv2d(9, 9, 3, padding=1, groups=9)
        self.norm = nn.BatchNorm2d(9)
        self.head = nn.Linear(9 * 4, 6)

    def forward(self, x):
        left = self.slope(self.left(x))
        x = torch.cat([left, F.silu(self.right(x)) * torch.sigmoid(self.mask(x))], dim=1)
        x = F.max_pool2d(self.norm(self.filter(x)), 3, stride=1, padding=1)
        x = F.adaptive_avg_pool2d(x * 2, x.shape[2] // 8)
        return self.head(x.view(x.size(0), -1))


@pytest.mark.parametrize("place", PLACES)
def test_channels_are_followed_through_what_treats_them_alone(place):
    torch.manual_seed(0)
    model = lively(_Branches())
    space = folded(model, place, (3, 32, 32))
    x = torch.randn(3, 3, 32, 32)
    if place == "before":
        assert set(space.sizes()) == {"left", "right", "mask"}
        same(space, model, x)
    else:
        assert set(space.sizes()) == {"left", "right"}
        assert "node mul" in space.fixed_sites["mask"]
        assert space(x).shape == (3, 6)
    torch.testing.assert_close(freeze(space)(x), space(x))


class _Gated(nn.Module):
    """Squeeze-excite on a strided depthwise convolution; the gate has the channels of the map."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Sigmoid())
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = self.conv(x)
        return self.last(x * self.gate(x))


def _shared():
    conv = nn.Conv2d(3, 3, 3, stride=2, padding=1)
    return nn.Sequential(conv, nn.ReLU(), conv)


@pytest.mark.parametrize(
    ("model", "size", "site", "reason"),
    [
        (_Gated(), (4, 16, 16), "conv", "node mul.*keeps the channels"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1)), (3, 15, 16), "0", "15×16 does not divide"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, (2, 1), 1)), (3, 16, 16), "0", "rows as columns"),
        (nn.Sequential(nn.MaxPool2d(2)), (3, 16, 16), "0", "node output"),
        (nn.Sequential(nn.MaxPool2d(3, 2)), (3, 16, 16), "0", r"do not make \(7, 7\) of"),
        (_shared(), (3, 16, 16), "0", "several places"),
        (nn.Sequential(nn.MaxPool2d(2), nn.GroupNorm(1, 3)), (3, 8, 8), "0", "node _1 .*mixes"),
        (
            nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 4, 1, groups=2)),
            (4, 8, 8),
            "0",
            "in 2 groups",
        ),
    ],
    ids=["gate", "odd", "unequal", "output", "window", "shared", "group norm", "groups"],
)
def test_a_site_that_cannot_be_folded_is_left_as_it_was_with_the_reason(model, size, site, reason):
    model = model.eval()
    space = folded(model, None, size)
    assert re.search(reason, space.fixed_sites[site])
    x = torch.randn(2, *size)
    assert torch.equal(space(x), model(x))


def test_the_backbone_is_not_changed_and_random_numbers_are_not_drawn():
    model = built("resnet_small")
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    folded(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_architectures_of_folded_networks_are_stored_and_loaded():
    space = folded(built("mobilenet_small"))
    architecture = space.architecture()
    folded(built("mobilenet_small")).load_architecture(architecture)
    assert set(architecture.strides) == set(space.sizes())


def test_a_folded_network_is_exported(tmp_path):
    space = folded(built("resnet_small"))
    manifest = export(space, tmp_path)
    assert {"onnx", "pt2", "safetensors"} <= {file.format for file in manifest.files}
    assert manifest.gmacs == int(space.cost("macs")) / 1e9
