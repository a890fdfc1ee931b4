"""The dashboard: one page and its files. They are public; all that they show comes from `/v1`."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import plotly
from fastapi import APIRouter, Header, Response

from service.auth import ASSETS
from service.conditional import RevalidationDep
from service.errors import NotFound

_OURS = Path(__file__).parents[1] / "dashboard"
_PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_ASK_AGAIN = "no-cache"
_FOREVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class _File:
    """A file that is sent as it is; read, and made small, when it is first asked for."""

    media_type: str
    path: Path

    @cached_property
    def content(self) -> bytes:
        return self.path.read_bytes()

    @cached_property
    def small(self) -> bytes:
        return gzip.compress(self.content, mtime=0)

    @cached_property
    def tag(self) -> str:
        """The same for both encodings, hence a weak one."""
        return f'W/"{hashlib.sha256(self.content).hexdigest()[:32]}"'


class _Page(_File):
    """The page, which names the files that it is made of."""

    @cached_property
    def content(self) -> bytes:
        text = self.path.read_text(encoding="utf-8")
        return (
            text.replace("{{styles}}", _links("stylesheet", ".css"))
            .replace("{{modules}}", _links("modulepreload", ".js"))
            .replace("{{plotly}}", plotly.__version__)
            .encode()
        )


def _found() -> dict[str, _File]:
    """By name. What a client asks for is looked up here, and never opened as a path."""
    ours = {
        path.name: _File(_MEDIA_TYPES[path.suffix], path)
        for path in sorted(_OURS.iterdir(), key=lambda path: (path.stem != "style", path.name))
        if path.suffix in _MEDIA_TYPES
    }
    return ours | {_PLOTLY.name: _File(_MEDIA_TYPES[".js"], _PLOTLY)}


def _links(relation: str, suffix: str) -> str:
    """Links to our own files of a kind, so that none waits until another one has asked for it."""
    return "\n".join(
        f'<link rel="{relation}" href="{ASSETS}{name}">'
        for name, file in _files.items()
        if name.endswith(suffix) and file.path.parent == _OURS
    )


_files = _found()
_page = _Page("text/html; charset=utf-8", _OURS / "index.html")


Encodings = Annotated[str, Header(alias="accept-encoding")]


@router.get("/")
def page(version: RevalidationDep, accepted: Encodings = "") -> Response:
    """The page."""
    return _sent(_page, version, accepted, _ASK_AGAIN)


@router.get(ASSETS + "{name}")
def asset(name: str, version: RevalidationDep, accepted: Encodings = "", v: str = "") -> Response:
    """A file of the page; plotly's, under its version, need never be asked for again."""
    file = _files.get(name)
    if file is None:
        raise NotFound(ASSETS + name[:80], "the page has no such file", "Load the page again")
    kept = _FOREVER if file.path == _PLOTLY and v == plotly.__version__ else _ASK_AGAIN
    return _sent(file, version, accepted, kept)


def _sent(file: _File, version: RevalidationDep, accepted: str, kept: str) -> Response:
    headers = version.exactly(file.tag, kept) | {"Vary": "Accept-Encoding"}
    if "gzip" not in accepted:
        return Response(file.content, headers=headers, media_type=file.media_type)
    headers["Content-Encoding"] = "gzip"
    return Response(file.small, headers=headers, media_type=file.media_type)
