"""The page over a job of 100,000 trials, beside Optuna's dashboard over a study of 20,000.

    python -m tests.benchmarks.dashboard [--quick]

The extras `dev` and `bench` of this project have to be installed, and a Chromium. Servers and
browser share this machine: ratios within one run tell more than figures.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page
from rich.console import Console
from rich.table import Table

from tests.benchmarks._service import ours, pages, study
from tests.benchmarks._service.pages import Load
from tests.e2e.dashboard.visiting import browsing

_LOADS = 5
_CLICKS = 5
_OURS = ".front-chart .points path"
_THEIRS = "#graph-pareto-front .plot-container"

Row = tuple[str, str]


def answers(url: str, token: str, job: str) -> Iterator[Row]:
    """What the page asks for, over loopback."""
    known = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=known, timeout=120) as client:
        for path in ("/front", "/figures/front"):  # what is imported, drawn or kept once
            client.get(f"/v1/jobs/{job}{path}").raise_for_status()
        first = client.get(f"/v1/jobs/{job}/figures/front?include_dominated=true")
        yield (
            "figure with dominated ones, first time",
            f"{1000 * first.elapsed.total_seconds():.0f} ms",
        )
        points = client.get(f"/v1/jobs/{job}/front").json()["points"]
        architecture = f"/v1/architectures/{points[0]['architecture_id']}"
        client.get(f"{architecture}/profile").raise_for_status()
        for what, path in (
            ("jobs", "/v1/jobs"),
            ("job", f"/v1/jobs/{job}"),
            ("front", f"/v1/jobs/{job}/front"),
            ("front with dominated ones", f"/v1/jobs/{job}/front?include_dominated=true"),
            ("figure of the front", f"/v1/jobs/{job}/figures/front"),
            ("figure with dominated ones", f"/v1/jobs/{job}/figures/front?include_dominated=true"),
            ("curves", f"/v1/jobs/{job}/figures/curves"),
            ("profile", f"{architecture}/profile"),
            ("shape ladder", f"{architecture}/figures/ladder"),
            ("cost by layer", f"{architecture}/figures/layers"),
        ):
            milliseconds, _ = ours.answer(url, token, path)
            with client.stream("GET", path) as answer:
                size = sum(map(len, answer.iter_raw()))
            yield what, f"{milliseconds:.0f} ms, {size / 1000:,.1f} kB"


def loads(browser: Browser, url: str, token: str, job: str) -> tuple[Load, Page]:
    """The job's page, loaded several times; the load in the middle by when its front is drawn."""
    address = f"{url}/#/jobs/{job}?dominated=1"
    return _middle(
        [pages.load(browser, address, _OURS, f"{url}/#token={token}") for _ in range(_LOADS)]
    )


def selections(page: Page) -> Iterator[Row]:
    """Clicks that choose a point, the longest of some."""
    rows = page.locator(".front-table tbody tr")
    ring = "document.querySelectorAll('.front-chart .ring:not(.ring-hovered)').length"
    for what, keys, rings in (("one", [], 1), ("a second one to compare", ["Shift"], 2)):
        waits = []
        for number in range(2, 2 + _CLICKS):
            rows.nth(0).click()
            row = rows.nth(number)
            act = partial(row.click, modifiers=keys)
            done = f"document.querySelectorAll('.front-table tbody tr')[{number}].ariaSelected"
            waits.append(pages.interaction(page, act, f"{done} === 'true' && {ring} === {rings}"))
        told = f"{statistics.median(waits):.0f} ms to the next picture, {max(waits):.0f} at most"
        yield f"click that chooses {what}", told


def _middle(found: list[tuple[Load, Page]]) -> tuple[Load, Page]:
    middle = statistics.median_low([each.drawn for each, _ in found])
    (chosen, *others) = sorted(found, key=lambda pair: abs(pair[0].drawn - middle))
    for _, page in others:
        page.context.close()
    return chosen


def _told(found: Load) -> str:
    return (
        f"first paint {found.painted:.0f} ms, front drawn {found.drawn:.0f} ms, "
        f"{found.size / 1e6:.2f} MB in {found.requests} requests"
    )


def measure(folder: Path, trials: int, theirs: int) -> Iterator[Row]:
    """All of it."""
    own = folder / "ours"
    own.mkdir()
    job = ours.fill(f"sqlite:///{own / 'resnas.sqlite3'}", trials, ours.any_sizes)
    with ours.served(own) as (server, token), browsing() as browser:
        yield from answers(server.url, token, job)
        here, page = loads(browser, server.url, token, job)
        yield f"page of a job of {trials:,} trials", _told(here)
        yield from selections(page)
        page.context.close()
        for size in (theirs // 4, theirs):
            yield from _theirs(folder, browser, size, here)


def _theirs(folder: Path, browser: Browser, trials: int, ours: Load) -> Iterator[Row]:
    """Optuna's page of a study, and how it compares with our page."""
    what = f"Optuna's dashboard, a study of {trials:,} trials"
    storage = study.fill(folder / f"study{trials}.sqlite3", trials)
    with study.served(storage) as address:
        try:
            found, page = pages.load(browser, f"{address}/dashboard/studies/1", _THEIRS)
        except TimeoutError:
            yield what, f"its front is not drawn within {pages.PATIENCE:.0f} s"
            return
        page.context.close()
    yield what, _told(found)
    yield (
        "that over ours",
        f"first paint {found.painted / ours.painted:.1f}, front drawn "
        f"{found.drawn / ours.drawn:.1f}, bytes {found.size / ours.size:.1f}",
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the trials")
    few = 10 if parser.parse_args().quick else 1
    table = Table("what", "found")
    with tempfile.TemporaryDirectory() as folder:
        for what, found in measure(Path(folder), 100_000 // few, 20_000 // few):
            print(f"{what}: {found} (load {os.getloadavg()[0]:.1f})", flush=True)
            table.add_row(what, found)
    Console().print(table)


if __name__ == "__main__":
    main()
