"""Files and artifacts on a disk and in a bucket: the same promises."""

from __future__ import annotations

import hashlib
import threading
import time

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


def test_a_store_that_does_not_answer_is_an_oserror(monkeypatch, s3):
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    try:
        with pytest.raises(OSError, match="s3://bucket"):
            Storage("s3://bucket").read("a")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
