"""Architectures, and their way to a file."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response, status
from fastapi.responses import FileResponse

from resnas.errors import ResnasError
from service import jobs, quotas, ranges
from service.artifacts import download
from service.conditional import RevalidationDep
from service.deps import PrincipalDep, RepositoryDep, SettingsDep
from service.errors import Conflict
from service.idempotency import Keep, OnceDep, Reply
from service.routes._paths import ArchitectureId, ExportId
from service.schemas import ArchitectureAnswer, ExportAnswer, ExportRequest
from service.store.values import Export, State

router = APIRouter(prefix="/v1", tags=["architectures"])


@router.get("/architectures/{architecture_id}")
def show_architecture(
    architecture_id: ArchitectureId,
    repository: RepositoryDep,
    principal: PrincipalDep,
    version: RevalidationDep,
) -> ArchitectureAnswer:
    """The resolutions of one trained network, and what it achieves."""
    found = jobs.architecture(repository, architecture_id, principal.sees)
    version.tag(found.id)  # it never changes
    return ArchitectureAnswer.of(found)


@router.post(
    "/architectures/{architecture_id}/exports",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=ExportAnswer,
)
def ask_export(
    architecture_id: ArchitectureId,
    body: ExportRequest,
    once: OnceDep,
    repository: RepositoryDep,
    settings: SettingsDep,
    principal: PrincipalDep,
) -> Response:
    """Have a network written as a file; the same question gets the same export."""

    def write(keep: Keep) -> Reply:
        export = jobs.ask_export(
            repository,
            settings.artifacts,
            architecture_id,
            body.format,
            body.multiple_of,
            principal.sees,
            keep(_accepted),
            partial(quotas.check_exports, settings, principal, repository),
        )
        return _accepted(export)

    return once.respond(body.model_dump(mode="json"), write)


@router.get("/exports/{export_id}")
def show_export(
    export_id: ExportId, repository: RepositoryDep, principal: PrincipalDep
) -> ExportAnswer:
    """One export."""
    return ExportAnswer.of(jobs.export(repository, export_id, principal.sees))


@router.get(
    "/exports/{export_id}/content",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The file",
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        },
        206: {
            "description": "The part of it that the header Range asks for",
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        },
    },
)
def fetch_export(
    export_id: ExportId,
    request: Request,
    repository: RepositoryDep,
    settings: SettingsDep,
    principal: PrincipalDep,
    version: RevalidationDep,
) -> Response:
    """The file itself; its SHA-256 is the entity tag."""
    export = jobs.export(repository, export_id, principal.sees)
    if export.state is not State.SUCCEEDED or export.sha256 is None:
        raise Conflict(
            f"export {export_id}",
            f"it is {export.state}, so there is no file",
            f"Wait until GET /v1/exports/{export_id} says succeeded",
        )
    tag = f'"{export.sha256}"'
    headers = version.exactly(tag)
    ranges.settle(request, export.size or 0, tag)
    try:
        file = download(settings.artifacts, export.sha256, export.file_name or export.sha256)
    except ResnasError as error:
        raise Conflict(
            f"export {export_id}",
            "its file is not in the storage any more",
            f"Export it again: POST /v1/architectures/{export.architecture_id}/exports",
        ) from error
    file.headers.update(headers)
    return file


def _accepted(export: Export) -> Reply:
    headers = {"Location": f"/v1/exports/{export.id}"}
    return Reply(status.HTTP_202_ACCEPTED, ExportAnswer.of(export), headers)
