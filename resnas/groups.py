"""Groups of sites, and how they are given sizes by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from resnas.errors import ArchitectureMismatch, InvalidSpec, UnknownName
from resnas.resizers._base import AbstractResizer
from resnas.results import Size


@dataclass(frozen=True)
class Group:
    """Sites that share one size on each axis.

    Attributes:
        name: that of its first site.
        sites: names of all of them.
        stride: parameter (2,), (vertical, horizontal): the leader's input size over the size.
        size_in: (H, W) that enters the leader in the backbone.
        human_size: (H, W) behind the sites in the backbone.
        leader: the resizer whose input the stride refers to; None where the sites were left alone.
        learnable: whether the stride is an arch parameter; a trainer may switch its gradient.
        margin: pixels that the leader's map is larger than the map behind the sites, per axis.
    """

    name: str
    sites: tuple[str, ...]
    stride: nn.Parameter
    size_in: Size
    human_size: Size
    leader: AbstractResizer | None
    learnable: bool
    margin: Size = (0, 0)


def giving(
    groups: Sequence[Group], sizes: Mapping[str, Size]
) -> Callable[[AbstractResizer, Size], None]:
    """What gives each leader, told the (H, W) that enters it, the stride for the wanted size.

    Raises:
        UnknownName: there is no such group.
        ArchitectureMismatch: the size of a group is not learned; when it is called, a group cannot
            have its size.
    """
    known = {group.name: group for group in groups}
    for name in sizes:
        if name not in known:
            raise UnknownName.among("sizes", name, list(known))
        if not known[name].learnable:
            raise ArchitectureMismatch(f"group {name}", "its size is not learned", "Leave it out")
    wanted = {id(known[name].stride): name for name in sizes}

    def give(leader: AbstractResizer, entering: Size) -> None:
        name = wanted.get(id(leader.stride))
        if name is None:
            return
        v, h = (n + more for n, more in zip(sizes[name], known[name].margin, strict=True))
        stride = leader.stride_for(entering, (v, h))
        if stride is None:
            raise ArchitectureMismatch(
                f"group {name}",
                f"it cannot be {_text(sizes[name])}: {type(leader).__name__} makes no such size of "
                f"{_text(entering)} within its bounds",
                "Choose another size, from 2 pixels to 4 times the human size",
            )
        with torch.no_grad():
            leader.stride.copy_(torch.tensor(stride))

    return give


SoftSize = tuple[float, float]


def keep_within(
    groups: Sequence[Group], bounds: Mapping[str, tuple[Size, Size]], model: nn.Module
) -> None:
    """Bound the resizers of groups such that their sizes stay within `bounds`.

    Raises:
        UnknownName, InvalidSpec: as `SearchSpace.set_bounds`.
    """
    for stride, least, most in _soft_bounds(groups, bounds):
        for resizer in model.modules():
            if isinstance(resizer, AbstractResizer) and resizer.stride is stride:
                resizer.smallest, resizer.largest = least, most


def _soft_bounds(
    groups: Sequence[Group], bounds: Mapping[str, tuple[Size, Size]]
) -> list[tuple[nn.Parameter, SoftSize, SoftSize]]:
    """By stride of a group, its least and greatest soft size."""
    known = {group.name: group for group in groups if group.leader is not None}
    found = []
    for name, (least, most) in bounds.items():
        if name not in known:
            raise UnknownName.among("bounds", name, list(known))
        leader, margin = known[name].leader, known[name].margin
        assert leader is not None
        low, high = _soft(least, margin, -0.499), _soft(most, margin, 0.0)
        smallest, largest = (
            [round(n) - m for n, m in zip(ends, margin, strict=True)]
            for ends in (leader.smallest, leader.largest)
        )
        if not all(
            low_end <= a <= b <= top
            for low_end, a, b, top in zip(smallest, least, most, largest, strict=True)
        ):
            raise InvalidSpec(
                f"group {name}",
                f"its bounds are {_text(least)} and {_text(most)}",
                f"Choose them from {_text(smallest)} to {_text(largest)}, the smaller one first",
            )
        found.append((known[name].stride, low, high))
    return found


def _soft(size: Size, margin: Size, more: float) -> tuple[float, float]:
    v, h = (n + m + more for n, m in zip(size, margin, strict=True))
    return v, h


def multiples(groups: Sequence[Group], sizes: Mapping[str, Size], of: int) -> dict[str, Size]:
    """The multiples that are nearest to the learnable sizes, by group.

    At least one multiple; the larger one where two are as near.

    Raises:
        InvalidSpec: `of` is no whole number from 1 on.
    """
    if not isinstance(of, int) or of < 1:
        raise InvalidSpec(
            "multiple_of", f"it is {of}", "Pass a whole number from 1 on, for example 8"
        )
    found: dict[str, Size] = {}
    for group in groups:
        if group.learnable:
            v, h = (max(of, (2 * n + of) // (2 * of) * of) for n in sizes[group.sites[0]])
            found[group.name] = (v, h)
    return found


def _text(size: Sequence[int]) -> str:
    return "×".join(map(str, size))
