"""What the programs say on stderr: lines for a person, or one JSON object a line for a machine."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered; threads that work for it see it, too."""

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; anything else was added by whoever logged it."""
_log = logging.getLogger("resnas.serving")


class Lines(logging.Formatter):
    """For a person: time, who says it, what; and the request it is about."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line, request_id = super().format(record), REQUEST_ID.get()
        return f"{line} [{request_id}]" if request_id else line


class Objects(logging.Formatter):
    """For a machine: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as an object; what was logged as `extra` are members of it."""
        facts: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            facts["request_id"] = request_id
        facts |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        return json.dumps(facts, default=str)


def log_to_standard_error(wanted: str, stream: TextIO | None = None) -> None:
    """Say warnings, and all that is the project's own, on stderr.

    Args:
        wanted: "json" or "text"; empty: lines where a terminal is, else JSON.
        stream: another one than stderr.
    """
    stream = stream or sys.stderr
    for_machines = wanted == "json" or (not wanted and not stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Objects() if for_machines else Lines())
    root = logging.getLogger()
    if not root.handlers:  # a program that logs already goes on as it does
        root.addHandler(handler)
        root.setLevel(logging.WARNING)
    logging.getLogger("resnas").setLevel(logging.INFO)


def tell(line: str) -> None:
    """Tell whoever started the program what it does now: as a log line where machines read."""
    if read_by_machines():
        _log.info(line)
    else:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def read_by_machines() -> bool:
    """Whether what is told goes to a log, which others may read, and which is kept."""
    return any(isinstance(handler.formatter, Objects) for handler in logging.getLogger().handlers)
