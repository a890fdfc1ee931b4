"""torch.compile takes frozen networks whole, and search spaces without a change of what they do."""

from __future__ import annotations

import pytest
import torch

import search_spaces
from resnas.catalog import resizers
from resnas.converting import convert, freeze

SIZE = (1, 16, 16)


def space_of(resizer: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return convert(search_spaces.build("vgg_small", 10, SIZE), SIZE, resizer)


@pytest.mark.parametrize("resizer", resizers.names())
def test_a_frozen_network_is_one_graph(resizer):
    torch.compiler.reset()
    frozen = freeze(space_of(resizer).eval())
    compiled = torch.compile(frozen, backend="aot_eager", fullgraph=True)
    x = torch.randn(3, *SIZE)
    torch.testing.assert_close(compiled(x), frozen(x))


@pytest.mark.parametrize("resizer", ["dynopool", "diffstride", "shape_adaptor"])
def test_a_space_learns_alike_and_follows_its_strides(resizer):
    torch.compiler.reset()
    plain, other = space_of(resizer), space_of(resizer)
    compiled = torch.compile(other, backend="aot_eager")
    x = torch.randn(4, *SIZE)
    for stride in (2.0, 1.6):
        for space in (plain, other):
            for parameter in space.arch_parameters():
                parameter.data.fill_(stride)
            space.zero_grad()
        for call, space in ((plain, plain), (compiled, other)):
            (call(x).square().sum() + space.cost() * 1e-6).backward()
        for mine, theirs in zip(plain.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-5)
