"""Milliseconds of one sample on the user's own device."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor, nn

from resnas.costs._base import AbstractCost, Operation, Reach
from resnas.costs._layers import Blank, Layer, Prepared, layer_of
from resnas.costs._measurements import Measurements, usual
from resnas.costs._surface import Surface, spaced
from resnas.costs._timing import Call, Clock, Stopwatch
from resnas.errors import UnsupportedLayer

_POINTS = {1: 8, 2: 6, 3: 4, 4: 3}
"""Points of the grid along each axis, by number of axes; 2 where there are more axes."""


@final
class Latency(AbstractCost):
    """Milliseconds that the frozen network takes for one sample, alone in its batch.

    Every distinct layer is measured by itself, in evaluation mode, on the device, in the precision
    and with the threads that the network has now, on a grid of the sizes it can get: heights and
    widths in equal ratios, the smallest and the largest among them. Between these points its time
    is linear in each size. Normalisation, activations, pooling and additions are measured like
    everything else: on small maps they take as long as convolutions. Only what looks at a map in
    another way (views) is left out. The cost is the sum over all layers, as in look-up tables of
    FBNet (Wu et al., 2019), with sizes in the place of operators.

    Layers are measured when a cost is asked for the first time: seconds for small networks, minutes
    for large pictures. They are never measured again in the same process, nor by any other on the
    same machine where RESNAS_LATENCY_FILE names a file to keep them in.

    At single sizes a resizer may be faster than around them (DynOPool at exactly half the size is
    2×2 max pooling). A table does not see that; `measure` does.

    Args:
        measurements: where times are from; None: those of this process.
    """

    unit: ClassVar = "milliseconds"
    counter: ClassVar = "resnas.latency/1"

    def __init__(self, measurements: Measurements | None = None) -> None:
        self._measurements = measurements

    def total(self, operations: Sequence[Operation], reach: Reach = ()) -> Milliseconds:
        """The sum over all operations; nothing is measured before a value is asked for."""
        return Milliseconds(operations, reach, self._measurements or usual())


class Milliseconds:
    """The time of a whole network as a function of its sizes.

    Args:
        operations: of the network.
        reach: of its variables.
        measurements: where times are from.
    """

    def __init__(
        self, operations: Sequence[Operation], reach: Reach, measurements: Measurements
    ) -> None:
        self._operations = operations
        self._reach = reach
        self._measurements = measurements
        self._surfaces: dict[tuple[torch.device, torch.dtype, int], list[Surface]] = {}

    def value(self, values: Sequence[int]) -> float:
        """Milliseconds where the variables are `values`.

        Raises:
            UnsupportedLayer: a layer does not run at a size that it can get.
            ResnasError: the file of measurements is damaged.
        """
        return sum(surface.at(values)[0] for surface in self._present())

    def at(self, sizes: Tensor) -> Tensor:
        """The same for whole-numbered `sizes` (n,); its gradient is the slope of the tables."""
        values = [round(size) for size in sizes.tolist()]
        total, slopes = 0.0, [0.0] * len(values)
        for surface in self._present():
            found, along = surface.at(values)
            total += found
            for axis, slope in zip(surface.axes, along, strict=True):
                slopes[axis] += slope
        straight = sizes - sizes.detach()
        return (sizes.new_tensor(slopes) * straight).sum() + total

    def _present(self) -> list[Surface]:
        """The tables for where the network is now, one for each set of variables."""
        device, dtype = _lies(self._operations)
        key = (device, dtype, torch.get_num_threads())
        if key not in self._surfaces:
            self._surfaces[key] = self._measured(device, dtype)
        return self._surfaces[key]

    def _measured(self, device: torch.device, dtype: torch.dtype) -> list[Surface]:
        found = (layer_of(operation, dtype) for operation in self._operations)
        layers = [layer for layer in found if layer is not None]
        grids = [self._grid(layer) for layer in layers]
        calls = [
            Call(layer.name, sizes, partial(_prepared, layer, sizes, device, dtype))
            for layer, grid in zip(layers, grids, strict=True)
            for sizes in itertools.product(*grid)
        ]
        times = iter(self._measurements.milliseconds(calls, device))
        sums: dict[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]], Surface] = {}
        for layer, grid in zip(layers, grids, strict=True):
            shape = tuple(map(len, grid))
            values = np.array(list(itertools.islice(times, int(np.prod(shape))))).reshape(shape)
            key = (layer.axes, grid)
            if key in sums:
                values = values + sums[key].values
            sums[key] = Surface(layer.axes, grid, values)
        return list(sums.values())

    def _grid(self, layer: Layer) -> tuple[tuple[int, ...], ...]:
        count = _POINTS.get(len(layer.axes), 2)
        return tuple(spaced(*self._reach[axis], count) for axis in layer.axes)


def measure(
    network: Callable[[Tensor], object],
    input_size: tuple[int, int, int],
    clock: Clock | None = None,
) -> float:
    """Milliseconds of a whole network for one sample, median of many runs.

    What `Latency` adds up, measured at once: of a frozen network, or of an exported one that was
    loaded again.

    Args:
        network: a module, which is run in evaluation mode, or anything that is called like one.
        input_size: (C, H, W) of the sample.
        clock: what takes the time; None: a stopwatch.
    """
    layers = [network] if isinstance(network, nn.Module) else []
    device, dtype = _place(layers)
    blank = Blank((1, *input_size), dtype)
    prepared = Prepared(network, (blank,), {}, device)
    (milliseconds,) = (clock or Stopwatch(rounds=31))(
        [Call("network", (), lambda: _warmed(prepared))]
    )
    return milliseconds


def _prepared(
    layer: Layer, sizes: tuple[int, ...], device: torch.device, dtype: torch.dtype
) -> Prepared:
    """The layer, which has run once.

    Raises:
        UnsupportedLayer: it does not run.
    """
    operation = layer.operation
    try:
        return _warmed(layer.prepared(sizes, device, dtype))
    except Exception as error:
        raise UnsupportedLayer(
            operation.place,
            f"it cannot be timed by itself at sizes {sizes} ({error})",
            "Write it as a module that takes nothing but maps, or exclude the sites before it "
            "(sites=[...])",
        ) from error


@torch.no_grad()
def _warmed(prepared: Prepared) -> Prepared:
    with prepared.ready() as run:
        run()
    return prepared


def _lies(operations: Sequence[Operation]) -> tuple[torch.device, torch.dtype]:
    return _place([o.target for o in operations if isinstance(o.target, nn.Module)])


def _place(modules: Sequence[nn.Module]) -> tuple[torch.device, torch.dtype]:
    """Where the first weights of `modules` lie, and their precision."""
    for module in modules:
        for weight in module.parameters():
            if weight.is_floating_point():
                return weight.device, weight.dtype
    return torch.device("cpu"), torch.float32
