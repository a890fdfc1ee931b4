"""Clients that hand in jobs at the same time, in a process of their own and as cheap as can be.

    python -m tests.benchmarks._service.clients URL TOKEN --clients 50 --seconds 10 --pause 1

Each client keeps one connection, hands in a job, waits for the answer, pauses and does it again.
Prints one line of JSON: the waits of all answers in milliseconds, sorted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from urllib.parse import urlsplit

BODY = {"backbone": "mobilenet_small", "dataset": "digits", "budget_gmacs": 0.01, "trials": 2}


async def client(url: str, token: str, until: float, pause: float, seed: int) -> list[float]:
    """The waits of one client, in seconds."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    reader, writer = await asyncio.open_connection(host, port)
    draw, waits = random.Random(seed), []
    await asyncio.sleep(pause * draw.random())
    while time.perf_counter() < until:
        body = json.dumps(BODY | {"seed": draw.randrange(2**31)}).encode()
        start = time.perf_counter()
        writer.write(_request(host, port, token, body))
        status = await _answer(reader)
        waits.append(time.perf_counter() - start)
        if status != 202:
            raise SystemExit(f"a job was answered {status}")
        await asyncio.sleep(pause * 2 * draw.random())
    writer.close()
    return waits


def _request(host: str | None, port: int | None, token: str, body: bytes) -> bytes:
    head = (
        "POST /v1/jobs HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = head.partition("content-length:")[2].partition("\r\n")[0]
    await reader.readexactly(int(length))
    return int(head.split(maxsplit=2)[1])


async def _all(given: argparse.Namespace) -> list[float]:
    until = time.perf_counter() + given.seconds
    work = (
        client(given.url, given.token, until, given.pause, seed) for seed in range(given.clients)
    )
    return [wait for waits in await asyncio.gather(*work) for wait in waits]


def main() -> None:
    """Hand in jobs and print how long each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds on average")
    waits = asyncio.run(_all(parser.parse_args()))
    print(json.dumps([round(1000 * wait, 2) for wait in sorted(waits)]))


if __name__ == "__main__":
    main()
