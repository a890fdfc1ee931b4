"""What the paths of several files share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor

ID = {"pattern": "^[0-9a-f]{32}$"}
"""What ids look like; any other text is no mistake, but the id of nothing."""

JobId = Annotated[str, Path(description="of a job", json_schema_extra=ID)]
ArchitectureId = Annotated[str, Path(description="of an architecture", json_schema_extra=ID)]
ExportId = Annotated[str, Path(description="of an export", json_schema_extra=ID)]


class _Plain(Convertor[str]):
    """A part of a path without a colon: `x:cancel` is no job, but something done to one."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        """The part as it is."""
        return value

    def to_string(self, value: str) -> str:
        """The part as it is."""
        return value


register_url_convertor("plain", _Plain())
JOB = "/v1/jobs/{job_id:plain}"
