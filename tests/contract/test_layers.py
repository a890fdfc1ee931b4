"""What every file in resnas/layers promises."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import resnas
import resnas.layers
from resnas.catalog import layers
from resnas.converting import convert, freeze
from resnas.costs._fvcore import fvcore_counts
from resnas.errors import ArchitectureMismatch, InvalidLayer, UnknownName
from resnas.layers._base import AbstractLayer, Original
from resnas.resizers._base import AbstractResizer
from resnas.space import SearchSpace

NAMES = layers.names()
SIZE = (4, 24, 20)
MAPS = ((8, 24, 20),)
ORIGINALS = [nn.Conv2d(8, 8, 3, 2, 1), nn.MaxPool2d(2), nn.AvgPool2d(3, 2, 1)]

every_layer = pytest.mark.parametrize("name", NAMES)


def backbone() -> nn.Module:
    """Strided and plain convolutions, a depthwise one, both pools; all channels even."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU(), nn.AvgPool2d(3, 2, 1)),
        *(nn.Conv2d(8, 16, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(16, 5),
    )


def built(name: str) -> SearchSpace:
    torch.manual_seed(1)
    return convert(backbone(), SIZE, layers=[name])


def scattered(name: str) -> SearchSpace:
    """At sizes that are odd and unequal, with statistics of its own, in eval mode."""
    space = built(name)
    with torch.no_grad():
        for index, group in enumerate(space.groups):
            group.stride.mul_(torch.tensor([0.83 + 0.1 * index, 1.21 - 0.05 * index]))
        space.train()(images(8))
    return space.eval()


def unresized(name: str) -> SearchSpace:
    """Without resizers, with statistics of its own, in eval mode."""
    space = convert(backbone(), SIZE, "strided", layers=[name])
    with torch.no_grad():
        space.train()(images(8))
    return space.eval()


def images(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, *SIZE, generator=torch.Generator().manual_seed(0)).to(dtype)


def alone(name: str, dtype: torch.dtype = torch.float32) -> AbstractLayer:
    """The layer by itself, for maps of 8 channels."""
    torch.manual_seed(0)
    entry: type[AbstractLayer] = layers[name]
    made = (
        entry.instead_of(Original("x", copy.deepcopy(o), MAPS), entry.settings) for o in ORIGINALS
    )
    return next(layer for layer in made if layer is not None).to(dtype)


@every_layer
def test_it_says_what_it_is_and_what_can_be_set(name: str) -> None:
    assert layers[name].__doc__
    assert getattr(getattr(resnas.layers, name), layers[name].__name__) is layers[name]
    assert all(isinstance(default, int) for default in layers[name].settings.values())
    with pytest.raises(UnknownName, match=f"layers '{name}:unknown=1', setting: there is no"):
        convert(backbone(), SIZE, layers=[f"{name}:unknown=1"])


@every_layer
def test_it_leaves_alone_what_it_does_not_stand_for(name: str) -> None:
    for other in (nn.Linear(8, 8), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 8, 3)):
        assert layers[name].instead_of(Original("x", other, MAPS), layers[name].settings) is None


@every_layer
def test_the_backbone_itself_is_not_changed(name: str) -> None:
    model = backbone()
    before, text = copy.deepcopy(model.state_dict()), str(model)
    space = convert(model, SIZE, layers=[name])
    space.train()(images(4)).sum().backward()
    assert str(model) == text
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert sum(p.numel() for p in space.parameters()) != sum(p.numel() for p in model.parameters())


@every_layer
def test_the_search_starts_at_the_sizes_of_the_backbone(name: str) -> None:
    human = convert(backbone(), SIZE, "strided").sizes()
    sizes = set(human.values())
    assert set(built(name).sizes().values()) == sizes
    assert set(convert(backbone(), SIZE, "strided", layers=[name]).sizes().values()) == sizes


