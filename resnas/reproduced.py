"""What became of a reproduction: a file that grows by one training at a time, and its table."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from resnas.errors import InvalidSpec
from resnas.results import Size, TrialResult, Value
from resnas.storage import write_atomic
from search_spaces.recipes import Published, Recipe


class Rule(Value):
    """What a reproduction trains on."""

    scale: float = Field(description="share of the samples and epochs; 1: as published")
    dataset: str | None = Field(description="name, with the part of it; null: nothing is trained")
    samples: dict[str, int] = Field(description="by split")
    about: str = Field("", description="what the scale means, in words")


class Measured(Value):
    """One training of one row, or its cost where nothing is trained."""

    row: str = Field(description="label of the row")
    seed: int | None = Field(None, description="null: nothing was trained")
    accuracy: float | None = Field(
        None, description="share of right answers on test, or on val where there is no test"
    )
    gmacs: float | None = None
    params: int | None = None
    overhead: float | None = Field(None, description="share of the cost that resizing takes")
    sizes: dict[str, Size] = Field({}, description="(H, W) behind each site")
    reason: str | None = Field(None, description="why it did not complete")
    date: datetime
    device: str
    versions: dict[str, str] = Field(description="of what figures may depend on, by name")
    result: TrialResult | None = None


@dataclass(frozen=True)
class Outcome:
    """One row of the table.

    Attributes:
        label: of the row.
        published: what its source reports.
        trainings: what was measured, one a seed.
    """

    label: str
    published: Published
    trainings: tuple[Measured, ...]

    @property
    def accuracy(self) -> float | None:
        """Mean over the trainings that completed, in percent."""
        found = self._accuracies()
        return statistics.fmean(found) if found else None

    @property
    def spread(self) -> float | None:
        """Standard deviation over the trainings, in percent points; None of fewer than two."""
        found = self._accuracies()
        return statistics.stdev(found) if len(found) > 1 else None

    @property
    def gmacs(self) -> float | None:
        """Mean cost of one sample."""
        return _mean(each.gmacs for each in self.trainings)

    @property
    def params(self) -> float | None:
        """Mean number of parameters, in millions."""
        found = _mean(each.params for each in self.trainings)
        return None if found is None else found / 1e6

    @property
    def overhead(self) -> float | None:
        """Mean share of the cost that resizing takes, in percent."""
        found = _mean(each.overhead for each in self.trainings)
        return None if found is None else 100 * found

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why trainings did not complete."""
        return tuple(each.reason for each in self.trainings if each.reason)

    def content(self) -> dict[str, Any]:
        """The row as JSON."""
        return {
            "label": self.label,
            "published": asdict(self.published),
            "accuracy": self.accuracy,
            "spread": self.spread,
            "gmacs": self.gmacs,
            "params": self.params,
            "overhead": self.overhead,
            "trainings": [each.model_dump(mode="json") for each in self.trainings],
        }

    def _accuracies(self) -> list[float]:
        return [100 * each.accuracy for each in self.trainings if each.accuracy is not None]


@dataclass(frozen=True)
class Reproduction:
    """A table beside its published figures.

    Attributes:
        name: of the recipe.
        recipe: it.
        rule: what was trained on.
        outcomes: its rows.
        output: the file that holds all of it.
    """

    name: str
    recipe: Recipe
    rule: Rule
    outcomes: tuple[Outcome, ...]
    output: Path

    def content(self) -> dict[str, Any]:
        """The table as JSON: accuracies in percent, parameters in millions."""
        return {
            "name": self.name,
            "title": self.recipe.title,
            "source": self.recipe.source,
            "rule": self.rule.model_dump(mode="json"),
            "rows": [outcome.content() for outcome in self.outcomes],
            "ours": dict(self.recipe.ours),
            "remarks": list(self.recipe.remarks),
            "output": str(self.output),
        }


class Record:
    """The file of a reproduction, whole after every training.

    Args:
        path: of the file; begun where there is none.
        name: of the recipe.
        recipe: it.
        rule: what is trained on.

    Attributes:
        folder: where weights and the states of running trainings lie.

    Raises:
        InvalidSpec: the file holds something else, or cannot be written.
    """

    def __init__(self, path: Path, name: str, recipe: Recipe, rule: Rule) -> None:
        self.path = path.absolute()
        self.name = name
        self.recipe = recipe
        self.rule = rule
        name_of_folder = self.path.stem if self.path.suffix else f"{self.path.name}-trainings"
        self.folder = self.path.with_name(name_of_folder)
        self._facts: dict[str, Any] = _plain(
            {
                "schema_version": 1,
                "name": name,
                "rule": rule.model_dump(mode="json", exclude={"about"}),
                "recipe": asdict(recipe),
            }
        )
        self._measured = self._read() if self.path.exists() else []
        try:
            self._write()
        except OSError as error:
            raise InvalidSpec(
                "output", f"{path} cannot be written: {error.strerror}", "Choose another file"
            ) from error

    def get(self, row: str, seed: int | None) -> Measured | None:
        """What a row came to with that seed, unless it failed or is still to be done."""
        found = (m for m in self._measured if (m.row, m.seed) == (row, seed) and m.reason is None)
        return next(found, None)

    def keep(self, measured: Measured) -> None:
        """Write one more; it takes the place of one that failed."""
        of = (measured.row, measured.seed)
        self._measured = [each for each in self._measured if (each.row, each.seed) != of]
        self._measured.append(measured)
        self._write()

    def told(self, seeds: Sequence[int | None]) -> Reproduction:
        """The table of these seeds."""
        outcomes = (
            Outcome(
                row.label,
                row.published,
                tuple(m for m in self._measured if m.row == row.label and m.seed in seeds),
            )
            for row in self.recipe.rows
        )
        return Reproduction(self.name, self.recipe, self.rule, tuple(outcomes), self.path)

    def _read(self) -> list[Measured]:
        try:
            content = json.loads(self.path.read_bytes())
            found = [Measured.model_validate_json(json.dumps(m)) for m in content["measured"]]
            same = {name: content[name] for name in self._facts} == self._facts
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidSpec(
                "output", f"{self.path} is no file of a reproduction", "Choose another file"
            ) from error
        if not same:
            raise InvalidSpec(
                "output",
                f"{self.path} holds another reproduction: its recipe, data or scale differ",
                "Choose another file, or remove that one",
            )
        return found

    def _write(self) -> None:
        content = self._facts | {
            "measured": [each.model_dump(mode="json") for each in self._measured],
        }
        text = json.dumps(content, indent=2, ensure_ascii=False)
        write_atomic(self.path, text.encode())


def device() -> str:
    """What trains here, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    facts_of = Path("/proc/cpuinfo")
    lines = facts_of.read_text(encoding="utf-8").splitlines() if facts_of.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"CPU, {models[0] if models else platform.machine()}, {torch.get_num_threads()} threads"


def _plain(value: Any) -> Any:
    """As it comes back from JSON: tuples are lists."""
    return json.loads(json.dumps(value))


def _mean(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return statistics.fmean(found) if found else None
