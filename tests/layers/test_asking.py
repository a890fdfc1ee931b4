"""Asking for layers by a text: what is understood, what is replaced, what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import search_spaces
from resnas.converting import convert
from resnas.errors import InvalidLayer, ResnasError, UnknownName
from resnas.layers._asked import Asked
from resnas.layers._replacing import replace_layers
from resnas.layers.cas import ConvAdaptiveStride
from resnas.layers.pas import PoolAdaptiveStride
from resnas.layers.phc import PHConv2d

SIZE = (3, 32, 32)


def vgg() -> nn.Module:
    torch.manual_seed(0)
    return search_spaces.build("vgg_small", 10, SIZE)


def replaced(*texts: str, model: nn.Module | None = None) -> dict[str, nn.Module]:
    """The layers that stand in a small VGG afterwards, by path."""
    model = model or vgg()
    maps = {
        name: [(module.in_channels if isinstance(module, nn.Conv2d) else 4, 32, 32)]
        for name, module in model.named_modules()
        if not list(module.children())
    }
    replace_layers(model, texts, maps)
    kinds = (PHConv2d, ConvAdaptiveStride, PoolAdaptiveStride)
    return {name: module for name, module in model.named_modules() if isinstance(module, kinds)}


def test_a_text_names_the_layer_its_settings_and_where() -> None:
    asked = Asked.parse("cas:width=4,per_channel=1@stage1+stage2.conv1")
    assert asked.entry is ConvAdaptiveStride
    wanted = {"width": 4, "per_channel": True, "from_result": False, "full_size": False}
    assert asked.settings == {**wanted, "kernel_size": 3}
    assert asked.prefixes == ("stage1", "stage2.conv1")
    assert Asked.parse("phc").settings == {"n": 2}


def test_only_named_stages_are_replaced() -> None:
    found = replaced("phc:n=4@stage2+stage4.conv1")
    assert list(found) == ["stage2.conv1", "stage4.conv1"]
    assert all(isinstance(layer, PHConv2d) and layer.n == 4 for layer in found.values())
    assert list(replaced("pas@pool2")) == ["pool2"]


def test_a_prefix_ends_where_a_name_ends() -> None:
    model = nn.Sequential()
    for index in (1, 10):
        model.add_module(f"layer{index}", nn.Sequential(nn.Conv2d(4, 4, 3)))
    assert list(replaced("phc@layer1", model=model)) == ["layer1.0"]


def test_several_texts_share_the_backbone_out() -> None:
    found = replaced("phc:n=2@stage3", "phc:n=4@stage4", "cas@stage1", "pas")
    kinds = [type(layer) for layer in found.values()]
    assert sorted(kind.__name__ for kind in kinds) == [
        *["ConvAdaptiveStride"],
        *["PHConv2d"] * 2,
        *["PoolAdaptiveStride"] * 3,
    ]


def test_cas_and_pas_keep_the_weights_and_phc_the_form() -> None:
    model = vgg()
    weight = model.get_submodule("stage2.conv1").weight
    assert replaced("cas@stage2", model=model)["stage2.conv1"].base.weight is weight
    conv = vgg().get_submodule("stage3.conv1")
    layer = replaced("phc@stage3")["stage3.conv1"]
    assert layer.weight.shape == conv.weight.shape
    assert layer.padding == conv.padding


def test_a_module_with_two_names_is_replaced_under_both() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.MaxPool2d(2))
    model.add_module("again", model[0])
    found = convert(model, (4, 8, 8), layers=["phc"])
    assert sum(p.numel() for p in found.weight_parameters()) == 2**3 + 4 * 4 * 9 // 2 + 4


def test_depthwise_convolutions_are_left_by_phc() -> None:
    model = search_spaces.build("mobilenet_small", 10, SIZE)
    depthwise = {n for n, m in model.named_modules() if isinstance(m, nn.Conv2d) and m.groups > 1}
    found = replaced("phc:n=4@stage1+stage2", model=model)
    assert found
    assert depthwise
    assert not depthwise & set(found)


def test_a_pool_over_the_whole_map_is_left_by_pas() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1), nn.AvgPool2d(4))
    space = convert(model, (3, 8, 8), layers=["pas"])
    assert [group.sites for group in space.groups] == [("1.base", "1.gate.1")]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("phd:n=2", UnknownName, r"there is no 'phd'. Did you mean 'phc'\?"),
        ("", UnknownName, "Choose one of: cas, pas, phc"),
        ("phc:m=2", UnknownName, "layers 'phc:m=2', setting: there is no 'm'.*Choose one of: n"),
        ("cas:widht=2", UnknownName, "Did you mean 'width'"),
        ("phc:", InvalidLayer, "a part of it is empty. Write it like"),
        ("phc@", InvalidLayer, "a part of it is empty"),
        ("phc@stage2++stage3", InvalidLayer, "a part of it is empty"),
        ("phc:n=2,", InvalidLayer, "a part of it is empty"),
        ("phc:n=2,n=4", InvalidLayer, "'n' stands there twice"),
        ("phc:n", InvalidLayer, "'n' does not say a whole number"),
        ("phc:n=two", InvalidLayer, "'n=two' does not say a whole number"),
        ("phc:n=-2", InvalidLayer, "does not say a whole number"),
        ("phc:n=²", InvalidLayer, "does not say a whole number"),
        ("cas:full_size=yes", InvalidLayer, "'full_size=yes' does not say 0 or 1"),
        ("phc:n=0@stage2", InvalidLayer, "stage2.conv1: n is 0. Pass n = 1 or more$"),
        ("cas:kernel_size=2", InvalidLayer, "kernel_size is 2, .* an odd number$"),
        ("phc@stage22", UnknownName, "calls no module 'stage22'.*for example: stage2"),
        ("phc@features", UnknownName, "for example: stage1, pool1, stage2"),
        ("phc@pool1", InvalidLayer, "nothing in pool1 that it replaces"),
        ("pas@stage1+pool1", InvalidLayer, "nothing in stage1 that it replaces"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, error: type[ResnasError], message: str) -> None:
    with pytest.raises(error, match=message):
        convert(vgg(), SIZE, layers=[text])


def test_nothing_to_replace_is_refused() -> None:
    with pytest.raises(InvalidLayer, match="layers 'pas': there is nothing in the backbone"):
        convert(search_spaces.build("resnet_small", 10, SIZE), SIZE, layers=["pas"])


def test_what_is_replaced_twice_is_refused() -> None:
    with pytest.raises(InvalidLayer, match=r"layers 'cas': 'phc@stage2' replaces stage2\.conv1 al"):
        convert(vgg(), SIZE, layers=["phc@stage2", "cas"])


@pytest.mark.parametrize("backbone", ["vgg_small", "resnet_small", "mobilenet_small"])
def test_a_convolution_that_does_not_fit_is_named_and_how_to_leave_it_out(backbone: str) -> None:
    model = search_spaces.build(backbone, 10, SIZE)
    with pytest.raises(
        InvalidLayer, match=r"n=4 does not divide.* 3 input.*leave it out: 'phc:n="
    ) as refused:
        convert(model, SIZE, layers=["phc:n=4"])
    first = next(name for name, m in model.named_modules() if isinstance(m, nn.Conv2d))
    assert first in refused.value.place
    proposed = refused.value.next_step.split("'")[1]
    assert convert(model, SIZE, layers=[proposed]).layers == (proposed,)


def test_one_pool_for_maps_of_different_channels_is_refused() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 1)
            self.pool = nn.MaxPool2d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.pool(self.two(self.pool(self.one(x))))

    with pytest.raises(InvalidLayer, match="'pas', pool: one module pools maps of 4 and 6 chann"):
        convert(Shared(), (3, 8, 8), layers=["pas"])
