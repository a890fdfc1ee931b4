"""Pictures of every view to look at: three widths, light and dark.

python -m tests.e2e.dashboard.screenshots FOLDER [DATA_DIR]

With the data directory of a server that has ended, of its jobs; else of jobs of every kind.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser

from service.local_server import LocalServer, local_server
from tests.e2e.dashboard.kinds import fill
from tests.e2e.dashboard.visiting import TABS, Visitor, browsing

WIDTHS = {360: 740, 1024: 768, 1920: 1080}


def views(server: LocalServer) -> dict[str, str]:
    """Addresses by the names of their pictures: every job, and all tabs of the one with most."""
    with server.client() as client:
        fronts = {job.id: client.front(job.id, include_dominated=True) for job in client.jobs()}
    most, *others = sorted(fronts, key=lambda id_: -len(fronts[id_].points))
    points = fronts[most].points
    chosen = f"{points[0].architecture_id},{points[-1].architecture_id}"
    found = {"jobs": "#/", "submit": "#/submit", "fronts": f"#/fronts?job={most}&job={others[0]}"}
    found |= {f"job-{at}": f"#/jobs/{id_}" for at, id_ in enumerate([most, *others])}
    return found | {tab: f"#/jobs/{most}?dominated=1&select={chosen}&tab={tab}" for tab in TABS}


def take(browser: Browser, server: LocalServer, folder: Path) -> None:
    """Every view at every width in both colours."""
    token = (server.data_dir / "token").read_text().strip()
    for colours in ("light", "dark"):
        for width, height in WIDTHS.items():
            size = {"width": width, "height": height}
            context = browser.new_context(viewport=size, color_scheme=colours)  # type: ignore[arg-type]
            visitor = Visitor(server.url, token, context.new_page())
            for name, address in views(server).items():
                visitor.open(address)
                visitor.settle()
                visitor.shot(folder / f"{name}-{width}-{colours}.png")
            context.close()
            print(f"{colours} {width}: {visitor.complaints or 'no complaint'}")


def main(folder: Path, data: Path | None) -> None:
    """Pictures of a server with the jobs in `data`, else with jobs of every kind."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as empty:
        if data is None:
            fill(Path(empty))
        with local_server(data or Path(empty), worker=False) as server, browsing() as browser:
            take(browser, server, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
