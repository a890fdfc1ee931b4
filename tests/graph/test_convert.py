"""Conversion keeps the human design, groups what must agree, and freezes to the same outputs."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import search_spaces
from resnas.converting import convert, freeze
from resnas.errors import NothingToResize, UnknownName, UntraceableBackbone

SMALL = ("vgg_small", "resnet_small", "mobilenet_small")
CIFAR = ("vgg16", "resnet18", "resnet50", "mobilenet_v2")
PLACES = ("after", "conv", "before")


def built(name: str, size: tuple[int, int, int] = (3, 32, 32)) -> nn.Module:
    torch.manual_seed(0)
    return search_spaces.build(name, 10, size).eval()


def scatter(space: nn.Module) -> None:
    """Strides that give odd, unequal sizes."""
    with torch.no_grad():
        for index, group in enumerate(space.groups):
            group.stride.mul_(torch.tensor([0.83 + 0.1 * index, 1.21 - 0.05 * index]))


@pytest.mark.parametrize("name", [*SMALL, *CIFAR])
def test_the_strided_resizer_reproduces_the_backbone_bit_for_bit(name):
    model, x = built(name), torch.randn(2, 3, 32, 32)
    space = convert(model, (3, 32, 32), "strided")
    assert torch.equal(space(x), model(x))
    assert space.arch_parameters() == []
    assert int(space.cost("macs")) == space.human_cost("macs")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", [*SMALL, *CIFAR])
def test_the_search_starts_at_the_human_sizes(name, place):
    model = built(name)
    human = convert(model, (3, 32, 32), "strided").sizes()
    space = convert(model, (3, 32, 32), "dynopool", place)
    assert space.sizes() == human
    assert not space.fixed_sites


@pytest.mark.parametrize("resizer", ["dynopool", "diffstride", "max", "average"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", SMALL)
def test_a_frozen_network_gives_the_outputs_of_its_space(name, place, resizer):
    space = convert(built(name), (3, 32, 32), resizer, place).eval()
    if space.arch_parameters():
        scatter(space)
    x = torch.randn(2, 3, 32, 32)
    frozen = freeze(space)
    torch.testing.assert_close(frozen(x), space(x), rtol=1e-5, atol=1e-5)
    own = {id(p) for p in space.parameters()}
    assert not own & {id(p) for p in frozen.parameters()}, "a frozen network has its own weights"
    assert sum(p.numel() for p in frozen.parameters()) == int(space.cost("params"))


@pytest.mark.parametrize("name", CIFAR)
def test_frozen_outputs_of_the_large_networks_equal_at_other_sizes(name):
    space = convert(built(name), (3, 32, 32)).eval()
    scatter(space)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(freeze(space)(x), space(x), rtol=1e-5, atol=1e-5)


def test_the_announced_sizes_are_the_sizes_of_the_maps():
    space = convert(built("resnet50"), (3, 32, 32)).eval()
    scatter(space)
    seen = {}
    for node in space.model.graph.nodes:
        if str(node.target).startswith("resizer_"):
            module = space.model.get_submodule(node.target)
            module.register_forward_hook(
                lambda _m, _i, out, key=node.target: seen.update({key: tuple(out.shape[2:])})
            )
    space(torch.zeros(1, 3, 32, 32))
    announced = {"resizer_" + k.replace(".", "_"): v for k, v in space.sizes().items()}
    assert seen == announced


def test_the_shortcut_and_the_main_branch_of_a_residual_block_are_one_group():
    space = convert(built("resnet50"), (3, 32, 32))
    assert [len(group.sites) for group in space.groups] == [2, 2, 2]
    assert len(space.arch_parameters()) == 3
    strides = [m.stride for m in space.model.modules() if hasattr(m, "from_site")]
    assert len({id(s) for s in strides}) == 3


def test_a_strided_convolution_and_its_pool_are_one_site_of_stride_4():
    space = convert(built("resnet50", (3, 224, 224)), (3, 224, 224))
    stem = space.groups[0]
    assert stem.human_size == (56, 56)
    assert stem.stride.tolist() == [4.0, 4.0]


def test_the_backbone_itself_is_not_changed():
    model = built("resnet_small")
    before = copy.deepcopy(model.state_dict())
    space = convert(model, (3, 32, 32))
    space.train()(torch.randn(4, 3, 32, 32)).sum().backward()
    assert str(model) == str(built("resnet_small"))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_only_the_chosen_sites_are_converted():
    space = convert(built("vgg_small"), (3, 32, 32), sites=["pool2"])
    assert [group.sites for group in space.groups] == [("pool2",)]
    with pytest.raises(UnknownName, match=r"Did you mean 'pool2'\?"):
        convert(built("vgg_small"), (3, 32, 32), sites=["pol2"])


def test_gradients_reach_every_stride_and_weight():
    space = convert(built("resnet_small"), (3, 32, 32)).train()
    scatter(space)
    loss = F.cross_entropy(space(torch.randn(4, 3, 32, 32)), torch.tensor([0, 1, 2, 3]))
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in space.weight_parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in space.arch_parameters())


class _Inception(nn.Module):
    """A valid strided convolution beside a pool, concatenated, as in Inception's reductions."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.conv = nn.Conv2d(4, 6, 3, stride=2)
        self.pool = nn.MaxPool2d(3, 2)
        self.head = nn.Conv2d(10, 5, 3)

    def forward(self, x):
        x = self.stem(x)
        x = torch.cat([F.relu(self.conv(x)), self.pool(x)], dim=1)
        return self.head(x).mean((2, 3))


