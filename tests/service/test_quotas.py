"""How much one owner may ask for."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from resnas.spec import JobSpec, SearchSpec, TrainingSpec
from service import jobs, keys, quotas
from service.app import create_app
from service.errors import Failure, OverQuota, TooMany
from service.principals import FIRST, Principal, Scope
from service.settings import Settings
from service.store.care import Care
from service.store.repository import Repository
from service.store.values import LOCAL, State
from service.transitions import Event, moves
from tests.service.conftest import BODY, ESTIMATE, SPEC, refused, result
from tests.service.stored import CONTENT, succeeded

ANN = Principal("ann", frozenset({Scope.READ, Scope.WRITE}))
LOST = Failure(place="the artifact store", found="its file is gone", next_step="Ask again")
WEIGHTY = ESTIMATE | {"params": 1000}
ROOT = Principal("root", frozenset({Scope.ADMIN}))


def prepared(settings, **changes):
    spec = JobSpec(backbone="mobilenet_small", dataset="digits", budget_gmacs=0.01, **changes)
    return jobs.check(spec, settings.datasets_dir)


def limited(settings, **limits):
    return settings.model_copy(update=limits)


def test_the_training_of_a_job_is_gmacs_times_epochs_times_trials(settings):
    job = prepared(settings, trials=3, training=TrainingSpec(epochs=7))
    largest = max(job.estimate.human_gmacs, 0.01)
    assert quotas.training(job) == pytest.approx(largest * 7 * 3)
    opened = SearchSpec(open={"epochs": (2, 40)})
    longer = prepared(settings, trials=3, training=TrainingSpec(epochs=7), search=opened)
    assert quotas.training(longer) == pytest.approx(largest * 40 * 3)


@pytest.mark.parametrize("limit", ["trials_per_job", "training_per_job", "pixels_per_sample"])
def test_a_job_that_is_too_large_is_refused_with_the_limit_it_breaks(settings, limit):
    job = prepared(settings, trials=3, training=TrainingSpec(epochs=7))
    fits = {
        "trials_per_job": 3,
        "training_per_job": quotas.training(job),
        "pixels_per_sample": job.estimate.input_size[1] * job.estimate.input_size[2],
    }
    quotas.check_job(limited(settings, **fits), ANN, job)
    tight = limited(settings, **fits | {limit: fits[limit] * 0.9})
    with pytest.raises(OverQuota, match=f"RESNAS_{limit.upper()}"):
        quotas.check_job(tight, ANN, job)
    quotas.check_job(tight, ROOT, job)
    quotas.check_job(limited(settings, **dict.fromkeys(fits, 0)), ANN, job)


def test_an_owner_has_so_many_queued_jobs_and_no_more(settings, repository):
    tight = limited(settings, queued_per_owner=2)
    for _ in range(2):
        quotas.check_queue(tight, ANN, repository)
        repository.jobs.add(SPEC, ESTIMATE, "ann")
    with pytest.raises(TooMany, match="RESNAS_QUEUED_PER_OWNER") as refusal:
        quotas.check_queue(tight, ANN, repository)
    assert refusal.value.retry_after > 0
    for allowed in (ROOT, FIRST, Principal("bob", ANN.scopes)):
        quotas.check_queue(tight, allowed, repository)
    quotas.check_queue(limited(settings, queued_per_owner=0), ANN, repository)
    repository.jobs.claim("one", 60, moves(Event.CLAIM))
    quotas.check_queue(tight, ANN, repository)


def test_the_files_of_an_owner_take_so_much_room_and_no_more(settings, repository):
    for owner in ("ann", "ann", "bob"):
        succeeded(repository, settings.artifacts, owner)
    stored = repository.exports.stored_bytes("ann")
    assert stored == len(CONTENT)  # the same file twice
    succeeded(repository, settings.artifacts, "ann", b"another one")
    stored = repository.exports.stored_bytes("ann")
    assert stored == len(CONTENT) + len(b"another one")
    assert repository.exports.stored_bytes("carl") == 0
    lost = succeeded(repository, settings.artifacts, "dora")
    Care(repository.database).lose([lost.export_id], LOST)
    assert repository.exports.stored_bytes("dora") == 0
    tight = limited(settings, exported_bytes_per_owner=stored - 1)
    with pytest.raises(OverQuota, match="RESNAS_EXPORTED_BYTES_PER_OWNER"):
        quotas.check_exports(tight, ANN, repository)
    quotas.check_exports(tight, Principal("bob", ANN.scopes), repository)
    quotas.check_exports(tight, ROOT, repository)
    quotas.check_exports(limited(settings, exported_bytes_per_owner=0), ANN, repository)


def test_an_owner_has_so_many_files_to_be_written_and_no_more(settings, repository):
    theirs = succeeded(repository, settings.artifacts, "ann")
    tight = limited(settings, open_exports_per_owner=1)
    quotas.check_exports(tight, ANN, repository)
    repository.exports.add(theirs.architecture_id, "pt2")
    assert (repository.exports.count_open("ann"), repository.exports.count_open("bob")) == (1, 0)
    with pytest.raises(TooMany, match="RESNAS_OPEN_EXPORTS_PER_OWNER"):
        quotas.check_exports(tight, ANN, repository)
    for allowed in (ROOT, Principal("bob", ANN.scopes)):
        quotas.check_exports(tight, allowed, repository)
    quotas.check_exports(limited(settings, open_exports_per_owner=0), ANN, repository)
    repository.exports.claim("one", 60, moves(Event.CLAIM))
    with pytest.raises(TooMany):  # it is being written
        quotas.check_exports(tight, ANN, repository)


def test_so_many_jobs_of_an_owner_are_stored_and_no_more(settings, repository):
    tight = limited(settings, stored_jobs_per_owner=2)
    for _ in range(2):
        quotas.check_stored(tight, ANN, repository)
        succeeded(repository, settings.artifacts, "ann")
    with pytest.raises(OverQuota, match="RESNAS_STORED_JOBS_PER_OWNER"):
        quotas.check_stored(tight, ANN, repository)
    for allowed in (ROOT, Principal("bob", ANN.scopes)):
        quotas.check_stored(tight, allowed, repository)
    quotas.check_stored(limited(settings, stored_jobs_per_owner=0), ANN, repository)


def failed(repository, owner):
    """A job that was given up after the first of its two trials."""
    job = repository.jobs.add(SPEC, WEIGHTY, owner)
    _, lease = repository.jobs.claim("one", 60, moves(Event.CLAIM))
    repository.trials.record(lease, result())
    repository.jobs.finish(lease, moves(Event.FAIL), LOST)
    return job


def test_the_weights_of_an_owner_take_so_much_room_and_no_more(settings, repository):
    failed(repository, "ann")
    assert repository.jobs.parameters("ann") == 1000
    repository.jobs.add(SPEC, WEIGHTY, "ann")
    assert repository.jobs.parameters("ann") == 3000
    assert repository.jobs.parameters("bob") == 0
    tight = limited(settings, weights_bytes_per_owner=4 * 5000)
    quotas.check_weights(tight, ANN, repository, 2, 1000)
    with pytest.raises(OverQuota, match="RESNAS_WEIGHTS_BYTES_PER_OWNER"):
        quotas.check_weights(tight, ANN, repository, 3, 1000)
    for allowed in (ROOT, Principal("bob", ANN.scopes)):
        quotas.check_weights(tight, allowed, repository, 3, 1000)
    no_limit = limited(settings, weights_bytes_per_owner=0)
    quotas.check_weights(no_limit, ANN, repository, 3, 1000)


def test_an_estimate_that_nobody_can_read_hides_no_other(settings):
    repository = Repository.open(settings.database)
    torn, _ = (repository.jobs.add(SPEC, WEIGHTY, "ann") for _ in range(2))
    with repository.database.write() as session:
        session.execute(text(f"UPDATE jobs SET estimate = '{{torn' WHERE id = '{torn.id}'"))
    assert repository.jobs.parameters("ann") == 2000
    repository.close()


def test_over_http_weights_without_room_are_403_and_what_runs_may_be_retried(settings):
    tight = limited(settings, weights_bytes_per_owner=7999, queued_per_owner=1)
    with TestClient(create_app(tight), base_url="http://127.0.0.1") as client:
        store = client.app.state.services.repository
        made = keys.create(store, "ann", ANN.scopes)
        client.headers["Authorization"] = f"Bearer {made.text}"
        assert "bytes of weights" in refused(client.post("/v1/jobs", json=BODY), 403)["detail"]
        path = f"/v1/jobs/{failed(store, 'ann').id}:retry"
        assert "RESNAS_WEIGHTS_BYTES" in refused(client.post(path), 403)["next_step"]
        queued = store.jobs.add(SPEC, WEIGHTY, "ann")
        assert client.post(f"/v1/jobs/{queued.id}:retry").json()["state"] == "queued"
        assert [job.id for job in store.jobs.page(5, State.QUEUED)] == [queued.id]


@pytest.mark.parametrize(
    ("limit", "status"), [("exported_bytes_per_owner", 403), ("open_exports_per_owner", 429)]
)
def test_what_is_exported_already_is_answered_at_the_limit(settings, limit, status):
    with TestClient(
        create_app(limited(settings, **{limit: 1})), base_url="http://127.0.0.1"
    ) as client:
        store = client.app.state.services.repository
        theirs = succeeded(store, settings.artifacts, "ann")
        waiting = store.exports.add(theirs.architecture_id, "pt2")
        made = keys.create(store, "ann", ANN.scopes)
        client.headers["Authorization"] = f"Bearer {made.text}"
        path = f"/v1/architectures/{theirs.architecture_id}/exports"
        for format, known in (("onnx", theirs.export_id), ("pt2", waiting.id)):
            assert client.post(path, json={"format": format}).json()["id"] == known
        refused(client.post(path, json={"format": "safetensors"}), status)
        settings.artifacts.delete(store.exports.get(theirs.export_id).sha256)
        refused(client.post(path, json={"format": "onnx"}), status)  # it would be written anew


def test_a_repeated_request_is_answered_though_a_new_one_would_be_too_many(settings):
    tight = limited(settings, open_exports_per_owner=1)
    with TestClient(create_app(tight), base_url="http://127.0.0.1") as client:
        store = client.app.state.services.repository
        theirs = succeeded(store, settings.artifacts, "ann")
        made = keys.create(store, "ann", ANN.scopes)
        client.headers["Authorization"] = f"Bearer {made.text}"
        path = f"/v1/architectures/{theirs.architecture_id}/exports"
        asked = {"json": {"format": "pt2"}, "headers": {"Idempotency-Key": "one"}}
        answers = [client.post(path, **asked) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json() == answers[1].json()
        refused(client.post(path, json={"format": "pt2", "multiple_of": 8}), 429)


def test_limits_come_from_the_environment(settings, monkeypatch):
    monkeypatch.setenv("RESNAS_TRIALS_PER_JOB", "5")
    monkeypatch.setenv("RESNAS_REQUESTS_PER_SECOND", "0.5")
    found = Settings.load(data_dir=settings.data_dir)
    assert (found.trials_per_job, found.requests_per_second) == (5, 0.5)


def test_over_http_a_job_too_large_is_403_and_one_too_many_429(settings):
    tight = limited(settings, queued_per_owner=1, trials_per_job=4, exported_bytes_per_owner=1)
    with TestClient(create_app(tight), base_url="http://127.0.0.1") as client:
        store = client.app.state.services.repository
        theirs = succeeded(store, settings.artifacts, "ann")
        made = keys.create(store, "ann", ANN.scopes)
        client.headers["Authorization"] = f"Bearer {made.text}"
        for query in ("", "?validate_only=true"):
            problem = refused(client.post(f"/v1/jobs{query}", json=BODY), 403)
            assert "RESNAS_TRIALS_PER_JOB" in problem["next_step"]
        small = BODY | {"trials": 4}
        assert client.post("/v1/jobs", json=small).status_code == 202
        response = client.post("/v1/jobs", json=small)
        assert "RESNAS_QUEUED_PER_OWNER" in refused(response, 429)["detail"]
        assert int(response.headers["retry-after"]) > 0
        assert client.post("/v1/jobs?validate_only=true", json=small).status_code == 200
        path = f"/v1/architectures/{theirs.architecture_id}/exports"
        refused(client.post(path, json={"format": "pt2"}), 403)
        client.headers["Authorization"] = f"Bearer {settings.token_path.read_text().strip()}"
        assert client.post("/v1/jobs", json=BODY).status_code == 202


def test_an_owner_runs_so_many_jobs_and_the_others_wait(repository):
    for owner in ("ann", "ann", "bob", LOCAL, LOCAL):
        repository.jobs.add(SPEC, ESTIMATE, owner)

    def claimed(most):
        found = repository.jobs.claim("one", 60, moves(Event.CLAIM), most)
        return found[0].owner if found else None

    assert sorted(claimed(1) for _ in range(4)) == ["ann", "bob", LOCAL, LOCAL]
    assert claimed(1) is None
    assert claimed(0) == "ann"
