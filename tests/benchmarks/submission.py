"""How long a client waits for `POST /v1/jobs`, feasibility check included: median of 50."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import httpx

from service.local_server import local_server

COUNT = 50
BODY = {"backbone": "vgg_small", "dataset": "digits", "budget_gmacs": 0.005}


def main() -> None:
    """Print the median and the slowest of the answers of a real server."""
    with (
        tempfile.TemporaryDirectory() as folder,
        local_server(Path(folder), worker=False) as server,  # jobs only queue up
    ):
        token = (server.data_dir / "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
            times = [_submit(client) for _ in range(COUNT + 1)]
    first, *rest = times
    print(f"first {1000 * first:.0f} ms, then of {COUNT}:", end=" ")
    print(f"median {1000 * statistics.median(rest):.1f} ms, slowest {1000 * max(rest):.1f} ms")


def _submit(client: httpx.Client) -> float:
    start = time.perf_counter()
    answer = client.post("/v1/jobs", json=BODY)
    spent = time.perf_counter() - start
    assert answer.status_code == 202, answer.text
    return spent


if __name__ == "__main__":
    main()
