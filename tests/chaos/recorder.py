"""A client that writes down everything it asked for and was told; Jepsen's way of testing."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from resnas.spec import JobSpec

ENDED = frozenset({"succeeded", "failed", "cancelled"})
PATIENCE = 120.0
"""Seconds that one request is tried again while no server answers as it should."""


@dataclass(frozen=True)
class Operation:
    """Something that was asked for and answered.

    Attributes:
        kind: submit, cancel, retry or read.
        job_id: of the job that the answer is about.
        key: the Idempotency-Key, of a submit.
        status: of the answer.
        state: of the job, in the answer.
        trials_done: of the job, in the answer.
        began, ended: on the monotonic clock.
        tries: requests that were made until one was answered.
    """

    kind: str
    job_id: str
    key: str
    status: int
    state: str | None
    trials_done: int | None
    began: float
    ended: float
    tries: int


@dataclass
class Recorder:
    """Asks any of the servers, again while they fail.

    Attributes:
        urls: of the servers.
        token: for all of them.
        log: what came of it.
        troubles: what came instead of an answer, before the request was sent again.
        faults: answers that say that a server did not know what to do.
    """

    urls: Sequence[str]
    token: str
    log: list[Operation] = field(default_factory=list)
    troubles: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        self._http = httpx.Client(headers=headers, timeout=httpx.Timeout(15, connect=2))
        self._lock = threading.Lock()

    def submit(self, spec: JobSpec, key: str | None = None) -> str:
        """Hand in a job, once, however many requests that takes; returns its id."""
        key = key or str(uuid.uuid4())
        body = spec.model_dump(mode="json")
        done = self._ask("submit", "POST", "/v1/jobs", key=key, body=body)
        assert done.status == 202, done
        return done.job_id

    def cancel(self, job_id: str) -> Operation:
        """Ask for the end of a job."""
        return self._ask("cancel", "POST", f"/v1/jobs/{job_id}:cancel")

    def retry(self, job_id: str) -> Operation:
        """Ask for a failed job to be tried again."""
        return self._ask("retry", "POST", f"/v1/jobs/{job_id}:retry")

    def read(self, job_id: str) -> Operation:
        """Look at a job."""
        return self._ask("read", "GET", f"/v1/jobs/{job_id}")

    def get(self, path: str) -> dict[str, object]:
        """What a server answers to a plain question."""
        return dict(self._answer("GET", path, None, None)[0].json())

    def submitted(self) -> dict[str, str]:
        """The job of each key."""
        return {o.key: o.job_id for o in self.log if o.kind == "submit"}

    def _ask(
        self, kind: str, method: str, path: str, *, key: str | None = None, body: object = None
    ) -> Operation:
        began = time.monotonic()
        answer, tries = self._answer(method, path, key, body)
        found = answer.json()
        operation = Operation(
            kind=kind,
            job_id=str(found.get("id") or path.split("/")[3].partition(":")[0]),
            key=key or "",
            status=answer.status_code,
            state=found.get("state"),
            trials_done=found.get("trials_done"),
            began=began,
            ended=time.monotonic(),
            tries=tries,
        )
        with self._lock:
            self.log.append(operation)
        return operation

    def _answer(
        self, method: str, path: str, key: str | None, body: object
    ) -> tuple[httpx.Response, int]:
        """The first answer that is neither a server's fault nor a request to wait."""
        headers = {"Idempotency-Key": key} if key else {}
        deadline, tries = time.monotonic() + PATIENCE, 0
        while True:
            tries += 1
            url = random.choice(self.urls)
            try:
                answer = self._http.request(method, url + path, headers=headers, json=body)
            except httpx.TransportError as error:
                self._note(type(error).__name__)
            else:
                in_flight = answer.status_code == 409 and "retry-after" in answer.headers
                if answer.status_code < 500 and answer.status_code != 429 and not in_flight:
                    return answer, tries
                self._note(str(answer.status_code))
                if answer.status_code == 500:
                    self.faults.append(f"{method} {path}: {answer.text[:300]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path}: no answer in {PATIENCE:g} s")
            time.sleep(0.1)

    def _note(self, trouble: str) -> None:
        with self._lock:
            self.troubles[trouble] += 1
