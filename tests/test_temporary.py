"""Temporary folders go with their process, or with the next one where that was killed."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from resnas.executors._temporary import IN_USE, temporary


@pytest.fixture
def abandoned(tmp_path: Path) -> Path:
    """What a process leaves that is killed while it uses its folder."""
    child = os.fork()
    if child == 0:
        with temporary("test-", str(tmp_path)) as folder:
            Path(folder, "session").mkdir()
            os._exit(0)  # as by SIGKILL, nothing is tidied up
    os.waitpid(child, 0)
    (left,) = tmp_path.iterdir()
    assert (left / "session").is_dir()
    return left


def test_a_folder_is_there_until_the_end(tmp_path):
    with temporary("test-", str(tmp_path)) as folder:
        assert list(tmp_path.iterdir()) == [Path(folder)]
        assert Path(folder).name.startswith("test-")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_when_the_next_one_begins(abandoned):
    with temporary("test-", str(abandoned.parent)) as folder:
        assert list(abandoned.parent.iterdir()) == [Path(folder)]


def test_what_is_in_use_or_not_of_this_kind_stays(tmp_path):
    others = [tmp_path / "test-of-another-program", tmp_path / "other"]
    for folder in others:
        folder.mkdir()
    (others[1] / IN_USE).touch()
    with temporary("test-", str(tmp_path)) as used, temporary("test-", str(tmp_path)):
        assert Path(used).is_dir()
    assert set(tmp_path.iterdir()) == set(others)


def test_what_another_user_left_stays(abandoned, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: abandoned.stat().st_uid + 1)
    with temporary("test-", str(abandoned.parent)):
        assert (abandoned / "session").is_dir()


def test_what_another_machine_has_in_use_stays(tmp_path):
    there = tmp_path / "test-there"
    there.mkdir()
    (there / ".resnas-in-use-another-machine").touch()
    with temporary("test-", str(tmp_path)):
        assert there.is_dir()


def test_where_there_are_no_locks_a_folder_is_made_and_removed(tmp_path, monkeypatch):
    def flock(_file, _operation):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    with temporary("test-", str(tmp_path)) as one, temporary("test-", str(tmp_path)):
        assert Path(one).is_dir()
    assert list(tmp_path.iterdir()) == []
