"""A server that is told to end says so first, and finishes what it was asked."""

import json
import signal
import socket
import subprocess
import threading

import httpx
import pytest

from service import interpreter
from service.settings import Settings
from service.store.repository import Repository
from tests.service.conftest import ESTIMATE, SPEC, wait


@pytest.fixture
def job(tmp_path):
    """A queued job in the database of the server to come."""
    settings = Settings(data_dir=tmp_path / "data")
    settings.prepare()
    repository = Repository.open(settings.database)
    found = repository.jobs.add(SPEC, ESTIMATE)
    repository.close()
    return found


@pytest.fixture
def server(tmp_path, job):
    """The program, and its address."""
    words = ("serve", "--port", "0", "--no-worker", "--json", "--data-dir", str(tmp_path / "data"))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            interpreter.command("service.cli", *words),
            env=interpreter.environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        yield process, httpx.URL(json.loads(process.stdout.readline())["url"])
        process.kill()


def half_asked(url, token):
    """A request of which the server has seen the beginning."""
    connection = socket.create_connection((url.host, url.port))
    lines = ("POST /v1/jobs HTTP/1.1", f"Host: {url.host}", f"Authorization: Bearer {token}")
    more = ("Content-Type: application/json", "Content-Length: 2", "Connection: close", "", "{")
    connection.sendall("\r\n".join([*lines, *more]).encode())
    return connection


def test_on_a_signal_it_is_not_ready_first_and_gone_when_all_is_answered(server, job, tmp_path):
    process, url = server
    token = (tmp_path / "data" / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    ready = threading.Event()
    streamed = []

    def listen():
        with httpx.stream("GET", f"{url}/v1/jobs/{job.id}/events", headers=headers) as stream:
            for line in stream.iter_lines():
                streamed.append(line)
                ready.set()

    listener = threading.Thread(target=listen)
    listener.start()
    ready.wait()
    with httpx.Client(base_url=url) as prober, half_asked(url, token) as asked:
        wait(lambda: prober.get("/readyz").is_success)
        process.send_signal(signal.SIGTERM)
        refusal = wait(lambda: (answer := prober.get("/readyz")).status_code == 503 and answer)
        assert "stopping" in refusal.json()["detail"]
        assert httpx.get(f"{url}/livez").status_code == 200  # by a new connection
        listener.join()
        assert process.poll() is None
        asked.sendall(b"}")
        assert b" 422 " in asked.makefile("rb").readline()
    assert process.wait() == 0
    assert "id: 1" in streamed
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert "resnas listens on" in lines[0]["message"]
    assert not [line for line in lines if line["level"] != "info"]
    assert token not in (tmp_path / "log").read_text()
