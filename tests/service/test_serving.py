"""How the programs start, refuse to start, and end."""

import json
import os
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress

import httpx
import pytest
import uvicorn

from service import interpreter
from service.app import create_app
from service.errors import StartRefused
from service.local_server import local_server
from service.lock import sole_owner
from service.serving import configuration, run_worker, serve
from service.settings import Settings
from service.store.repository import Repository
from tests.service.conftest import wait
from tests.service.memory import MEBIBYTE, Peak


def test_a_busy_port_is_refused_with_the_next_one(settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartRefused, match=f"127.0.0.1:{port}: cannot listen") as refusal:
            serve(settings.model_copy(update={"port": port}))
    assert f"--port {port + 1}" in refusal.value.next_step


def test_an_unwritable_data_directory_is_refused_and_nothing_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings = Settings(data_dir=tmp_path / "file" / "data")
    for program in (serve, run_worker):
        with pytest.raises(StartRefused, match="cannot be written") as refusal:
            program(settings)
        assert "--data-dir" in refusal.value.next_step
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("program", [serve, run_worker])
def test_a_second_process_on_the_same_data_is_refused_naming_the_first(settings, program):
    with (
        sole_owner(settings.data_dir / "lock", "data directory"),
        pytest.raises(StartRefused, match=f"the process {os.getpid()} uses it"),
    ):
        program(settings)


@pytest.mark.parametrize("program", [serve, run_worker])
def test_two_data_directories_do_not_share_a_database_that_is_a_file(
    settings, program, tmp_path, monkeypatch
):
    (tmp_path / "link").symlink_to(settings.data_dir)
    monkeypatch.setenv("RESNAS_DATABASE_URL", f"sqlite:///{tmp_path}/link/resnas.sqlite3")
    other = Settings.load(data_dir=tmp_path / "other", port=0)
    with (
        sole_owner(settings.data_dir / "resnas.sqlite3.lock", "database"),
        pytest.raises(StartRefused, match=f"database .*: the process {os.getpid()} uses it"),
    ):
        program(other)


def test_any_name_of_a_data_directory_can_hold_the_database(tmp_path):
    settings = Settings(data_dir=tmp_path / "what? 100%#")
    settings.prepare()
    Repository.open(settings.database).close()
    assert (settings.data_dir / "resnas.sqlite3").exists()


def test_settings_follow_the_data_directory_and_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNAS_DATA_DIR", str(tmp_path / "a"))
    monkeypatch.setenv("RESNAS_DATABASE_URL", "")
    settings = Settings.load()
    assert settings.database.database == f"{tmp_path}/a/resnas.sqlite3"
    assert settings.datasets_dir == tmp_path / "a" / "datasets"
    other = Settings.load(data_dir=tmp_path / "b")
    assert other.datasets_dir == tmp_path / "b" / "datasets"
    monkeypatch.setenv("RESNAS_DATASETS_DIR", "/images")
    assert str(Settings.load(data_dir=tmp_path / "b").datasets_dir) == "/images"


def test_a_setting_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("RESNAS_PORT", "many")
    with pytest.raises(StartRefused, match="RESNAS_PORT"):
        Settings.load()


@pytest.mark.parametrize(
    "name",
    [
        *("*", "search.example.org:8642", "[::1]", "https://search.example.org", "a/b"),
        *("*example.org", "search.*.org", "*.", ".example.org", "user@example.org"),
    ],
)
def test_a_name_that_no_request_could_have_is_refused_with_one_that_could(monkeypatch, name):
    monkeypatch.setenv("RESNAS_ALLOWED_HOSTS", f"localhost, {name}")
    with pytest.raises(StartRefused, match=r"RESNAS_ALLOWED_HOSTS.* search\.example\.org") as found:
        Settings.load()
    assert f"'{name}'" in str(found.value)


