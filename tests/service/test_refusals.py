"""How the HTTP interface refuses: every error is a problem that says what to do next."""

import asyncio
import json

import pytest
from sqlalchemy.exc import DataError

from service import limits
from service.deps import encode_cursor
from service.limits import RequestLimits
from service.principals import FIRST, NOBODY
from tests.service.conftest import BODY, refused

BAD_BODIES = {
    "backbone": (BODY | {"backbone": "mobilenet_smal"}, "Did you mean 'mobilenet_small'"),
    "dataset": (BODY | {"dataset": "digit"}, "Did you mean 'digits'"),
    "too large": (BODY | {"backbone": "preact_resnet18:widths=1000+999999999+1+1"}, "a smaller"),
    "resizer": (BODY | {"resizer": ["dynopol"]}, "Did you mean 'dynopool'"),
    "strategy": (BODY | {"strategy": "sweeep"}, "Did you mean 'sweep'"),
    "missing files": (BODY | {"dataset": "cifar10"}, None),
    "no such folder": (BODY | {"dataset": "npz:nowhere"}, None),
    "a way out": (BODY | {"dataset": "npz:../../etc/passwd"}, None),
    "a null byte": (BODY | {"dataset": "npz:a\0b"}, None),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_what_is_not_there_is_named_with_a_way_on(client, stored, name):
    body, hint = BAD_BODIES[name]
    problem = refused(client.post("/v1/jobs", json=body), 422)
    assert problem["place"]
    assert problem["found"]
    assert hint is None or hint in problem["next_step"]
    assert stored.jobs.page(1) == []


def test_an_impossible_budget_names_what_is_possible(client, stored):
    problem = refused(client.post("/v1/jobs", json=BODY | {"budget_gmacs": 1e-9}), 422)
    assert problem["type"].endswith("infeasible-budget")
    assert 1e-9 < problem["min_gmacs"] < problem["human_gmacs"] <= problem["max_gmacs"]
    assert stored.jobs.page(1) == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"budget_gmacs": 0}, "#/budget_gmacs"),
        ({"budget_gmacs": -1}, "#/budget_gmacs"),
        ({"budget_gmacs": float("nan")}, "#/budget_gmacs"),
        ({"budget_gmacs": float("inf")}, "#/budget_gmacs"),
        ({"budget_gmacs": "much"}, "#/budget_gmacs"),
        ({"budget": 1}, "#/budget"),
        ({"a/b~c": 1}, "#/a~1b~0c"),
        ({"trials": 0}, "#/trials"),
        ({"trials": 1001}, "#/trials"),
        ({"training": {"epochs": 0}}, "#/training/epochs"),
        ({"training": {"epochs": 1001}}, "#/training/epochs"),
        ({"training": {"batchsize": 8}}, "#/training/batchsize"),
        ({"resizer": []}, "#/resizer"),
        ({"backbone": None}, "#/backbone"),
    ],
)
def test_a_wrong_field_is_pointed_at(client, stored, change, pointer):
    content = json.dumps(BODY | change)
    headers = {"Content-Type": "application/json"}
    problem = refused(client.post("/v1/jobs", content=content, headers=headers), 422)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert stored.jobs.page(1) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "null"])
def test_a_body_that_is_no_object_is_refused(client, content):
    headers = {"Content-Type": "application/json"}
    problem = refused(client.post("/v1/jobs", content=content, headers=headers), 422)
    assert problem["errors"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("GET", f"/v1/jobs/{'0' * 32}", 404),
        ("GET", "/v1/jobs/%00", 404),
        ("GET", "/v1/jobs/no-id/trials", 404),
        ("GET", "/v1/jobs/no-id/front", 404),
        ("POST", "/v1/jobs/no-id:cancel", 404),
        ("GET", "/v1/architectures/no-id", 404),
        ("GET", "/v1/exports/no-id", 404),
        ("GET", "/v1/exports/no-id/content", 404),
        ("DELETE", "/v1/jobs", 405),
        ("GET", "/v1/estimates", 405),
        ("GET", "/v1/jobs/no-id:cancel", 405),
        ("GET", "/v1/jobs?limit=0", 422),
        ("GET", "/v1/jobs?state=done", 422),
        ("GET", "/v1/jobs?cursor=abc", 400),
        ("GET", "/v1/jobs?cursor=%F0%9F%A6%8A", 400),
    ],
)
def test_every_refusal_is_a_problem(client, method, path, status):
    response = client.request(method, path)
    refused(response, status)
    assert status != 405 or "allow" in response.headers


def test_a_method_that_a_path_lacks_is_answered_with_all_it_has(client):
    allowed = {
        path: client.delete(path).headers["allow"]
        for path in ("/v1/jobs", "/v1/jobs/x", "/v1/jobs/x:cancel")
    }
    assert allowed == {"/v1/jobs": "GET, POST", "/v1/jobs/x": "GET", "/v1/jobs/x:cancel": "POST"}


@pytest.mark.parametrize("last", [2**63, -1, 0.5, "1", True, None, [1], {}])
def test_a_cursor_that_somebody_made_up_is_refused(client, front, last):
    cursor = encode_cursor(f"trials:{front.id}", last)
    refused(client.get(f"/v1/jobs/{front.id}/trials", params={"cursor": cursor}), 400)
    cursor = encode_cursor("jobs:", last)
    refused(client.get("/v1/jobs", params={"cursor": cursor}), 400)


def test_a_body_that_is_too_long_is_refused_whether_or_not_it_says_so(client, stored):
    content = json.dumps(BODY | {"backbone": "x" * 2**20}).encode()
    for sent in (content, iter([content[: 2**19], content[2**19 :]])):
        refused(client.post("/v1/jobs", content=sent), 413)
    assert stored.jobs.page(1) == []


def answered(app, messages, principal=FIRST):
    """What a client is answered that sends `messages` of a request, and then nothing more."""
    sent = []

    async def receive():
        return messages.pop(0) if messages else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    headers = [(b"content-length", b"1000")]
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers}
    asyncio.run(app(scope | {"state": {"principal": principal}}, receive, send))
    return sent


PART = {"type": "http.request", "body": b"x", "more_body": True}


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(limits, "_BODY_SECONDS", 0.01)
    start, body = answered(RequestLimits(None), [PART])
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
    assert json.loads(body["body"])["next_step"]


def test_without_a_key_no_body_is_read():
    async def behind(scope, receive, send):
        await send(await receive())

    assert answered(RequestLimits(behind), [PART], NOBODY) == [PART]


def test_what_a_database_refuses_is_no_reason_to_try_again(client, stored, front, monkeypatch):
    def refuse(self, *args):
        raise DataError("SELECT", {}, Exception("integer out of range"))

    monkeypatch.setattr(type(stored.jobs), "get", refuse)
    refused(client.get(f"/v1/jobs/{front.id}"), 500)


def test_a_fault_of_the_server_is_a_problem_without_its_innards(client, stored):
    stored.database.engine.dispose()
    with stored.database.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE exports RENAME TO elsewhere")
    problem = refused(client.get(f"/v1/exports/{'0' * 32}"), 503)
    assert "SELECT" not in json.dumps(problem)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic wrong", "Bearer \xfc", "bearer  "]
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/nothing", "/v1/backbones"])
def test_without_the_token_nothing_is_answered(anonymous, path, header):
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    response = anonymous.get(path, headers=headers)
    problem = refused(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"
    assert "token" in problem["next_step"]
