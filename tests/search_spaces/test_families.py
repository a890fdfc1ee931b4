"""The families' networks are those of their papers, and convert."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import search_spaces
from resnas.converting import convert, freeze
from tests.graph.test_convert import scatter

PARAMETERS = {
    ("preact_resnet18", 10, 32): 11_172_170,  # as DiffStride's authors count theirs
    ("mobilenet_v1", 1000, 224): 4_231_976,
    ("alexnet", 1000, 224): 61_100_840,
    ("efficientnet_b0", 1000, 224): 5_288_548,
    ("hrnet_w48", 19, 64): 65_858_659,  # 65.8 M in its paper
    ("unet", 2, 64): 31_037_698,
}


@pytest.mark.parametrize(("name", "classes", "side"), PARAMETERS)
def test_as_many_parameters_as_the_published_network(name, classes, side):
    with torch.device("meta"):
        model = search_spaces.build(name, classes, (3, side, side))
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name, classes, side]


@pytest.mark.parametrize("name", ["alexnet", "efficientnet_b0"])
def test_the_maps_are_those_of_torchvisions_network(name):
    """The same convolutions and linear layers on the same maps, one after the other."""
    models = pytest.importorskip("torchvision").models
    ours = search_spaces.build(name, 1000, (3, 224, 224))
    theirs = models.get_model(name, weights=None)
    assert layers(ours) == layers(theirs)


def layers(model):
    found = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda m, _i, out: found.append((*m.weight.shape, *out.shape[2:]))
            )
    model.eval()(torch.zeros(1, 3, 224, 224))
    return found


@pytest.mark.parametrize("strides", [(2, 2, 2), (1, 3, 1), (3, 2, 3)])
def test_the_strides_of_the_preactivation_resnet_are_a_setting(strides):
    name = f"preact_resnet18:strides={'+'.join(map(str, strides))}"
    human = convert(search_spaces.build(name, 10, (3, 32, 32)), (3, 32, 32), "strided")
    side, expected = 32, []
    for stride in strides:
        side = -(-side // stride)
        if stride > 1:
            expected.append((side, side))
    assert [group.human_size for group in human.groups] == expected


@pytest.mark.parametrize("strides", ["2+2", "2+2+0", "2+2+9"])
def test_other_strides_are_refused(strides):
    with pytest.raises(ValueError, match=r"strides.*three whole numbers from 1 to 8"):
        search_spaces.build(f"preact_resnet18:strides={strides}", 10, (3, 32, 32))


def test_too_many_levels_for_the_pictures_are_refused():
    with pytest.raises(ValueError, match=r"6 levels halve 32 pixels.*smaller depth"):
        search_spaces.build("unet:depth=6", 2, (3, 32, 48))


DENSE = ("hrnet_w48", "unet:width=8", "unet:width=8,up=bilinear,depth=3")


@pytest.mark.parametrize("name", DENSE)
def test_networks_for_every_pixel_convert_train_and_freeze(name):
    torch.manual_seed(0)
    size = (3, 64, 48)
    model = search_spaces.build(name, 5, size).eval()
    x = torch.randn(2, *size)
    human = convert(model, size, "strided").eval()
    assert torch.equal(human(x), model(x))
    space = convert(model, size)
    assert space.sizes() == human.sizes()
    scatter(space)
    loss = space(x).square().mean() + space.cost("macs") / 1e9
    loss.backward()
    slopes = [stride.grad for stride in space.arch_parameters()]
    assert all(slope is not None and slope.isfinite().all() for slope in slopes)
    space.eval()
    torch.testing.assert_close(freeze(space)(x), space(x), rtol=1e-5, atol=1e-5)
    assert space(x).shape == (2, 5, 64, 48)


def test_a_stream_of_hrnet_is_one_group_however_often_it_is_added_to():
    """Only steps on the way to a stream, whose maps meet no other, are groups of their own."""
    with torch.device("meta"):
        model = search_spaces.build("hrnet_w48", 5, (3, 64, 64))
    groups = [group.sites for group in convert(model, (3, 64, 64), "strided").groups]
    enter, third, fourth = (
        next(sites for sites in groups if name in sites)
        for name in ("enter.1.conv", "new.0.conv", "new.1.conv")
    )
    assert [len(sites) for sites in (enter, third, fourth)] == [1 + 8, 1 + 4 * 2 + 3 * 2, 1 + 3 * 3]
    others = [sites for sites in groups if sites not in (enter, third, fourth)]
    assert all(len(sites) == 1 for sites in others)
    assert {sites[0].partition(".")[0] for sites in others} == {"stem", "stages"}


@pytest.mark.parametrize("learned", ["transposed", "bilinear"])
def test_a_level_of_a_unet_is_one_group(learned):
    model = search_spaces.build(f"unet:width=4,up={learned}", 5, (3, 70, 50))
    space = convert(model, (3, 70, 50))
    assert [group.sites for group in space.groups] == [(f"down.{n}.pool",) for n in range(4)]
    assert space.sizes()["down.3.pool"] == (4, 3)


@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v1", "efficientnet_b0", "preact_resnet18"])
@pytest.mark.parametrize("resizer", ["dynopool", "diffstride", "space_to_depth"])
def test_new_families_convert_with_operators_of_every_kind(name, resizer):
    torch.manual_seed(0)
    model, x = search_spaces.build(name, 5, (3, 32, 32)).eval(), torch.randn(2, 3, 32, 32)
    assert torch.equal(convert(model, (3, 32, 32), "strided").eval()(x), model(x))
    space = convert(model, (3, 32, 32), resizer).eval()
    torch.testing.assert_close(freeze(space)(x), space(x), rtol=1e-4, atol=1e-4)