def test_names_and_addresses_of_hosts_are_taken(monkeypatch):
    names = ("search.example.org", "*.example.org", "10.1.2.3", "fe80::1", "my_server", "example.")
    monkeypatch.setenv("RESNAS_ALLOWED_HOSTS", ",".join(names))
    assert Settings.load().allowed_hosts == names


def test_an_empty_address_is_refused_for_it_would_be_all_of_them(tmp_path):
    with pytest.raises(StartRefused, match="RESNAS_HOST"):
        Settings.load(data_dir=tmp_path, host="")


@contextmanager
def listening(settings):
    """The address of a server as it is run, on a thread of this process."""
    server = uvicorn.Server(configuration(create_app(settings)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait(lambda: server.started)
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join()


def test_headers_without_end_are_refused_before_they_are_all_there(settings):
    with listening(settings) as address, socket.create_connection(address, timeout=30) as client:
        peak = Peak()
        line = b"x-filler: " + b"x" * 1000 + b"\r\n"
        with suppress(ConnectionError):  # it is closed while we send
            client.sendall(b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n")
            for _ in range(30_000):
                client.sendall(line)
        with suppress(ConnectionError):
            assert client.recv(1000).startswith(b"HTTP/1.1 400")
        assert peak.above() < 10 * MEBIBYTE
        with socket.create_connection(address, timeout=30) as other:
            other.sendall(b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n" + line * 60 + b"\r\n")
            assert other.recv(1000).startswith(b"HTTP/1.1 200")


def test_whose_requests_are_counted_is_no_matter_of_a_header(settings):
    slow = settings.model_copy(update={"unknown_requests_per_second": 0.01})
    with listening(slow) as (host, port), httpx.Client(base_url=f"http://{host}:{port}") as client:
        answers = [
            client.get("/v1/jobs", headers={"X-Forwarded-For": f"203.0.113.{number}"})
            for number in range(3)
        ]
    assert [answer.status_code for answer in answers] == [401, 429, 429]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_server_says_where_it_listens_and_ends_on_a_signal(tmp_path, number, code):
    words = ("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), "--json")
    server = subprocess.Popen(
        interpreter.command("service.cli", *words),
        env=interpreter.environment() | {"RESNAS_EXECUTOR": "inline"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with server:
        said = json.loads(server.stdout.readline())
        listens = json.loads(server.stderr.readline())["message"]
        assert said == {"url": listens.split()[3], "data_dir": said["data_dir"]}
        transport = httpx.HTTPTransport(retries=3)
        with httpx.Client(base_url=said["url"], transport=transport, timeout=30) as client:
            wait(lambda: client.get("/readyz").json() == {"status": "ok"})
            assert client.get("/v1/jobs").status_code == 401
            token = (tmp_path / "data" / "token").read_text().strip()
            headers = {"Authorization": f"Bearer {token}"}
            assert client.get("/v1/jobs", headers=headers).json()["items"] == []
        server.send_signal(number)
        assert server.wait() == code
        assert server.stdout.read() == ""


def test_a_worker_says_whose_jobs_it_runs_without_the_password(settings, postgres, monkeypatch):
    announced = []

    def announce(database):
        announced.append(database)
        os.kill(os.getpid(), signal.SIGTERM)

    address = postgres.get_uri().replace("postgres:@", "postgres:secret@")
    monkeypatch.setenv("RESNAS_DATABASE_URL", address)
    assert run_worker(Settings.load(data_dir=settings.data_dir), announce) == 0
    assert announced == ["postgresql://postgres:***@/postgres"]


def test_a_module_of_its_name_in_the_current_folder_is_not_taken_for_the_program(tmp_path):
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    done = subprocess.run(
        interpreter.command("service.cli", "--help"),
        env=interpreter.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_local_server_ignores_the_settings_of_its_user(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNAS_DATABASE_URL", "nonsense")
    monkeypatch.setenv("RESNAS_HOST", "none.invalid")
    with local_server(tmp_path / "data", worker=False) as server, server.client() as client:
        assert client.ready()
        assert list(client.jobs()) == []
    assert (tmp_path / "data" / "resnas.sqlite3").exists()
