"""The database's clock: leases are judged by one clock, whichever machine a worker runs on.

Times are stored as integer milliseconds since 1970 UTC, which both databases keep exactly.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, overload

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class now_ms(FunctionElement[int]):
    """Milliseconds since 1970 UTC, on the database's clock, at this statement."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _sqlite(element: now_ms, compiler: Any, **kw: Any) -> str:
    del element, compiler, kw
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


@compiles(now_ms, "postgresql")
def _postgresql(element: now_ms, compiler: Any, **kw: Any) -> str:
    del element, compiler, kw
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@overload
def moment(milliseconds: int) -> datetime: ...
@overload
def moment(milliseconds: None) -> None: ...
def moment(milliseconds: int | None) -> datetime | None:
    """The stored time as an aware UTC datetime."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
