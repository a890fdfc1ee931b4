"""Who gets into a Ray: a private one, one on loopback, one that other machines reach."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest

from resnas.errors import ClusterRefused
from resnas.executors._joining import answers, must_be_joinable
from service import heads
from service.errors import StartRefused
from service.serving import run_worker
from service.settings import Settings
from tests.cluster.listening import listeners
from tests.cluster.nodes import cluster
from tests.service.conftest import wait

PRIVATE = """
import ray
from resnas.executors._cluster import connected
with connected(None):
    ray.get(ray.remote(lambda: 1).remote())
    print(ray.get_runtime_context().gcs_address, flush=True)
    input()
"""


def own_address() -> str | None:
    """An address of this machine that others could reach; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        host = str(probe.getsockname()[0])
    return None if ip_address(host).is_loopback else host


def is_loopback(address: str) -> bool:
    found = ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback


@pytest.mark.chaos
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="asks the Linux kernel")
def test_a_private_ray_listens_on_loopback_alone_and_lets_nobody_in_without_its_token(monkeypatch):
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # nobody can have it so
    with subprocess.Popen(
        [sys.executable, "-c", PRIVATE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        heard = listeners(process.pid)
        assert len(heard) >= 1
        assert all(is_loopback(each) for each in heard), heard
        with pytest.raises(ClusterRefused, match="does not take the token of this process"):
            must_be_joinable(address)
        process.communicate("\n")


def test_nothing_at_an_address_is_told_soon():
    with pytest.raises(ConnectionError, match=r"no Ray cluster answers at 127\.0\.0\.1:9"):
        must_be_joinable("127.0.0.1:9")


@pytest.mark.parametrize("address", ["auto", "", ":6379", "ray://10.0.0.1:10001"])
def test_what_cannot_be_asked_for_its_token_is_not_joined(address):
    with pytest.raises(ClusterRefused, match="no host:port"):
        must_be_joinable(address)


@pytest.mark.chaos
@pytest.mark.skipif(own_address() is None, reason="needs an address beyond loopback")
def test_a_cluster_without_a_token_is_joined_on_loopback_alone(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("RAY_AUTH")]:
        monkeypatch.delenv(name)
    with cluster(0, token=False) as nodes:
        port = nodes.address.rpartition(":")[2]
        must_be_joinable(nodes.address)
        reachable = f"{own_address()}:{port}"
        with pytest.raises(ClusterRefused, match="whoever reaches it can run anything"):
            must_be_joinable(reachable)
        settings = Settings(data_dir=tmp_path, ray_address=reachable)
        with pytest.raises(StartRefused, match="RAY_AUTH_MODE=token"):
            run_worker(settings)


def test_a_head_that_falls_silent_is_told_and_one_that_answers_is_not(monkeypatch):
    monkeypatch.setattr(heads, "PAUSE", 0.02)
    monkeypatch.setattr(heads, "PATIENCE", 0.2)
    told: list[str] = []
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        heads.watch(address, lambda reason: (told.append(reason), ended.set()))
        for _ in range(20):
            wait(lambda: head.accept()[0].close() or True)
        assert told == []
    ended.wait()
    assert not answers(address, 1)
    (reason,) = told
    assert address in reason
