"""A request that is sent again under its key is carried out once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from service.app import create_app
from service.errors import InFlight, KeyReused
from service.idempotency import Once, Reply
from service.settings import Settings
from service.store import requests
from service.transitions import Event, moves
from tests.service.conftest import BODY, ESTIMATE, SPEC, refused, result

KEY = {"Idempotency-Key": "one"}


class Body(BaseModel):
    id: str


@pytest.fixture
def once(repository):
    return Once(repository.requests, "local", "/v1/jobs", "one")


def hand_in(repository, keep):
    """A job, kept as the answer in its own transaction."""

    def reply(job):
        return Reply(202, Body(id=job.id))

    return reply(repository.jobs.add(SPEC, ESTIMATE, also=keep(reply)))


def records(repository):
    with repository.database.read() as session:
        return session.connection().exec_driver_sql("SELECT count(*) FROM requests").scalar()


def jobs(repository):
    return repository.jobs.page(10)


def test_what_is_sent_again_gets_the_first_answer(client, stored):
    first, second = (client.post("/v1/jobs", json=BODY, headers=KEY) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len(jobs(stored)) == 1
    stored.jobs.cancel(first.json()["id"], moves(Event.CANCEL), moves(Event.RELEASE))
    third = client.post("/v1/jobs", json=BODY, headers=KEY)
    assert third.json() == first.json()


def test_another_request_under_the_same_key_is_refused(client, stored):
    client.post("/v1/jobs", json=BODY, headers=KEY)
    for path, body in [("/v1/jobs", BODY | {"seed": 1}), ("/v1/jobs?priority=3", BODY)]:
        problem = refused(client.post(path, json=body, headers=KEY), 422)
        assert problem["type"].endswith("key-reused")
    assert len(jobs(stored)) == 1


def test_a_refused_request_leaves_its_key_free(client, stored):
    wrong = BODY | {"backbone": "mobilenet_smal"}
    refused(client.post("/v1/jobs", json=wrong, headers=KEY), 422)
    assert client.post("/v1/jobs", json=BODY, headers=KEY).status_code == 202
    assert len(jobs(stored)) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_none_is_refused(client, stored, key):
    problem = refused(client.post("/v1/jobs", json=BODY, headers={"Idempotency-Key": key}), 422)
    assert problem["errors"][0]["parameter"] == "idempotency-key"
    assert jobs(stored) == []


def test_a_hundred_at_once_make_one_job_on_both_databases(database_url, tmp_path):
    settings = Settings(data_dir=tmp_path / "data", database_url=database_url, worker=False)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        token = settings.token_path.read_text().strip()
        headers = KEY | {"Authorization": f"Bearer {token}"}
        together = threading.Barrier(100)

        def send(_):
            together.wait()
            return client.post("/v1/jobs", json=BODY, headers=headers)

        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(send, range(100)))
        accepted = [answer for answer in answers if answer.status_code == 202]
        others = [answer for answer in answers if answer.status_code != 202]
        assert all(refused(answer, 409) and answer.headers["retry-after"] for answer in others)
        (job_id,) = {answer.json()["id"] for answer in accepted}
        assert client.post("/v1/jobs", json=BODY, headers=headers).json()["id"] == job_id
        found = client.get("/v1/jobs", headers=headers).json()["items"]
        assert [job["id"] for job in found] == [job_id]


def test_while_a_request_is_carried_out_the_same_one_is_told_to_wait(repository, once):
    def carry_out(keep):
        with pytest.raises(InFlight):
            once.respond(1, lambda _: pytest.fail("carried out twice"))
        with pytest.raises(KeyReused):
            once.respond(2, lambda _: pytest.fail("it is another one"))
        return hand_in(repository, keep)

    assert once.respond(1, carry_out).status_code == 202


def test_keys_of_others_and_of_other_paths_are_other_keys(repository, once):
    for name in ("local", "other"):
        for path in ("/v1/jobs", "/v1/jobs/x:retry"):
            mine = Once(repository.requests, name, path, "one")
            answer = mine.respond(name + path, lambda keep: hand_in(repository, keep))
            assert "idempotent-replayed" not in answer.headers
    assert len(jobs(repository)) == 4


def test_a_request_whose_server_died_is_carried_out_by_the_next(repository, once, monkeypatch):
    class Died(BaseException):
        pass

    def die(_):
        raise Died

    with pytest.raises(Died):
        once.respond(1, die)
    with pytest.raises(InFlight):
        once.respond(1, die)
    monkeypatch.setattr(requests, "IN_FLIGHT", -1.0)
    with pytest.raises(Died):
        Once(repository.requests, "local", "/v1/jobs", "two").respond(1, die)
    again = Once(repository.requests, "local", "/v1/jobs", "two")
    assert again.respond(1, lambda keep: hand_in(repository, keep)).status_code == 202
    assert len(jobs(repository)) == 1


def test_a_long_request_is_not_ended_by_those_under_other_keys(repository, once, monkeypatch):
    monkeypatch.setattr(requests, "IN_FLIGHT", -1.0)
    other = Once(repository.requests, "local", "/v1/jobs", "two")

    def slow(keep):
        other.respond(1, lambda keep: hand_in(repository, keep))
        return hand_in(repository, keep)

    assert once.respond(1, slow).status_code == 202
    assert len(jobs(repository)) == 2


def test_a_request_that_was_overtaken_changes_nothing(repository, once, monkeypatch):
    monkeypatch.setattr(requests, "IN_FLIGHT", -1.0)

    def slow(keep):
        once.respond(1, lambda keep: hand_in(repository, keep))
        return hand_in(repository, keep)

    with pytest.raises(InFlight):
        once.respond(1, slow)
    assert len(jobs(repository)) == 1


def test_old_answers_are_forgotten_when_new_ones_come(repository, once, monkeypatch):
    monkeypatch.setattr(requests, "KEPT", -1.0)
    for _ in range(2):
        answer = once.respond(1, lambda keep: hand_in(repository, keep))
        assert "idempotent-replayed" not in answer.headers
    Once(repository.requests, "local", "/v1/jobs", "two").respond(
        1, lambda keep: hand_in(repository, keep)
    )
    assert records(repository) == 1


def test_a_retry_and_an_export_have_keys_too(client, stored, front):
    job = stored.jobs.add(SPEC, ESTIMATE)
    _, lease = stored.jobs.claim("two", 60, moves(Event.CLAIM))
    stored.jobs.finish(lease, moves(Event.FAIL))
    (point, *_) = client.get(f"/v1/jobs/{front.id}/front").json()["points"]
    for path, body in [
        (f"/v1/jobs/{job.id}:retry", None),
        (f"/v1/architectures/{point['architecture_id']}/exports", {"format": "onnx"}),
    ]:
        first, second = (client.post(path, json=body, headers=KEY) for _ in range(2))
        assert first.is_success, first.text
        assert second.json() == first.json()
        assert second.headers["idempotent-replayed"] == "true"
    assert stored.jobs.get(job.id).state == "queued"


def test_a_retry_that_is_sent_again_is_answered_as_before_with_the_best_so_far(client, stored):
    job = stored.jobs.add(SPEC, ESTIMATE)
    _, lease = stored.jobs.claim("one", 60, moves(Event.CLAIM))
    stored.trials.record(lease, result())
    stored.jobs.finish(lease, moves(Event.FAIL))
    first, second = (client.post(f"/v1/jobs/{job.id}:retry", headers=KEY) for _ in range(2))
    assert first.json()["best"]["val_accuracy"] == 0.9
    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"


def test_a_request_that_does_nothing_is_answered_alike_for_some_minutes(
    client, stored, front, monkeypatch
):
    (point, *_) = client.get(f"/v1/jobs/{front.id}/front").json()["points"]
    stored.exports.add(point["architecture_id"], "onnx")
    for path, body in [
        (f"/v1/jobs/{front.id}:retry", None),
        (f"/v1/architectures/{point['architecture_id']}/exports", {"format": "onnx"}),
    ]:
        first, second = (client.post(path, json=body, headers=KEY) for _ in range(2))
        assert first.is_success, first.text
        assert second.json() == first.json()
        assert second.headers["idempotent-replayed"] == "true"
    assert client.post(path, json={"format": "pt2"}, headers=KEY).status_code == 422
    assert records(stored) == 2
    monkeypatch.setattr(requests, "BRIEFLY", -1.0)
    monkeypatch.setattr(requests, "KEPT", 3600.0)
    client.post(path, json=body, headers={"Idempotency-Key": "another"})
    client.post(path, json=body, headers={"Idempotency-Key": "one more"})
    assert records(stored) == 3, "the other one is over, and swept"
