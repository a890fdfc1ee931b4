"""One operation of a graph, run without data at sizes of choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from resnas.graph.counting import Uncounted
from resnas.graph.interpolation import Ground, Point
from resnas.graph.modes import on_meta
from resnas.graph.values import Map
from resnas.polynomial import Polynomial

if TYPE_CHECKING:
    from resnas.graph.sizes import Propagation


class Fails(Exception):
    """An operation cannot run at some sizes, or its result is no polynomial of them."""


@dataclass(frozen=True)
class Enquiry:
    """One operation with what enters it.

    Attributes:
        p: the propagation that it is met in.
        node: the operation.
        known: of every variable that is set, the one whose value it has.
    """

    p: Propagation
    node: fx.Node
    known: Mapping[int, int]

    @property
    def ground(self) -> Ground:
        """What its sizes depend on."""
        program = self.p.program
        sources = [self.p.values[source] for source in self.node.all_input_nodes]
        return Ground(
            human={v: program.human[v] for v in self.known.values()},
            near=_near(sources),
            widths=_widths(self.p.target(self.node)),
            values=self.sizes,
            window=program.window,
        )

    def sizes(self, point: Point) -> list[int]:
        """All variables at a point."""
        return self.p.program.values({v: point[of] for v, of in self.known.items()})

    def run(self, point: Point, around: Callable[[], AbstractContextManager[Any]]) -> Any:
        """The result where the variables have the values of `point`."""
        sizes = self.sizes(point)
        called = self.p.target(self.node)
        try:
            bodiless = self._on_meta(called)
            with torch.device("meta"):  # much faster, where it mixes with nothing else
                return self._call(bodiless, sizes, around)
        except Uncounted:
            raise
        except Exception:  # noqa: BLE001, S110  below it says what is wrong
            pass
        try:
            with self.p.fake:
                return self._call(called, sizes, around)
        except Uncounted:
            raise
        except Exception as error:
            at = " × ".join(str(point[v]) for v in sorted(point))
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise Fails(f"it fails where a size is another ({at}): {lines[0]}") from error

    def _on_meta(self, called: Any) -> Any:
        if not isinstance(called, nn.Module):
            return called
        if called not in self.p.bodiless:
            self.p.bodiless[called] = on_meta(called)
        return self.p.bodiless[called]

    def _call(
        self,
        called: Any,
        sizes: Sequence[int],
        around: Callable[[], AbstractContextManager[Any]],
    ) -> Any:
        def given(source: fx.Node) -> Any:
            dtypes = source.meta.get("dtype", torch.float32)
            return _concrete(self.p.values[source], dtypes, sizes)

        args = fx.node.map_arg(self.node.args, given)
        kwargs = fx.node.map_arg(self.node.kwargs, given)
        with torch.no_grad(), around():
            if self.node.op == "call_method":
                return getattr(args[0], str(called))(*args[1:], **kwargs)
            return called(*args, **kwargs)


def _near(values: Sequence[Any]) -> list[Polynomial]:
    """Sizes that enter an operation, and products of neighbouring ones."""
    found: list[Polynomial] = []
    for value in values:
        dims: Sequence[Any] = value.shape if isinstance(value, Map) else [value]
        if isinstance(value, (tuple, list)):
            if not all(isinstance(dim, (int, Polynomial)) for dim in value):
                found += _near(value)
                continue
            dims = value
        sizes = [Polynomial.of(dim) for dim in dims if isinstance(dim, (int, Polynomial))]
        found += sizes
        for length in (2, 3):
            for at in range(len(sizes) - length + 1):
                term = sizes[at]
                for other in sizes[at + 1 : at + length]:
                    term = term * other
                found.append(term)
    return [dim for dim in found if dim.variables()]


def _widths(called: Any) -> list[int]:
    """What windows and patches may be wide in an operation: small numbers that it keeps."""
    if not isinstance(called, nn.Module):
        return [2, 4]
    strides = [getattr(part, "stride", 1) for part in called.modules()]
    kept = (v for value in (*vars(called).values(), *strides) for v in _numbers(value))
    return sorted({n for n in kept if 1 < n <= WIDEST})


WIDEST = 32
"""Pixels; a window is no wider."""


def _numbers(value: Any) -> Sequence[int]:
    values = value if isinstance(value, (tuple, list)) else (value,)
    return [v for v in values if isinstance(v, int)]


def _concrete(value: Any, dtypes: Any, sizes: Sequence[int]) -> Any:
    """A value of the propagation at some sizes: shapes become tensors, polynomials numbers."""
    if isinstance(value, Map):
        shape = [Polynomial.of(dim).value(sizes) for dim in value.shape]
        dtype = dtypes if isinstance(dtypes, torch.dtype) else torch.get_default_dtype()
        return torch.empty(shape, dtype=dtype)
    if isinstance(value, Polynomial):
        return value.value(sizes)
    if isinstance(value, (tuple, list)):
        nested = isinstance(dtypes, (tuple, list))
        inner = dtypes if nested else [dtypes] * len(value)
        made = (_concrete(v, d, sizes) for v, d in zip(value, inner, strict=True))
        return list(made) if isinstance(value, list) else tuple(made)
    return value
