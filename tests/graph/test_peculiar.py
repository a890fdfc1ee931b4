"""What is particular about a backbone's layers survives its conversion."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from resnas.converting import convert, freeze

SIZE = (3, 10, 14)


def upsampled(mode: str, factor: float) -> nn.Module:
    corners = None if mode == "nearest" else False
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.Upsample(scale_factor=factor, mode=mode, align_corners=corners),
        nn.Conv2d(4, 4, 3, padding=1),
    ).eval()


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("factor", [1.5, 1.3, 2.0])
def test_a_broken_factor_puts_pixels_where_the_backbone_does(mode, factor):
    """1.5 makes 7 of 5, at steps of 1 / 1.5 and not of 5 / 7."""
    model, x = upsampled(mode, factor), torch.randn(2, *SIZE)
    assert torch.equal(convert(model, SIZE, "strided")(x), model(x))
    space = convert(model, SIZE, "dynopool")
    with torch.no_grad():
        space.groups[0].stride.fill_(1.6)
    assert space(x).shape == model(x).shape
    torch.testing.assert_close(freeze(space)(x), space(x))


@pytest.mark.parametrize("site", [True, False])
def test_folding_leaves_weights_alone_that_are_made_by_a_parametrization(site):
    conv, behind = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1)
    model = nn.Sequential(
        weight_norm(conv) if site else conv, behind if site else weight_norm(behind)
    )
    space = convert(model, SIZE, "space_to_depth", "after")
    assert "parametrization" in space.fixed_sites["0"]
    names = {name for name, _ in space.named_parameters()}
    assert any("parametrizations.weight.original0" in name for name in names)
    x = torch.randn(1, *SIZE)
    torch.testing.assert_close(space(x), model(x))


def test_folding_refuses_a_normed_linear_layer_by_name():
    model = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), weight_norm(nn.Linear(3 * 5 * 7, 2)))
    assert "2" in convert(model, SIZE, "space_to_depth").fixed_sites["0"]


def test_folding_leaves_a_convolution_alone_that_hooks_act_on():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1))
    model[0].register_forward_hook(lambda _module, _args, out: out * 2)
    space = convert(model, SIZE, "space_to_depth")
    assert "hooks" in space.fixed_sites["0"]
    x = torch.randn(1, *SIZE)
    torch.testing.assert_close(space(x), model(x))
