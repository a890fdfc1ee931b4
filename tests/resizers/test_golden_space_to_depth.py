"""Space to depth, alone and in the authors' blocks, against stored numbers."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnas.converting import convert
from resnas.resizers.space_to_depth import SpaceToDepth
from tests.reference import space_to_depth as reference
from tests.resizers.golden import agree, files, gradients, load


@pytest.mark.parametrize("path", files("spd*_arange_*.npz"))
def test_every_number_is_where_the_authors_have_it(path: Path) -> None:
    golden = load(path)
    out, grad_x = gradients(SpaceToDepth(), golden["x"], golden["w"], torch.float64)
    agree(out, golden["out"], 0)
    agree(grad_x, golden["grad_x"], 0)
    truth = reference.fold(golden["x"], 2)
    np.testing.assert_array_equal(truth, golden["out"])
    gradient = reference.fold_gradient(golden["x"].shape, 2, golden["w"])
    np.testing.assert_array_equal(gradient, golden["grad_x"])


class _BasicBlock(nn.Module):
    """A residual block of stride 2, 4 channels to 6, its layers named as in the stored state."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(4, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6)]
        layers += [nn.ReLU(), nn.Conv2d(6, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6)]
        named = zip("02345", layers, strict=True)
        self.residual_function = nn.Sequential(OrderedDict(named))
        self.shortcut = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual_function(x) + self.shortcut(x))


@pytest.mark.parametrize("path", files("spd04_*.npz"))
def test_a_converted_residual_block_is_the_authors(path: Path) -> None:
    golden = load(path)
    space = convert(_BasicBlock(), (4, 8, 6), "space_to_depth", place="conv").double().train()
    assert list(space.fixed_sites) == ["shortcut.0"]
    stored = {k[4:]: torch.from_numpy(v) for k, v in golden.items() if k.startswith("sd__")}
    missing, unexpected = space.model.load_state_dict(stored, strict=False)
    assert not unexpected
    assert {name.rpartition(".")[2] for name in missing} <= {
        "stride",
        "running_mean",
        "running_var",
    }
    out, grad_x = gradients(space, golden["x"], golden["w"], torch.float64)
    agree(out, golden["out"], 1e-10)
    agree(grad_x, golden["grad_x"], 1e-10)
    for name in stored:
        agree(space.model.get_parameter(name).grad, golden[f"grad__{name}"], 1e-10)


@pytest.mark.parametrize("path", files("spd06_*.npz"))
def test_a_converted_patch_convolution_is_the_authors_focus_stem(path: Path) -> None:
    golden = load(path)
    norm = nn.BatchNorm2d(5, eps=float(golden["bn_eps"]))
    stem = nn.Sequential(nn.Conv2d(3, 5, 2, stride=2, bias=False), norm, nn.SiLU())
    space = convert(stem, (3, 6, 8), "space_to_depth").double().train()
    with torch.no_grad():
        for name in ("weight", "bias"):
            space.model.get_parameter(f"1.{name}").copy_(torch.from_numpy(golden[f"bn_{name}"]))
        space.model.get_parameter("0.weight").copy_(torch.from_numpy(golden["conv_weight"]))
    out, grad_x = gradients(space, golden["x"], golden["w"], torch.float64)
    agree(out, golden["out"], 1e-10)
    agree(grad_x, golden["grad_x"], 1e-10)
    weight = space.model.get_parameter("0.weight")
    agree(weight.grad, golden["grad_conv_weight"], 1e-10)
