"""A typed client of the service: what the `resnas` command uses, and any other Python program.

>>> client = Client()
>>> job = client.submit(JobSpec(backbone="vgg_small", dataset="digits", budget_gmacs=0.004))
>>> for job in client.watch(job.id):
...     print(job.state, job.trials_done)
>>> client.export(client.front(job.id).best_under_budget.architecture_id, "onnx", Path("out"))
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from resnas.spec import JobSpec, Place
from resnas.storage import write_atomic
from service.answers import (
    Entry,
    Estimate,
    Export,
    Front,
    Happening,
    Job,
    Page,
    StoredArchitecture,
    Trial,
)
from service.client_errors import Refused, ServerFailed, problem_of, unreachable
from service.client_events import listen
from service.client_sending import Found, parse, send_once
from service.settings import Settings


class Client:
    """Talks to one server.

    Args:
        url: of the server; null: `RESNAS_URL`, else this machine at the port of the settings.
        token: null: the one in the data directory of the settings, where there is one.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        settings = Settings.load()
        self.url = url or os.environ.get("RESNAS_URL") or f"http://127.0.0.1:{settings.port}"
        token = _stored_token(settings.token_path) if token is None else token
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            transport=httpx.HTTPTransport(retries=2),  # of refused connections only
            timeout=httpx.Timeout(60, connect=5),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

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
        return self._get(Job, f"/v1/jobs/{_segment(job_id)}")

    def trials(self, job_id: str) -> Iterator[Trial]:
        """The trials of a job, those that are running included."""
        return self._pages(Trial, f"/v1/jobs/{_segment(job_id)}/trials")

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
        return self._get(Front, f"/v1/jobs/{_segment(job_id)}/front", given)

    def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job; one that is queued is cancelled at once."""
        return self._post(Job, f"/v1/jobs/{_segment(job_id)}:cancel")

    def retry(self, job_id: str) -> Job:
        """Queue a failed job once more; the trials that it completed are kept."""
        return self._post_once(Job, f"/v1/jobs/{_segment(job_id)}:retry", uuid4().hex)

    def events(self, job_id: str, after: int = 0) -> Iterator[Happening]:
        """What happens to a job, as it happens, until it has ended; also while servers restart.

        Args:
            job_id: of the job.
            after: the number of the last event that is known already.
        """
        return listen(self._http, f"/v1/jobs/{_segment(job_id)}/events", after)

    def watch(self, job_id: str, interval: float = 1.0) -> Iterator[Job]:
        """The job as it is now and whenever something has happened to it, until it has ended.

        Its state at the end comes last. Where there is no stream of events, because of a proxy for
        example, the job is asked for every `interval` seconds, which is also the least between two.
        """
        job, looked = self.job(job_id), time.monotonic()
        yield job
        while not job.ended:
            for event in self._news(job):
                if event and event.id <= (job.events or 0):
                    continue
                time.sleep(max(0.0, looked + interval - time.monotonic()))
                job, looked = self.job(job_id), time.monotonic()
                yield job
                if job.ended:
                    return

    def architecture(self, architecture_id: str) -> StoredArchitecture:
        """The resolutions of one trained network."""
        path = f"/v1/architectures/{_segment(architecture_id)}"
        return self._get(StoredArchitecture, path)

    def export(
        self, architecture_id: str, format: str, directory: Path, multiple_of: int = 1
    ) -> Path:
        """Have the server write one architecture as a file, and fetch it into `directory`.

        Returns:
            Where the file lies; it is whole, and its SHA-256 is the one the server announced.

        Raises:
            ServerFailed: the export failed there, or the file arrived damaged.
            Refused: `directory` cannot be written.
        """
        path = f"/v1/architectures/{_segment(architecture_id)}/exports"
        export = self._post(Export, path, {"format": format, "multiple_of": multiple_of})
        while not export.ended:
            time.sleep(0.2)
            export = self._get(Export, f"/v1/exports/{_segment(export.id)}")
        if failure := export.failure():
            raise ServerFailed(failure.place, failure.found, failure.next_step)
        return self._download(export, directory)

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

    def ready(self) -> bool:
        """Whether the server is up and can reach its database."""
        try:
            return self._http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def _news(self, job: Job) -> Iterator[Happening | None]:
        """The events behind what `job` tells; a null where there are none to be had."""
        if job.events is not None:
            with contextlib.suppress(Refused, ServerFailed):
                yield from self.events(job.id, job.events)
        yield None

    def _download(self, export: Export, directory: Path) -> Path:
        response = self._send("GET", f"/v1/exports/{_segment(export.id)}/content")
        digest = hashlib.sha256(response.content).hexdigest()
        if digest != export.sha256:
            raise ServerFailed(
                f"export {export.id}",
                f"the file that arrived has the SHA-256 {digest}, not {export.sha256}",
                "Export it again",
            )
        path = directory / (export.filename or f"{export.id}.bin")
        try:
            write_atomic(path, response.content)
        except OSError as error:
            raise Refused(
                f"{directory}", f"it cannot be written: {error.strerror}", "Choose another folder"
            ) from error
        return path

    def _pages(
        self, kind: type[Found], path: str, query: Mapping[str, str] | None = None
    ) -> Iterator[Found]:
        following = dict(query or {})
        while True:
            page = self._get(Page, path, following)
            for item in page.items:
                yield parse(kind, item, path)
            if page.next_cursor is None:
                return
            following["cursor"] = page.next_cursor

    def _get(self, kind: type[Found], path: str, query: Mapping[str, str] | None = None) -> Found:
        return parse(kind, self._send("GET", path, query=query).content, path)

    def _post(self, kind: type[Found], path: str, body: Mapping[str, Any] | None = None) -> Found:
        return parse(kind, self._send("POST", path, body=body).content, path)

    def _post_once(
        self,
        kind: type[Found],
        path: str,
        key: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Found:
        response = send_once(self._http, path, key=key, query=query, body=body)
        return parse(kind, response.content, path)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, params=query, json=body)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if not response.is_success:
            raise problem_of(response)
        return response


def _segment(text: str) -> str:
    """An id as one segment of a path, so that no id can lead anywhere else."""
    return quote(text, safe="")


def _stored_token(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None  # without it the server says what is missing
