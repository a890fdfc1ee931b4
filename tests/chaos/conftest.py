"""The databases of the service's own tests."""

from __future__ import annotations

from tests.service.conftest import database_url, postgres, repository

__all__ = ["database_url", "postgres", "repository"]
