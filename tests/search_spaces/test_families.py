"""The families' networks are those of their papers, and convert."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch import nn

import search_spaces
from resnas.converting import convert, freeze
from resnas.errors import InvalidSpec
from resnas.estimating import check
from resnas.spec import JobSpec
from search_spaces import preact_resnet18

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


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("alexnet", "torchvision/alexnet"),
        ("efficientnet_b0", "torchvision/efficientnet_b0"),
        ("mobilenet_v1", "timm/mobilenetv1_100"),
    ],
)
def test_the_maps_are_those_of_other_libraries_networks(name, same):
    """The same convolutions and linear layers on the same maps, one after the other."""
    assert layers(name, 1000, (3, 224, 224)) == layers(same, 1000, (3, 224, 224))


def test_hrnet_costs_what_its_paper_counts():
    found = layers("hrnet_w48", 19, (3, 1024, 2048))
    macs = sum(math.prod(weight) * math.prod(size) for weight, size in found)
    assert macs / 1024**3 == pytest.approx(696.2, abs=0.05)


def layers(name, classes, size):
    """Shapes of the weights and sizes of the maps of all convolutions and linear layers."""
    found = []
    with torch.device("meta"):
        model = search_spaces.build(name, classes, size).eval()
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(
                    lambda m, _i, out: found.append((m.weight.shape, out.shape[2:]))
                )
        model(torch.empty(1, *size))
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


@pytest.mark.parametrize("strides", [(2, 2, 1.5), (True, 2, 2), (2, 2, 2, 2)])
def test_strides_are_whole_numbers_for_callers_too(strides):
    with pytest.raises(ValueError, match="three whole numbers from 1 to 8"):
        preact_resnet18.build(10, (3, 32, 32), strides=strides)


def test_too_many_levels_for_the_pictures_are_refused():
    with pytest.raises(ValueError, match=r"6 levels halve 32 pixels.*smaller depth"):
        search_spaces.build("unet:depth=6", 2, (3, 32, 48))


DENSE = ("hrnet_w48", "unet:width=8", "unet:width=8,up=bilinear,depth=3")
SIZE = (3, 64, 48)


@cache
def dense(name):
    """Such a network and its conversion with nothing replaced; no test changes either of them."""
    torch.manual_seed(0)
    model = search_spaces.build(name, 5, SIZE).eval()
    return model, convert(model, SIZE, "strided").eval()


@torch.no_grad()
def shift(space):
    """Strides a little off the human ones, on each axis otherwise."""
    for index, group in enumerate(space.groups):
        group.stride.mul_(torch.tensor([0.8 + 0.07 * (index % 5), 1.1 - 0.06 * (index % 6)]))


@pytest.mark.parametrize("name", [pytest.param(DENSE[0], marks=pytest.mark.chaos), *DENSE[1:]])
def test_networks_for_every_pixel_convert_train_and_freeze(name):
    model, human = dense(name)
    x, classes = torch.randn(2, *SIZE), torch.randint(5, (2, *SIZE[1:]))
    assert torch.equal(human(x), model(x))
    space = convert(model, SIZE).train()
    assert space.sizes() == human.sizes()
    shift(space)
    optimiser = torch.optim.SGD(space.parameters(), lr=1e-3)
    loss = nn.functional.cross_entropy(space(x), classes) + space.cost("macs") / 1e9
    loss.backward()
    assert all((stride.grad != 0).all() for stride in space.arch_parameters())
    optimiser.step()
    space.eval()
    torch.testing.assert_close(freeze(space)(x), space(x), rtol=1e-5, atol=1e-5)
    assert space(x).shape == (2, 5, *SIZE[1:])


def test_networks_for_every_pixel_are_refused_for_data_with_one_class_a_picture(tmp_path):
    spec = JobSpec(backbone="unet:width=8", dataset="digits", budget_gmacs=1.0)
    with pytest.raises(InvalidSpec, match=r"N×10.*Choose a backbone for classification"):
        check(spec, tmp_path)


def test_a_stream_of_hrnet_is_one_group_however_often_it_is_added_to():
    """Only steps on the way to a stream, whose maps meet no other, are groups of their own."""
    groups = [group.sites for group in dense("hrnet_w48")[1].groups]
    enter, third, fourth = (
        next(sites for sites in groups if name in sites)
        for name in ("enter.1.conv", "new.0.conv", "new.1.conv")
    )
    assert [len(sites) for sites in (enter, third, fourth)] == [1 + 8, 1 + 4 * 2 + 3 * 2, 1 + 3 * 3]
    others = [sites for sites in groups if sites not in (enter, third, fourth)]
    assert all(len(sites) == 1 for sites in others)
    assert {sites[0].partition(".")[0] for sites in others} == {"stem", "stage3", "stage4"}


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
