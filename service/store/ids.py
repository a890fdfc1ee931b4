"""Identifiers that sort by the time they were made: UUIDv7 as 32 hexadecimal digits."""

from __future__ import annotations

import re
import secrets
import threading
import time

_PATTERN = re.compile(r"[0-9a-f]{32}")
_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A new id, larger than every earlier one of this process (RFC 9562, version 7)."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 of their fraction: in order where the clock stands still
        _last = max(time.time_ns() * 4096 // 1_000_000, _last + 1)
        moment, fraction = divmod(_last, 4096)
    noise = (0b10 << 62) | secrets.randbits(62)
    return f"{(moment << 80) | (0x7000 | fraction) << 64 | noise:032x}"


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id, so that a query for it makes sense."""
    return _PATTERN.fullmatch(text) is not None
