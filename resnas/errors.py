"""Every error of the library; each names the place, what was found there, and the next step.

ResnasError
├── UnknownName              a catalogue has no entry of that name
├── InvalidSpec              a job, training or search setting that cannot be used
│   ├── InfeasibleBudget     no architecture of the space costs as little as the budget
│   └── UnreachableBudget    no whole sizes cost nearly as much as the budget, and not more
├── DatasetUnavailable       the files of a data set are missing or not as expected
├── GraphError               a backbone that cannot be rewritten
│   ├── UntraceableBackbone  torch.fx cannot follow its forward
│   ├── UnsizedOperation     no rule says which size an operation's result has
│   ├── SizeConflict         maps meet whose sizes cannot be made equal
│   └── NothingToResize      no site was found, or none can be resized
├── UnsupportedLayer         a cost has no rule for a layer
├── InvalidResizer           a resizer was built or fed with something it cannot handle
├── InvalidLayer             a replacement of a layer that cannot be built or fed
├── ArchitectureMismatch     an architecture does not belong to this search space
├── TrainingDiverged         the loss became NaN or infinite
├── SearchFailed             no trial of a search completed
├── ClusterRefused           a Ray cluster that must not, or cannot, be joined
├── StorageFull              checkpoints or weights cannot be kept any more
├── ExportFailed             an exported file does not do what the network does
└── ExportUnreadable         a file of an export is missing or damaged
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class ResnasError(Exception):
    """Base of all errors.

    Args:
        place: where it happened: a field, a file, a node of the graph.
        found: what was found there.
        next_step: what the reader can do about it.
    """

    def __init__(self, place: str, found: str, next_step: str) -> None:
        super().__init__(place, found, next_step)
        self.place = place
        self.found = found
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.place}: {self.found}. {self.next_step}"


class UnknownName(ResnasError, LookupError):
    """A catalogue has no entry of that name."""

    @classmethod
    def among(cls, place: str, name: str, names: Sequence[str]) -> UnknownName:
        """The error for `name`, which is not one of `names`, with the nearest of them."""
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        return cls(place, f"there is no '{name}'", f"{hint}Choose one of: {', '.join(names)}")


class InvalidSpec(ResnasError, ValueError):
    """A job, training or search setting that cannot be used."""


class InfeasibleBudget(InvalidSpec):
    """No architecture of the search space costs as little as the budget asks.

    Attributes:
        min_gmacs, max_gmacs: what can be reached.
        human_gmacs: what the backbone itself costs.
    """

    def __init__(
        self, budget_gmacs: float, *, min_gmacs: float, max_gmacs: float, human_gmacs: float
    ) -> None:
        super().__init__(
            "budget_gmacs",
            f"{budget_gmacs:g} is below the smallest that can be reached, {min_gmacs:.4g}",
            f"Choose a budget from {min_gmacs:.4g} to {max_gmacs:.4g} GMACs; the backbone as its "
            f"authors made it costs {human_gmacs:.4g}",
        )
        self.budget_gmacs = budget_gmacs
        self.min_gmacs = min_gmacs
        self.max_gmacs = max_gmacs
        self.human_gmacs = human_gmacs

    def __reduce__(self) -> tuple[object, ...]:
        return (_infeasible, (self.budget_gmacs, self.min_gmacs, self.max_gmacs, self.human_gmacs))


class UnreachableBudget(InvalidSpec):
    """No whole sizes cost from 95 to 100 % of a budget that a training has to land on.

    Attributes:
        budget_gmacs: what was asked for.
        below, above: the nearest costs found, GMACs; None where there is none.
    """

    def __init__(self, budget_gmacs: float, *, below: float | None, above: float | None) -> None:
        known = [f"{cost:.6g}" for cost in (below, above) if cost is not None]
        super().__init__(
            "budget_gmacs",
            f"no whole sizes cost from 95 to 100 % of {budget_gmacs:.6g}; the nearest are "
            f"{f'{below:.6g} below' if below is not None else 'none below'} and "
            f"{f'{above:.6g} above' if above is not None else 'none above'}",
            f"Choose {' or '.join(known) or 'another budget'}",
        )
        self.budget_gmacs = budget_gmacs
        self.below = below
        self.above = above

    def __reduce__(self) -> tuple[object, ...]:
        return (_unreachable, (self.budget_gmacs, self.below, self.above))


class DatasetUnavailable(ResnasError):
    """The files of a data set are missing or not as expected."""


class GraphError(ResnasError):
    """A backbone that cannot be rewritten."""


class UntraceableBackbone(GraphError):
    """torch.fx cannot follow the backbone's forward."""


class UnsizedOperation(GraphError):
    """No rule says which size the result of an operation has.

    Attributes:
        variables: of the propagation, those that the operation's inputs depend on.
    """

    variables: frozenset[int] = frozenset()


class SizeConflict(GraphError):
    """Maps meet whose sizes cannot be made equal."""


class NothingToResize(GraphError):
    """A backbone has no place at which its resolution could be learned."""


class UnsupportedLayer(GraphError):
    """A cost has no rule for a layer; it never counts as 0."""


class InvalidResizer(ResnasError, ValueError):
    """A resizer was built or fed with something it cannot handle."""


class InvalidLayer(ResnasError, ValueError):
    """A replacement of a layer that cannot be built, or was fed with something it cannot handle."""


class ArchitectureMismatch(ResnasError, ValueError):
    """An architecture does not belong to this search space."""


class TrainingDiverged(ResnasError):
    """The loss became NaN or infinite."""


class SearchFailed(ResnasError):
    """No trial of a search completed."""


class StorageFull(ResnasError):
    """Checkpoints or weights cannot be kept any more."""


class ClusterRefused(ResnasError):
    """A Ray cluster that anybody could use, or that does not take this process's token."""


class ExportFailed(ResnasError):
    """An exported file does not do what the network does."""


class ExportUnreadable(ResnasError):
    """A file of an export is missing or damaged."""


def _infeasible(budget: float, least: float, most: float, human: float) -> InfeasibleBudget:
    return InfeasibleBudget(budget, min_gmacs=least, max_gmacs=most, human_gmacs=human)


def _unreachable(budget: float, below: float | None, above: float | None) -> UnreachableBudget:
    return UnreachableBudget(budget, below=below, above=above)
