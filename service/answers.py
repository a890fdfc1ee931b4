"""What the server answers, as frozen values that tolerate the fields of a newer server.

Unknown fields are kept, so that what a program prints as JSON is what the server said.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from resnas.results import Architecture, Size

ENDED = frozenset({"succeeded", "failed", "cancelled"})
_PLAIN_NAME = re.compile(r"[\w-][\w.-]{0,200}")


class Answer(BaseModel):
    """A frozen value that keeps fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Spec(Answer):
    """What was asked for; see `resnas.spec.JobSpec` for all of its fields."""

    backbone: str
    dataset: str
    budget_gmacs: float


class FrontPoint(Answer):
    """A trained architecture and what it achieves."""

    architecture_id: str
    val_accuracy: float
    gmacs: float
    test_accuracy: float | None = None
    resizer: str | None = None
    lam: float | None = None
    sizes: dict[str, Size] | None = None


class Front(Answer):
    """The architectures of a job that no other one beats in both accuracy and cost."""

    points: list[FrontPoint]
    best_under_budget: FrontPoint | None = None
    knee: FrontPoint | None = None
    hypervolume: float | None = None
    counter: str | None = None


class Job(Answer):
    """One accepted job."""

    id: str
    state: str
    spec: Spec
    trials_done: int
    trials_total: int
    best: FrontPoint | None = None
    error: Any = Field(None, description="why it failed")
    created_at: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in ENDED

    @property
    def reason(self) -> str:
        """Why it failed, as a sentence; empty where it did not."""
        return sentence(self.error)


class Trial(Answer):
    """One training of a job."""

    id: str
    state: str
    number: int | None = None
    resizer: str | None = None
    lam: float | None = None
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    gmacs: float | None = None
    architecture_id: str | None = None
    progress: dict[str, Any] | None = Field(None, description="epoch, epochs, gmacs of one running")
    reason: str | None = None


class StoredArchitecture(Answer):
    """The resolutions of one trained network, and the job that found it."""

    id: str
    job_id: str
    architecture: Architecture
    gmacs: float | None = None


class Page(Answer):
    """A part of a list."""

    items: list[Any]
    next_cursor: str | None = None


class Export(Answer):
    """An architecture on its way to a file."""

    id: str
    state: str
    filename: str | None = None
    sha256: str | None = None
    error: Any = None

    @field_validator("filename")
    @classmethod
    def _names_no_folder(cls, filename: str | None) -> str | None:
        """A name from the network must not decide where on this machine a file is written."""
        if filename is not None and not _PLAIN_NAME.fullmatch(filename):
            raise ValueError(f"{filename!r} is not a plain file name")
        return filename

    @property
    def ended(self) -> bool:
        """Whether the file is there, or never will be."""
        return self.state in ENDED

    @property
    def reason(self) -> str:
        """Why it failed, as a sentence."""
        return sentence(self.error)


class Estimate(Answer):
    """What a backbone costs, and which costs its search space reaches, in GMACs of one sample."""

    human_gmacs: float
    min_gmacs: float
    max_gmacs: float


class Entry(Answer):
    """One entry of a catalogue."""

    name: str
    about: str | None = None


def sentence(error: Any) -> str:
    """An error as the server stores it, for a person to read: place, what was found, next step."""
    if isinstance(error, dict):
        parts = (error.get(part) for part in ("place", "found", "next_step"))
        place, found, next_step = (str(part or "").rstrip(".") for part in parts)
        return f"{place}: {found}. {next_step}"
    return str(error or "")
