"""What the sweeper deletes, and what it must never touch."""

import os
import time

import pytest
from sqlalchemy import text

from resnas.storage import PART
from service import upkeep
from service.errors import Failure
from service.store.care import Care
from service.store.repository import Repository
from service.sweeping import FAILED_KEPT, GRACE, Swept, orphans, sign, sweep
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC, result, wait

NOTHING = Swept(artifacts=0, parts=0, work_folders=0, requests=0)
DAY = 24 * 3600


def write(repository, statement):
    with repository.database.write() as session:
        session.execute(text(statement))


def claimed(repository):
    repository.jobs.add(SPEC, ESTIMATE)
    return repository.jobs.claim("one", 60, moves(Event.CLAIM))[1]


def old(path, seconds=GRACE + 60):
    os.utime(path, (time.time() - seconds,) * 2)
    return path


@pytest.fixture
def lease(repository):
    """A running job of a database that is some days old."""
    found = claimed(repository)
    write(repository, f"UPDATE jobs SET created_at = created_at - {2 * DAY * 1000}")
    return found


def test_artifacts_without_a_row_go_after_their_grace_and_all_others_stay(
    settings, repository, lease
):
    store = settings.artifacts
    names = (b"weights", b"a failed trial's", b"file", b"young", b"orphan", b"another database's")
    weights, failed, file, young, orphan, foreign = map(store.put, names)
    repository.trials.record(lease, result(0, weights=weights))
    repository.trials.record(lease, result(1, weights=failed))
    trial, _ = repository.trials.page(lease.id, 9)
    repository.exports.add(trial.architecture_id, "onnx")
    _, claim = repository.exports.claim("one", 60, moves(Event.CLAIM))
    repository.exports.deliver(
        claim, moves(Event.SUCCEED), file_name="x", size=1, sha256=file, manifest={}
    )
    for digest in (weights, failed, file, orphan):
        old(store.path(digest))
    old(store.path(foreign), 3 * DAY)  # from before this database's first job
    assert sweep(settings, repository) == Swept(1, 0, 0, 0)
    assert set(store.digests()) == {weights, failed, file, young, foreign}
    assert sweep(settings, repository) == NOTHING


def test_a_database_without_jobs_deletes_no_artifact(settings, repository):
    digest = settings.artifacts.put(b"of a database that was exchanged")
    old(settings.artifacts.path(digest))
    assert sweep(settings, repository) == NOTHING
    assert settings.artifacts.holds(digest)


def test_half_written_files_go_after_their_grace(settings, repository):
    places = ("artifacts/ab", "backups", f"work/{'0' * 32}")
    folders = [settings.data_dir / place for place in places]
    for folder in folders:
        folder.mkdir(parents=True)
        for name in ("old", "young"):
            (folder / f"{PART}{name}").touch()
        old(folder / f"{PART}old")
    assert sweep(settings, repository) == Swept(0, 3, 0, 0)
    assert {path.name for folder in folders for path in folder.iterdir()} == {f"{PART}young"}


def test_what_cannot_be_deleted_is_told_and_keeps_nothing_else_from_being_deleted(
    settings, repository, caplog
):
    stays, goes = (
        settings.data_dir / f"backups/{PART}a",
        settings.data_dir / f"artifacts/ab/{PART}a",
    )
    for folder in (stays, goes.parent):  # a folder of such a name is no file that can be unlinked
        folder.mkdir(parents=True)
    goes.touch()
    for path in (stays, goes):
        old(path)
    ended = claimed(repository)
    repository.jobs.finish(ended, moves(Event.SUCCEED))
    worked(settings, ended.id)
    assert sweep(settings, repository) == Swept(0, 1, 1, 0)
    assert f"the sweeper leaves {stays}" in caplog.text


def test_a_server_sweeps_soon_after_its_start(settings, repository, monkeypatch):
    monkeypatch.setattr(upkeep, "SWEEP_FIRST", 0.01)
    part = settings.data_dir / "backups" / f"{PART}old"
    part.parent.mkdir(parents=True)
    part.touch()
    old(part)
    keeper = upkeep.Upkeep(settings, repository)
    keeper.start()
    wait(lambda: not part.exists())
    keeper.stop()


def worked(settings, job_id):
    folder = settings.work(job_id).folder
    folder.mkdir(parents=True)
    (folder / "trial-0.pt").write_bytes(b"checkpoint")
    return old(folder)


def test_work_of_ended_jobs_goes_a_failed_one_s_after_a_week(settings, repository):
    fail = Failure(place="a", found="b", next_step="c")
    ends = (moves(Event.SUCCEED), moves(Event.FAIL), moves(Event.FAIL))
    ended = [claimed(repository) for _ in ends]
    for lease, end in zip(ended, ends, strict=True):
        repository.jobs.finish(lease, end, fail)
    running = claimed(repository)
    succeeded, failed, long_failed = (worked(settings, lease.id) for lease in ended)
    kept = [failed, worked(settings, running.id), worked(settings, "0" * 32)]
    write(
        repository,
        f"UPDATE jobs SET finished_at = finished_at - {round(FAILED_KEPT + 60) * 1000} "
        f"WHERE id = '{ended[2].id}'",
    )
    assert sweep(settings, repository) == Swept(0, 0, 2, 0)
    assert not succeeded.exists()
    assert not long_failed.exists()
    assert all((folder / "trial-0.pt").exists() for folder in kept)


def test_records_of_requests_go_when_their_time_is_over(settings, repository):
    now = Care(repository.database).clock()
    for key, status, until in (
        ("old", 202, now - 1),
        ("new", 202, now + 60_000),
        ("slow", "NULL", now - 60_000),  # perhaps it is still carried out
        ("abandoned", "NULL", now - 600_000),
    ):
        write(
            repository,
            "INSERT INTO requests (owner, key, digest, status, until) "
            f"VALUES ('local', '{key}', '{'0' * 64}', {status}, {until})",
        )
    assert sweep(settings, repository) == Swept(0, 0, 0, 2)
    with repository.database.read() as session:
        assert set(session.scalars(text("SELECT key FROM requests"))) == {"new", "slow"}


def test_what_another_database_signed_is_left_alone(settings, tmp_path):
    own = Repository.open(settings.database)
    other = Repository.open(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    for repository in (own, other):
        repository.jobs.add(SPEC, ESTIMATE)
    artifacts = settings.artifacts
    artifacts.put(b"a network that only the other database knows")
    assert sign(artifacts, Care(other.database))
    assert not sign(artifacts, Care(own.database))
    assert list(orphans(artifacts, Care(own.database), grace=-60)) == []
    assert len(list(orphans(artifacts, Care(other.database), grace=-60))) == 1
    own.close()
    other.close()
