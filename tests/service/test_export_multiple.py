"""A trained network is asked for with sizes that are multiples of 8: over HTTP, as a command."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
import torch
import uvicorn
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from resnas.datasets._base import load
from resnas.searching import search
from resnas.spec import JobSpec, TrainingSpec
from service import cli, worker
from service.app import create_app
from service.settings import Settings
from service.store import migrate
from service.store.repository import Repository
from service.store.session import Database, open_engine
from service.store.values import State
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, refused, wait

SPEC = JobSpec(
    backbone="vgg_small",
    dataset="digits",
    budget_gmacs=0.1,
    trials=1,
    training=TrainingSpec(epochs=3, warmup=0.0, settle=0.3, arch_lr=0.2),
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a server with a worker, whose store holds a job that is done."""
    found = Settings(data_dir=tmp_path_factory.mktemp("server") / "data", executor="inline", port=0)
    found.prepare()
    (result,) = search(SPEC, artifacts=found.artifacts).trials
    repository = Repository.open(found.database)
    repository.jobs.add(SPEC, ESTIMATE)
    _, lease = repository.jobs.claim("trainer", 60, moves(Event.CLAIM))
    repository.trials.record(lease, result)
    repository.jobs.finish(lease, moves(Event.SUCCEED))
    repository.close()
    return found


@pytest.fixture(scope="module")
def url(settings: Settings) -> Iterator[str]:
    """Where that server answers: in this process, over a real socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.MonkeyPatch.context() as often:
        often.setattr(worker, "POLL", 0.05)
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        wait(lambda: server.started or not thread.is_alive())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def http(settings: Settings, url: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {settings.token_path.read_text().strip()}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def architecture(http: httpx.Client) -> dict[str, Any]:
    """What the one trial of the job came to."""
    (job,) = http.get("/v1/jobs").json()["items"]
    return http.get(f"/v1/architectures/{job['best']['architecture_id']}").json()


def ask(http: httpx.Client, architecture: dict[str, Any], **body: Any) -> httpx.Response:
    return http.post(f"/v1/architectures/{architecture['id']}/exports", json=body)


@pytest.fixture(scope="module")
def exports(http: httpx.Client, architecture: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """What became of the network at its own sizes, and at multiples of 8."""
    asked = [
        ask(http, architecture, format="onnx"),
        ask(http, architecture, format="onnx", multiple_of=8),
    ]
    assert [answer.json()["multiple_of"] for answer in asked] == [1, 8]
    plain, multiple = (ended(http, answer.headers["location"]) for answer in asked)
    return {1: plain, 8: multiple}


def ended(http: httpx.Client, path: str) -> dict[str, Any]:
    return wait(lambda: (export := http.get(path).json())["finished_at"] and export)


def right(http: httpx.Client, export: dict[str, Any]) -> float:
    """Share of the validation digits that the exported file itself gets right."""
    file = http.get(f"/v1/exports/{export['id']}/content").content
    assert hashlib.sha256(file).hexdigest() == export["sha256"]
    session = onnxruntime.InferenceSession(file)
    digits = load("digits", Path())
    pictures = digits.val.images[torch.arange(len(digits.val))].numpy()
    x = ((pictures / 255 - digits.mean[0]) / digits.std[0]).astype(np.float32)
    (scores,) = session.run(None, {session.get_inputs()[0].name: x})
    return float((scores.argmax(1) == digits.val.labels.numpy()).mean())


def test_multiples_are_another_export_with_another_file(exports):
    plain, multiple = exports[1], exports[8]
    assert (plain["state"], plain["error"]) == ("succeeded", None)
    assert (multiple["state"], multiple["error"]) == ("succeeded", None)
    assert (plain["multiple_of"], multiple["multiple_of"]) == (1, 8)
    assert plain["id"] != multiple["id"]
    assert plain["sha256"] != multiple["sha256"]


def test_the_same_question_gets_the_same_export(http, architecture, exports):
    again = {
        1: ask(http, architecture, format="onnx"),
        8: ask(http, architecture, format="onnx", multiple_of=8),
    }
    assert {n: answer.json() for n, answer in again.items()} == {n: exports[n] for n in again}


def test_every_learned_size_is_a_multiple(architecture, exports):
    trained = architecture["architecture"]["sizes"]
    assert exports[1]["manifest"]["sizes"] == trained
    assert any(n % 8 for size in trained.values() for n in size)
    manifest = exports[8]["manifest"]
    assert manifest["multiple_of"] == 8
    assert manifest["sizes"].keys() == trained.keys() == {"pool1", "pool2", "pool3"}
    assert all(n % 8 == 0 for size in manifest["sizes"].values() for n in size)


def test_the_accuracy_is_that_of_the_file_beside_that_of_the_trial(http, architecture, exports):
    trial, manifest = architecture["trial"], exports[8]["manifest"]
    one = 1.1 / 360  # a picture on the border between two digits
    assert manifest["val_accuracy"] == pytest.approx(right(http, exports[8]), abs=one)
    assert abs(manifest["val_accuracy"] - trial["val_accuracy"]) > 2 * one
    assert manifest["trained_val_accuracy"] == trial["val_accuracy"]
    assert manifest["trained_test_accuracy"] == trial["test_accuracy"]
    plain = exports[1]["manifest"]
    assert plain["val_accuracy"] == trial["val_accuracy"]
    assert plain["val_accuracy"] == pytest.approx(right(http, exports[1]), abs=one)
    assert plain["trained_val_accuracy"] is None


@pytest.mark.parametrize("wrong", [0, -8, 3.5, 8.0, "8", 1000, True, None])
def test_what_is_no_multiple_is_refused_by_its_name(http, architecture, wrong):
    answer = ask(http, architecture, multiple_of=wrong)
    (error,) = refused(answer, 422)["errors"]
    assert error["pointer"] == "#/multiple_of"


def test_the_command_fetches_the_very_same_file(
    settings, url, architecture, exports, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("RESNAS_URL", url)
    monkeypatch.setenv("RESNAS_DATA_DIR", str(settings.data_dir))
    folder = tmp_path / "new"
    words = ("export", architecture["id"], "--multiple-of", "8", "-o", str(folder), "--json")
    assert resnas(monkeypatch, *words) == 0
    (path,) = json.loads(capsys.readouterr().out)["files"]
    assert [str(found) for found in folder.iterdir()] == [path]
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == exports[8]["sha256"]


@pytest.mark.parametrize("wrong", ["0", "257", "3.5", "eight"])
def test_the_command_refuses_what_is_no_multiple(monkeypatch, capsys, wrong):
    assert resnas(monkeypatch, "export", "x", "--multiple-of", wrong) == 2
    assert "--multiple-of" in capsys.readouterr().err


def resnas(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["resnas", *words])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    return int(exited.value.code or 0)


FIRST = {
    "jobs": {
        "id": "1" * 32,
        "spec": "{}",
        "estimate": "{}",
        "state": "succeeded",
        "trials_done": 1,
        "trials_total": 1,
        "attempt": 1,
        "crashes": 0,
        "not_before": 0,
        "created_at": 1,
    },
    "architectures": {"id": "2" * 32, "job_id": "1" * 32, "document": "{}", "created_at": 1},
    "exports": {
        "id": "3" * 32,
        "architecture_id": "2" * 32,
        "format": "onnx",
        "file_name": "model.onnx",
        "size": 5,
        "sha256": "a" * 64,
        "manifest": '{"schema_version": 1}',
        "state": "succeeded",
        "attempt": 1,
        "crashes": 2,
        "not_before": 0,
        "created_at": 1,
        "finished_at": 2,
    },
}
"""A row of each table, as the first version had them."""


def at_first_version(url: str) -> None:
    """A database that the first version made and used."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    engine = open_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, row in FIRST.items():
            names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), row)
    engine.dispose()


