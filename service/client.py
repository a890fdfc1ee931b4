"""A typed client of the service: what the `resnas` command uses, and any other Python program.

>>> client = Client()
>>> spec = JobSpec(backbone="vgg_small", dataset="digits", budget_gmacs=0.1, trials=1,
...                training=TrainingSpec(epochs=1, batch_size=256))
>>> job = client.wait(client.submit(spec).id)
>>> job.state, job.trials_done
('succeeded', 1)
>>> best = client.front(job.id).best_under_budget
>>> client.profile(best.architecture_id).gmacs == best.gmacs
True
>>> client.export(best.architecture_id, "onnx", Path("out")).suffix
'.onnx'
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from resnas.profiles import Profile
from resnas.spec import JobSpec, Place, TrainingSpec
from service.answers import (
    Entry,
    Estimate,
    Export,
    Front,
    Happening,
    Job,
    StoredArchitecture,
    Trial,
)
from service.client_errors import Busy, Refused, ServerFailed, ServerUnreachable
from service.client_events import Line, Told, listen
from service.client_files import keep, place_for
from service.connection import Connection, segment

__all__ = ["Client", "JobSpec", "TrainingSpec"]


class Client(Connection):
    """Talks to one server about jobs and what came of them."""

    def submit(
        self, spec: JobSpec, *, priority: int = 0, idempotency_key: str | None = None
    ) -> Job:
        """Hand in a job; it is stored, not necessarily started, when this returns.

        Args:
            spec: what is asked for.
            priority: of one's own jobs the highest runs first.
            idempotency_key: of a request whose answer was lost, to get that answer now; null: a
                new one, so that an answer which is lost while this runs makes no second job.

        Raises:
            ServerUnreachable: nobody answers; the message says whether it may have been accepted.
        """
        body, query = spec.model_dump(mode="json"), {"priority": str(priority)}
        return self._post_once(Job, "/v1/jobs", idempotency_key or uuid4().hex, query, body)

    def jobs(self, state: str | None = None) -> Iterator[Job]:
        """All jobs, newest first, fetched page by page as they are asked for."""
        return self._pages(Job, "/v1/jobs", {"state": state} if state else None)

    def job(self, job_id: str) -> Job:
        """One job."""
        return self._get(Job, f"/v1/jobs/{segment(job_id)}")

    def trials(self, job_id: str) -> Iterator[Trial]:
        """The trials of a job, those that are running included."""
        return self._pages(Trial, f"/v1/jobs/{segment(job_id)}/trials")

    def front(
        self,
        job_id: str,
        *,
        max_gmacs: float | None = None,
        min_accuracy: float | None = None,
        include_dominated: bool = False,
    ) -> Front:
        """The Pareto front of a job's completed trials, cheapest first."""
        query = {"max_gmacs": max_gmacs, "min_accuracy": min_accuracy}
        given = {name: str(value) for name, value in query.items() if value is not None}
        if include_dominated:
            given["include_dominated"] = "true"
        return self._get(Front, f"/v1/jobs/{segment(job_id)}/front", given)

    def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job; one that is queued is cancelled at once."""
        return self._post(Job, f"/v1/jobs/{segment(job_id)}:cancel")

    def retry(self, job_id: str) -> Job:
        """Queue a failed job once more; the trials that it completed are kept."""
        return self._post_once(Job, f"/v1/jobs/{segment(job_id)}:retry", uuid4().hex)

    def events(self, job_id: str, after: int = 0) -> Iterator[Happening]:
        """What happens to a job, as it happens, until it has ended; also while servers restart.

        Args:
            job_id: of the job.
            after: the number of the last event that is known already.
        """
        return listen(self._http, _events(job_id), after)

    def watch(
        self,
        job_id: str,
        interval: float = 1.0,
        *,
        patience: float | None = None,
        on_line: Told = lambda _: None,
        on_event: Callable[[Happening | None], None] = lambda _: None,
    ) -> Iterator[Job]:
        """The job as it is now and whenever something has happened to it, until it has ended.

        Its state at the end comes last. Where there is no stream of events, because of a proxy for
        example, the job is asked for every `interval` seconds, which is also the least between two.

        >>> job_id = next(Client().jobs("succeeded")).id
        >>> [job.state for job in Client().watch(job_id)]
        ['succeeded']

        Args:
            job_id: of the job.
            interval: seconds between two looks at least.
            patience: seconds without a server, which may restart meanwhile; null: a minute.
            on_line: told when the line breaks, with the time of the last data, and with null when
                it is there again.
            on_event: told of every event, and with null that none are to be had.

        Raises:
            ServerUnreachable: nobody answered for as long as that.
        """
        line = Line(patience, on_line)
        job, looked = self.job(job_id), time.monotonic()
        yield job
        while not job.ended:
            for event in self._news(job, line):
                on_event(event)
                if event and event.id <= (job.events or 0):
                    continue
                time.sleep(max(0.0, looked + interval - time.monotonic()))
                job, looked = self._still(job_id, line), time.monotonic()
                yield job
                if job.ended:
                    return

    def wait(self, job_id: str, *, patience: float | None = None) -> Job:
        """The job when it has ended, however it did: `job.failure()` tells why it did not succeed.

        >>> Client().wait(next(Client().jobs("succeeded")).id).failure() is None
        True

        Args:
            job_id: of the job.
            patience: seconds without a server; null: a minute.
        """
        *_, job = self.watch(job_id, patience=patience)
        return job

    def architecture(self, architecture_id: str) -> StoredArchitecture:
        """The resolutions of one trained network."""
        path = f"/v1/architectures/{segment(architecture_id)}"
        return self._get(StoredArchitecture, path)

    def profile(self, architecture_id: str) -> Profile:
        """An architecture layer by layer, beside the backbone as people designed it.

        >>> job = next(Client().jobs("succeeded"))
        >>> profile = Client().profile(job.best.architecture_id)
        >>> sum(layer.macs for layer in profile.maps) == round(1e9 * profile.gmacs)
        True
        """
        return self._get(Profile, f"/v1/architectures/{segment(architecture_id)}/profile")

    def export(
        self,
        architecture_id: str,
        format: str,
        directory: Path,
        multiple_of: int = 1,
        *,
        overwrite: bool = False,
    ) -> Path:
        """Have the server write one architecture as a file, and fetch it into `directory`.

        Args:
            architecture_id: of the architecture.
            format: of the file; `resnas.catalog.exporters` names them.
            directory: made where missing.
            multiple_of: what learned sizes are made multiples of.
            overwrite: whether the file may take the place of another one of its name.

        Returns:
            Where the file lies; it is whole, and its SHA-256 is the one the server announced.

        Raises:
            ServerFailed: the export failed there, or the file arrived damaged.
            Refused: `directory` cannot be written, or has another file of that name.
        """
        path = f"/v1/architectures/{segment(architecture_id)}/exports"
        export = self._post(Export, path, {"format": format, "multiple_of": multiple_of})
        while not export.ended:
            time.sleep(0.2)
            export = self._get(Export, f"/v1/exports/{segment(export.id)}")
        if failure := export.failure():
            raise ServerFailed(failure.place, failure.found, failure.next_step)
        return self._download(export, directory, overwrite)

    def estimate(
        self,
        backbone: str,
        dataset: str,
        resizer: Sequence[str] = ("dynopool",),
        place: Place | None = None,
        layers: Sequence[str] = (),
    ) -> Estimate:
        """What a backbone costs on a data set, and which costs can be reached."""
        body = {
            "backbone": backbone,
            "dataset": dataset,
            "resizer": resizer,
            "place": place,
            "layers": layers,
        }
        return self._post(Estimate, "/v1/estimates", body)

    def backbones(self, match: str | None = None) -> list[Entry]:
        """What the server can search; other libraries' models by a pattern like "timm/resnet*"."""
        query = None if match is None else {"match": match}
        return list(self._pages(Entry, "/v1/backbones", query))

    def datasets(self) -> list[Entry]:
        """What the server can train on."""
        return list(self._pages(Entry, "/v1/datasets"))

    def resizers(self) -> list[Entry]:
        """What the server can put where a backbone changes its resolution."""
        return list(self._pages(Entry, "/v1/resizers"))

    def layers(self) -> list[Entry]:
        """What the server can put where a backbone has convolutions or pools."""
        return list(self._pages(Entry, "/v1/layers"))

    def strategies(self) -> list[Entry]:
        """How the server can choose the trials of a search."""
        return list(self._pages(Entry, "/v1/strategies"))

    def _news(self, job: Job, line: Line) -> Iterator[Happening | None]:
        """The events behind what `job` tells; a null where there are none to be had."""
        if job.events is not None:
            with contextlib.suppress(Refused, ServerFailed):
                yield from listen(self._http, _events(job.id), job.events, line)
        yield None

    def _still(self, job_id: str, line: Line) -> Job:
        """The job, also where the server is away for a while."""
        while True:
            try:
                job = self.job(job_id)
            except Busy:
                line.answers()
                line.pause(lost=False)
            except (ServerUnreachable, ServerFailed):
                if line.given_up:
                    raise
                line.pause(lost=True)
            else:
                line.answers()
                return job

    def _download(self, export: Export, directory: Path, overwrite: bool) -> Path:
        path, is_there = place_for(export, directory, overwrite)
        if not is_there:
            response = self._send("GET", f"/v1/exports/{segment(export.id)}/content")
            keep(path, response.content, export)
        return path


def _events(job_id: str) -> str:
    return f"/v1/jobs/{segment(job_id)}/events"
