"""Operations without a rule are asked: run without data at some sizes, they show what they do.

A rule is faster and knows more (that a window's positions are a floor, say); but most operations
only move, add or mix sizes, and of these torch itself says which. One that cannot run at other
sizes than the backbone's says so too, in torch's words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from resnas.costs._base import Counted
from resnas.errors import UnsizedOperation
from resnas.graph.counting import Counter, Uncounted
from resnas.graph.interpolation import NoPolynomial, Sample, through
from resnas.graph.trace import where
from resnas.graph.values import Map, variables
from resnas.polynomial import Dim, Polynomial

if TYPE_CHECKING:
    from resnas.graph.sizes import Propagation


class _Fails(Exception):
    """An operation cannot run at some sizes, or its result is no polynomial of them."""


@dataclass(frozen=True)
class _Enquiry:
    """One operation with the shapes that enter it.

    Attributes:
        node: the operation.
        called: what it calls: a module, a function, the name of a method.
        values: of the nodes that enter it.
        human: the values of all variables in the backbone.
    """

    node: fx.Node
    called: Any
    values: Mapping[fx.Node, Any]
    human: Sequence[int]
    fake: FakeTensorMode

    def run(self, point: Mapping[int, int], around: Any = None) -> Any:
        """Its result where the variables have the values of `point`."""
        sizes = list(self.human)
        for variable, value in point.items():
            sizes[variable] = value

        def given(source: fx.Node) -> Any:
            dtypes = source.meta.get("dtype", torch.get_default_dtype())
            return _concrete(self.values[source], dtypes, sizes)

        try:
            with self.fake, torch.no_grad():
                args = fx.node.map_arg(self.node.args, given)
                kwargs = fx.node.map_arg(self.node.kwargs, given)
                if around is None:
                    return self._call(args, kwargs)
                with around:
                    return self._call(args, kwargs)
        except Uncounted:
            raise
        except Exception as error:
            at = " × ".join(str(point[v]) for v in sorted(point))
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise _Fails(f"it fails where a size is another ({at}): {lines[0]}") from error

    def _call(self, args: Any, kwargs: Any) -> Any:
        if self.node.op == "call_method":
            return getattr(args[0], str(self.called))(*args[1:], **kwargs)
        return self.called(*args, **kwargs)


def ask(p: Propagation, node: fx.Node) -> Any:
    """The shape (or number) that `node` is, as polynomials in the sizes that enter it.

    Sizes are taken to be independent of each other; where that fails, those along one axis that
    are equal in the backbone are taken to be one size, on which `p.agree` then decides.

    Raises:
        UnsizedOperation: it cannot run at other sizes, or its sizes are no polynomials.
    """
    varying = sorted({v for source in node.all_input_nodes for v in variables(p.values[source])})
    known = p.same(varying)
    try:
        return _fit(p, node, known)
    except _Fails as failure:
        human, axes = p.program.human, p.program.axes
        first: dict[tuple[int, int], int] = {}
        merged = {v: first.setdefault((human[v], axes[v]), known[v]) for v in varying}
        if merged == known:
            raise _refused(node, failure) from failure
        try:
            found = _fit(p, node, merged)
        except _Fails:
            raise _refused(node, failure) from failure
    for variable in varying:
        if merged[variable] != known[variable]:
            one, other = (Polynomial.variable(v[variable]) for v in (merged, known))
            p.agree(one, other, node)
    return found


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
    varying = sorted({v for source in node.all_input_nodes for v in variables(p.values[source])})
    known = p.same(varying)
    enquiry = _enquiry(p, node)

    def sample(point: Mapping[int, int]) -> Sequence[int]:
        counter = Counter(strict=not isinstance(enquiry.called, nn.Module))
        enquiry.run({v: point[known[v]] for v in varying}, counter)
        return (*counter.macs, *counter.elements)

    human = {known[v]: p.program.human[known[v]] for v in varying}
    try:
        found = _through(sample, human, enquiry, p) if human else list(sample({}))
    except (Uncounted, _Fails, NoPolynomial):
        return None
    half = len(found) // 2
    return Counted(_sum(found[:half]), _sum(found[half:]))


def _sum(dims: Sequence[Dim]) -> Dim:
    total: Dim = 0
    for dim in dims:
        total = dim + total
    return total


def _through(
    sample: Sample, human: Mapping[int, int], enquiry: _Enquiry, p: Propagation
) -> Sequence[Dim]:
    """`through`, each point asked for once."""
    asked: dict[tuple[int, ...], Sequence[int]] = {}

    def once(point: Mapping[int, int]) -> Sequence[int]:
        key = tuple(point[v] for v in human)
        if key not in asked:
            asked[key] = sample(point)
            if len(asked[key]) != len(next(iter(asked.values()))):
                raise _Fails("it does another number of things where a size is another")
        return asked[key]

    found = through(once, human, _widths(enquiry.called), p.program.divided)
    return [_simple(dim) for dim in found]


def _widths(called: Any) -> list[int]:
    """What windows and patches may be wide in an operation: small numbers that it keeps."""
    if not isinstance(called, nn.Module):
        return [2, 4]
    kept = (v for value in vars(called).values() for v in _numbers(value))
    return sorted({n for n in kept if 1 < n <= WIDEST})


WIDEST = 32


def _numbers(value: Any) -> Sequence[int]:
    values = value if isinstance(value, (tuple, list)) else (value,)
    return [v for v in values if isinstance(v, int)]


def _enquiry(p: Propagation, node: fx.Node) -> _Enquiry:
    values = {source: p.values[source] for source in node.all_input_nodes}
    return _Enquiry(node, p.target(node), values, p.program.human, p.fake)


def _fit(p: Propagation, node: fx.Node, known: Mapping[int, int]) -> Any:
    """The result with every variable replaced by the one that `known` has for it."""
    enquiry = _enquiry(p, node)
    skeletons: list[Any] = []

    def sample(point: Mapping[int, int]) -> Sequence[int]:
        numbers: list[int] = []
        result = enquiry.run({v: point[k] for v, k in known.items()})
        skeletons.append(_take_apart(result, numbers))
        if skeletons[-1] != skeletons[0]:
            raise _Fails(f"its result depends on the size: {_short(result)}")
        return numbers

    human = {k: p.program.human[k] for k in known.values()}
    try:
        dims = iter(_through(sample, human, enquiry, p))
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
