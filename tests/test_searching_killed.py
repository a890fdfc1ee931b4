"""A search whose process is killed in the middle of a trial goes on to the very same front."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from resnas.backbones import own_from
from resnas.results import TrialResult
from resnas.searching import SearchResult, search
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore

BACKBONES = Path(__file__).parent / "backbones"
TRAINING = {"epochs": 3, "batch_size": 256, "warmup": 0.0, "settle": 0.34}
SEARCHES = {
    "sweep": {
        "trials": 3,
        "search": {
            "open": {"lr": [0.02, 0.1]},
            "stop_early": True,
            "lam_min": 200,
            "lam_max": 2000,
        },
    },
    "amortized": {"trials": 3},
}

PROGRAM = """
import json, sys
from pathlib import Path
from resnas.results import EpochMetrics, TrialResult
from resnas.searching import search
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore

class Told:
    def on_epoch(self, metrics: EpochMetrics) -> None:
        print(metrics.trial, metrics.epoch, flush=True)
    def on_trial(self, result: TrialResult) -> None:
        Path(sys.argv[2], f"{result.number}.json").write_text(result.model_dump_json())
    def should_stop(self) -> bool:
        return False

folder = Path(sys.argv[2])
search(JobSpec.model_validate_json(sys.argv[1]), sys.argv[3], Told(),
       artifacts=ArtifactStore(folder / "artifacts"), work_dir=folder)
"""


def spec(strategy: str) -> JobSpec:
    given = {
        "backbone": "own/small",
        "dataset": "digits",
        "budget_gmacs": 0.0004,
        "strategy": strategy,
        "training": TRAINING,
    }
    return JobSpec.model_validate({**given, **SEARCHES[strategy]})


def comparable(result: SearchResult) -> list[TrialResult]:
    return [trial.model_copy(update={"seconds": 0.0}) for trial in result.trials]


def killed(asked: JobSpec, folder: Path, executor: str, after: str) -> list[TrialResult]:
    """Kill a search with all its processes once it says `after`; the trials that it had ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, asked.model_dump_json(), str(folder), executor],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "RESNAS_BACKBONES_DIR": str(BACKBONES)},
    )
    assert process.stdout is not None
    with process, process.stdout:
        for line in process.stdout:
            if line.strip() == after:
                break
        os.killpg(process.pid, signal.SIGKILL)
    return [
        TrialResult.model_validate(json.loads(path.read_text()))
        for path in sorted(folder.glob("*.json"))
    ]


@pytest.mark.parametrize(
    ("strategy", "executor", "after"),
    [
        ("sweep", "ray", "1 1"),
        pytest.param("amortized", "inline", "0 2", marks=pytest.mark.chaos),
    ],
)
def test_a_killed_search_goes_on_to_the_same_trials_and_the_same_front(
    strategy, executor, after, tmp_path
):
    torch.set_num_threads(1)
    asked = spec(strategy)
    finished = killed(asked, tmp_path, executor, after)
    assert len(finished) == int(after[0])
    with own_from(BACKBONES):
        resumed = search(
            asked,
            artifacts=ArtifactStore(tmp_path / "artifacts"),
            work_dir=tmp_path,
            finished=finished,
        )
        undisturbed = search(asked, artifacts=ArtifactStore(tmp_path / "others"))
    assert comparable(resumed) == comparable(undisturbed)
    assert [t.number for t in resumed.front] == [t.number for t in undisturbed.front]
    assert not list(tmp_path.glob("*.pt"))
