"""A data directory to damage, and the doctor to look at it."""

import json
import os
import sys
import time
from contextlib import closing

import pytest

from service import cli
from service.store.repository import Repository
from service.store.session import open_engine
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC, result

HOURS = 3600 * 1000


class Case:
    """A data directory with a job that has ended, its weights and an export, and the command."""

    def __init__(self, settings, run):
        self.settings, self._run = settings, run
        self.repository = Repository.open(settings.database)
        store, claim = settings.artifacts, moves(Event.CLAIM)
        self.weights, self.file = store.put(b"weights"), store.put(b"a network")
        self.job = self.repository.jobs.add(SPEC, ESTIMATE)
        _, lease = self.repository.jobs.claim("one", 60, claim)
        self.repository.trials.record(lease, result(0, weights=self.weights))
        self.repository.jobs.finish(lease, moves(Event.SUCCEED))
        (self.trial,) = self.repository.trials.page(self.job.id, 2)
        self.export = self.repository.exports.add(self.trial.architecture_id, "onnx")
        _, lease = self.repository.exports.claim("one", 60, claim)
        self.repository.exports.deliver(
            lease, moves(Event.SUCCEED), file_name="x", size=9, sha256=self.file, manifest={}
        )
        self.sql(f"UPDATE jobs SET created_at = created_at - {24 * HOURS}")
        settings.token_path.touch(0o600)
        settings.token_path.write_text("secret\n")

    @property
    def database(self):
        return self.settings.data_dir / "resnas.sqlite3"

    def sql(self, statement):
        with closing(open_engine(self.settings.database, foreign_keys=False).raw_connection()) as c:
            c.execute(statement)

    def age(self, path, seconds=7200):
        os.utime(path, (time.time() - seconds,) * 2)

    def path(self, digest):
        return self.settings.artifacts.path(digest)

    def doctor(self, *words):
        """Exit code, and by the name of the check what is not fine or was repaired."""
        code, out = self._run("doctor", "--json", *words)
        found = {each["check"]: each for each in json.loads(out)}
        assert code == any(each["level"] == "broken" for each in found.values())
        assert all(each["next_step"] for each in found.values() if each["level"] != "ok")
        known = ("SQLite library", "disk")  # what this machine is like
        return {
            name: each
            for name, each in found.items()
            if (each["level"] != "ok" or each["repaired"]) and name not in known
        }


@pytest.fixture
def run(settings, monkeypatch, capsys):
    monkeypatch.setenv("RESNAS_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("RESNAS_EXECUTOR", "inline")
    monkeypatch.setenv("RESNAS_PORT", "0")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["resnas", *words])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out

    return run


@pytest.fixture
def case(settings, run):
    found = Case(settings, run)
    yield found
    found.repository.close()
