"""A bucket on a server of the S3 protocol, on loopback."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_names = itertools.count()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The endpoint of an S3 server, which the environment names to this and to child processes."""
    server_module = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (_ENVIRONMENT | {"AWS_ENDPOINT_URL_S3": endpoint}).items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield endpoint
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def bucket(s3: str) -> str:
    """The URL of an empty bucket."""
    import s3fs

    name = f"bucket{next(_names)}"
    s3fs.S3FileSystem(use_listings_cache=False).mkdir(name)
    return f"s3://{name}"
