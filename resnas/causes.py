"""What a failure was due to, as far as its text tells: texts are what crosses processes."""

from __future__ import annotations

import re
from enum import StrEnum


class Cause(StrEnum):
    """Kinds of failure that call for different next steps."""

    ERROR = "error"  # what was asked for, or the program
    STORAGE_FULL = "storage_full"
    OUT_OF_MEMORY = "out_of_memory"
    UNREACHABLE = "unreachable"  # a storage or a cluster is away, and may come back


_TEXTS = {
    Cause.STORAGE_FULL: re.compile(
        r"No space left on device|Disk quota exceeded|File too large|disk is full|StorageFull"
    ),
    Cause.OUT_OF_MEMORY: re.compile(
        r"OutOfMemory|MemoryError|out of memory|can't allocate memory|Cannot allocate memory", re.I
    ),
    Cause.UNREACHABLE: re.compile(r"\bConnection\w*Error\b|its machine is gone"),
}
NEXT_STEP = {
    Cause.STORAGE_FULL: "Free some space there, then retry; what completed is kept",
    Cause.OUT_OF_MEMORY: "Use smaller batches or fewer trials at the same time, then retry",
    Cause.UNREACHABLE: "See that it runs and can be reached; what waits for it goes on by itself",
}


def cause_of(text: str) -> Cause:
    """The cause that `text`, the reason of a failure, speaks of."""
    return next((cause for cause, known in _TEXTS.items() if known.search(text)), Cause.ERROR)
