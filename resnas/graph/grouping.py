"""Which sites must agree on a size."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from torch import fx

from resnas.errors import NothingToResize, UnsizedOperation
from resnas.graph.sites import Place, is_global_pool
from resnas.graph.sizes import Propagation, Special
from resnas.graph.trace import spatial, where
from resnas.polynomial import Dim, Polynomial, Shape


class _Stuck(Exception):
    """Sizes met that no union of groups makes equal."""

    def __init__(self, variables: set[int], node: fx.Node) -> None:
        self.variables = variables
        self.node = node


def group(
    module: fx.GraphModule, places: Sequence[Place]
) -> tuple[list[list[Place]], dict[str, str]]:
    """Sites that must agree on one size, in the order of the graph.

    Two sites belong together where their maps meet: in an addition, a product, a concatenation.
    A site whose map meets one that cannot be resized, or reaches an operation that takes no other
    size than the backbone's, is left as it is.

    Returns:
        The groups, and for every site left alone the reason, by name.

    Raises:
        NothingToResize: all are left alone.
    """
    fixed: dict[str, str] = {}
    while True:
        free = [place for place in places if place.name not in fixed]
        union = _Union(free)
        try:
            Propagation(module, union.special(module), union.agree, same=union.same)
        except _Stuck as stuck:
            reason = f"its map meets one that cannot be resized, at {where(stuck.node)}"
            variables = frozenset(stuck.variables)
        except UnsizedOperation as error:
            reason, variables = f"{error.place}: {error.found}", error.variables
        else:
            return union.groups(), fixed
        held = list(union.sites_of(variables))
        fixed.update(dict.fromkeys(held, reason))
        if len(fixed) == len(places) or not held:
            raise NothingToResize(
                "convert",
                f"none of the {len(places)} sites can be resized; {places[-1].name}: "
                f"{fixed.get(places[-1].name, reason)}",
                "Choose a backbone that takes maps of any size there; a map that is flattened "
                "with its pixels can be brought to its size by fit_flattened=True",
            )


class _Union:
    """Which sites are one group so far: a union-find over their sizes."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = places
        self.parent = list(range(len(places)))
        self.owner: dict[int, tuple[int, int]] = {}  # variable -> (index of its site, axis)
        self.propagation: Propagation | None = None

    def special(self, module: fx.GraphModule) -> dict[str, Special]:
        """What stands behind every site: sizes of its own."""
        rules: dict[str, Special] = {}
        for index, place in enumerate(self.places):
            if place.convolution and place.pool:
                rules[place.convolution.name] = _hidden
            rules[place.last.name] = self._behind(index)
        for node in module.graph.nodes:
            if node.op in {"call_module", "call_function"} and is_global_pool(module, node):
                rules[node.name] = lambda _p, _n, shape: (*shape[:2], 1, 1)
        return rules

    def _behind(self, index: int) -> Special:
        def shape(propagation: Propagation, node: fx.Node, before: Shape) -> Shape:
            self.propagation = propagation
            sizes = _fresh(propagation, node)
            for axis, size in enumerate(sizes):
                (variable,) = size.variables()
                self.owner[variable] = (index, axis)
            return (before[0], int(node.meta["value"][1]), *sizes)

        return shape

    def agree(self, one: Dim, other: Dim, node: fx.Node) -> Dim:
        """Join the groups of two sizes that meet; raises _Stuck where that cannot be."""
        first, second = Polynomial.of(one), Polynomial.of(other)
        pairs = self._pairs(first, second)
        if pairs is None:
            raise _Stuck(first.variables() | second.variables(), node)
        for pair in pairs:
            roots = sorted(self._root(self.owner[variable][0]) for variable in pair)
            self.parent[roots[1]] = roots[0]
        return one

    def _pairs(self, one: Polynomial, other: Polynomial) -> list[tuple[int, int]] | None:
        """Variables that make two sizes equal if each equals its partner: v and w, v*h and w*k."""
        if len(one.terms) != len(other.terms) or one.terms.get(()) != other.terms.get(()):
            return None
        pairs: list[tuple[int, int]] = []
        for (key, factor), (key_other, factor_other) in zip(
            self._in_order(one), self._in_order(other), strict=True
        ):
            if factor != factor_other or len(key) != len(key_other):
                return None
            pairs += zip(key, key_other, strict=True)
        owned = all(v in self.owner for pair in pairs for v in pair)
        return pairs if owned and all(self._axis(v) == self._axis(w) for v, w in pairs) else None

    def _in_order(self, of: Polynomial) -> list[tuple[list[int], int]]:
        terms = [(sorted(key, key=self._axis), factor) for key, factor in of.terms.items()]
        return sorted(terms, key=lambda term: (len(term[0]), list(map(self._axis, term[0]))))

    def _axis(self, variable: int) -> int:
        return self.owner[variable][1] if variable in self.owner else -1

    def same(self, variables: Sequence[int]) -> dict[int, int]:
        """Of each variable, one that it is known to equal: the first of its group on its axis."""
        first: dict[tuple[int, int], int] = {}
        found: dict[int, int] = {}
        for variable in variables:
            index, axis = self.owner.get(variable, (-1 - variable, 0))
            key = (self._root(index) if index >= 0 else index, axis)
            found[variable] = first.setdefault(key, variable)
        return found

    def _root(self, index: int) -> int:
        while self.parent[index] != index:
            index = self.parent[index]
        return index

    def sites_of(self, variables: Collection[int]) -> Iterator[str]:
        """Names of the sites (with all of their groups) that these sizes depend on."""
        assert self.propagation is not None
        windows = {
            next(iter(behind.variables())): step
            for step, behind in self.propagation.program.windows()
        }
        pending, roots = list(variables), set()
        while pending:
            variable = pending.pop()
            if variable in self.owner:
                roots.add(self._root(self.owner[variable][0]))
            elif variable in windows:
                pending += windows[variable].size.variables()
        names = {p.name for i, p in enumerate(self.places) if self._root(i) in roots}
        shared = {p.shared for p in self.places if p.name in names} - {None}
        yield from (p.name for p in self.places if p.name in names or p.shared in shared)

    def groups(self) -> list[list[Place]]:
        """The places by group, both in the order of the graph."""
        found: dict[int, list[Place]] = {}
        for index, place in enumerate(self.places):
            found.setdefault(self._root(index), []).append(place)
        return list(found.values())


def _hidden(propagation: Propagation, node: fx.Node, before: Shape) -> Shape:
    """Between the convolution and the pool of one site: sizes that nobody else gets to see."""
    return (before[0], int(node.meta["value"][1]), *_fresh(propagation, node))


def _fresh(propagation: Propagation, node: fx.Node) -> tuple[Polynomial, Polynomial]:
    v, h = (propagation.program.fresh(size, axis) for axis, size in enumerate(spatial(node)))
    return v, h
