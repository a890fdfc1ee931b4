"""Architectures, and their way to a file."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from fastapi.responses import FileResponse

from service import jobs
from service.deps import RepositoryDep, SettingsDep
from service.errors import Conflict
from service.schemas import ArchitectureAnswer, ExportAnswer, ExportRequest
from service.store.values import State

router = APIRouter(prefix="/v1", tags=["architectures"])


@router.get("/architectures/{architecture_id}")
def show(architecture_id: str, repository: RepositoryDep) -> ArchitectureAnswer:
    """The resolutions of one trained network, and what it achieves."""
    return ArchitectureAnswer.of(jobs.architecture(repository, architecture_id))


@router.post("/architectures/{architecture_id}/exports", status_code=status.HTTP_202_ACCEPTED)
def ask_export(
    architecture_id: str,
    body: ExportRequest,
    response: Response,
    repository: RepositoryDep,
    settings: SettingsDep,
) -> ExportAnswer:
    """Have a network written as a file; the same question gets the same export."""
    export = jobs.ask_export(
        repository, settings.artifacts, architecture_id, body.format, body.multiple_of
    )
    response.headers["Location"] = f"/v1/exports/{export.id}"
    return ExportAnswer.of(export)


@router.get("/exports/{export_id}")
def show_export(export_id: str, repository: RepositoryDep) -> ExportAnswer:
    """One export."""
    return ExportAnswer.of(jobs.export(repository, export_id))


@router.get(
    "/exports/{export_id}/content",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The file",
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
def content(export_id: str, repository: RepositoryDep, settings: SettingsDep) -> FileResponse:
    """The file itself; its SHA-256 is the entity tag."""
    export = jobs.export(repository, export_id)
    if export.state is not State.SUCCEEDED or export.sha256 is None:
        raise Conflict(
            f"export {export_id}",
            f"it is {export.state}, so there is no file",
            f"Wait until GET /v1/exports/{export_id} says succeeded",
        )
    return FileResponse(
        settings.artifacts.path(export.sha256),
        media_type="application/octet-stream",
        filename=export.file_name,
        headers={"ETag": f'"{export.sha256}"'},
    )
