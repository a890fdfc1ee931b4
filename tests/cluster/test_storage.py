"""Files and artifacts on a disk and in a bucket: the same promises."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from resnas.errors import ResnasError
from resnas.storage import PART, ArtifactStore, Storage, StoredFile
from service.errors import InvalidSetting, StartRefused
from service.settings import Settings


@pytest.fixture(params=["disk", "file URL", "bucket"])
def location(request, tmp_path):
    if request.param == "bucket":
        return f"{request.getfixturevalue('bucket')}/some/prefix"
    return tmp_path / "kept" if request.param == "disk" else f"file://{tmp_path}/kept"


@pytest.fixture
def storage(location):
    return Storage(location)


@pytest.fixture
def artifacts(location):
    return ArtifactStore(location)


def test_what_was_written_is_read_by_whoever_opens_the_same_url(storage):
    storage.write("a/b", b"old")
    storage.write("a/b", b"new" * 1_000_000)
    again = Storage(storage.url)
    assert again.read("a/b") == b"".join(again.chunks("a/b")) == b"new" * 1_000_000
    assert again.size("a/b") == 3_000_000
    assert abs(again.modified("a/b") - time.time()) < 60


def test_what_another_process_deleted_or_wrote_is_seen_at_once(storage, location):
    other = Storage(location)
    storage.write("a", b"1")
    assert list(other.names()) == ["a"]
    storage.delete("a")
    with pytest.raises(FileNotFoundError):
        other.size("a")
    storage.write("b/c", b"2")
    assert list(other.names()) == ["b/c"]


def test_a_missing_file_is_an_error_to_read_and_none_to_delete(storage):
    for ask in (
        storage.read,
        storage.size,
        storage.modified,
        lambda name: list(storage.chunks(name)),
    ):
        with pytest.raises(FileNotFoundError):
            ask("gone")
    storage.delete("gone")
    assert list(storage.names()) == []


def test_clearing_removes_all_files_of_this_storage_alone(location):
    ours, others = Storage(f"{location}/job"), Storage(f"{location}/job2")
    ours.clear()
    for storage in (ours, others):
        storage.write("trial-0.pt", b"state")
    ours.clear()
    assert (list(ours.names()), list(others.names())) == ([], ["trial-0.pt"])


def test_a_stored_file_is_there_or_none(location):
    file = StoredFile(f"{location}/trial-3.pt")
    assert file.read() is None
    file.write(b"state")
    assert StoredFile(file.location).read() == b"state"
    file.delete()
    assert file.read() is None


def test_artifacts_are_named_by_their_content(artifacts):
    digest = artifacts.put(b"a network")
    assert digest == hashlib.sha256(b"a network").hexdigest() == artifacts.put(b"a network")
    assert (artifacts.read(digest), artifacts.size(digest)) == (b"a network", 9)
    artifacts.storage.write("README", b"no artifact")
    assert list(artifacts.digests()) == [digest]
    artifacts.delete(digest)
    assert not artifacts.holds(digest)
    assert list(artifacts.digests()) == []


def test_a_changed_artifact_is_not_read(artifacts):
    digest = artifacts.put(b"a network")
    artifacts.storage.write(f"{digest[:2]}/{digest}", b"a n3twork")
    with pytest.raises(ResnasError, match="its content now has the digest"):
        artifacts.read(digest)
    artifacts.put(b"a network")  # whoever makes it anew mends it
    assert artifacts.read(digest) == b"a network"


def test_a_missing_artifact_and_a_wrong_digest_are_told(artifacts):
    missing = "0" * 64
    for ask in (
        artifacts.read,
        artifacts.size,
        artifacts.path,
        lambda d: next(artifacts.chunks(d)),
    ):
        with pytest.raises(ResnasError, match="there is no such file"):
            ask(missing)
        with pytest.raises(ResnasError, match="is no SHA-256"):
            ask("../../etc/passwd")


def test_many_who_put_the_same_content_leave_it_whole(artifacts):
    content = bytes(range(256)) * 2_000
    threads = [threading.Thread(target=artifacts.put, args=(content,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (digest,) = artifacts.digests()
    assert artifacts.read(digest) == content


def test_what_a_crash_left_half_written_is_no_file(tmp_path):
    storage = Storage(tmp_path)
    storage.write("a", b"whole")
    (tmp_path / f"{PART}x7").write_bytes(b"ha")
    assert list(storage.names()) == ["a"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "memory://x",
        "s3:///prefix",
        "file://host/folder",
        "s3://key:secret@bucket/x",
        "simplecache::s3://bucket/x",
    ],
)
def test_other_urls_are_refused_without_repeating_a_secret(url, tmp_path):
    with pytest.raises(ResnasError, match="neither file:///folder nor s3://bucket/prefix") as told:
        Storage(url)
    assert "secret" not in str(told.value)
    with pytest.raises(InvalidSetting, match="RESNAS_STORAGE_URL"):
        Settings(data_dir=tmp_path, storage_url=url).prepare()


def test_a_server_does_not_start_on_a_bucket_that_keeps_nothing(s3, tmp_path):
    with pytest.raises(StartRefused, match="nothing can be kept there"):
        Settings(data_dir=tmp_path, storage_url="s3://none-of-that-name/x").prepare()


def test_a_server_that_starts_leaves_no_probe(bucket, tmp_path):
    Settings(data_dir=tmp_path, storage_url=f"{bucket}/x").prepare()
    assert list(Storage(bucket).names()) == []


Answer = Callable[[BaseHTTPRequestHandler], None]


def refusing(status: int, code: str = "") -> Answer:
    """A store that works, but not now, or not for this."""
    body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>" if code else ""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body.encode())

    return answer


@contextmanager
def store_at(endpoint: str) -> Iterator[Storage]:
    """A bucket at that endpoint, which is asked once, and not for long."""
    import s3fs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        patch.setattr(s3fs.S3FileSystem, "retries", 1)
        patch.setattr(s3fs.S3FileSystem, "read_timeout", 0.2)
        s3fs.S3FileSystem.clear_instance_cache()
        yield Storage("s3://bucket")
    s3fs.S3FileSystem.clear_instance_cache()


@contextmanager
def answering(answer: Answer) -> Iterator[Storage]:
    """A bucket on a server that answers everything in that one way."""

    class Handler(BaseHTTPRequestHandler):
        do_GET = do_PUT = do_HEAD = answer

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with store_at(f"http://127.0.0.1:{server.server_port}") as store:
                yield store
        finally:
            server.shutdown()


def test_a_store_that_refuses_the_connection_is_away(s3):
    with store_at("http://127.0.0.1:9") as store, pytest.raises(ConnectionError, match="s3://b"):
        store.read("a")


@pytest.mark.parametrize(
    "answer",
    [refusing(503, "SlowDown"), refusing(500, "InternalError"), refusing(502)],
    ids=["it is busy", "it is broken", "a proxy without a server"],
)
def test_a_store_that_answers_it_cannot_now_is_away(s3, answer):
    with answering(answer) as store:
        for ask in (store.read, store.size, lambda name: store.write(name, b"state")):
            with pytest.raises(ConnectionError, match="s3://bucket"):
                ask("trial-0.pt")


def test_a_store_that_never_answers_is_away(s3):
    over = threading.Event()

    def wait(_: BaseHTTPRequestHandler) -> None:
        over.wait()

    with answering(wait) as store:
        try:
            for ask in (store.read, store.size):
                with pytest.raises(ConnectionError, match="s3://bucket"):
                    ask("trial-0.pt")
        finally:
            over.set()


def test_a_store_that_refuses_for_good_is_not_away(s3):
    with answering(refusing(403, "AccessDenied")) as store, pytest.raises(PermissionError):
        store.read("a")


def test_a_full_store_is_not_away(s3):
    with (
        answering(refusing(507, "XMinioStorageFull")) as store,
        pytest.raises(OSError, match="StorageFull") as told,
    ):
        store.write("a", b"weights")
    assert not isinstance(told.value, ConnectionError)
