"""`resnas doctor` on what surrounds the data: nothing, a server, other programs, PostgreSQL."""

import json
import socket

import pytest
from alembic import command

from service.doctor.machine import may_corrupt
from service.errors import StartRefused
from service.local_server import local_server
from service.lock import holder
from service.serving import serve
from service.settings import Settings
from service.store.migrate import migrations
from service.store.repository import Repository
from service.store.session import open_engine, writing
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC
from tests.service.doctor.conftest import HOURS


def test_nothing_is_made_where_nothing_is(run, settings):
    settings = Settings.load(data_dir=settings.data_dir / "none")
    code, out = run("doctor", "--json", "--repair", "--data-dir", str(settings.data_dir))
    assert code == 0
    assert not settings.data_dir.exists()
    assert "the first start makes it" in out


def test_a_lease_that_nobody_takes_away_is_told(case):
    case.repository.jobs.add(SPEC, ESTIMATE)
    case.repository.jobs.claim("gone", 60, moves(Event.CLAIM))
    assert case.doctor() == {}
    case.sql(f"UPDATE jobs SET lease_until = lease_until - {HOURS}")
    assert case.doctor().keys() == {"leases"}


def test_an_older_schema_is_told_and_left_to_the_next_start(case):
    engine = writing(open_engine(case.settings.database, foreign_keys=False))
    with engine.begin() as connection:
        command.downgrade(migrations(connection), "0002")
    found = case.doctor("--repair")["database"]
    assert (found["level"], "0002" in found["found"]) == ("warning", True)
    assert not (case.settings.data_dir / "backups").exists()


def test_a_database_on_postgresql_is_looked_at_too(run, settings, postgres, monkeypatch):
    monkeypatch.setenv("RESNAS_DATABASE_URL", postgres.get_uri())
    repository = Repository.open(postgres.get_uri())
    repository.jobs.add(SPEC, ESTIMATE)
    repository.close()
    code, out = run("doctor", "--json")
    found = {each["check"]: each["level"] for each in json.loads(out)}
    assert (code, found["database"], found["events"]) == (0, "ok", "ok")
    assert "foreign keys" not in found


def test_a_database_that_does_not_answer_is_told_without_its_password(run, settings, monkeypatch):
    nowhere = f"postgresql://me:secret@/x?host={settings.data_dir}"
    monkeypatch.setenv("RESNAS_DATABASE_URL", nowhere)
    code, out = run("doctor", "--json")
    (found,) = [each for each in json.loads(out) if each["check"] == "database"]
    assert (code, found["level"]) == (1, "broken")
    assert "secret" not in out


def test_a_cluster_that_does_not_answer_is_told(run, monkeypatch):
    monkeypatch.setenv("RESNAS_EXECUTOR", "ray")
    monkeypatch.setattr("service.doctor.ray._SECONDS", 0.2)
    code, out = run("doctor", "--json")
    (found,) = [each for each in json.loads(out) if each["check"] == "Ray"]
    assert (code, found["level"]) == (1, "broken")
    assert "no answer for 0.2 seconds" in found["found"]


def test_a_port_that_another_program_has_is_told(case, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("RESNAS_PORT", str(other.getsockname()[1]))
        monkeypatch.setattr("service.doctor.machine._PATIENCE", 0.2)
        assert "another program" in case.doctor()["port"]["found"]


def test_while_a_server_runs_nobody_else_starts_or_repairs(tmp_path, run, monkeypatch):
    with local_server(tmp_path / "data", worker=False) as server:
        settings = Settings.load(data_dir=server.data_dir, port=0)
        pid = holder(server.data_dir / "lock")
        with pytest.raises(StartRefused, match=f"the process {pid} uses it"):
            serve(settings)
        monkeypatch.setenv("RESNAS_DATA_DIR", str(server.data_dir))
        monkeypatch.setenv("RESNAS_PORT", server.url.rpartition(":")[2])
        (server.data_dir / "token").chmod(0o644)
        code, out = run("doctor", "--json", "--repair")
        found = {each["check"]: each["found"] for each in json.loads(out)}
    assert code == 1
    assert found["in use by"] == f"the process {pid}"
    assert "a resnas server answers" in found["port"]
    assert f"the process {pid} uses it" in found["repair"]
    assert (server.data_dir / "token").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("library", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((4, 0, 0), False),
    ],
)
def test_the_versions_of_sqlite_that_may_corrupt_a_database_are_known(library, affected):
    assert may_corrupt(library) is affected


@pytest.mark.chaos
def test_a_private_ray_is_started_and_asked(run, monkeypatch):
    monkeypatch.setenv("RESNAS_EXECUTOR", "ray")
    code, out = run("doctor", "--json")
    (found,) = [each for each in json.loads(out) if each["check"] == "Ray"]
    assert (code, found["level"]) == (0, "ok")
    assert "processors" in found["found"]
