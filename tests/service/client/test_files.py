"""Exported files at the client's end, and where the client finds its server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from service.answers import Export
from service.client import Client
from service.client_errors import Refused, ServerFailed
from service.client_files import keep, place_for
from service.errors import NotFound
from service.lock import note_address, sole_user
from service.settings import Settings

EXPORT = Export(
    id="e", state="succeeded", filename="n.onnx", sha256=hashlib.sha256(b"net").hexdigest()
)


def test_another_file_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    path.write_bytes(b"another")
    with pytest.raises(Refused, match=r"n\.onnx: another file is there.*--overwrite"):
        place_for(EXPORT, tmp_path, overwrite=False)
    assert place_for(EXPORT, tmp_path, overwrite=True) == (path, False)
    keep(path, b"net", EXPORT)
    assert path.read_bytes() == b"net"


def test_the_same_file_need_not_be_fetched_again(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert place_for(EXPORT, folder, overwrite=False) == (folder / "n.onnx", False)
    keep(folder / "n.onnx", b"net", EXPORT)
    assert place_for(EXPORT, folder, overwrite=False) == (folder / "n.onnx", True)


def test_a_folder_of_the_file_s_name_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "n.onnx").mkdir()
    with pytest.raises(Refused, match="cannot be written"):
        place_for(EXPORT, tmp_path, overwrite=True)


def test_what_arrives_damaged_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    path.write_bytes(b"before")
    with pytest.raises(ServerFailed, match="SHA-256"):
        keep(path, b"torn", EXPORT)
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize(
    ("written", "called"),
    [
        ("http://127.0.0.1:9123", "http://127.0.0.1:9123"),
        ("http://0.0.0.0:9123", "http://127.0.0.1:9123"),
        ("http://[::]:9123", "http://[::1]:9123"),
    ],
)
def test_the_server_of_the_data_directory_is_found_while_it_runs(
    written: str, called: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESNAS_URL", raising=False)
    monkeypatch.setenv("RESNAS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RESNAS_PORT", "9200")
    settings = Settings.load()
    with sole_user(settings):
        assert Client().url == "http://127.0.0.1:9200"
        note_address(settings, written)
        assert Client().url == called
        assert Client("http://127.0.0.1:9300").url == "http://127.0.0.1:9300"
    assert Client().url == "http://127.0.0.1:9200"


def test_an_empty_id_is_the_id_of_nothing() -> None:
    with Client("http://127.0.0.1:9", "") as client, pytest.raises(NotFound, match="is empty"):
        client.job("")
