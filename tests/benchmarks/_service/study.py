"""A long study in Optuna's own tables, and Optuna's own dashboard of it."""

from __future__ import annotations

import json
import math
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import httpx
import optuna
from optuna.distributions import FloatDistribution, distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import create_engine, insert

_PARAMETERS = [f"stride {n}" for n in range(10)]
_STEPS = 5000
_START_SECONDS = 60.0


def fill(path: Path, trials: int) -> str:
    """A study of two objectives with so many completed trials of 10 parameters; its storage's URL.

    Its rows are written in bulk: through a study they take hours.
    """
    url = f"sqlite:///{path}"
    study = optuna.create_study(storage=url, directions=["maximize", "minimize"])
    engine = create_engine(url)
    draw, now = random.Random(0), datetime.now()
    with engine.begin() as connection:
        for first in range(0, trials, _STEPS):
            numbers = range(first, min(first + _STEPS, trials))
            for model, rows in _rows(study._study_id, numbers, draw, now).items():
                connection.execute(insert(model), rows)
    engine.dispose()
    assert len(optuna.load_study(storage=url, study_name=study.study_name).trials) == trials
    return url


def _rows(
    study: int, numbers: range, draw: random.Random, now: datetime
) -> dict[type, list[dict[str, object]]]:
    distribution = distribution_to_json(FloatDistribution(1.0, 4.0))
    known = {"study_id": study, "state": TrialState.COMPLETE}
    known |= {"_datetime_start_utc": now, "_datetime_complete_utc": now}
    trials, values, parameters = [], [], []
    for number in numbers:
        own = {"trial_id": number + 1}
        trials.append(own | known | {"number": number})
        gmacs = 10 ** draw.uniform(-2, 0.5)
        accuracy = 0.92 - 0.3 * math.exp(-3 * gmacs) + draw.gauss(0, 0.01)
        finite = {"value_type": models.TrialValueModel.TrialValueType.FINITE}
        for objective, value in enumerate((accuracy, gmacs)):
            values.append(own | finite | {"objective": objective, "value": value})
        for name in _PARAMETERS:
            chosen = {"param_name": name, "param_value": draw.uniform(1, 4)}
            parameters.append(own | chosen | {"distribution_json": distribution})
    return {
        models.TrialModel: trials,
        models.TrialValueModel: values,
        models.TrialParamModel: parameters,
    }


@contextmanager
def served(url: str) -> Iterator[str]:
    """Optuna's dashboard on a free port; yields its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    program = str(Path(sys.executable).with_name("optuna-dashboard"))
    process = subprocess.Popen(
        [program, url, "--port", str(port), "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait(address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            assert json.loads(httpx.get(f"{address}/api/meta", timeout=5).text)
            return
        time.sleep(0.1)
    raise TimeoutError(f"Optuna's dashboard does not answer at {address}")
