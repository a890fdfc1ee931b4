"""An artifact as the body of an answer, wherever it is kept."""

from __future__ import annotations

from urllib.parse import quote

from fastapi.responses import FileResponse, Response, StreamingResponse

from resnas.storage import ArtifactStore

_BINARY = "application/octet-stream"


def download(artifacts: ArtifactStore, digest: str, name: str) -> Response:
    """The content of `digest` as a file called `name`; its digest is the entity tag.

    From a disk also in parts; from a bucket as a whole, passed on as it arrives.

    Raises:
        ResnasError: it is not there.
        OSError: the storage does not say.
    """
    headers = {"ETag": f'"{digest}"'}
    path = artifacts.path(digest)
    if path is not None:
        return FileResponse(path, media_type=_BINARY, filename=name, headers=headers)
    headers["Content-Disposition"] = f"attachment; filename*=utf-8''{quote(name)}"
    headers["Content-Length"] = str(artifacts.size(digest))
    return StreamingResponse(artifacts.chunks(digest), media_type=_BINARY, headers=headers)
