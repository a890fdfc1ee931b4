"""How many more trials an hour a second node gives: `ray start` nodes of one processor each.

    python -m tests.benchmarks.cluster [rounds]

One and two nodes take turns, so that what else the machine does falls on both; the best round of
each counts. Measured is the time after every node has ended its first trial, before which its
process starts. Efficiency: beside as many times the rate of one node.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from resnas.results import EpochMetrics, TrialResult
from resnas.searching import search
from resnas.spec import JobSpec, SearchSpec, TrainingSpec
from resnas.storage import ArtifactStore
from tests.cluster.nodes import cluster

TRIALS = 8
SPEC = JobSpec(
    backbone="vgg_small",
    dataset="part:0.5:digits",
    budget_gmacs=0.006,
    trials=TRIALS,
    training=TrainingSpec(epochs=3, batch_size=256, warmup=0.0),
)


class Clock:
    """An observer that takes down when trials end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Nothing."""

    def on_trial(self, result: TrialResult) -> None:
        """Take down the time."""
        assert result.architecture is not None, result.reason
        self.ends.append(time.monotonic())

    def should_stop(self) -> bool:
        """Never."""
        return False


def trials_per_hour(nodes: int, address: str) -> float:
    """The rate after every node has ended its first trial, which includes its start."""
    spec = SPEC.model_copy(update={"search": SearchSpec(parallel=nodes)})
    clock = Clock()
    with TemporaryDirectory() as folder:
        search(
            spec,
            "ray",
            clock,
            artifacts=ArtifactStore(Path(folder) / "artifacts"),
            work_dir=Path(folder) / "work",
            ray_address=address,
        )
    return 3600 * (TRIALS - nodes) / (clock.ends[-1] - clock.ends[nodes - 1])


def main() -> None:
    """Measure, and print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rates: dict[int, list[float]] = {1: [], 2: []}
    with cluster(1) as nodes:
        os.environ.update(nodes.environment)
        for number in range(rounds):
            rates[1].append(trials_per_hour(1, nodes.address))
            second = nodes.add(f"127.0.0.{3 + number}")
            rates[2].append(trials_per_hour(2, nodes.address))
            second.kill()
    best = {count: max(found) for count, found in rates.items()}
    table = Table(title=f"{SPEC.backbone} on {SPEC.dataset}, {SPEC.training.epochs} epochs")
    for column in ("nodes", "trials an hour, best", "all rounds", "efficiency"):
        table.add_column(column, justify="right")
    for count, found in rates.items():
        share = best[count] / (count * best[1])
        every = " ".join(f"{rate:.0f}" for rate in found)
        table.add_row(str(count), f"{best[count]:.0f}", every, f"{share:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
