"""What Shape Adaptors share that one map passes one after another.

The published code keeps running products in class attributes, which every forward pass changes.
Here they follow from the adaptors' present strides, so copies and replicas have their own, and a
forward pass changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resnas.errors import InvalidResizer

if TYPE_CHECKING:
    from resnas.resizers.shape_adaptor import ShapeAdaptor


@dataclass(frozen=True, eq=False)
class Chain:
    """Adaptors in the order in which a map passes them; made by `join`.

    Attributes:
        adaptors: each once.
        entered: (H, W) of the map that enters the first.
        limit: pixels an axis that may leave the last one.
        running: whether every adaptor resizes the real-valued product of the scales before it,
            and rounds, rather than its input's whole size, and truncates.
    """

    adaptors: tuple[ShapeAdaptor, ...]
    entered: tuple[float, float]
    limit: float
    running: bool

    def penalty(self) -> tuple[float, float]:
        """The factor p on every scale of an axis: (limit / product)^(1 / count), at most 1.

        With it the product of all scales gives just `limit`.
        """
        v, h = (
            min(
                1.0,
                (self.limit / self._product(axis, len(self.adaptors))) ** (1 / len(self.adaptors)),
            )
            for axis in (0, 1)
        )
        return v, h

    def entering(self, adaptor: ShapeAdaptor) -> tuple[float, float]:
        """Real-valued (H, W) of the map before `adaptor`."""
        before = next(i for i, other in enumerate(self.adaptors) if other is adaptor)
        v, h = (self._product(axis, before) * p**before for axis, p in enumerate(self.penalty()))
        return v, h

    def _product(self, axis: int, count: int) -> float:
        scales = (adaptor.scales()[axis] for adaptor in self.adaptors[:count])
        return self.entered[axis] * math.prod(scales)


def join(
    adaptors: Sequence[ShapeAdaptor],
    entered: tuple[float, float],
    limit: float = math.inf,
    running: bool = False,
) -> None:
    """Make adaptors a chain: a limit on what leaves it, or sizes that are rounded but once.

    Args:
        adaptors: in the order in which the map passes them.
        entered: (H, W) of the map that enters the first.
        limit: pixels an axis that may leave the last; the published networks for 224 pixels set
            15 or 30, so that they fit in memory.
        running: keep the real-valued size over the chain and round at each adaptor (published for
            adaptors beside human resizing); otherwise each truncates what it makes of its input.

    Raises:
        InvalidResizer: no adaptors, one given twice or several that share a stride (of a group
            give one: the others follow it), or a size or limit below 1 pixel.
    """
    if not adaptors or len({id(adaptor.stride) for adaptor in adaptors}) < len(adaptors):
        raise InvalidResizer(
            "join(adaptors=...)",
            f"{len(adaptors)} were given, none, one of them twice or two that share a stride",
            "Pass the ShapeAdaptors of the chain in the order in which the map passes them, and of "
            "a group its leader alone",
        )
    if len(entered) != 2 or not all(1 <= n < math.inf for n in entered) or not limit >= 1:
        raise InvalidResizer(
            f"join(entered={entered!r}, limit={limit!r})",
            "a size is (H, W), and neither it nor the limit can be below 1 pixel",
            "Pass for example entered=(32, 32), limit=15",
        )
    chain = Chain(tuple(adaptors), entered, limit, running)
    for adaptor in adaptors:
        adaptor._chain = chain
