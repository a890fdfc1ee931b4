"""Whether a Ray cluster may be joined: it answers, and whoever lacks its token can do nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from ipaddress import ip_address

from resnas.errors import ClusterRefused

_PATIENCE = 10.0
"""Seconds in which a head has to accept a connection."""
_ANSWER = 30.0
"""Seconds in which it then has to say who it is."""
_ASK = """
import sys
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    GcsClient(sys.argv[1])
except AuthenticationError:
    print("refused")
else:
    print("let in")
"""
"""What a process of its own asks a head: Ray reads mode and token once in each."""


def must_be_joinable(address: str) -> None:
    """Refuse a cluster that does not answer, or that anybody who reaches it can use.

    Ray itself would wait minutes for one that does not answer.

    Raises:
        ConnectionError: nothing answers there.
        ClusterRefused: it wants no token though its address is no loopback, or it wants another
            token than this process has; or the address is no `host:port`, the only form that can
            be asked.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in address:
        raise ClusterRefused(
            f"Ray cluster {address}",
            "that is no host:port",
            "Give the address of its head as `ray start --head` prints it, like 10.0.0.7:6379",
        )
    if not answers(address, _PATIENCE):
        raise ConnectionError(f"no Ray cluster answers at {address}")
    if _lets_in(address, {"RAY_AUTH_MODE": "disabled"}):
        if not _is_loopback(host):
            raise ClusterRefused(
                f"Ray cluster {address}",
                "it wants no token: whoever reaches it can run anything on its machines",
                "Start all its nodes and this program with RAY_AUTH_MODE=token and one "
                "RAY_AUTH_TOKEN",
            )
    elif not _lets_in(address, {n: v for n, v in os.environ.items() if n.startswith("RAY_AUTH_")}):
        raise ClusterRefused(
            f"Ray cluster {address}",
            "it does not take the token of this process, or there is none",
            "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN as they are set on the cluster's nodes",
        )


def answers(address: str, seconds: float) -> bool:
    """Whether something accepts a connection at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), seconds):
            return True
    except OSError:
        return False


def _lets_in(address: str, guard: Mapping[str, str]) -> bool:
    """Whether a cluster answers a process with the mode and the token of `guard`."""
    rest = {name: v for name, v in os.environ.items() if not name.startswith("RAY_AUTH_")}
    try:
        said = subprocess.run(
            [sys.executable, "-c", _ASK, address],
            env={**rest, **guard},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER,
            check=True,
        ).stdout.split()
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        raise ConnectionError(f"what answers at {address} is no Ray cluster") from error
    return said[-2:] == ["let", "in"]


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches that host."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host.strip("[]"), None)}
    except OSError:
        return False
    return all(ip_address(str(each).partition("%")[0]).is_loopback for each in found)
