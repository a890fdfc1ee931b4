"""What a person means by an id: a job or an architecture, by the whole id or how it begins."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from service.answers import Job
from service.console import gmacs
from service.errors import NotFound

if TYPE_CHECKING:
    from service.client import Client

_BEGINNING = re.compile(r"[0-9a-f]{4,31}")
_DIGITS = 32
_NO = "no id is or begins with"
_JOBS = 25
"""Jobs among whose trials an architecture is looked for: the newest that are old enough."""


def find_job(client: Client, text: str) -> Job:
    """The job whose id is `text`, or alone begins with it.

    Raises:
        NotFound: none does, or several do.
    """
    _expect("job", text)
    try:
        return client.job(text)
    except NotFound:
        begun = [job for job in client.jobs() if text and job.id.startswith(text)]
        if len(begun) == 1:
            return begun[0]
        if begun:
            raise NotFound(
                "job", f"{len(begun)} ids begin with '{text}'", "Give more of the id"
            ) from None
        raise _none("job", text, "They are listed by 'resnas jobs'") from None


def find_architecture(client: Client, text: str) -> str:
    """The id of the architecture that `text` is, begins, or is the best of as a job.

    Raises:
        NotFound: there is none, there are several, or the job has none under its budget.
    """
    _expect("architecture", text)
    try:
        return client.architecture(text).id
    except NotFound:
        found = _begun(client, text)
        if len(found) == 1:
            return found.pop()
        if found:
            raise NotFound(
                "architecture", f"{len(found)} ids begin with '{text}'", "Give more of the id"
            ) from None
        try:
            job = find_job(client, text)
        except NotFound as error:
            if error.found.startswith(_NO):
                own = "They are listed by 'resnas front JOB', jobs by 'resnas jobs'"
                raise _none("architecture", text, own) from None
            raise
    return _best(client, job)


def _expect(what: str, text: str) -> None:
    """See that there is an id: a variable of a shell that is not set is none."""
    if not text.strip():
        raise NotFound(what, "the id is empty", "Ids of jobs are listed by 'resnas jobs'")


def _none(what: str, text: str, next_step: str) -> NotFound:
    return NotFound(what, f"{_NO} '{text[:80]}'", next_step)


def _best(client: Client, job: Job) -> str:
    best = client.front(job.id).best_under_budget
    if best is None:
        raise NotFound(
            f"job {job.id}",
            f"it has no architecture under {gmacs(job.spec.budget_gmacs)} GMACs",
            f"Choose one of 'resnas front {job.id}'",
        )
    return best.architecture_id


def _begun(client: Client, text: str) -> set[str]:
    """Architectures whose ids begin so. Ids grow with time: a job is older than what it found."""
    if not _BEGINNING.fullmatch(text):
        return set()
    latest = text.ljust(_DIGITS, "f")
    jobs = (job for job in client.jobs() if job.id <= latest and job.trials_done)
    return {
        trial.architecture_id
        for job in islice(jobs, _JOBS)
        for trial in client.trials(job.id)
        if trial.architecture_id and trial.architecture_id.startswith(text)
    }
