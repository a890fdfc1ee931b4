import pytest
import torch

from resnas import backbones
from resnas.converting import convert
from resnas.errors import ArchitectureMismatch, ResnasError
from resnas.profiling import profile


def space_of(name, size, **options):
    space = convert(backbones.sketch(name, 10, size), size, **options)
    space.backbone, space.num_classes = name, 10
    return space


@pytest.fixture(scope="module")
def resnet():
    space = space_of("torchvision/resnet18", (3, 64, 64))
    space.set_sizes({space.groups[-1].name: (3, 2)})
    return space, profile(space.architecture())


def test_the_layers_of_a_profile_add_up_to_its_costs(resnet):
    space, found = resnet
    assert sum(each.macs for each in found.maps) == int(space.cost("macs")) == found.gmacs * 1e9
    assert sum(each.human_macs or 0 for each in found.maps) == space.human_cost("macs")
    assert found.human_gmacs == space.human_cost("macs") / 1e9
    assert found.counter == "resnas.macs/1"


def test_maps_stand_in_the_order_of_the_network_beside_the_humans(resnet):
    _, found = resnet
    maps = {each.name: each for each in found.maps}
    assert list(maps)[:4] == ["conv1", "bn1", "relu", "conv1.resizer"]
    assert len(maps) == len(found.maps)
    stem = maps["conv1"]
    assert (stem.kind, stem.channels, stem.size, stem.human_size) == (
        "conv",
        64,
        (64, 64),
        (32, 32),
    )
    last = maps["layer4.1.conv2"]
    assert (last.size, last.human_size) == ((3, 2), (2, 2))
    assert last.macs * 2 == last.human_macs * 3
    assert (maps["fc"].kind, maps["fc"].size, maps["fc"].channels) == ("linear", None, 10)
    assert (maps["layer1.0.relu (2)"].kind, maps["avgpool"].kind) == ("activation", "pool")


def test_a_resizer_has_the_human_size_of_its_site_and_no_human_cost(resnet):
    space, found = resnet
    resizers = {each.name: each for each in found.maps if each.kind == "resizer"}
    assert {name.removesuffix(".resizer") for name in resizers} == set(space.sizes())
    made = resizers["layer4.0.conv1.resizer"]
    assert (made.size, made.human_size, made.human_macs) == ((3, 2), (2, 2), None)
    assert made.macs > 0


def test_an_architecture_that_fits_no_backbone_is_refused(resnet):
    space, _ = resnet
    architecture = space.architecture()
    with pytest.raises(ResnasError, match="without a name"):
        profile(architecture.model_copy(update={"backbone": None}))
    other = dict.fromkeys(architecture.sizes, (9, 9))
    with pytest.raises(ArchitectureMismatch):
        profile(architecture.model_copy(update={"sizes": other}))


class Own(torch.nn.Sequential):
    def __init__(self, num_classes, input_size):
        super().__init__(
            torch.nn.Conv2d(input_size[0], 4, 3, padding=1),
            torch.nn.Dropout(),
            torch.nn.MaxPool2d(2),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(4, num_classes),
        )


def test_a_network_of_the_callers_own_is_profiled_too():
    space = convert(Own(10, (1, 8, 8)), (1, 8, 8), fit_flattened=True)
    space.backbone, space.num_classes = "mine", 10
    drawn = torch.random.get_rng_state()
    found = profile(space.architecture(), Own)
    assert torch.equal(drawn, torch.random.get_rng_state())
    assert [each.kind for each in found.maps] == ["conv", "resizer", "pool", "linear"]
    figure = space.architecture().plot(Own)
    assert [trace.name for trace in figure.data] == ["input", "conv", "resizer", "human"]


@pytest.mark.parametrize("resizer", ["diffstride", "space_to_depth", "shape_adaptor", "strided"])
def test_every_kind_of_resizer_can_be_profiled(resizer):
    space = space_of("vgg_small", (1, 32, 32), resizer=resizer)
    found = profile(space.architecture())
    assert sum(each.macs for each in found.maps) == int(space.cost("macs"))
    assert sum(each.human_macs or 0 for each in found.maps) == space.human_cost("macs")
