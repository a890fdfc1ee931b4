"""Keys that the user of a client names for the server it is to talk to."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from service.errors import InvalidSetting

_TEXT, _FILE = "RESNAS_TOKEN", "RESNAS_TOKEN_FILE"
_KEY = re.compile(r"[!-~]+")
_LONGEST = 4096


def named_token() -> str | None:
    """The key, or the server's token, of `RESNAS_TOKEN`, else of the file `RESNAS_TOKEN_FILE`.

    Raises:
        InvalidSetting: the file cannot be read, or others can read it; or what is there is no key.
    """
    if text := os.environ.get(_TEXT):
        return _checked(_TEXT, text)
    if path := os.environ.get(_FILE):
        return _checked(f"{_FILE} {path}", _content(Path(path)))
    return None


def _content(path: Path) -> str:
    try:
        with path.open(errors="replace") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(_LONGEST)
    except OSError as error:
        raise InvalidSetting(
            f"{_FILE} {path}", f"it cannot be read: {error.strerror}", "Name the file with your key"
        ) from error
    if mode & 0o077:
        raise InvalidSetting(
            f"{_FILE} {path}",
            f"it is open to others (mode {mode:o})",
            f"Make it yours alone: chmod 600 {path}",
        )
    return text


def _checked(place: str, text: str) -> str:
    """`text` as a header can have it; a message never shows it."""
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise InvalidSetting(
            place,
            "it is empty, or has blanks or signs that no key has",
            "Put there the key alone, as 'resnas keys create' printed it",
        )
    return key
