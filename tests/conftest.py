"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import signal
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# One thread each, so that tests and trials share a machine fairly: before torch is imported, and
# for every process that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# All tests' modules together are a million objects: to look through them for garbage as often as a
# small program does takes a fifteenth of the time.
gc.set_threshold(50_000, 20, 20)

# A shell that starts the tests in the background lets them, and all they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = {
    "test_readme.py",
    "test_searching.py",
    "test_searching_killed.py",
    "test_searching_own.py",
    "test_trainer.py",
    "test_lattice.py",
}
"""They begin first: at the end one process would still run them while the other waits."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


TOGETHER = ("tests/e2e/dashboard/", "tests/service/client/")
"""Folders whose files share a server and a job that take long to make."""


class Scheduling(LoadFileScheduling):
    """The tests of a file run in one process, and so do those of a folder that shares something."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)
