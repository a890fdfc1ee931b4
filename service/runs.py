"""One attempt at a job or an export: a child process, the lease it runs under, what it came to."""

from __future__ import annotations

import logging
import shutil
import time
from abc import ABC, abstractmethod

from sqlalchemy.exc import DBAPIError

from resnas.results import TrialState, Value
from service import messages
from service.child import Child
from service.errors import Failure, LeaseLost
from service.jobs import Event, moves
from service.settings import Settings
from service.store.leases import ENDED
from service.store.repository import Repository
from service.store.values import Export, Job, Lease, State

GRACE = 5.0
"""Seconds between the wish that a child process ends and its end."""

_log = logging.getLogger("resnas.worker")


class Run(ABC):
    """One attempt; `follow` in one thread, `beat` and `end` in another."""

    what: str

    def __init__(
        self, settings: Settings, repository: Repository, lease: Lease, task: Value
    ) -> None:
        self.settings = settings
        self.repository = repository
        self.lease = lease
        self.ending = False
        self._heard = time.monotonic()
        self._outcome: Value | None = None
        self.child = Child(task, settings.log_path(lease.id))

    @abstractmethod
    def _renew(self, seconds: float) -> State: ...

    @abstractmethod
    def _hear(self, message: Value) -> None: ...

    @abstractmethod
    def _finish(self, event: Event, error: Failure | None) -> State: ...

    @abstractmethod
    def _crash(self, error: Failure) -> State: ...

    def beat(self, seconds: float) -> None:
        """Hold the lease for `seconds`, and end where somebody wants that or has taken it over."""
        try:
            state = self._renew(seconds)
        except LeaseLost:
            self.child.kill()
        except DBAPIError as error:
            _log.warning("%s %s: no heartbeat: %s", self.what, self.lease.id, error)
            if time.monotonic() - self._heard > seconds:
                self.child.kill()  # by now somebody else may have it
        else:
            self._heard = time.monotonic()
            if state is State.CANCELLING:
                self.end()

    def end(self) -> None:
        """Ask the child process to end early."""
        if not self.ending:
            self.ending = True
            self.child.stop(GRACE)

    def follow(self) -> None:
        """Write down what the child process reports until it ends, then how it ended."""
        try:
            for message in self.child.messages():
                self._hear(message)
            self._conclude(self.child.wait())
        except LeaseLost as error:
            _log.warning("%s", error)
        finally:
            self.child.close()

    def _conclude(self, status: int) -> None:
        match self._outcome:
            case messages.Done():
                state = self._finish(Event.SUCCEED, None)
            case messages.Failed(failure=failure):
                state = self._finish(Event.FAIL, failure)
            case messages.File():
                return
            case _ if self.ending or isinstance(self._outcome, messages.Stopped):
                state = self._finish(Event.RELEASE, None)
            case _:
                state = self._crash(self._death(status))
        _log.info("%s %s: %s", self.what, self.lease.id, state)

    def _death(self, status: int) -> Failure:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        log = self.settings.log_path(self.lease.id).relative_to(self.settings.data_dir)
        return Failure(
            place=f"the process of {self.what} {self.lease.id}",
            found=f"it {how}",
            next_step=f"See {log} in the data directory",
        )


class JobRun(Run):
    """An attempt at a job."""

    what = "job"

    def __init__(self, settings: Settings, repository: Repository, job: Job, lease: Lease) -> None:
        task = messages.SearchTask(
            spec=job.spec,
            finished=tuple(repository.trials.finished(job.id)),
            executor=settings.executor,
            ray_address=settings.ray_address,
            datasets_dir=settings.datasets_dir,
            artifacts_dir=settings.artifacts.root,
            work_dir=settings.work_dir(job.id),
        )
        super().__init__(settings, repository, lease, task)

    def _renew(self, seconds: float) -> State:
        return self.repository.jobs.renew(self.lease, seconds)

    def _hear(self, message: Value) -> None:
        match message:
            case messages.Epoch(metrics=metrics):
                self.repository.trials.progress(self.lease, metrics)
            case messages.Trial(result=result):
                # What ended because the job is to end has not come to anything: it is begun
                # again by the next attempt, if there is one.
                if result.state is TrialState.COMPLETE or not self.ending:
                    self.repository.trials.record(self.lease, result)
            case _:
                self._outcome = message

    def _finish(self, event: Event, error: Failure | None) -> State:
        state = self.repository.jobs.finish(self.lease, moves(event), error)
        return self._tidy(state)

    def _crash(self, error: Failure) -> State:
        release, fail = moves(Event.RELEASE), moves(Event.FAIL)
        return self._tidy(self.repository.jobs.crash(self.lease, release, fail, error))

    def _tidy(self, state: State) -> State:
        """Checkpoints are of no use any more once a job is over."""
        if state in ENDED:
            shutil.rmtree(self.settings.work_dir(self.lease.id), ignore_errors=True)
        return state


class ExportRun(Run):
    """An attempt at an export."""

    what = "export"

    def __init__(
        self, settings: Settings, repository: Repository, export: Export, lease: Lease
    ) -> None:
        found = repository.trials.architecture(export.architecture_id)
        assert found is not None  # the database's foreign key says so
        task = messages.ExportTask(
            architecture=found.architecture,
            result=found.result,
            format=export.format,
            artifacts_dir=settings.artifacts.root,
        )
        super().__init__(settings, repository, lease, task)

    def _renew(self, seconds: float) -> State:
        return self.repository.exports.renew(self.lease, seconds)

    def _hear(self, message: Value) -> None:
        self._outcome = message
        if isinstance(message, messages.File):
            self.repository.exports.deliver(
                self.lease,
                moves(Event.SUCCEED),
                file_name=message.name,
                size=message.size,
                sha256=message.sha256,
                manifest=message.manifest.model_dump(mode="json"),
            )

    def _finish(self, event: Event, error: Failure | None) -> State:
        return self.repository.exports.finish(self.lease, moves(event), error)

    def _crash(self, error: Failure) -> State:
        release, fail = moves(Event.RELEASE), moves(Event.FAIL)
        return self.repository.exports.crash(self.lease, release, fail, error)
