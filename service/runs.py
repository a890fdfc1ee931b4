"""One attempt at a job or an export: a child process, the lease it runs under, what it came to."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import (
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)

from resnas.causes import Cause, cause_of
from resnas.checkpoints import checkpoint_of
from resnas.errors import ResnasError
from resnas.results import TrialState, Value
from service import messages, metrics
from service.child import Child
from service.errors import Failure, LeaseLost
from service.settings import Settings
from service.store.repository import Repository
from service.store.values import Job, Lease, State
from service.transitions import Event, moves

LEASE = 20.0
"""Seconds that a claim holds without a heartbeat."""
GRACE = 4.0
"""Seconds between the wish that a child process ends and its end."""
AGAIN = 0.5
"""Seconds between two tries to write to a database that failed."""

UNREACHABLE = (OperationalError, InterfaceError, InternalError, TimeoutError)
"""The database is not there, or busy; a later try may succeed."""

_log = logging.getLogger("resnas.worker")
_Written = TypeVar("_Written")


class Run(ABC):
    """One attempt; `follow` in one thread, the rest of it from others at any time."""

    what: str

    def __init__(self, settings: Settings, repository: Repository, lease: Lease) -> None:
        self.settings = settings
        self.repository = repository
        self.lease = lease
        self.ending = self.unheard = False
        self.child = Child(settings.log_path(lease.id), settings.driver)
        self._heard = time.monotonic()
        self._outcome: Value | None = None

    @abstractmethod
    def _task(self) -> Value:
        """What the child process shall do."""

    @abstractmethod
    def _renew(self) -> State: ...

    @abstractmethod
    def _hear(self, message: Value) -> None: ...

    @abstractmethod
    def _finish(self, event: Event, error: Failure | None) -> State: ...

    @abstractmethod
    def _crash(self, error: Failure) -> State: ...

    def beat(self) -> None:
        """Hold the lease, and end where somebody wants that or has taken it over."""
        asked = time.monotonic()
        try:
            state = self._renew()
        except LeaseLost:
            self.child.kill()
        except SQLAlchemyError as error:
            _log.warning("%s %s: no heartbeat: %s", self.what, self.lease.id, error)
        else:
            self._heard = asked  # not when the answer came: the lease may be that much older
            if state is State.CANCELLING:
                self.end()

    def end_if_unheard(self) -> None:
        """Kill the child where the lease was not renewed in time: somebody else may have it."""
        if time.monotonic() - self._heard > LEASE:
            self.unheard = True
            self.child.kill()

    def end(self) -> None:
        """Ask the child process to end early."""
        if not self.ending:
            self.ending = True
            self.child.stop(GRACE)

    def follow(self) -> None:
        """Write down what the child process reports until it ends, then how it ended.

        Raises:
            OSError: it could not be started; the work waits again for a worker.
            SQLAlchemyError: the database failed for as long as the lease held.
        """
        try:
            if self._start():
                for message in self.child.messages():
                    self._hear(message)
                    if self._outcome is not None:
                        self.child.stop(GRACE)  # one that hangs at its exit would stay for ever
                self._conclude(self.child.wait())
        except LeaseLost as error:
            _log.warning("%s", error)
        except (OSError, *UNREACHABLE):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the job's user is told
            _log.exception("%s %s", self.what, self.lease.id)
            self._crash(self._death(f"its worker failed with {type(error).__name__}: {error}"))
        finally:
            self.child.close()

    def _start(self) -> bool:
        """Whether there is a child process now; there is none for what no child could do."""
        try:
            self.child.start(self._task())
        except OSError as error:
            self._not_started(error)
            raise
        except ResnasError as error:
            if isinstance(error, LeaseLost):
                raise
            self._finish(Event.FAIL, Failure.of(error))
            return False
        if self.ending:  # whoever wished it may have looked before there was a child to tell
            self.child.stop(GRACE)
        return True

    def _not_started(self, error: OSError) -> None:
        """What this machine lacks is no fault of the job, but a full disk is told at once."""
        found = f"it could not be started: {error}"
        if (cause := cause_of(str(error))) is Cause.STORAGE_FULL:
            self._finish(Event.FAIL, self._death(found, cause))
        else:
            self._crash(self._death(found, Cause.UNREACHABLE))

    def _write(self, write: Callable[[], _Written]) -> _Written:
        """Do `write`, again where the database fails, for as long as a lease holds.

        It must not matter whether it was done already: an answer may be lost on its way.
        """
        deadline = time.monotonic() + LEASE
        while True:
            try:
                return write()
            except UNREACHABLE as error:
                if time.monotonic() > deadline:
                    raise
                _log.warning("%s %s: written again: %s", self.what, self.lease.id, error)
                time.sleep(AGAIN)

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
            case messages.Crashed(reason=reason):
                away = cause_of(reason) is Cause.UNREACHABLE
                cause = Cause.UNREACHABLE if away else "crashed"
                state = self._crash(self._death(f"it broke on {reason}", cause))
            case _ if self.unheard:
                found = "it was ended because the database did not answer while its lease ran out"
                state = self._crash(self._death(found, Cause.UNREACHABLE))
            case _ if status < 0:
                state = self._crash(self._death(f"it was killed by signal {-status}"))
            case _:
                state = self._crash(self._death(f"it ended with status {status}"))
        _log.info("%s %s: %s", self.what, self.lease.id, state)

    def _death(self, found: str, reason: str = "crashed") -> Failure:
        log = self.settings.log_path(self.lease.id).relative_to(self.settings.data_dir)
        return Failure(
            place=f"the process of {self.what} {self.lease.id}",
            found=found,
            next_step=f"See {log} in the data directory",
            reason=reason,
        )


class JobRun(Run):
    """An attempt at a job."""

    what = "job"

    def __init__(self, settings: Settings, repository: Repository, job: Job, lease: Lease) -> None:
        super().__init__(settings, repository, lease)
        self.job = job

    def _task(self) -> Value:
        return messages.SearchTask(
            spec=self.job.asked(),
            finished=tuple(self._write(lambda: self.repository.trials.finished(self.job.id))),
            executor=self.settings.executor,
            ray_address=self.settings.ray_address,
            datasets_dir=self.settings.datasets_dir,
            backbones_dir=self.settings.backbones_dir,
            artifacts_dir=self.settings.artifacts.url,
            work_dir=self.settings.work(self.job.id).url,
        )

    def _renew(self) -> State:
        return self.repository.jobs.renew(self.lease, LEASE)

    def _hear(self, message: Value) -> None:
        match message:
            case messages.Epoch(metrics=epoch):
                self._write(lambda: self.repository.trials.progress(self.lease, epoch))
            case messages.Trial(result=result):
                # What broke off because the job is to end has not come to anything: it is begun
                # again by the next attempt, if there is one.
                if result.state is not TrialState.FAILED or not self.ending:
                    news = self._write(lambda: self.repository.trials.record(self.lease, result))
                    self._forget(result.number)
                    if news:
                        metrics.trial_ended(result)
            case _:
                self._outcome = message

    def _finish(self, event: Event, error: Failure | None) -> State:
        finish = self.repository.jobs.finish
        return self._tidy(self._write(lambda: finish(self.lease, moves(event), error)))

    def _crash(self, error: Failure) -> State:
        crash, release, fail = self.repository.jobs.crash, moves(Event.RELEASE), moves(Event.FAIL)
        return self._tidy(self._write(lambda: crash(self.lease, release, fail, error)))

    def _forget(self, number: int) -> None:
        """A trial's checkpoint is of no use once its result is in the database, and not before."""
        try:
            checkpoint_of(self.settings.work(self.lease.id).url, number).delete()
        except OSError as error:
            _log.warning("%s %s: a checkpoint is left: %s", self.what, self.lease.id, error)

    def _tidy(self, state: State) -> State:
        """Checkpoints are of no use any more once a job is over for good."""
        if state in (State.SUCCEEDED, State.CANCELLED):
            try:
                self.settings.work(self.lease.id).clear()
            except OSError as error:
                _log.warning("%s %s: checkpoints are left: %s", self.what, self.lease.id, error)
        return state
