"""Ray clusters of real nodes on this machine, each the processes of one `ray start`."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

_RAY = str(Path(sys.executable).with_name("ray"))
_SOON = {
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""A head gives up a node that does not answer after seconds, not half a minute."""


@dataclass(frozen=True)
class Node:
    """All processes of one `ray start`, which are a session: each worker leaves the group."""

    session: int
    host: str

    def kill(self) -> None:
        """End them all at once, as a machine ends that loses its power."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(ProcessLookupError):
                if os.getsid(int(process.name)) == self.session:
                    os.kill(int(process.name), signal.SIGKILL)


@dataclass
class Cluster:
    """A head without processors, and the nodes that were added.

    Attributes:
        address: as Ray and RESNAS_RAY_ADDRESS take it.
        environment: of whoever joins: all that is needed is the token, if there is one.
    """

    address: str
    environment: dict[str, str]
    folder: Path
    nodes: list[Node] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Where the head listens."""
        return self.address.rpartition(":")[0]

    def start_head(self) -> Node:
        """Start the head."""
        port = self.address.rpartition(":")[2]
        words = (f"--port={port}", "--num-cpus=0", "--include-dashboard=false")
        return self._start("--head", *words, host=self.host)

    def add(self, host: str, within: tuple[str, ...] = ()) -> Node:
        """Add a node with one processor.

        Args:
            host: its own address.
            within: words before its command, which take it to where it has that address.
        """
        words = (f"--address={self.address}", "--num-cpus=1")
        return self._start(*words, host=host, within=within)

    def _start(self, *words: str, host: str, within: tuple[str, ...] = ()) -> Node:
        own = self.folder / host  # or two nodes that start at once take each other's sockets
        own.mkdir()
        log = own / "start.log"
        command = (_RAY, "start", *words, f"--node-ip-address={host}", f"--temp-dir={own}")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*within, *command],
                env=os.environ | _SOON | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        node = Node(process.pid, host)
        self.nodes.append(node)
        assert process.wait() == 0, log.read_text(errors="replace")[-2000:]
        return node


@contextmanager
def cluster(nodes: int, *, token: bool = True, host: str = "127.0.0.1") -> Iterator[Cluster]:
    """A cluster of a head and that many nodes with one processor each, all on one address."""
    guard = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:  # a socket's path is short
        found = Cluster(
            f"{host}:{_free_port(host)}",
            (guard if token else {"RAY_AUTH_MODE": "disabled"})
            | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"},
            Path(folder),
        )
        try:
            found.start_head()
            with ThreadPoolExecutor() as pool:
                list(pool.map(found.add, [f"127.0.0.{2 + number}" for number in range(nodes)]))
            yield found
        finally:
            for node in found.nodes:
                node.kill()


def _free_port(host: str) -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])
