"""What a client has is not sent again, and of a file only the part that it lacks."""

import pytest

from resnas.results import EpochMetrics, Phase
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC, refused, result

FILE = b"0123456789" * 10


@pytest.fixture
def content(client, stored, settings, front):
    """The path of an export's file."""
    (architecture_id, *_) = (t.architecture_id for t in stored.trials.page(front.id, 1))
    export = stored.exports.add(architecture_id, "onnx")
    _, lease = stored.exports.claim("one", 60, moves(Event.CLAIM))
    stored.exports.deliver(
        lease,
        moves(Event.SUCCEED),
        file_name="a.onnx",
        size=len(FILE),
        sha256=settings.artifacts.put(FILE),
        manifest={},
    )
    return f"/v1/exports/{export.id}/content"


def tag_of(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, no-cache"
    return answer.headers["etag"]


def is_unchanged(client, path, tag):
    answer = client.get(path, headers={"If-None-Match": tag})
    if answer.status_code == 304:
        assert (answer.content, answer.headers["etag"]) == (b"", tag_of(client, path))
    return answer.status_code == 304


@pytest.mark.parametrize("part", ["", "/front", "/trials", "/front?include_dominated=true"])
def test_what_has_not_changed_is_not_sent_again(client, stored, part):
    job = stored.jobs.add(SPEC, ESTIMATE)
    _, lease = stored.jobs.claim("one", 60, moves(Event.CLAIM))
    stored.trials.record(lease, result(0))
    path = f"/v1/jobs/{job.id}{part}"
    tag = tag_of(client, path)
    assert is_unchanged(client, path, tag)
    stored.trials.record(lease, result(1, accuracy=0.95))
    assert not is_unchanged(client, path, tag)
    assert is_unchanged(client, path, tag_of(client, path))


def test_every_state_of_a_job_is_another_version(client, stored):
    job = stored.jobs.add(SPEC, ESTIMATE)
    path = f"/v1/jobs/{job.id}"
    tags = [tag_of(client, path)]
    _, lease = stored.jobs.claim("one", 60, moves(Event.CLAIM))
    tags.append(tag_of(client, path))
    stored.jobs.finish(lease, moves(Event.FAIL))
    tags.append(tag_of(client, path))
    stored.jobs.retry(job.id, moves(Event.RETRY))
    tags.append(tag_of(client, path))
    assert len(set(tags)) == 4


def test_a_job_is_another_version_where_an_epoch_that_is_repeated_takes_longer(client, stored):
    def epoch(seconds):
        return EpochMetrics(
            trial=0,
            epoch=1,
            epochs=2,
            phase=Phase.SEARCH,
            train_loss=1.0,
            val_accuracy=0.5,
            gmacs=0.005,
            sizes={},
            strides={},
            seconds=seconds,
        )

    job = stored.jobs.add(SPEC, ESTIMATE)
    _, lease = stored.jobs.claim("one", 60, moves(Event.CLAIM))
    stored.trials.progress(lease, epoch(1.0))
    path = f"/v1/jobs/{job.id}"
    tag, events = tag_of(client, path), client.get(path).json()["events"]
    stored.trials.progress(lease, epoch(7.0))
    assert not is_unchanged(client, path, tag)
    assert client.get(path).json()["events"] == events


def test_an_architecture_and_the_front_of_all_jobs_have_versions(client, front):
    (point, *_) = client.get("/v1/front").json()["points"]
    for path in (f"/v1/architectures/{point['architecture_id']}", "/v1/front?dataset=digits"):
        assert is_unchanged(client, path, tag_of(client, path))
        assert not is_unchanged(client, path, '"another"')


def test_a_tag_may_be_one_of_several_weak_or_any(client, content):
    tag = tag_of(client, content)
    for given in (f'"x", {tag}', f"W/{tag}", f'W/"x",W/{tag}', "*"):
        assert is_unchanged(client, content, given)
    for given in (tag.strip('"'), "", '"x"', '"', "W/"):
        assert not is_unchanged(client, content, given)


def test_the_fronts_of_several_jobs_are_one_front(client, stored, front):
    other = stored.jobs.add(SPEC.model_copy(update={"backbone": "vgg_small"}), ESTIMATE)
    _, lease = stored.jobs.claim("one", 60, moves(Event.CLAIM))
    stored.trials.record(lease, result(0, accuracy=0.92, macs=5_000_000))
    points = client.get("/v1/front").json()["points"]
    found = [(point["gmacs"], point["job_id"]) for point in points]
    assert found == [(0.002, front.id), (0.005, other.id), (0.02, front.id)]
    points = client.get("/v1/front", params={"backbone": "vgg_small"}).json()["points"]
    assert [point["job_id"] for point in points] == [other.id]
    assert client.get("/v1/front?dataset=nothing").json()["points"] == []
    refused(client.get("/v1/front?backbones=vgg_small"), 422)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", FILE[:10]),
        ("bytes=95-", FILE[95:]),
        ("bytes=-3", FILE[-3:]),
        ("bytes=90-1000", FILE[90:]),
        ("bytes=-1000", FILE),
    ],
)
def test_one_part_of_a_file_is_sent(client, content, asked, part):
    answer = client.get(content, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["content-range"].endswith("/100")
    assert answer.headers["etag"] == tag_of(client, content)


@pytest.mark.parametrize(
    "asked",
    ["", "bytes", "bytes=", "bytes=-", "bytes=9-0", "lines=0-1", "bytes=a-b", "bytes=0-1,5-6"],
)
def test_what_is_no_part_is_answered_with_the_whole(client, content, asked):
    answer = client.get(content, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, FILE)


def test_a_part_of_another_version_is_answered_with_the_whole(client, content):
    headers = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert client.get(content, headers=headers).content == FILE
    headers["If-Range"] = tag_of(client, content)
    assert client.get(content, headers=headers).content == FILE[:10]


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=-0", f"bytes=0-{',0-' * 10_000}"])
def test_a_part_that_is_not_there_and_ten_thousand_parts_are_refused(client, content, asked):
    answer = client.get(content, headers={"Range": asked})
    refused(answer, 416)
    assert answer.headers["content-range"] == "bytes */100"


def test_a_file_that_is_gone_is_to_be_exported_again(client, settings, content):
    (digest,) = settings.artifacts.digests()
    settings.artifacts.delete(digest)
    assert "/exports" in refused(client.get(content), 409)["next_step"]


def test_a_storage_that_fails_is_to_be_asked_again(client, settings, content):
    (digest,) = settings.artifacts.digests()
    file = settings.artifacts.path(digest)
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("in the way")
    answer = client.get(content)
    refused(answer, 503)
    assert answer.headers["retry-after"] == "5"
