"""What a search came to: its trials, its front, and how a notebook shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from resnas import pareto, plots
from resnas.notebook import card, frame, gmacs, picture, share, table
from resnas.picture import front_svg
from resnas.results import TrialResult, TrialState
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore, write_atomic

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class SearchResult:
    """What a search came to.

    Attributes:
        spec: what was asked.
        trials: all trials, by number, with those that failed or were stopped.
        artifacts: where their weights lie.
        folder: what holds them where nobody has named a place; it goes with this result.
        human_gmacs: cost of the backbone as people designed it, where that is known.
    """

    spec: JobSpec
    trials: tuple[TrialResult, ...]
    artifacts: ArtifactStore
    folder: TemporaryDirectory[str] | None = None
    human_gmacs: float | None = None

    @property
    def front(self) -> tuple[TrialResult, ...]:
        """Complete trials that no other beats in both validation accuracy and GMACs, by GMACs."""
        return front_of(self.trials)

    @property
    def best(self) -> TrialResult | None:
        """The most accurate trial within the budget; None where all are above it.

        Within the budget in milliseconds, as measured, where the job has one.
        """
        return best_of(self.trials, self.spec.budget_gmacs, self.spec.budget_ms)

    @property
    def knee(self) -> TrialResult | None:
        """The front's point farthest beyond the line between its ends; None where there is none."""
        done = complete(self.trials)
        index = pareto.knee(points(done))
        return None if index is None else done[index]

    def plot(self) -> Figure:
        """The front as a figure, with budget, human cost, best under the budget and knee."""
        done = complete(self.trials)
        marks = plots.marks_of(done)

        def named(chosen: TrialResult | None) -> str | None:
            return next((m.id for m, t in zip(marks, done, strict=True) if t is chosen), None)

        return plots.front(
            marks,
            budget_gmacs=self.spec.budget_gmacs,
            human_gmacs=self.human_gmacs,
            best=named(self.best),
            knee=named(self.knee),
            title=self._title(),
        )

    def to_dataframe(self) -> DataFrame:
        """All trials, a row each; sizes are two columns a site.

        Raises:
            ResnasError: pandas is not installed.
        """
        chosen = {id(trial) for trial in self.front}
        rows = [_row(trial) | {"on_front": id(trial) in chosen} for trial in self.trials]
        sized = (t.architecture.sizes for t in self.trials if t.architecture)
        sites = dict.fromkeys(site for sizes in sized for site in sizes)
        sides = [f"{site}.{side}" for site in sites for side in ("height", "width")]
        return frame(rows, [*_COLUMNS, "on_front", *sides])

    def _repr_html_(self) -> str:
        return card(
            self._title(),
            {
                "budget": _gmacs(self.spec.budget_gmacs),
                "human": _gmacs(self.human_gmacs),
                "trials": f"{len(complete(self.trials))} of {len(self.trials)} complete",
                "best under the budget": _achieved(self.best) or "none",
            },
            picture(self._picture()),
            _table(self.front, self.best, self.knee),
        )

    def _title(self) -> str:
        return f"{self.spec.backbone} on {self.spec.dataset}"

    def _picture(self) -> str:
        marks = plots.marks_of(self.trials)
        return front_svg(marks, self.spec.budget_gmacs, self.human_gmacs, self._title())

    def save(self, directory: Path | str) -> None:
        """Write `search.json` and the weights of the front's networks into a folder."""
        directory = Path(directory)
        for result in self.front:
            if result.weights:
                weights = self.artifacts.read(result.weights)
                write_atomic(directory / "weights" / f"{result.weights}.safetensors", weights)
        content = {
            "spec": self.spec.model_dump(mode="json"),
            "trials": [trial.model_dump(mode="json") for trial in self.trials],
            "front": [trial.number for trial in self.front],
            "best": self.best.number if self.best else None,
        }
        write_atomic(directory / "search.json", json.dumps(content, indent=2).encode())


def best_of(
    trials: Sequence[TrialResult], budget_gmacs: float, budget_ms: float | None = None
) -> TrialResult | None:
    """The most accurate complete trial within the budgets; None where there is none.

    Args:
        trials: however they ended.
        budget_gmacs: cost of one sample at most.
        budget_ms: how long one sample may take at most, as measured; null: as long as it likes.
    """
    done = complete(trials)
    if budget_ms is not None:
        done = [t for t in done if t.latency_ms and t.latency_ms <= budget_ms]
    index = pareto.best_under(points(done), budget_gmacs)
    return None if index is None else done[index]


def complete(trials: Sequence[TrialResult]) -> list[TrialResult]:
    """The trials that completed: only these are architectures to choose from."""
    return [trial for trial in trials if trial.state is TrialState.COMPLETE]


def points(trials: Sequence[TrialResult]) -> list[tuple[float, float]]:
    """(validation accuracy, GMACs) of complete trials, as `resnas.pareto` takes them."""
    return [(t.val_accuracy, t.gmacs) for t in trials]  # type: ignore[misc]


def front_of(trials: Sequence[TrialResult]) -> tuple[TrialResult, ...]:
    """The non-dominated among the complete trials, by GMACs."""
    done = complete(trials)
    return tuple(done[index] for index in pareto.front(points(done)))


_COLUMNS = (
    *("number", "state", "resizer", "aim", "lam", "seed", "val_accuracy", "spread"),
    *("test_accuracy", "gmacs", "params", "latency_ms", "epochs_done", "seconds", "reason"),
)
"""Of a trial in a data frame, before its sizes."""


def _row(trial: TrialResult) -> dict[str, object]:
    """A trial in a data frame."""
    sizes = trial.architecture.sizes if trial.architecture else {}
    sides = {
        f"{site}.{side}": pixels
        for site, size in sizes.items()
        for side, pixels in zip(("height", "width"), size, strict=True)
    }
    known: dict[str, object] = {name: getattr(trial, name) for name in _COLUMNS}
    return known | {"state": trial.state.value} | sides


def _achieved(trial: TrialResult | None) -> str:
    if trial is None:
        return ""
    return f"{share(trial.val_accuracy, trial.spread)} at {gmacs(trial.gmacs)} GMACs"


def _table(front: Sequence[TrialResult], best: TrialResult | None, knee: TrialResult | None) -> str:
    """The front in a notebook; the best under the budget stands out."""
    columns = ("trial", "GMACs", "accuracy", "test", "resizer", "aim", "")
    rows = [
        (
            str(trial.number),
            gmacs(trial.gmacs),
            share(trial.val_accuracy, trial.spread),
            share(trial.test_accuracy),
            trial.resizer,
            trial.aim,
            ", ".join(
                word
                for word, chosen in (("best under the budget", best), ("knee", knee))
                if trial is chosen
            ),
        )
        for trial in front
    ]
    return table(columns, rows, [i for i, trial in enumerate(front) if trial is best])


def _gmacs(value: float | None) -> str | None:
    return None if value is None else f"{gmacs(value)} GMACs"