def test_exports_of_the_first_version_are_kept_and_have_their_own_sizes(database_url):
    at_first_version(database_url)
    repository = Repository.open(database_url)
    kept = repository.exports.get("3" * 32)
    assert (kept.multiple_of, kept.state, kept.crashes) == (1, State.SUCCEEDED, 2)
    assert (kept.file_name, kept.size, kept.sha256) == ("model.onnx", 5, "a" * 64)
    assert kept.manifest == {"schema_version": 1}
    assert repository.exports.add("2" * 32, "onnx") == kept
    multiple = repository.exports.add("2" * 32, "onnx", multiple_of=8)
    assert (multiple.state, multiple.multiple_of) == (State.QUEUED, 8)
    assert multiple.id != kept.id
    assert repository.exports.add("2" * 32, "onnx", multiple_of=8) == multiple
    repository.close()


def test_opening_a_database_twice_upgrades_it_once(database_url):
    at_first_version(database_url)
    for _ in range(2):
        migrate.migrate(database_url)
    database = Database(database_url)
    with database.read() as session:
        version = session.scalar(text(f"SELECT version_num FROM {migrate.VERSION_TABLE}"))
        found = session.execute(text("SELECT id, multiple_of FROM exports")).all()
    database.close()
    assert (version, [tuple(row) for row in found]) == ("0005", [("3" * 32, 1)])
