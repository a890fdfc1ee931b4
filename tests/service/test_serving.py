"""How the programs start, refuse to start, and end."""

import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from service.errors import StartRefused
from service.lock import sole_owner
from service.serving import run_worker, serve
from service.settings import Settings

SERVE = "import sys; from service.settings import Settings; from service.serving import serve; "


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
        sole_owner(settings.data_dir),
        pytest.raises(StartRefused, match=f"the process {os.getpid()} uses it"),
    ):
        program(settings)


def test_settings_follow_the_data_directory_and_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNAS_DATA_DIR", str(tmp_path / "a"))
    monkeypatch.setenv("RESNAS_DATABASE_URL", "")
    settings = Settings.load()
    assert settings.database_url == f"sqlite:///{tmp_path}/a/resnas.sqlite3"
    assert settings.datasets_dir == tmp_path / "a" / "datasets"
    other = Settings.load(data_dir=tmp_path / "b")
    assert other.datasets_dir == tmp_path / "b" / "datasets"
    monkeypatch.setenv("RESNAS_DATASETS_DIR", "/images")
    assert str(Settings.load(data_dir=tmp_path / "b").datasets_dir) == "/images"


def test_a_setting_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("RESNAS_PORT", "many")
    with pytest.raises(StartRefused, match="RESNAS_PORT"):
        Settings.load()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_server_says_where_it_listens_and_ends_on_a_signal(tmp_path, number, code):
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE + "sys.exit(serve(Settings.load(port=0)))"],
        env=os.environ | {"RESNAS_DATA_DIR": str(tmp_path / "data"), "RESNAS_EXECUTOR": "inline"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with server:
        line = server.stderr.readline()
        url = line.split()[3]
        transport = httpx.HTTPTransport(retries=3)
        with httpx.Client(base_url=url, transport=transport, timeout=30) as client:
            assert client.get("/readyz").json() == {"status": "ok"}
            assert client.get("/v1/jobs").status_code == 401
            token = (tmp_path / "data" / "token").read_text().strip()
            headers = {"Authorization": f"Bearer {token}"}
            assert client.get("/v1/jobs", headers=headers).json()["items"] == []
        server.send_signal(number)
        assert server.wait() == code
