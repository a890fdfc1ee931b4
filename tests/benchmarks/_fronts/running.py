"""Works through units in several processes, each of which takes what no other one has."""

from __future__ import annotations

import multiprocessing
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

from resnas.errors import ResnasError, SearchFailed
from tests.benchmarks._fronts.cache import Cache, Recorder, Unit

Roster = Callable[[], Sequence[tuple[Cache, Unit]]]
"""All units and where they are kept; it is sent to every process and called there."""


def run(roster: Roster, jobs: int) -> None:
    """Do all units that are not done, `jobs` at the same time; other runs may do so as well.

    What could not be done before is tried once more.
    """
    for cache, unit in roster():
        with cache.claimed(unit) as mine:
            if mine and cache.read(unit).failure:
                Recorder(cache, unit).again()
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(roster,)) for _ in range(jobs)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _work(roster: Roster) -> None:
    warnings.filterwarnings("ignore")
    for cache, unit in roster():
        with cache.claimed(unit) as mine:
            record = cache.read(unit)
            if mine and not (record.done or record.failure):
                _do(unit, cache)


def _do(unit: Unit, cache: Cache) -> None:
    recorder = Recorder(cache, unit)
    started = time.monotonic()
    failure = None
    try:
        with suppress(SearchFailed):  # its trials say why, and are done with
            unit.work(recorder.record.trials, recorder, cache.artifacts)
    except ResnasError as error:
        failure = str(error)
    except Exception:  # noqa: BLE001 - hours of other units do not end for a fault in this one
        failure = traceback.format_exc()
    if recorder.should_stop():
        raise SystemExit("the run was ended; it goes on when it is started again")
    recorder.end(failure)
    spent = time.monotonic() - started
    print(f"{spent:6.0f} s  {unit.name}{f': {failure}' if failure else ''}", flush=True)
