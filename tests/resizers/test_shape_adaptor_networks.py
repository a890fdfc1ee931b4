"""Shape Adaptors that share something: chains, groups, and the networks they are put into."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import resnas
import search_spaces
from resnas.errors import InvalidResizer
from resnas.exporters.onnx import OnnxExporter
from resnas.resizers.shape_adaptor import ShapeAdaptor, join
from tests.reference import shape_adaptor as reference


def slopes(made: ShapeAdaptor, *size: float) -> Tensor:
    """d(soft size)/d(stride), both axes."""
    soft = made.soft_size(torch.tensor(size, dtype=torch.float64)).sum()
    return torch.autograd.grad(soft, made.stride)[0]


def test_a_penalised_residual_blend_is_that_of_the_reference() -> None:
    made = ShapeAdaptor((1.6, 1.6), residual=True).double()
    made.stride.data = torch.tensor((1.6, 1.6), dtype=torch.float64)
    x = torch.randn(1, 2, 20, 20, dtype=torch.float64)
    join([made], (20, 20), limit=11.0)
    out = made(x)
    truth = reference.adapt(x.numpy(), made.alpha[0], np.ones(out.shape), 11 / 12.5, residual=True)
    assert out.shape[2:] == (11, 11)
    np.testing.assert_allclose(out.detach(), truth.out, atol=1e-12)


def test_a_limit_holds_for_the_whole_chain() -> None:
    row = [ShapeAdaptor((stride, stride)) for stride in (1.3, 1.1, 1.6)]
    join(row, (64, 32), limit=12)
    x = torch.randn(1, 1, 64, 32)
    for made in row:
        x = made(x)
    assert row[0].chain is not None
    whole = (64 / 1.3 / 1.1 / 1.6, 32 / 1.3 / 1.1 / 1.6)
    factors = [(12 / n) ** (1 / 3) for n in whole]
    assert row[0].chain.penalty() == pytest.approx(factors)
    assert all(11 <= n <= 12 for n in x.shape[2:])


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    free, chained = ShapeAdaptor(), ShapeAdaptor()
    join([chained], (16, 16), limit=12)
    x = torch.randn(1, 2, 16, 16)
    assert torch.equal(free(x), chained(x))


def test_a_running_chain_rounds_but_once() -> None:
    row = [ShapeAdaptor((4 / 3, 4 / 3)) for _ in range(3)]
    truncated, size = [], (11, 11)
    for made in row:
        size = made.hard_size(size)
        truncated.append(size[0])
    join(row, (11, 11), running=True)
    sizes, size = [], (11, 11)
    for made in row:
        soft = made.soft_size(torch.tensor(size, dtype=torch.float64))
        size = made.hard_size(size)
        assert size == tuple(round(n) for n in soft.tolist())
        sizes.append(size[0])
    assert truncated == [8, 6, 4]
    assert sizes == [8, 6, 5]  # of 8.25, 6.19, 4.64
    assert (slopes(row[2], 6, 6) < 0).all()


def test_copies_of_a_chain_are_chains_of_their_own() -> None:
    row = torch.nn.Sequential(ShapeAdaptor(), ShapeAdaptor())
    join([row[0], row[1]], (24, 24), limit=8)
    for copied in (copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
        before = row[1].hard_size((16, 16))
        assert copied[1].hard_size((16, 16)) == before
        with torch.no_grad():
            copied[0].stride.fill_(2.0)
        assert row[1].hard_size((16, 16)) == before
        assert copied[1].hard_size((16, 16)) != before


def test_its_own_forward_passes_leave_the_chain_as_it_is() -> None:
    row = [ShapeAdaptor(), ShapeAdaptor()]
    join(row, (24, 24), limit=8)
    first = row[0](torch.ones(1, 1, 24, 24))
    assert torch.equal(row[0](torch.ones(1, 1, 24, 24)), first)
    assert row[0](torch.ones(1, 1, 12, 12)).shape[2] < first.shape[2]


def test_a_chain_of_nothing_or_of_one_twice_is_refused() -> None:
    made = ShapeAdaptor()
    for row in ([], [made, made]):
        with pytest.raises(InvalidResizer, match="adaptors"):
            join(row, (32, 32))
    with pytest.raises(InvalidResizer, match="below 1 pixel"):
        join([made], (32, 32), limit=0.5)
    assert made.chain is None


NETWORKS = [
    ("resnet_small", (1, 16, 16)),
    ("vgg_small", (3, 17, 16)),
    ("mobilenet_small", (3, 20, 16)),
    ("resnet18", (3, 16, 16)),
]


@pytest.mark.parametrize(("name", "input_size"), NETWORKS)
def test_a_network_starts_as_people_designed_it_and_can_go_both_ways(
    name: str, input_size: tuple[int, int, int]
) -> None:
    space = resnas.convert(search_spaces.build(name, 10, input_size), input_size, "shape_adaptor")
    sizes = space.sizes()
    assert all(sizes[site] == g.human_size for g in space.groups for site in g.sites)
    assert not space.fixed_sites
    cost = space.cost("macs")
    for gradient in torch.autograd.grad(cost, space.arch_parameters()):
        assert (gradient < 0).all()
    least, most = space.range("macs")
    assert least < int(cost.detach()) < most


def test_a_network_learns_and_freezes_to_the_same_outputs() -> None:
    torch.manual_seed(0)
    backbone = search_spaces.build("vgg_small", 10, (3, 16, 16))
    space = resnas.convert(backbone, (3, 16, 16), "shape_adaptor")
    x, y = torch.randn(16, 3, 16, 16), torch.randint(10, (16,))
    before = [stride.detach().clone() for stride in space.arch_parameters()]
    optimiser = torch.optim.SGD(space.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(15):
        loss = F.cross_entropy(space(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        space.clip_strides()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    for stride, start in zip(space.arch_parameters(), before, strict=True):
        assert (stride != start).all()
    space.eval()
    torch.testing.assert_close(resnas.freeze(space)(x), space(x), rtol=1e-5, atol=1e-5)


class Inception(nn.Module):
    """A valid convolution and a padded pool whose maps meet: 17 -> 8 pixels of 15 and of 17."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.conv(x), self.pool(x)), dim=1)


