"""Integer sizes given by hand, bounds, multiples."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch
from torch import nn

import resnas
import search_spaces
from resnas.catalog import resizers
from resnas.errors import ArchitectureMismatch, InvalidSpec, UnknownName
from resnas.graph.freeze import facts_of
from resnas.trial import build_space, rebuild

SIZE = (3, 32, 32)
PLACES = ("after", "conv", "before")


def small(name: str = "resnet_small", resizer: str = "dynopool", place=None) -> resnas.SearchSpace:
    torch.manual_seed(0)
    return resnas.convert(search_spaces.build(name, 10, SIZE), SIZE, resizer, place).eval()


@pytest.mark.parametrize("name", ["resnet_small", "vgg_small", "mobilenet_small"])
@pytest.mark.parametrize("place", PLACES)
def test_groups_get_exactly_the_sizes_that_are_wanted(name, place):
    space = small(name, place=place)
    first, second, third = (group.name for group in space.groups)
    for wanted in (
        [(20, 9), (11, 13), (3, 2)],
        [(16, 16), (8, 8), (4, 4)],
        [(33, 2), (3, 30), (2, 9)],
    ):
        space.set_sizes(dict(zip((first, second, third), wanted, strict=True)))
        sizes = space.sizes()
        assert [sizes[group.sites[0]] for group in space.groups] == wanted
        assert space(torch.zeros(1, *SIZE)).shape == (1, 10)
    strides = [group.stride.detach() for group in space.groups]
    nudged = [stride * 1.001 for stride in strides]
    before = space.sizes()
    for stride, other in zip(strides, nudged, strict=True):
        stride.copy_(other)
    assert space.sizes() == before, "a size is not lost by a step of the size of a rounding error"


LEARNING = [name for name in resizers.names() if resizers[name].at((2.0, 2.0)).stride.requires_grad]


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("entering", [(24, 31), (7, 16)])
def test_a_stride_is_found_for_every_size_that_any_stride_makes(name, entering):
    resizer, other = resizers[name].at((2.0, 2.0)), resizers[name].at((2.0, 2.0))
    reached = [set(), set()]
    for step in range(1, 600):
        with torch.no_grad():
            other.stride.fill_(0.5 * 1.01**step)
        for axis, size in enumerate(other.hard_size(entering)):
            reached[axis].add(size)
    for wanted in range(1, 40):
        pair = (wanted, min(reached[1]))
        stride = resizer.stride_for(entering, pair)
        assert (stride is not None) == (wanted in reached[0]) or wanted > max(reached[0])
        assert resizer.stride.tolist() == [2.0, 2.0]
        if stride is not None:
            with torch.no_grad():
                other.stride.copy_(torch.tensor(stride))
            assert other.hard_size(entering) == pair


def test_groups_that_are_not_named_keep_their_strides():
    space = small()
    first, second, _ = space.groups
    stride = second.stride.detach().clone()
    space.set_sizes({first.name: (24, 24)})
    assert torch.equal(second.stride, stride)
    assert space.sizes()[second.name] == (12, 12)


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ({"stage1.0.body.conv1": (4, 16), "stage3.0.body.conv1": (1, 4)}, "cannot be 1×4"),
        ({"stage1.0.body.conv1": (65, 16)}, "cannot be 65×16"),
    ],
)
def test_a_size_out_of_bounds_changes_nothing(sizes, found):
    space = small()
    before = space.architecture()
    with pytest.raises(ArchitectureMismatch, match=f"group stage.*{found}.*2 pixels to 4 times"):
        space.set_sizes(sizes)
    assert space.architecture() == before


def test_sizes_of_unknown_and_of_fixed_groups_are_refused():
    with pytest.raises(UnknownName, match="stage1"):
        small().set_sizes({"stage9": (3, 3)})
    with pytest.raises(ArchitectureMismatch, match="not learned"):
        small(resizer="strided").set_sizes({"stage1.0.body.conv1": (3, 3)})


def test_bounds_hold_whatever_the_strides():
    space = small()
    names = [group.name for group in space.groups]
    space.set_bounds({names[0]: ((10, 12), (20, 18)), names[1]: ((3, 4), (5, 4))})
    for extreme, expected in (1e6, [(10, 12), (3, 4)]), (1e-6, [(20, 18), (5, 4)]):
        with torch.no_grad():
            for group in space.groups:
                group.stride.fill_(extreme)
        assert [space.sizes()[names[0]], space.sizes()[names[1]]] == expected
        space.clip_strides()
        assert [space.sizes()[names[0]], space.sizes()[names[1]]] == expected
    x = torch.zeros(1, *SIZE)
    torch.testing.assert_close(resnas.freeze(space)(x), space(x))


@pytest.mark.parametrize("bounds", [((1, 4), (8, 8)), ((8, 8), (4, 9)), ((4, 4), (200, 8))])
def test_bounds_that_cannot_be_are_refused_with_those_that_can(bounds):
    space = small()
    name = space.groups[0].name
    with pytest.raises(InvalidSpec, match="Choose them from 2×2 to 64×64"):
        space.set_bounds({name: bounds})


@pytest.mark.parametrize("resizer", ["dynopool", "diffstride", "shape_adaptor"])
def test_freezing_at_multiples_leaves_the_space_alone(resizer):
    space = small(resizer=resizer)
    with torch.no_grad():
        for group, stride in zip(space.groups, (1.45, 1.9, 1.6), strict=True):
            group.stride.fill_(stride)
    before = space.architecture()
    frozen = resnas.freeze(space, multiple_of=4)
    assert space.architecture() == before
    facts = facts_of(frozen)
    assert facts is not None
    for site, sizes in facts.architecture.sizes.items():
        assert all(n % 4 == 0 for n in sizes)
        assert all(
            abs(n - m) <= 2 or n == 4 for n, m in zip(sizes, before.sizes[site], strict=True)
        )
    again = small(resizer=resizer)
    again.load_architecture(facts.architecture)
    assert int(again.cost("macs").detach()) == facts.macs
    x = torch.randn(2, *SIZE)
    torch.testing.assert_close(frozen(x), again(x), rtol=1e-4, atol=1e-4)


def test_a_multiple_below_one_is_refused():
    with pytest.raises(InvalidSpec, match=r"multiple_of: it is 0.*for example 8"):
        resnas.freeze(small(), multiple_of=0)


def trained(resizer: str = "dynopool") -> tuple[resnas.SearchSpace, bytes]:
    torch.manual_seed(1)
    space = build_space("resnet_small", 10, SIZE, resizer)
    with torch.no_grad():
        for group, stride in zip(space.groups, (1.45, 1.9, 1.6), strict=True):
            group.stride.fill_(stride)
        for module in space.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 1.5)
    return space.eval(), safetensors.torch.save(space.freeze().state_dict())


@pytest.mark.parametrize("resizer", ["dynopool", "diffstride"])
def test_weights_and_statistics_are_carried_to_other_sizes(resizer):
    space, weights = trained(resizer)
    x = torch.randn(2, *SIZE)
    rebuilt = rebuild(space.architecture(), weights)
    torch.testing.assert_close(rebuilt(x), space(x))
    expected = resnas.freeze(space, multiple_of=8)
    found = rebuild(space.architecture(), weights, multiple_of=8)
    torch.testing.assert_close(found(x), expected(x))
    assert not torch.allclose(found(x), rebuilt(x))


def test_weights_of_another_network_are_refused():
    space, _ = trained()
    other = safetensors.torch.save({"conv.weight": torch.zeros(3)})
    with pytest.raises(ArchitectureMismatch, match="weights: they are not those of resnet_small"):
        rebuild(space.architecture(), other)


def test_strides_of_another_backbone_are_refused():
    resnet, vgg = small(), small("vgg_small")
    with pytest.raises(ArchitectureMismatch, match="convert alike"):
        resnet.load_architecture(vgg.architecture())
    named = build_space("resnet_small", 10, SIZE, "dynopool")
    wider = named.architecture().model_copy(update={"backbone": "resnet18"})
    with pytest.raises(ArchitectureMismatch, match=r"resnet18.*resnet_small"):
        named.load_architecture(wider)
    more = named.architecture().model_copy(update={"num_classes": 100})
    with pytest.raises(ArchitectureMismatch, match="100"):
        named.load_architecture(more)