@pytest.mark.parametrize("place", PLACES)
def test_members_of_a_group_agree_though_their_inputs_differ(place):
    model, x = _Inception().eval(), torch.randn(2, 3, 35, 35)
    space = convert(model, (3, 35, 35), "dynopool", place).eval()
    assert [group.sites for group in space.groups] == [("conv", "pool")]
    assert set(space.sizes().values()) == {(17, 17)}
    assert space(x).shape == (2, 5)
    for factor in (0.6, 1.3, 2.1):
        with torch.no_grad():
            space.groups[0].stride.mul_(factor)
        assert len(set(space.sizes().values())) == 1
        torch.testing.assert_close(freeze(space)(x), space(x), rtol=1e-5, atol=1e-5)


def test_no_map_becomes_too_small_for_a_window_behind_it():
    space = convert(_Inception(), (3, 35, 35)).eval()
    with torch.no_grad():
        space.groups[0].stride.fill_(100.0)
    assert space(torch.zeros(1, 3, 35, 35)).shape == (1, 5)
    assert set(space.sizes().values()) == {(3, 3)}, "the head's 3×3 window needs three pixels"


class _Bypass(nn.Module):
    """A pooled map meets one that comes from the input by a fixed resizing."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.side = nn.Sequential(nn.AdaptiveAvgPool2d(16), nn.Conv2d(3, 4, 1))
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(self.conv(x) + self.side(x)).mean((2, 3))


def test_a_site_whose_map_meets_a_fixed_one_is_left_alone_and_reported():
    space = convert(_Bypass(), (3, 32, 32))
    assert [group.sites for group in space.groups] == [("pool",)]
    assert "node add" in space.fixed_sites["conv"]
    assert space(torch.zeros(2, 3, 32, 32)).shape == (2, 4)


class _Flattened(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(3 * 16 * 16, 10)

    def forward(self, x):
        return self.head(torch.flatten(self.pool(x), 1))


def test_a_linear_layer_on_a_resized_map_is_refused_by_node_and_line():
    with pytest.raises(NothingToResize, match=r"node head \(head\).*test_convert\.py.*768"):
        convert(_Flattened(), (3, 32, 32))


class _Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_a_backbone_that_cannot_be_traced_is_refused_with_its_line():
    with pytest.raises(UntraceableBackbone, match=r"_Branching, .*test_convert\.py:\d+"):
        convert(_Branching(), (3, 32, 32))


def test_an_input_that_the_backbone_does_not_take_is_refused():
    with pytest.raises(UntraceableBackbone, match="1×32×32"):
        convert(built("resnet18"), (1, 32, 32))


class _WindowedEnd(nn.Module):
    """A pool over the whole map ends the network, as older networks write it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.pool = nn.AvgPool2d(16)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.pool(self.conv(x)).flatten(1))


def test_a_pool_over_the_whole_map_is_no_site_and_follows_its_size():
    model = _WindowedEnd().eval()
    space = convert(model, (3, 32, 32)).eval()
    assert [group.sites for group in space.groups] == [("conv",)]
    with torch.no_grad():
        space.groups[0].stride.fill_(3.1)
    assert space.sizes() == {"conv": (10, 10)}
    assert space(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
