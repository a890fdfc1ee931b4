"""One attempt at an export."""

from __future__ import annotations

import time

from resnas.causes import Cause
from resnas.results import Value
from service import messages
from service.errors import Failure
from service.runs import LEASE, Run
from service.settings import Settings
from service.store.repository import Repository
from service.store.values import Export, Lease, State
from service.transitions import Event, moves

LONGEST = 3600.0
"""Seconds that an export may take: it must not hold up all others for ever."""


class ExportRun(Run):
    """An attempt at an export."""

    what = "export"

    def __init__(
        self, settings: Settings, repository: Repository, export: Export, lease: Lease
    ) -> None:
        super().__init__(settings, repository, lease)
        self.export = export
        self._begun = time.monotonic()
        self._overdue = False

    def _task(self) -> Value:
        architecture_id = self.export.architecture_id
        found = self._write(lambda: self.repository.trials.architecture(architecture_id))
        assert found is not None  # the database's foreign key says so
        job = self._write(lambda: self.repository.jobs.get(found.job_id))
        assert job is not None
        return messages.ExportTask(
            architecture=found.architecture,
            result=found.result,
            format=self.export.format,
            multiple_of=self.export.multiple_of,
            dataset=str(job.spec["dataset"]),
            datasets_dir=self.settings.datasets_dir,
            backbones_dir=self.settings.backbones_dir,
            artifacts_dir=self.settings.artifacts.url,
        )

    def _renew(self) -> State:
        if time.monotonic() - self._begun > LONGEST:
            self._overdue = True
            self.child.kill()
        return self.repository.exports.renew(self.lease, LEASE)

    def _hear(self, message: Value) -> None:
        self._outcome = message
        if isinstance(message, messages.File):
            self._write(
                lambda: self.repository.exports.deliver(
                    self.lease,
                    moves(Event.SUCCEED),
                    file_name=message.name,
                    size=message.size,
                    sha256=message.sha256,
                    manifest=message.manifest.model_dump(mode="json"),
                )
            )

    def _conclude(self, status: int) -> None:
        if self._overdue and self._outcome is None:  # it would take as long again
            found = f"it took longer than {LONGEST:,.0f} s"
            self._finish(Event.FAIL, self._death(found, Cause.ERROR))
        else:
            super()._conclude(status)

    def _finish(self, event: Event, error: Failure | None) -> State:
        finish = self.repository.exports.finish
        return self._write(lambda: finish(self.lease, moves(event), error))

    def _crash(self, error: Failure) -> State:
        crash, release, fail = (
            self.repository.exports.crash,
            moves(Event.RELEASE),
            moves(Event.FAIL),
        )
        return self._write(lambda: crash(self.lease, release, fail, error))
