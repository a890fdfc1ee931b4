"""Backbones as people write them: modules called twice, functions, modes, precisions."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnas.converting import convert, freeze
from resnas.errors import UnknownName
from resnas.graph.freeze import facts_of
from tests.graph.test_convert import PLACES, built, scatter


class _Twice(nn.Module):
    """One pool and one strided convolution, each called twice."""

    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.conv = nn.Conv2d(3, 3, 3, stride=2, padding=1)

    def forward(self, x):
        return self.conv(self.pool(self.conv(self.pool(x)))).mean((2, 3))


def test_each_call_of_a_module_has_a_resizer_of_its_own():
    """The first convolution and the pool behind it are one site, as everywhere."""
    model, x = _Twice().eval(), torch.randn(2, 3, 64, 64)
    space = convert(model, (3, 64, 64)).eval()
    assert space.sizes() == {"pool": (32, 32), "conv": (8, 8), "conv_1": (4, 4)}
    assert [g.name for g in space.groups] == ["pool", "conv", "conv_1"]
    scatter(space)
    torch.testing.assert_close(freeze(space)(x), space(x), rtol=1e-5, atol=1e-5)


def test_choosing_one_call_of_a_convolution_chooses_all():
    space = convert(_Twice(), (3, 64, 64), sites=["conv"])
    assert [g.name for g in space.groups] == ["conv", "conv_1"]
    assert space.sizes() == {"conv": (8, 8), "conv_1": (4, 4)}


def test_module_paths_that_look_alike_keep_their_own_resizers():
    stages = nn.ModuleDict({"a": nn.Sequential(nn.MaxPool2d(2)), "a_0": nn.MaxPool2d(2)})
    space = convert(nn.Sequential(stages["a"], nn.Identity(), stages["a_0"]), (3, 32, 32))
    assert len(set(space.sizes())) == 2
    assert freeze(space)(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize("side", [16, 24, 32])
def test_resizers_in_a_row_leave_room_for_a_window_behind_them(side):
    layers = [nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Conv2d(4, 4, 3), nn.AdaptiveAvgPool2d(1))
    space = convert(model, (3, side, side)).eval()
    with torch.no_grad():
        for group in space.groups:
            group.stride.fill_(50.0)
    assert space(torch.zeros(1, 3, side, side)).shape == (1, 4, 1, 1)


class _Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return F.dropout(self.pool(x), 0.5, training=self.training)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_called_as_a_function_follows_the_mode(training):
    space = convert(_Dropping().train(training), (3, 16, 16))
    x = torch.rand(2, 3, 16, 16) + 1
    assert torch.equal(space.eval()(x), F.max_pool2d(x, 2))
    assert (space.train()(x) == 0).any()
    assert torch.equal(freeze(space.eval())(x), space(x))


class _Functional(nn.Module):
    """Older style: pools and the end of the map as functions, the window read from the map."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv(x), 2))
        x = F.avg_pool2d(x, 2, stride=2)
        return F.log_softmax(F.avg_pool2d(x, x.size()[2:]).view(x.size(0), -1), dim=1)


@pytest.mark.parametrize("place", PLACES)
def test_pools_called_as_functions_are_sites(place):
    model, x = _Functional().eval(), torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(convert(model, (3, 32, 32), "strided").eval()(x), model(x))
    space = convert(model, (3, 32, 32), place=place).eval()
    assert set(space.sizes().values()) == {(16, 16), (8, 8)}
    scatter(space)
    assert space(x).shape == (2, 4)
    torch.testing.assert_close(freeze(space)(x), space(x), rtol=1e-5, atol=1e-5)


def test_a_backbone_keeps_its_precision():
    space = convert(built("resnet_small").double(), (3, 32, 32)).eval()
    assert space(torch.zeros(1, 3, 32, 32, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_space_may_be_brought_to_another_precision(dtype):
    space = convert(built("resnet_small"), (3, 32, 32)).eval().to(dtype)
    out = space(torch.zeros(1, 3, 32, 32, dtype=dtype))
    assert out.dtype == dtype


def test_an_unknown_place_is_refused():
    with pytest.raises(UnknownName, match="Did you mean 'before'"):
        convert(built("vgg_small"), (3, 32, 32), place="befor")


def test_a_space_survives_copying_saving_and_loading(tmp_path):
    space = convert(built("resnet_small"), (3, 32, 32)).eval()
    scatter(space)
    x = torch.randn(2, 3, 32, 32)
    torch.save(space, tmp_path / "space.pt")
    loaded = torch.load(tmp_path / "space.pt", weights_only=False)
    for other in (copy.deepcopy(space), loaded):
        assert torch.equal(other(x), space(x))
        with torch.no_grad():
            other.groups[0].stride.fill_(5.0)
        assert other.sizes() != space.sizes()
        assert int(other.cost("macs")) < int(space.cost("macs"))
    fresh = convert(built("resnet_small"), (3, 32, 32)).eval()
    fresh.load_state_dict(space.state_dict())
    assert fresh.architecture() == space.architecture()


def test_a_frozen_network_carries_its_facts_wherever_it_goes(tmp_path):
    space = convert(built("vgg_small"), (3, 32, 32))
    frozen = freeze(space)
    torch.save(frozen, tmp_path / "frozen.pt")
    loaded = torch.load(tmp_path / "frozen.pt", weights_only=False)
    for network in (frozen, copy.deepcopy(frozen), loaded):
        facts = facts_of(network)
        assert facts is not None
        assert facts.architecture == space.architecture()
        assert facts.macs == int(space.cost("macs"))
    assert facts_of(space.model) is None


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "googlenet", "densenet121"])
def test_networks_of_torchvision_convert_and_freeze(name):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None, num_classes=5).eval()
    x = torch.randn(1, 3, 96, 64)
    space = convert(model, (3, 96, 64)).eval()
    human = convert(model, (3, 96, 64), "strided")
    assert torch.equal(human(x), model(x))
    assert space.sizes() == human.sizes()
    scatter(space)
    torch.testing.assert_close(freeze(space)(x), space(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("resizer", ["dynopool", "diffstride", "max", "average"])
def test_clipping_brings_back_strides_whose_gradient_is_gone(resizer):
    space = convert(built("vgg_small"), (3, 32, 32), resizer)
    start = [g.stride.clone() for g in space.groups]
    space.clip_strides()
    assert all(torch.equal(a, g.stride) for a, g in zip(start, space.groups, strict=True))
    for extreme in (1e4, 1e-4):
        with torch.no_grad():
            for stride in space.arch_parameters():
                stride.fill_(extreme)
        space.clip_strides()
        if space.arch_parameters():
            slopes = torch.autograd.grad(space.cost("macs"), space.arch_parameters())
            assert all((slope < 0).all() for slope in slopes)
