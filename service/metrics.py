"""Figures for Prometheus: what this process did, and what the database holds.

What this process did is counted where it happens. What the database holds is the same whichever
server is asked, and is looked up when somebody asks, at most once in a few seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError

from resnas.results import TrialResult
from service import fronts
from service.store.census import Counts
from service.store.repository import Repository
from service.store.values import Job, State

_log = logging.getLogger("resnas.service")

FRESH = 5.0
"""Seconds for which what was found in the database is answered again, at least."""
_SHARE = 50
"""It is answered again for so many times as long as it took to find."""
_LATEST = 8
"""Jobs whose fronts are measured."""
_MINUTE, _HOUR = 60, 3600

_process = CollectorRegistry()
_requests = Counter(
    "resnas_http_requests", "Requests answered.", ("method", "route", "status"), registry=_process
)
_latency = Histogram(
    "resnas_http_request_seconds",
    "Until an answer begins.",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=_process,
)
_expired = Counter(
    "resnas_leases_expired",
    "Leases taken away by this process because nobody renewed them.",
    ("kind",),
    registry=_process,
)
_trials = Counter(
    "resnas_trials_ended", "Trials of jobs that this process ran.", ("state",), registry=_process
)
_durations = Histogram(
    "resnas_trial_seconds",
    "How long they took.",
    buckets=(1, 5, 15, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR, 24 * _HOUR),
    registry=_process,
)


def request_answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request; `route` is a template, so that ids make no labels."""
    _requests.labels(method, route, str(status)).inc()
    _latency.labels(method, route).observe(seconds)


def leases_expired(kind: str, count: int) -> None:
    """Count leases that were taken away: of jobs or of exports."""
    _expired.labels(kind).inc(count)


def trial_ended(result: TrialResult) -> None:
    """Count a trial that was written down."""
    _trials.labels(result.state.value).inc()
    if result.seconds > 0:
        _durations.observe(result.seconds)


@dataclass(eq=False)
class Figures:
    """What `/metrics` answers.

    Attributes:
        repository: whose contents are counted.
    """

    repository: Repository
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _found: tuple[Metric, ...] = ()
    _until: float = 0.0

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        stored = CollectorRegistry()
        stored.register(self)
        return generate_latest(_process) + generate_latest(stored)

    def describe(self) -> Iterable[Metric]:
        """Nothing: to register this shall ask the database nothing."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """What the database holds; looked up by one thread, the others wait for it."""
        with self._lock:
            begun = time.monotonic()
            if begun > self._until:
                self._found = self._look()
                ended = time.monotonic()
                self._until = ended + max(FRESH, _SHARE * (ended - begun))
            return self._found

    def _look(self) -> tuple[Metric, ...]:
        """What is there now; a database that is away is a figure, too, and is not asked in vain."""
        answers = "Whether the database answered."
        try:
            counted = (*_counted(self.repository.census.counts()), self._fronts())
        except SQLAlchemyError as error:
            _log.warning("figures cannot be read: %s", error)
            return (GaugeMetricFamily("resnas_database_up", answers, 0),)
        return (GaugeMetricFamily("resnas_database_up", answers, 1), *counted)

    def _fronts(self) -> Metric:
        sizes = GaugeMetricFamily(
            "resnas_front_points",
            f"On the fronts of the {_LATEST} newest jobs that succeeded.",
            labels=("statistic",),
        )
        jobs = self.repository.jobs.page(_LATEST, State.SUCCEEDED)
        points = [self._points(job) for job in jobs]
        if points:
            sizes.add_metric(["mean"], sum(points) / len(points))
            sizes.add_metric(["max"], max(points))
        return sizes

    def _points(self, job: Job) -> int:
        front = fronts.front(
            self.repository, job, max_gmacs=None, min_accuracy=None, include_dominated=False
        )
        return len(front.candidates)


def _counted(counts: Counts) -> Iterable[Metric]:
    yield _gauge("resnas_jobs", "By state; the queue is as deep as `queued`.", counts.jobs)
    yield _gauge("resnas_exports", "By state.", counts.exports)
    yield _gauge("resnas_trials", "Of all jobs, by state.", counts.trials)
    held = "Jobs and exports that a worker holds, each in a driver process."
    yield GaugeMetricFamily("resnas_drivers", held, counts.held)


def _gauge(name: str, about: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=("state",))
    for state, count in counts.items():
        family.add_metric([state], count)
    return family
