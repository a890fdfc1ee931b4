"""What a client sends to open a server: the token that lies here stays here, a key is named."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from service import serving
from service.client import Client
from service.errors import InvalidSetting, StartRefused
from service.lock import note_address, sole_user
from service.settings import Settings

TOKEN = "the-token-that-opens-everything"


class Listener(ThreadingHTTPServer):
    """Anybody who listens, and reads what opens this machine's server if that is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.read: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def was_sent(self, client: Client) -> str | None:
        """What comes here when `client` asks for something."""
        with client:
            assert list(client.jobs()) == []
        return self.read[-1]


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.read.append(self.headers["Authorization"])
        body = b'{"items": [], "next_cursor": null}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: Listener) -> Settings:
    """Of a server that has run here before; by default clients look where `listener` is."""
    for name in ("URL", "DATA_DIR", "TOKEN", "TOKEN_FILE", "DATABASE_URL"):
        monkeypatch.delenv(f"RESNAS_{name}", raising=False)
    monkeypatch.setattr("service.settings.user_data_dir", lambda _: str(tmp_path / "data"))
    monkeypatch.setenv("RESNAS_PORT", str(listener.server_port))
    settings = Settings.load()
    settings.prepare()
    settings.token_path.write_text(f"{TOKEN}\n")
    return settings


def test_the_token_does_not_leave_this_machine(
    settings: Settings, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = socket.getaddrinfo

    def resolve(host: str, *more: Any, **named: Any) -> Any:
        return elsewhere("127.0.0.1" if host == "lab.example" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("RESNAS_URL", f"http://lab.example:{listener.server_port}")
    with sole_user(settings):
        note_address(settings, listener.url)
        assert listener.was_sent(Client()) is None
        monkeypatch.setenv("RESNAS_DATA_DIR", str(settings.data_dir))
        assert listener.was_sent(Client()) is None


@pytest.mark.parametrize("by_name", [True, False])
def test_the_token_does_not_go_to_whoever_listens_where_its_server_does_not(
    settings: Settings, listener: Listener, monkeypatch: pytest.MonkeyPatch, by_name: bool
) -> None:
    if by_name:
        monkeypatch.setenv("RESNAS_URL", listener.url)
    else:
        monkeypatch.setenv("RESNAS_DATA_DIR", str(settings.data_dir))
    assert listener.was_sent(Client()) is None
    monkeypatch.delenv("RESNAS_DATA_DIR", raising=False)
    with sole_user(settings):
        note_address(settings, "http://127.0.0.1:9")
        assert listener.was_sent(Client(listener.url)) is None


@pytest.mark.parametrize("written", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_the_token_goes_to_the_server_that_says_where_it_listens(
    settings: Settings, listener: Listener, written: str
) -> None:
    with sole_user(settings):
        note_address(settings, f"http://{written}:{listener.server_port}")
        assert listener.was_sent(Client()) == f"Bearer {TOKEN}"
        assert listener.was_sent(Client(listener.url)) == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "variable", [("RESNAS_DATA_DIR", "{data}"), ("RESNAS_DATABASE_URL", "postgresql://u@db/resnas")]
)
def test_the_token_goes_where_nothing_is_written_down_to_what_is_named_on_this_machine(
    settings: Settings,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    variable: tuple[str, str],
) -> None:
    name, value = variable
    monkeypatch.setenv(name, value.format(data=settings.data_dir))
    assert listener.was_sent(Client(listener.url)) == f"Bearer {TOKEN}"


def test_a_key_that_is_named_wins_over_the_token(
    settings: Settings, listener: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text("rn_from_the_file\n")
    monkeypatch.setenv("RESNAS_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("RESNAS_URL", listener.url)
    monkeypatch.setenv("RESNAS_TOKEN_FILE", str(path))
    assert listener.was_sent(Client()) == "Bearer rn_from_the_file"
    monkeypatch.setenv("RESNAS_TOKEN", "rn_by_itself")
    assert listener.was_sent(Client()) == "Bearer rn_by_itself"
    assert listener.was_sent(Client(token="rn_as_argument")) == "Bearer rn_as_argument"
    assert listener.was_sent(Client(token="")) is None


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        ("rn_key", 0o640, "open to others.*chmod 600"),
        ("", 0o600, "empty"),
        ("two keys", 0o600, "blanks"),
        ("rn_kéy", 0o600, "signs that no key has"),
        (None, 0o600, "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_the_users_key_is_refused(
    content: str | None, mode: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    monkeypatch.setenv("RESNAS_TOKEN_FILE", str(path))
    with pytest.raises(InvalidSetting, match=f"RESNAS_TOKEN_FILE {path}: .*{message}"):
        Client()


def test_what_cannot_be_a_key_is_not_shown_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNAS_TOKEN", "secret\nsecret")
    with pytest.raises(InvalidSetting, match="RESNAS_TOKEN: ") as refused:
        Client()
    assert "secret" not in str(refused.value)


def test_who_comes_while_the_server_prepares_itself_has_the_token(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def opening(_settings: Settings) -> None:
        with Client() as client:
            sent.append(client._http.headers.get("Authorization"))
        raise StartRefused("the database", "this is far enough", "Look at what was sent")

    monkeypatch.setattr(serving, "_open", opening)
    monkeypatch.setattr(serving, "log_to_standard_error", lambda _format: None)
    with pytest.raises(StartRefused, match="far enough"):
        serving.serve(settings.model_copy(update={"port": 0}))
    assert sent == [f"Bearer {TOKEN}"]
