"""A database that is a file: checked when it is opened, copied before its schema changes."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import StartRefused
from service.store import backups, sqlite_file
from service.store.backups import back_up, newest
from service.store.migrate import VERSION_TABLE, migrate
from service.store.repository import Repository
from service.store.sqlite_file import file_system, refuse_network
from tests.service.conftest import ESTIMATE, SPEC
from tests.service.test_migrate_old import kept, old


@pytest.fixture
def file(tmp_path):
    return tmp_path / "resnas.sqlite3"


@pytest.fixture
def url(file):
    return f"sqlite:///{file}"


def asked(file, query):
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def test_a_database_is_copied_before_its_schema_changes_and_never_else(url, file):
    migrate(url)
    migrate(url)
    assert newest(file) is None
    file.unlink()
    old(url, "0001")
    migrate(url)
    migrate(url)
    (copy,) = (file.parent / "backups").iterdir()
    assert copy == newest(file)
    assert copy.name.endswith("-0001-resnas.sqlite3")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert asked(copy, f"SELECT version_num FROM {VERSION_TABLE}") == [("0001",)]
    assert asked(copy, "SELECT COUNT(*) FROM trials") == [(1,)]


def test_a_backup_that_cannot_be_written_stops_the_migration(url, file):
    old(url, "0001")
    (file.parent / "backups").write_text("in the way")
    with pytest.raises(StartRefused, match="the backup before its migration") as refusal:
        migrate(url)
    assert "nothing was changed" in refusal.value.next_step
    assert asked(file, f"SELECT version_num FROM {VERSION_TABLE}") == [("0001",)]


def test_the_newest_five_backups_of_each_database_are_kept(url, file):
    migrate(url)
    other = file.with_name("other.sqlite3")
    migrate(f"sqlite:///{other}")
    back_up(other, "0001")
    made = [back_up(file, f"{number:04}") for number in range(7)]
    left = sorted((file.parent / "backups").iterdir())
    assert left == sorted([*made[-backups.KEPT :], newest(other)])
    assert newest(file) == made[-1]


def test_a_backup_is_what_the_database_was_at_one_moment_while_others_write(url, file):
    repository = Repository.open(url)
    over = threading.Event()

    def write():
        while not over.is_set():
            repository.jobs.add(SPEC, ESTIMATE)  # a job and its event, or neither

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [back_up(file, "0003") for _ in range(5)]
    finally:
        over.set()
        writer.join()
        repository.close()
    for copy in copies:
        assert asked(copy, "PRAGMA quick_check") == [("ok",)]
        assert asked(copy, "SELECT COUNT(*) FROM jobs") == asked(
            copy, "SELECT COUNT(*) FROM events"
        )


@pytest.mark.parametrize("damage", [b"", b"no database"], ids=["cut off", "overwritten"])
def test_a_damaged_database_is_refused_and_the_way_back_leads_back(url, file, damage):
    old(url, "0001")
    migrate(url)
    whole = file.read_bytes()
    file.write_bytes(damage * 1000 or whole[: len(whole) // 2])
    with pytest.raises(StartRefused, match="it is damaged") as refusal:
        migrate(url)
    assert f"cp {newest(file)} {file}" in refusal.value.next_step
    newest(file).replace(file)
    migrate(url)
    assert kept(url)


def test_a_damaged_database_without_a_backup_says_how_to_save_what_is_left(url, file):
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(StartRefused, match="There is no backup") as refusal:
        migrate(url)
    assert ".recover" in refusal.value.next_step


def test_a_large_database_is_checked_where_its_last_user_was_cut_off(url, file, monkeypatch):
    monkeypatch.setattr(sqlite_file, "ALWAYS_CHECKED", 0)
    checked = []
    monkeypatch.setattr(sqlite_file, "damage", checked.append)
    repository = Repository.open(url)
    assert checked == []
    repository.jobs.add(SPEC, ESTIMATE)
    image = {path: path.read_bytes() for path in file.parent.glob("resnas.sqlite3*")}
    repository.close()
    migrate(url)
    assert checked == []
    for path, content in image.items():  # as a process that was killed leaves them
        path.write_bytes(content)
    migrate(url)
    assert checked == [file]


def test_a_log_that_was_torn_anywhere_opens_with_all_that_was_whole(url, file, tmp_path):
    migrate(url)
    repository = Repository.connect(url)
    for _ in range(3):
        repository.jobs.add(SPEC, ESTIMATE)
    log = Path(f"{file}-wal")
    content, pages = log.read_bytes(), file.read_bytes()
    repository.close()
    frame = 24 + 4096  # a header and a page
    cuts = [0, 7, 32, *range(32 + 11, len(content), frame + frame // 3), len(content)]
    jobs = []
    for cut in cuts:
        torn = tmp_path / str(cut) / "resnas.sqlite3"
        torn.parent.mkdir()
        torn.write_bytes(pages)
        Path(f"{torn}-wal").write_bytes(content[:cut])
        again = Repository.open(f"sqlite:///{torn}")
        assert asked(torn, "PRAGMA quick_check") == [("ok",)]
        jobs.append(len(again.jobs.page(9)))
        again.jobs.add(SPEC, ESTIMATE)
        again.close()
    assert jobs == sorted(jobs)
    assert jobs[-1] == 3


MOUNTS = """\
proc /proc proc rw 0 0
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local xfs rw 0 0
me@host:/x /mnt/my\\040files fuse.sshfs rw 0 0
//nas/share /share cifs rw 0 0
tmpfs /share tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind", "refused"),
    [
        ("/var/data", "ext4", False),
        ("/home/me/data", "nfs4", True),
        ("/home/local/data", "xfs", False),
        ("/homes/data", "ext4", False),
        ("/mnt/my files/data", "fuse.sshfs", True),
        ("/share/data", "tmpfs", False),
    ],
)
def test_network_file_systems_are_refused(tmp_path, folder, kind, refused):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert file_system(Path(folder), mounts) == kind
    file = Path(folder) / "resnas.sqlite3"
    if not refused:
        refuse_network(file, mounts)
        return
    with pytest.raises(StartRefused, match="network file system") as refusal:
        refuse_network(file, mounts)
    assert "RESNAS_DATABASE_URL" in refusal.value.next_step


def test_where_the_system_lists_no_mounts_nothing_is_refused(file, tmp_path):
    refuse_network(file, tmp_path / "none")
