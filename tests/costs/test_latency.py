"""The latency of a space is what its frozen layers take, added up."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from resnas.converting import convert, freeze
from resnas.costs._measurements import Measurements
from resnas.costs.latency import Latency, measure
from resnas.errors import InvalidSpec, UnsupportedLayer
from resnas.graph.program import reach
from tests.costs.clocks import Told, pixels, products

SMALL = ("vgg_small", "resnet_small", "mobilenet_small")


def _space(name="vgg_small", resizer="dynopool", place=None):
    torch.manual_seed(0)
    return convert(search_spaces.build(name, 10, (3, 32, 32)), (3, 32, 32), resizer, place).eval()


def _total(space, clock):
    ends = reach(space._program, space.model, space.arch_parameters())
    return Latency(Measurements(clock)).total(space._operations, ends)


def _flops(module, size=(3, 32, 32)):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(1, *size))
    return counter.get_total_flops() / 2


def _scale(space, *factors):
    with torch.no_grad():
        for stride in space.arch_parameters():
            stride.mul_(torch.tensor(factors))
    space.clip_strides()


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("place", ["after", "before"])
def test_layers_are_run_at_the_sizes_they_have_in_the_frozen_network(name, place):
    space = _space(name, place=place)
    total = _total(space, Told(products))  # convolutions are linear in each size: nothing is lost
    for factors in ((1.0, 1.0), (0.7, 1.3), (1.9, 0.55)):
        _scale(space, *factors)
        assert total.value(space._integers()) == pytest.approx(_flops(freeze(space)), rel=1e-9)


@pytest.mark.parametrize("resizer", ["dynopool", "diffstride", "spectral", "shape_adaptor"])
def test_resizers_are_run_between_the_sizes_they_are_asked_for(resizer):
    space = _space(resizer=resizer)
    clock = Told(products)
    total = _total(space, clock)
    _scale(space, 1.1, 0.8)
    assert total.value(space._integers()) == pytest.approx(_flops(freeze(space)), rel=0.05)
    assert len(clock.asked) == len({(call.layer, call.sizes) for call in clock.asked})


@pytest.mark.parametrize("resizer", ["max", "average", "strided", "space_to_depth"])
def test_operators_that_learn_no_size_have_their_time_as_well(resizer):
    space = _space("resnet_small", resizer)
    total = _total(space, Told(lambda call: 1 + products(call)))
    known = total.value(space._integers()) - _flops(freeze(space))
    assert known > len(list(space.model.modules())) / 3  # one for each layer, norms included
    assert known == round(known)


def test_the_gradient_is_chained_as_that_of_multiply_accumulates():
    space = _space("vgg_small")
    _scale(space, 0.8, 1.2)
    total = _total(space, Told(products))
    rows = {g.name: 4 * 4 * c for g, c in zip(space.groups, (32, 64, 96), strict=True)}
    cost = total.at(space._evaluate().tensors)
    sizes = space._evaluate().tensors.view(3, 2)
    resizing = (sizes.prod(dim=1) * sizes.new_tensor(list(rows.values()))).sum()
    found = torch.autograd.grad(cost + resizing, space.arch_parameters())
    expected = torch.autograd.grad(space.cost("macs"), space.arch_parameters())
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=0)


def test_a_table_made_by_hand_gives_the_sum_over_all_layers():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(4, 4, 1))
    space = convert(model, (3, 16, 12))
    clock = Told(pixels)
    total = _total(space, clock)
    with torch.no_grad():
        space.groups[0].stride.copy_(torch.tensor([2.3, 1.7]))
    ((v, h),) = space.sizes().values()
    # a convolution of a fixed map; then a resizer, an activation and a convolution
    assert total.value(space._integers()) == pytest.approx(2 + 3 * (1 + v * h))
    cost = total.at(space._evaluate().tensors)
    (slope,) = torch.autograd.grad(cost, space.groups[0].stride)
    expected = [3 * h * -16 / 2.3**2, 3 * v * -12 / 1.7**2]
    torch.testing.assert_close(slope, torch.tensor(expected), rtol=1e-5, atol=0)


def test_nothing_is_measured_before_it_is_asked_for_and_nothing_twice():
    space = _space("resnet_small")
    clock = Told(pixels)
    total = _total(space, clock)
    assert clock.asked == []
    total.value(space._integers())
    asked = len(clock.asked)
    _scale(space, 0.6, 1.4)
    total.at(space._evaluate().tensors)
    assert len(clock.asked) == asked > 0


def test_equal_layers_are_one_and_others_are_not():
    def names(*layers):
        clock = Told(pixels)
        space = convert(nn.Sequential(nn.MaxPool2d(2), *layers), (4, 16, 16))
        _total(space, clock).value(space._integers())
        return {call.layer for call in clock.asked}

    twice = names(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1))
    assert len(twice) == 2
    assert twice == names(nn.Conv2d(4, 4, 3, padding=1))  # in another space by the same name
    assert not any("0x" in name for name in twice)
    others = (
        nn.Conv2d(4, 4, 3, padding=1, bias=False),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.ReLU(),
    )
    assert len(names(*others)) == 1 + len(others)


def test_the_precision_of_the_network_is_measured():
    clock = Told(pixels)
    space = _space()
    total = _total(space, clock)
    total.value(space._integers())
    single = {call.layer for call in clock.asked}
    total_values = len(clock.asked)
    space.double()
    total.value(space._integers())
    assert len(clock.asked) == 2 * total_values
    assert single.isdisjoint(call.layer for call in clock.asked[total_values:])


def test_the_backbones_own_latency_has_its_own_strides():
    space = _space("resnet_small")
    human = Latency(Measurements(Told(products))).total(space._human).value([])
    model = search_spaces.build("resnet_small", 10, (3, 32, 32)).eval()
    assert human == _flops(model)


def test_a_cost_that_is_measured_has_no_closed_form_and_says_what_serves():
    with pytest.raises(InvalidSpec, match=r"cost latency: .*'dual'"):
        _space()._total("latency")


class _Narrow(nn.ReLU):
    """A layer as any other where it is traced, but not for large maps."""

    def forward(self, x):
        if x.shape[-1] > 20:
            raise RuntimeError("too wide for me")
        return super().forward(x)


def test_a_layer_that_does_not_run_at_a_size_it_can_get_is_named():
    space = convert(nn.Sequential(nn.MaxPool2d(2), nn.ReLU()), (3, 16, 16))
    space.model.get_submodule("1").__class__ = _Narrow
    with pytest.raises(UnsupportedLayer, match=r"cannot be timed .*too wide"):
        _total(space, Told(products)).value(space._integers())


def test_measuring_leaves_the_network_and_the_random_numbers_as_they_are():
    space = _space("vgg_small").train()
    output = space(torch.zeros(2, 3, 32, 32)).sum()
    weights = {name: value.clone() for name, value in space.state_dict().items()}
    state = torch.get_rng_state()
    loss = output + space.cost("latency")
    loss.backward()  # no stride was written to in between
    assert all(module.training for module in space.modules())
    assert torch.equal(torch.get_rng_state(), state)
    after = space.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in weights.items())


def test_a_whole_network_is_measured_and_left_in_its_mode():
    network = freeze(_space()).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert measure(network, (3, 32, 32)) > 0
    assert measure(lambda x: network(x) if not network.training else x, (3, 32, 32)) > 0
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_a_whole_network_is_run_on_one_sample_of_its_size():
    clock = Told(products)
    network = freeze(_space("mobilenet_small"))
    assert measure(network, (3, 32, 32), clock) == _flops(network)
