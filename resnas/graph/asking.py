"""Operations without a rule are asked: run without data at some sizes, they show what they do.

A rule is faster and knows more (that a window's positions are a floor, say); but most operations
only move, add or mix sizes, and of these torch itself says which. One that cannot run at other
sizes than the backbone's says so too, in torch's words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from resnas.costs._base import Counted
from resnas.errors import UnsizedOperation
from resnas.graph.counting import Counter, Uncounted
from resnas.graph.enquiry import Enquiry, Fails
from resnas.graph.interpolation import NoPolynomial, Point, through
from resnas.graph.trace import where
from resnas.graph.values import Map, traced, variables
from resnas.polynomial import Dim, Polynomial

if TYPE_CHECKING:
    from resnas.graph.sizes import Propagation


def ask(p: Propagation, node: fx.Node) -> Any:
    """The shape (or number) that `node` is, as polynomials in the sizes that enter it.

    All sizes are taken to be independent of each other; where that fails, those behind windows to
    be what follows from those before; then those along one axis that are equal in the backbone to
    be one size, on which `p.agree` decides.

    Raises:
        UnsizedOperation: it cannot run at other sizes, or its sizes are no polynomials.
    """
    key = _key(p, node)
    if key not in p.asked:
        p.asked[key] = _ask(p, node)
    return p.asked[key]


def _ask(p: Propagation, node: fx.Node) -> Any:
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
    failures: list[Fails] = []
    for attempt in attempts:
        try:
            found = _fit(Enquiry(p, node, attempt))
        except Fails as failure:
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


def _refused(node: fx.Node, failure: Fails) -> UnsizedOperation:
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
    key = ("count", *_key(p, node))
    if key not in p.asked:
        p.asked[key] = _count(p, node)
    counted: Counted | None = p.asked[key]
    return counted


def _key(p: Propagation, node: fx.Node) -> tuple[str, ...]:
    """What a node's result depends on: networks say the same thing many times."""
    called = p.target(node)
    name = _told(called) if isinstance(called, nn.Module) else f"{called} {id(called)}"
    given = (f"{p.values[source]} {source.meta.get('dtype')}" for source in node.all_input_nodes)
    order = {source: at for at, source in enumerate(node.all_input_nodes)}
    return (name, *given, str(fx.node.map_arg((node.args, node.kwargs), order.__getitem__)))


def _told(module: nn.Module) -> str:
    """All that a module is made of, without its weights."""
    simple = (int, float, str, tuple, list, type(None))
    parts = (
        f"{type(part)} {[(k, v) for k, v in vars(part).items() if isinstance(v, simple)]}"
        f"{[tuple(p.shape) for p in part.parameters(recurse=False)]}"
        for part in module.modules()
    )
    return " ".join((str(module), *parts))


def _count(p: Propagation, node: fx.Node) -> Counted | None:
    enquiry = Enquiry(p, node, p.same(sorted(p.program.free(_varying(p, node)))))
    strict = not isinstance(p.target(node), nn.Module)
    lengths: set[int] = set()

    def sample(point: Point) -> Sequence[int]:
        counters: list[Counter] = []

        def fresh() -> Counter:
            counters.append(Counter(strict))
            return counters[-1]

        enquiry.run(point, fresh)
        counter = counters[-1]  # of the attempt that ran
        lengths.add(len(counter.macs))
        if len(lengths) > 1:
            raise Fails("it does another number of things where a size is another")
        return (*counter.macs, *counter.elements)

    try:
        ground = enquiry.ground
        found = through(sample, ground) if ground.human else list(map(Polynomial.of, sample({})))
    except (Uncounted, Fails, NoPolynomial):
        return None
    half = len(found) // 2
    macs, elements = (_simple(sum(part, Polynomial({}))) for part in (found[:half], found[half:]))
    return Counted(macs, elements)


def _fit(enquiry: Enquiry) -> Any:
    """The result, every size in it a polynomial."""
    node = enquiry.node
    known = traced(node.meta["value"], node.meta.get("dtype", torch.float32))
    skeletons: list[Any] = [_take_apart(known, [])]

    def sample(point: Point) -> Sequence[int]:
        numbers: list[int] = []
        result = enquiry.run(point, nullcontext)
        skeletons.append(_take_apart(result, numbers))
        if skeletons[-1] != skeletons[0]:
            raise Fails(f"its result depends on the size: {_short(result)}")
        return numbers

    try:
        dims = iter([_simple(dim) for dim in through(sample, enquiry.ground)])
    except NoPolynomial:
        raise Fails("the size of its result is no polynomial of the sizes before it") from None
    return _put_together(skeletons[0], dims)


def _simple(dim: Polynomial) -> Dim:
    return dim if dim.variables() else dim.value([])


_NUMBER, _TENSOR = object(), object()


def _take_apart(result: Any, numbers: list[int]) -> Any:
    """The form of a result, whose sizes are put into `numbers`."""
    if isinstance(result, (Tensor, Map)):
        numbers += [size for size in result.shape if isinstance(size, int)]
        return (_TENSOR, len(result.shape))
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
