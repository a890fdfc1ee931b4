"""What a check has found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # works, but somebody should know
    BROKEN = "broken"  # does not work, or has lost something


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    Attributes:
        check: what was looked at.
        level: how bad it is.
        found: what was found there.
        next_step: what the reader can do; empty where there is nothing to do.
        repair: does what is safe about it; None where nothing is.
        repaired: whether it has been repaired.
    """

    check: str
    level: Level
    found: str
    next_step: str = ""
    repair: Callable[[], None] | None = None
    repaired: bool = False

    def document(self) -> dict[str, str | bool]:
        """As JSON."""
        return {
            "check": self.check,
            "level": self.level,
            "found": self.found,
            "next_step": self.next_step,
            "repaired": self.repaired,
        }


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, found)


def warning(
    check: str, found: str, next_step: str, repair: Callable[[], None] | None = None
) -> Finding:
    """It works, but somebody should know."""
    return Finding(check, Level.WARNING, found, next_step, repair)


def broken(
    check: str, found: str, next_step: str, repair: Callable[[], None] | None = None
) -> Finding:
    """It does not work, or has lost something."""
    return Finding(check, Level.BROKEN, found, next_step, repair)


def some(names: list[str], most: int = 3) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