class Residual(nn.Module):
    """Two strided convolutions whose maps meet."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.shortcut = nn.Conv2d(3, 4, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x) + self.shortcut(x)
        return out


def test_a_chain_holds_for_all_that_follow_its_adaptors() -> None:
    space = resnas.convert(Residual(), (3, 32, 32), "shape_adaptor")
    leader, *others = (m for m in space.modules() if isinstance(m, ShapeAdaptor))
    with pytest.raises(InvalidResizer, match="share a stride"):
        join([leader, *others], (32, 32), limit=10)
    join([leader], (32, 32), limit=10)
    space = copy.deepcopy(space)
    assert space(torch.randn(1, 3, 32, 32)).shape[2:] == (10, 10)
    assert set(space.sizes().values()) == {(10, 10)}


def test_the_square_form_goes_by_the_height_alone() -> None:
    made = ShapeAdaptor((1.2, 1.9), square=True)
    same = ShapeAdaptor((1.2, 1.2), square=True)
    x = torch.randn(1, 2, 16, 16)
    out = made(x)
    torch.testing.assert_close(out, same(x))
    (out.square().sum() + made.soft_size(torch.tensor([16.0, 16.0])).sum()).backward()
    assert made.stride.grad is not None
    assert made.stride.grad[0] != 0
    assert made.stride.grad[1] == 0


@pytest.mark.parametrize("stride", [1e-3, 1.7, 1e3])
def test_maps_of_different_sizes_meet_at_every_stride(stride: float) -> None:
    space = resnas.convert(Inception(), (3, 17, 17), "shape_adaptor")
    (group,) = space.groups
    with torch.no_grad():
        group.stride.fill_(stride)
    x = torch.randn(2, 3, 17, 17)
    assert set(space.sizes().values()) == {tuple(space(x).shape[2:])}
    space.eval()
    torch.testing.assert_close(resnas.freeze(space)(x), space(x), rtol=1e-5, atol=1e-5)


def test_a_fixed_adaptor_runs_in_onnx_runtime(tmp_path: Path) -> None:
    fixed = ShapeAdaptor((2.7, 1.3), small=(0.25, 0.5)).fixed((13, 12)).eval()
    exporter, path = OnnxExporter(), tmp_path / "adaptor.onnx"
    exporter.write(fixed, torch.randn(1, 3, 13, 12), path)
    assert exporter.check(path, fixed, [torch.randn(4, 3, 13, 12)]) <= 1e-6