@every_layer
def test_gradients_reach_every_stride_and_weight(name: str) -> None:
    space = built(name).train()
    F.cross_entropy(space(images(16)), torch.arange(16) % 5).backward()
    for key, parameter in space.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


@every_layer
@pytest.mark.parametrize("resizer", ["dynopool", "average"])
@pytest.mark.parametrize("place", ["after", "conv", "before"])
def test_a_frozen_network_gives_the_outputs_of_its_space(name, place, resizer) -> None:
    space = convert(backbone(), SIZE, resizer, place, layers=[name]).eval()
    torch.testing.assert_close(freeze(space)(images(2)), space(images(2)), rtol=1e-5, atol=1e-5)


@every_layer
def test_it_is_counted_as_what_it_computes(name: str) -> None:
    space = unresized(name)
    frozen = freeze(space)
    counted = fvcore_counts(frozen, SIZE)
    assert int(space.cost("macs")) == counted["conv"] + counted["linear"]
    assert int(space.cost("params")) == sum(p.numel() for p in frozen.parameters())


@every_layer
def test_it_compiles(name: str) -> None:
    space = unresized(name)
    torch.compiler.reset()
    compiled = torch.compile(space, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(images(2)), space(images(2)))


@every_layer
def test_it_is_exported(name: str, tmp_path: Path) -> None:
    manifest = resnas.export(unresized(name), tmp_path)
    kinds = {"onnx", "pt2", "safetensors", "architecture"}
    assert {file.format for file in manifest.files} == kinds
    assert all(file.max_error is None or file.max_error < 1e-5 for file in manifest.files)
    assert manifest.architecture is not None
    assert manifest.architecture.layers == (name,)


@every_layer
def test_a_state_dict_carries_all_of_it(name: str) -> None:
    trained, fresh = scattered(name), convert(backbone(), SIZE, layers=[name]).eval()
    assert not torch.allclose(trained(images(2)), fresh(images(2)))
    fresh.load_state_dict(trained.state_dict())
    torch.testing.assert_close(fresh(images(2)), trained(images(2)))


@every_layer
def test_an_architecture_knows_its_layers(name: str) -> None:
    trained = scattered(name)
    again = built(name)
    again.load_architecture(trained.architecture())
    assert again.sizes() == trained.sizes()
    with pytest.raises(ArchitectureMismatch, match=name):
        convert(backbone(), SIZE).load_architecture(trained.architecture())


@every_layer
def test_it_keeps_precision_mode_and_layout(name: str) -> None:
    space = convert(backbone().double().eval(), SIZE, layers=[name])
    assert {p.dtype for p in space.weight_parameters()} == {torch.float64}
    made = [m for m in space.model.modules() if not isinstance(m, AbstractResizer)]
    assert not any(module.training for module in made)
    before = space(images(2, torch.float64))
    space.to(memory_format=torch.channels_last)
    after = space(images(2, torch.float64).to(memory_format=torch.channels_last))
    torch.testing.assert_close(after, before)


@every_layer
def test_its_gradients_are_those_of_finite_differences(name: str) -> None:
    layer = alone(name, torch.float64)
    x = torch.randn(1, 8, 6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


@every_layer
def test_it_runs_under_autocast(name: str) -> None:
    layer = alone(name)
    x = torch.randn(2, 8, 12, 10, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x)
    out.float().square().mean().backward()
    torch.testing.assert_close(out.float(), layer(x), rtol=0.05, atol=0.05)
    assert x.grad is not None
    assert x.grad.isfinite().all()


@every_layer
@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(1, 8, 8, 8, dtype=torch.int64),
        torch.zeros(8, 8, 8),
        torch.zeros(1, 7, 8, 8),
        torch.zeros(1, 8, 0, 8),
    ],
    ids=["integers", "3-D", "7 channels", "no rows"],
)
def test_what_is_no_map_of_it_is_refused(name: str, x: Tensor) -> None:
    with pytest.raises(InvalidLayer, match=r"was given torch\.\w+ of shape .*\(N, 8, H, W\)"):
        alone(name)(x)
