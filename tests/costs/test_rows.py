"""What no public counter counts has rows of our own, and every number names its counter."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from resnas.catalog import costs
from resnas.converting import convert, freeze
from resnas.estimating import estimate


def _products(module, size):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(1, *size))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("name", ["vgg_small", "resnet_small", "mobilenet_small"])
@pytest.mark.parametrize("resizer", ["diffstride", "spectral"])
@pytest.mark.parametrize("place", ["after", "conv", "before"])
def test_spectral_rows_are_the_products_with_the_frozen_matrices(name, resizer, place):
    size = (3, 34, 40)
    torch.manual_seed(0)
    space = convert(search_spaces.build(name, 10, size), size, resizer, place).eval()
    for factors in ((1.0, 1.0), (1.3, 1.7), (0.8, 1.45)):
        with torch.no_grad():
            for stride in space.arch_parameters():
                stride.mul_(torch.tensor(factors))
        space.clip_strides()
        assert int(space.cost("macs").detach()) == _products(freeze(space), size)


def test_a_figure_names_the_rules_it_was_counted_by():
    found = estimate("vgg_small", (3, 32, 32), 10)
    assert found.counter == costs["macs"].counter == "resnas.macs/1"
