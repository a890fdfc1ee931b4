"""Connecting to Ray: the caller's, one at an address, or a private one for the time of a run."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import ray
from ray._private import ray_constants
from ray._private import worker as ray_worker

from resnas.executors._joining import must_be_joinable
from resnas.executors._running import processors
from resnas.executors._temporary import temporary


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Ray is there until the end; what was started here is also ended here.

    A Ray that the caller has initialised is used and left as it is.

    Args:
        address: of a running cluster. None: a private Ray on loopback, which has all CPUs and
            GPUs that this process may use.

    Raises:
        ConnectionError, ClusterRefused: see `must_be_joinable`.
    """
    if ray.is_initialized():
        yield
    elif address is not None:
        must_be_joinable(address)
        mode = os.environ.get("RAY_AUTH_MODE")
        with environment({"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": mode}):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            yield from _until_shutdown()
    else:
        with environment(_private()), _loopback(), temporary("ray-", _short()) as folder:
            ray.init(
                address="local",
                num_cpus=processors(),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=folder,
            )
            yield from _until_shutdown()


@contextmanager
def environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """Environment variables set (or, where None, unset) until the end.

    Ray and Tune have settings that can be given in no other way.
    """
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def quiet() -> Iterator[None]:
    """Ray's own log is silent until the end: failures are told to the feed, in one line each."""
    logger = logging.getLogger("ray")
    before, tune_before = logger.level, logging.getLogger("ray.tune").level
    logger.setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
        logging.getLogger("ray.tune").setLevel(tune_before)


@contextmanager
def _loopback() -> Iterator[None]:
    """Ray listens on 127.0.0.1 alone.

    Asked for that address it takes the machine's public one instead, unless clusters are switched
    off; it reads that switch, an environment variable, once at import into this constant.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _until_shutdown() -> Iterator[None]:
    before = ray_worker._worker_logs_enabled
    ray_worker._worker_logs_enabled = False  # or the death of a worker is printed to stdout
    try:
        yield
    finally:
        ray.shutdown()
        ray_worker._worker_logs_enabled = before


def _private() -> dict[str, str | None]:
    """What a private Ray finds in its environment."""
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's own processes, too: loopback
        # otherwise Ray would write a token of its own into the home directory
        "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN") or _token(),
        "RAY_AUTH_MODE": None,  # then Ray demands a token, whatever was set or it has read before
        # workers import what the caller can import, installed or not
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
    }


@cache
def _token() -> str:
    """The secret of this process's private Rays; one, because Ray reads it only once."""
    return secrets.token_hex(32)


def _short() -> str | None:
    """Where Ray's sockets go: their whole path must not be longer than about 100 characters."""
    return "/tmp" if Path("/tmp").is_dir() else None
