"""Operations without a rule are asked: run without data at some sizes, they show what they do.

A rule is faster and knows more (that a window's positions are a floor, say); but most operations
only move, add or mix sizes, and of these torch itself says which. One that cannot run at other
sizes than the backbone's says so too, in torch's words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from resnas.costs._base import Counted
from resnas.errors import UnsizedOperation
from resnas.graph.counting import Counter, Uncounted
from resnas.graph.interpolation import Ground, NoPolynomial, Point, through
from resnas.graph.trace import where
from resnas.graph.values import Map, variables
from resnas.polynomial import Dim, Polynomial

if TYPE_CHECKING:
    from resnas.graph.sizes import Propagation


class _Fails(Exception):
    """An operation cannot run at some sizes, or its result is no polynomial of them."""


@dataclass(frozen=True)
class _Enquiry:
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

    def run(self, point: Point, around: AbstractContextManager[Any]) -> Any:
        """The result where the variables have the values of `point`."""
        sizes = self.sizes(point)

        def given(source: fx.Node) -> Any:
            dtypes = source.meta.get("dtype", torch.float32)
            return _concrete(self.p.values[source], dtypes, sizes)

        try:
            with self.p.fake, torch.no_grad():
                args = fx.node.map_arg(self.node.args, given)
                kwargs = fx.node.map_arg(self.node.kwargs, given)
                with around:
                    return self._call(args, kwargs)
        except Uncounted:
            raise
        except Exception as error:
            at = " × ".join(str(point[v]) for v in sorted(point))
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise _Fails(f"it fails where a size is another ({at}): {lines[0]}") from error

    def _call(self, args: Any, kwargs: Any) -> Any:
        called = self.p.target(self.node)
        if self.node.op == "call_method":
            return getattr(args[0], str(called))(*args[1:], **kwargs)
        return called(*args, **kwargs)


def ask(p: Propagation, node: fx.Node) -> Any:
    """The shape (or number) that `node` is, as polynomials in the sizes that enter it.

    All sizes are taken to be independent of each other; where that fails, those behind windows to
    be what follows from those before; then those along one axis that are equal in the backbone to
    be one size, on which `p.agree` decides.

    Raises:
        UnsizedOperation: it cannot run at other sizes, or its sizes are no polynomials.
    """
    varying = _varying(p, node)
    free = p.program.free(varying)
    attempts = [p.same(varying)]
    if free != set(varying):
        attempts.append(p.same(sorted(free)))
    human, axes = p.program.human, p.program.axes
    first: dict[tuple[int, int], int] = {}
    known = attempts[-1]
    merged = {v: first.setdefault((human[v], axes[v]), of) for v, of in known.items()}
    if merged != known:
        attempts.append(merged)
    failures: list[_Fails] = []
    for attempt in attempts:
        try:
            found = _fit(_Enquiry(p, node, attempt))
        except _Fails as failure:
            failures.append(failure)
            continue
        if attempt is merged:
            for v, of in known.items():
                if merged[v] != of:
                    p.agree(Polynomial.variable(merged[v]), Polynomial.variable(of), node)
        return found
    raise _refused(node, failures[0]) from failures[0]


def _varying(p: Propagation, node: fx.Node) -> list[int]:
    """The variables that what enters a node depends on."""
    return sorted({v for source in node.all_input_nodes for v in variables(p.values[source])})


def _refused(node: fx.Node, failure: _Fails) -> UnsizedOperation:
    return UnsizedOperation(
        where(node),
        str(failure),
        "Exclude the sites before it (sites=[...] or freeze_sites=[...]), or choose a backbone "
        "that takes maps of any size there",
    )


def count(p: Propagation, node: fx.Node) -> Counted | None:
    """Multiply-accumulates of `node`, and the elements that its products put out.

    Returns:
        None where something in it is neither a matrix product nor free, or cannot be told.
    """
    enquiry = _Enquiry(p, node, p.same(sorted(p.program.free(_varying(p, node)))))
    strict = not isinstance(p.target(node), nn.Module)
    lengths: set[int] = set()

    def sample(point: Point) -> Sequence[int]:
        counter = Counter(strict)
        enquiry.run(point, counter)
        lengths.add(len(counter.macs))
        if len(lengths) > 1:
            raise _Fails("it does another number of things where a size is another")
        return (*counter.macs, *counter.elements)

    try:
        ground = enquiry.ground
        found = through(sample, ground) if ground.human else list(map(Polynomial.of, sample({})))
    except (Uncounted, _Fails, NoPolynomial):
        return None
    half = len(found) // 2
    macs, elements = (_simple(sum(part, Polynomial({}))) for part in (found[:half], found[half:]))
    return Counted(macs, elements)


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


def _fit(enquiry: _Enquiry) -> Any:
    """The result, every size in it a polynomial."""
    skeletons: list[Any] = []

    def sample(point: Point) -> Sequence[int]:
        numbers: list[int] = []
        result = enquiry.run(point, nullcontext())
        skeletons.append(_take_apart(result, numbers))
        if skeletons[-1] != skeletons[0]:
            raise _Fails(f"its result depends on the size: {_short(result)}")
        return numbers

    try:
        dims = iter([_simple(dim) for dim in through(sample, enquiry.ground)])
    except NoPolynomial:
        raise _Fails("the size of its result is no polynomial of the sizes before it") from None
    return _put_together(skeletons[0], dims)


def _simple(dim: Polynomial) -> Dim:
    return dim if dim.variables() else dim.value([])


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


_NUMBER, _TENSOR = object(), object()


def _take_apart(result: Any, numbers: list[int]) -> Any:
    """The form of a result, whose sizes are put into `numbers`."""
    if isinstance(result, Tensor):
        numbers += [int(size) for size in result.shape]
        return (_TENSOR, result.dim())
    if isinstance(result, (tuple, list)):
        return [_take_apart(item, numbers) for item in result]
    if isinstance(result, int) and not isinstance(result, bool):
        numbers.append(result)
        return _NUMBER
    return result


def _put_together(skeleton: Any, dims: Iterator[Dim]) -> Any:
    if skeleton is _NUMBER:
        return next(dims)
    if isinstance(skeleton, tuple) and skeleton and skeleton[0] is _TENSOR:
        return Map(tuple(next(dims) for _ in range(skeleton[1])))
    if isinstance(skeleton, list):
        return tuple(_put_together(item, dims) for item in skeleton)
    return skeleton


def _short(result: Any) -> str:
    return f"a tensor of {result.dim()} axes" if isinstance(result, Tensor) else repr(result)[:60]
