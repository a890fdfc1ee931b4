"""What the processes of a session listen on, as the kernel tells it."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"


def listeners(root: int) -> set[str]:
    """The addresses on which a process and its descendants accept TCP connections."""
    inodes = {inode for process in _family(root) for inode in _sockets(process)}
    return {
        address
        for table in ("tcp", "tcp6")
        for address, inode in _table(Path("/proc/net", table))
        if inode in inodes
    }


def _family(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # the name, in parentheses, may hold anything
            parents[int(process.name)] = int(
                (process / "stat").read_text().rpartition(")")[2].split()[1]
            )
    family = {root}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _sockets(process: int) -> Iterator[str]:
    with suppress(OSError):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                target = os.readlink(descriptor)  # noqa: PTH115 - it is no path
                if target.startswith("socket:["):
                    yield target[8:-1]


def _table(path: Path) -> Iterator[tuple[str, str]]:
    if not path.exists():
        return
    for line in path.read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == _LISTEN:
            yield _address(words[1].partition(":")[0]), words[9]


def _address(text: str) -> str:
    """An address as the kernel writes it: words of four bytes in this machine's order."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed)
