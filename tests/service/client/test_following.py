"""What is told while a job of a server is followed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from resnas.errors import ResnasError
from service.answers import Happening, Job, Spec, Trial
from service.client_errors import Busy, ServerUnreachable
from service.progress import Following, SearchProgress

RUNNING = Trial(id="t", number=3, state="running", progress={"epoch": 1, "epochs": 9})


def job(done: int, events: int, state: str = "running") -> Job:
    spec = Spec(backbone="vgg_small", dataset="digits", budget_gmacs=0.1)
    return Job(
        id="j", state=state, spec=spec, trials_done=done, trials_total=8, events=events, best=None
    )


def epoch(number: int, trial: int, done: int) -> Happening:
    return Happening(id=number, event="epoch", data={"trial": trial, "epoch": done, "epochs": 9})


class Server:
    """Counts how often all trials are asked for, and may refuse that."""

    def __init__(self, refusal: ResnasError | None = None) -> None:
        self.asked = 0
        self.refusal = refusal

    def trials(self) -> Iterator[Trial]:
        self.asked += 1
        if self.refusal:
            raise self.refusal
        yield RUNNING


def test_running_trials_are_told_by_the_events_and_asked_for_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Server()
    with SearchProgress(8) as progress:
        following = Following(progress, server.trials)
        following.look(job(1, 4))
        following.hear(epoch(5, 4, 2))
        following.look(job(2, 5))
        following.hear(Happening(id=6, event="trial", data={"number": 3}))
        following.look(job(3, 6))
    first, second, third = capsys.readouterr().err.splitlines()
    assert "1/8 trials · epoch 1/9 · " in first
    assert "2/8 trials · epoch 1/9, epoch 2/9 · " in second
    assert "3/8 trials · epoch 2/9 · " in third
    assert server.asked == 1


def test_a_job_that_begins_again_is_looked_at_anew(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server()
    with SearchProgress(8) as progress:
        following = Following(progress, server.trials)
        following.look(job(1, 4))
        following.hear(epoch(5, 4, 2))
        following.hear(Happening(id=6, event="state", data={"state": "queued"}))
        following.look(job(2, 6))
    assert server.asked == 2
    assert "2/8 trials · epoch 1/9 · " in capsys.readouterr().err


@pytest.mark.parametrize(
    "refusal", [Busy("jobs", "too many requests", "Wait"), ServerUnreachable("a", "b", "c")]
)
def test_a_server_that_refuses_the_trials_ends_nothing(
    refusal: ResnasError, capsys: pytest.CaptureFixture[str]
) -> None:
    with SearchProgress(8) as progress:
        following = Following(progress, Server(refusal).trials)
        following.hear(epoch(3, 4, 2))
        following.look(job(1, 4))
    assert "1/8 trials · epoch 2/9 · " in capsys.readouterr().err


def test_without_events_nothing_old_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with SearchProgress(8) as progress:
        following = Following(progress, Server().trials)
        following.look(job(1, 4))
        following.hear(None)
        following.look(job(2, 5))
    assert "epoch" not in capsys.readouterr().err.splitlines()[1]
