"""Whether Ray starts, or whether the configured cluster answers: asked in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from service import interpreter
from service.doctor.findings import Finding, broken, ok
from service.settings import Settings

_SECONDS = 90.0


def ray(settings: Settings) -> Iterator[Finding]:
    """Ray, where it is what runs the trials."""
    if settings.executor != "ray":
        yield ok("Ray", f"not used: RESNAS_EXECUTOR is {settings.executor}")
        return
    where = settings.ray_address or "a private Ray"
    status, said, complaint = _ask(settings.ray_address or "")
    if status == 0:
        found = json.loads(said.splitlines()[-1])
        cpus, gpus = found.get("CPU", 0), found.get("GPU", 0)
        yield ok("Ray", f"{where} answers with {cpus:g} processors and {gpus:g} GPUs")
        return
    lines = complaint.strip().splitlines() or [f"it ended with status {status}"]
    step = (
        "See that the cluster runs and that RESNAS_RAY_ADDRESS and RAY_AUTH_TOKEN are right"
        if settings.ray_address
        else "See the message; a firewall on loopback or a full /tmp or /dev/shm are usual causes"
    )
    yield broken("Ray", f"{where} cannot be used: {lines[-1]}", step)


def _ask(address: str) -> tuple[int, str, str]:
    """Connect in a child process; its status, what it printed, and its complaints."""
    child = subprocess.Popen(
        interpreter.command("service.doctor.ray", address),
        env=interpreter.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # its own group, so that all of it can be killed
    )
    try:
        said, complaint = child.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return 1, "", f"no answer for {_SECONDS:g} seconds"
    return child.returncode, said, complaint


def main() -> None:
    """Connect to the Ray at the address that is the argument, and print its resources."""
    from ray import cluster_resources

    from resnas.executors._cluster import connected

    with connected(sys.argv[1] or None):
        sys.stdout.write(json.dumps(cluster_resources()) + "\n")


if __name__ == "__main__":
    main()
