"""The same questions to Optuna's own storage and to its dashboard."""

from __future__ import annotations

import math
import random
import time
from contextlib import suppress
from typing import Any

import optuna
import optuna_dashboard
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from tests.benchmarks._service.together import together

optuna.logging.set_verbosity(optuna.logging.ERROR)

_PARAMETERS = {f"stride {n}": FloatDistribution(1.0, 4.0) for n in range(10)}


def trials_per_second(url: str, trials: int) -> float:
    """Trials asked for, suggested one parameter and told, in one process."""
    study = optuna.create_study(storage=url, sampler=optuna.samplers.RandomSampler(seed=0))
    start = time.perf_counter()
    for _ in range(trials):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1))
    return trials / (time.perf_counter() - start)


def handouts(url: str, *, trials: int, workers: int) -> tuple[float, int]:
    """(enqueued trials asked for and told per second, how many were handed out twice)."""
    study = optuna.create_study(storage=url)
    for number in range(trials):
        study.enqueue_trial({"x": float(number)})
    given = [(url, study.study_name, trials)] * workers
    done, seconds = together(_loaded, _work_off, given)
    found = [number for taken in done for number in taken]
    return len(found) / seconds, len(found) - len(set(found))


def _loaded(url: str, name: str, trials: int) -> tuple[optuna.Study, int]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.load_study(study_name=name, storage=url), trials


def _work_off(given: tuple[optuna.Study, int]) -> list[int]:
    (study, trials), taken = given, []
    while (trial := study.ask()).number < trials:  # later ones were never enqueued
        taken.append(trial.number)
        # Where somebody else was handed the same one and was quicker, it cannot be written to.
        with suppress(ValueError, RuntimeError):
            study.tell(trial, trial.suggest_float("x", 0, trials))
    return taken


def study_page(url: str, trials: int) -> tuple[float, float, int]:
    """Seconds that the dashboard's JSON of a study takes, cold and warm, and its bytes."""
    draw = random.Random(0)
    study = optuna.create_study(storage=url, directions=["maximize", "minimize"])
    for _ in range(trials):
        gmacs = 10 ** draw.uniform(-2, 0.5)
        accuracy = 0.92 - 0.3 * math.exp(-3 * gmacs) + draw.gauss(0, 0.01)
        chosen = {name: draw.uniform(1, 4) for name in _PARAMETERS}
        study.add_trial(
            create_trial(params=chosen, distributions=_PARAMETERS, values=[accuracy, gmacs])
        )
    storage = optuna.storages.RDBStorage(url)  # one that has nothing in memory yet
    page = optuna_dashboard.wsgi(storage)
    (number,) = (found._study_id for found in storage.get_all_studies())
    cold, size = _get(page, f"/api/studies/{number}")
    return cold, min(_get(page, f"/api/studies/{number}")[0] for _ in range(3)), size


def _get(page: Any, path: str) -> tuple[float, int]:
    """Seconds and bytes of what a program behind WSGI answers."""
    answered = []
    asked = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "after=0",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }
    start = time.perf_counter()
    body = b"".join(page(asked, lambda status, *_: answered.append(status)))
    seconds = time.perf_counter() - start
    assert answered[0].startswith("200"), answered
    return seconds, len(body)
