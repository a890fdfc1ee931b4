"""A line that is lost under an open page, and comes back."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from resnas.spec import JobSpec
from service.local_server import local_server
from tests.e2e.dashboard.conftest import Served
from tests.e2e.dashboard.line import line_to
from tests.e2e.dashboard.visiting import Visitor

JOB = JobSpec(backbone="vgg_small", dataset="digits", budget_gmacs=0.1)
LOST = ("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_INTERNET", "ERR_EMPTY", "ERR_NETWORK_CHANGED")


def opened(visitor: Visitor, job: str) -> None:
    visitor.open(f"#/jobs/{job}")
    visitor.see("Live")
    visitor.see("No trial has completed yet")


def told(visitor: Visitor) -> None:
    visitor.see("Reconnecting, data from")
    visitor.heading("vgg_small on digits")  # what was shown is kept


def mended(visitor: Visitor) -> None:
    visitor.page.context.set_offline(True)
    visitor.page.context.set_offline(False)  # the browser's own "online" ends the page's pause
    visitor.see("Live")
    assert visitor.page.get_by_text("Reconnecting").count() == 0


def test_a_lost_line_is_told_with_the_time_of_the_data_and_mends_by_itself(
    visitor: Visitor, served: Served
) -> None:
    visitor.expected = LOST
    port = urlsplit(served.server.url).port or 0
    with served.server.client() as client, line_to(port) as line:
        job = client.submit(JOB).id
        visitor.url = f"http://127.0.0.1:{line.port}"
        try:
            opened(visitor, job)
            line.cut()
            told(visitor)
            line.mend()
            mended(visitor)
        finally:
            client.cancel(job)


@pytest.mark.chaos
def test_a_server_that_stops_and_starts_again_is_as_a_lost_line(
    chromium: Browser, tmp_path: Path
) -> None:
    context = chromium.new_context()
    try:
        with local_server(tmp_path / "data", worker=False) as server, server.client() as client:
            job = client.submit(JOB)
            token = (server.data_dir / "token").read_text().strip()
            visitor = Visitor(server.url, token, context.new_page(), expected=LOST)
            opened(visitor, job.id)
        told(visitor)
        with local_server(tmp_path / "data", worker=False, port=urlsplit(server.url).port):
            mended(visitor)
    finally:
        context.close()
    assert visitor.unexpected == []
