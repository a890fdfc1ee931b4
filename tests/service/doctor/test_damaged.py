"""`resnas doctor` on data directories damaged in each way: what it says, what it repairs."""

import itertools

import pytest

from resnas.storage import PART, ArtifactStore
from service.doctor import files
from service.store.care import Care
from service.store.migrate import VERSION_TABLE
from service.store.values import State
from service.transitions import Event, moves
from tests.service.conftest import result


def test_a_sound_installation_has_nothing_to_be_said_about(case):
    assert case.doctor() == {}
    assert case.doctor("--repair") == {}


def test_the_table_names_every_check_and_its_next_step(case, run):
    case.settings.token_path.write_text("")
    code, out = run("doctor")
    assert code == 1
    assert {"versions", "GPU", "disk", "database", "clocks", "events"} <= set(out.split())
    assert "Delete it; the next start makes one" in " ".join(out.split())


def cut(case):
    case.repository.close()
    content = case.database.read_bytes()
    case.database.write_bytes(content[: len(content) // 2])


def overwritten(case):
    case.repository.close()
    case.database.write_bytes(b"no database at all" * 1000)


def newer(case):
    case.sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")


def not_to_be_opened(case):
    case.repository.close()
    case.database.unlink()
    case.database.mkdir()


def without_token(case):
    case.settings.token_path.write_text("")


def half_a_row(case):
    case.sql("UPDATE jobs SET spec = '{torn'")
    case.sql("UPDATE trials SET result = substr(result, 1, 20)")


def orphaned_trial(case):
    case.sql("PRAGMA foreign_keys = OFF")
    case.sql(f"UPDATE trials SET job_id = '{'0' * 32}'")


def missing_event(case):
    case.sql("DELETE FROM events WHERE number = 2")


def lost_weights(case):
    case.path(case.weights).unlink()


def changed_weights(case):
    case.path(case.weights).write_bytes(b"other weights")


def no_datasets(case):
    case.settings.datasets_dir.write_text("a file")


BEYOND_REPAIR = [
    (cut, {"database"}),
    (overwritten, {"database"}),
    (newer, {"database"}),
    (not_to_be_opened, {"database"}),
    (without_token, {"token"}),
    (orphaned_trial, {"foreign keys", "trial counts"}),
    (missing_event, {"events"}),
    (lost_weights, {"weights"}),
    (changed_weights, {"weights", "artifact contents"}),
    (no_datasets, {"datasets"}),
]


@pytest.mark.parametrize(
    ("damage", "checks"), BEYOND_REPAIR, ids=lambda each: getattr(each, "__name__", "")
)
def test_what_cannot_be_repaired_is_named_and_left_alone(case, damage, checks):
    damage(case)
    found = case.doctor()
    assert found.keys() == checks
    assert {each["level"] for each in found.values()} == {"broken"}
    assert case.doctor("--repair").keys() == checks


def test_a_result_that_nobody_can_read_keeps_nobody_from_reading_the_others(case):
    half_a_row(case)
    assert case.doctor().keys() <= {"weights"}


def open_token(case):
    case.settings.token_path.chmod(0o644)
    return lambda: case.settings.token_path.stat().st_mode & 0o777 == 0o600


def open_folder(case):
    case.settings.data_dir.chmod(0o755)
    return lambda: case.settings.data_dir.stat().st_mode & 0o777 == 0o700


def old_orphan(case):
    digest = case.settings.artifacts.put(b"nobody's")
    young = case.settings.artifacts.put(b"perhaps somebody's in a moment")
    case.age(case.path(digest))
    return lambda: not case.settings.artifacts.holds(digest) and case.path(young)


def half_written(case):
    part = case.path(case.weights).with_name(f"{PART}x")
    part.write_bytes(b"half")
    case.age(part)
    return lambda: not part.exists()


def old_work(case):
    folder = case.settings.work(case.job.id).folder
    folder.mkdir()
    (folder / "trial-0.pt").touch()
    return lambda: not folder.exists()


def miscounted(case):
    case.sql("UPDATE jobs SET trials_done = 7")
    return lambda: case.repository.jobs.get(case.job.id).trials_done == 1


def lost_file(case):
    case.path(case.file).unlink()
    return lambda: _is_written_anew(case)


def changed_file(case):
    case.path(case.file).write_bytes(b"another network")
    return lambda: _is_written_anew(case) and not case.settings.artifacts.holds(case.file)


def _is_written_anew(case):
    exports = case.repository.exports
    found = exports.get(case.export.id)
    again = exports.add(case.trial.architecture_id, "onnx")
    return (found.state, found.error.reason, again.state) == (State.FAILED, "lost", State.QUEUED)


@pytest.mark.parametrize(
    ("damage", "checks"),
    [
        (open_token, {"token"}),
        (open_folder, {"data directory"}),
        (old_orphan, {"unneeded files"}),
        (half_written, {"unneeded files"}),
        (old_work, {"unneeded files"}),
        (miscounted, {"trial counts"}),
        (lost_file, {"exports"}),
        (changed_file, {"exports", "artifact contents"}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_is_safe_is_repaired_and_nothing_else_is_touched(case, damage, checks):
    is_repaired = damage(case)
    assert case.doctor().keys() == checks
    repaired = case.doctor("--repair")
    assert {name for name, each in repaired.items() if each["repaired"]} == checks
    assert is_repaired()
    assert case.doctor() == {}
    assert case.path(case.weights).read_bytes() == b"weights"
    assert case.repository.trials.finished(case.job.id) == [result(0, weights=case.weights)]


def test_what_is_written_while_the_doctor_looks_is_not_lost(case, monkeypatch):
    listed, sizes = ArtifactStore.digests, itertools.count(2)

    def digests(store):
        """All that is there; then a file is delivered."""
        found = list(listed(store))
        size = next(sizes)
        case.repository.exports.add(case.trial.architecture_id, "onnx", multiple_of=size)
        _, lease = case.repository.exports.claim("one", 60, moves(Event.CLAIM))
        digest = store.put(b"%d" % size)
        case.repository.exports.deliver(
            lease, moves(Event.SUCCEED), file_name="x", size=1, sha256=digest, manifest={}
        )
        return found

    monkeypatch.setattr(ArtifactStore, "digests", digests)
    assert case.doctor("--repair") == {}


@pytest.mark.parametrize("damage", [lost_file, changed_file])
def test_what_was_written_again_since_the_doctor_looked_is_left_alone(case, damage):
    damage(case)
    found = list(files.artifacts(case.settings, Care(case.repository.database)))
    case.settings.artifacts.put(b"a network")
    for each in found:
        if each.repair:
            each.repair()
    assert case.repository.exports.get(case.export.id).state is State.SUCCEEDED
    assert case.settings.artifacts.holds(case.file)
