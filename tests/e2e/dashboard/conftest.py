"""One browser, one server with jobs of every kind, and a new page for every test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import Browser

from service.local_server import LocalServer, local_server
from tests.e2e.dashboard.kinds import Kinds, fill
from tests.e2e.dashboard.visiting import INSTALL, Visitor, browsing, program


@dataclass(frozen=True)
class Served:
    """A server, and what its database holds."""

    server: LocalServer
    kinds: Kinds

    @property
    def token(self) -> str:
        """Opens everything."""
        return (self.server.data_dir / "token").read_text().strip()

    def job(self, kind: str) -> str:
        """The address of a job, within the page."""
        return f"#/jobs/{self.kinds.jobs[kind]}"


# Of a package, not of the session: playwright keeps an event loop in the thread meanwhile, in which
# other packages' tests could run none of their own.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if program() is None:
        pytest.skip(INSTALL)
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data_dir = tmp_path_factory.mktemp("dashboard") / "data"
    kinds = fill(data_dir)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESNAS_EXECUTOR", "inline")
        with local_server(data_dir) as server:
            yield Served(server, kinds)


@pytest.fixture
def visitor(chromium: Browser, served: Served) -> Iterator[Visitor]:
    """Somebody with the token; whatever the browser complains of fails the test at its end."""
    context = chromium.new_context(accept_downloads=True)
    found = Visitor(served.server.url, served.token, context.new_page())
    yield found
    context.close()
    assert found.unexpected == []
