"""Owners are alone with what is theirs: every operation of the API's description, tried on others.

An operation that takes a new kind of id, or a body, has to be added to `IDS` or `BODIES` here;
until then these tests fail.
"""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from service import keys
from service.app import create_app
from service.principals import Scope
from service.settings import Settings
from service.store.models import Base
from tests.service.conftest import BODY, refused
from tests.service.stored import succeeded

UNKNOWN = "0" * 32
IDS = {
    "job_id": "job_id",
    "architecture_id": "architecture_id",
    "export_id": "export_id",
    "job": "job_id",
    "a": "architecture_id",
    "b": "architecture_id",
}
FOR_ADMINISTRATORS = "/v1/keys"
BODIES = {
    "submit": BODY,
    "ask_export": {"format": "onnx"},
    "make_estimate": {"backbone": "mobilenet_small", "dataset": "digits"},
    "create_key": {"owner": "eve", "scopes": ["admin"]},
}
READING = {"make_estimate"}
"""Operations that change nothing although they are asked with POST."""


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """(method, path, operation) of all that wants a key."""
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("described"), worker=False))
    return [
        (method.upper(), path, operation)
        for path, described in app.openapi()["paths"].items()
        for method, operation in described.items()
        if path.startswith("/v1/")
    ]


@pytest.fixture(scope="module")
def owned(described):
    """Those that are for every owner."""
    return [found for found in described if not found[1].startswith(FOR_ADMINISTRATORS)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), worker=False)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def store(server):
    return server.app.state.services.repository


@pytest.fixture(scope="module")
def theirs(server, store):
    """What belongs to ann: a job that has succeeded, and all that came of it."""
    return succeeded(store, server.app.state.services.settings.artifacts, "ann")


@pytest.fixture(scope="module")
def headers(store):
    """The headers of each of them."""

    def of(owner, *scopes):
        made = keys.create(store, owner, frozenset(scopes))
        return {"Authorization": f"Bearer {made.text}", "Accept": "application/json"}

    return {
        "ann": of("ann", Scope.READ, Scope.WRITE),
        "bob": of("bob", Scope.READ, Scope.WRITE),
        "reader": of("ann", Scope.READ),
        "root": of("root", Scope.ADMIN),
    }


def ids_of(theirs):
    return {parameter: getattr(theirs, name) for parameter, name in IDS.items()}


def ask(server, method, path, operation, headers):
    body = BODIES[operation["operationId"]] if "requestBody" in operation else None
    return server.request(method, path, json=body, headers=headers)


def filled(path, operation, chosen):
    """The path with ids in it, and in the query those it cannot do without; None: it takes none."""
    chosen = chosen | {"key_id": UNKNOWN}
    known = {"path": {}, "query": {}}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] in known and parameter["required"]:
            known[parameter["in"]][parameter["name"]] = chosen[parameter["name"]]
    if not any(known.values()):
        return None
    query = "&".join(f"{name}={value}" for name, value in known["query"].items())
    return path.format(**known["path"]) + (f"?{query}" if query else "")


def rows(store):
    """All that is stored, but for who used a key when."""
    with store.database.read() as session:
        return {
            table.name: sorted(map(str, session.execute(table.select())))
            for table in Base.metadata.sorted_tables
            if table.name != "keys"
        }


def without_names(problem):
    """A problem without what differs between two requests: what was asked for, and its number."""
    kept = {name: value for name, value in problem.items() if name != "request_id"}
    return {name: re.sub("[0-9a-f]{32}", "ID", str(value)) for name, value in kept.items()}


def test_what_is_somebody_elses_is_not_there(server, owned, store, theirs, headers):
    before = rows(store)
    tried = 0
    for method, path, operation in owned:
        foreign = filled(path, operation, ids_of(theirs))
        if foreign is None:
            continue
        unknown = filled(path, operation, dict.fromkeys(IDS, UNKNOWN))
        problems = [
            without_names(refused(ask(server, method, p, operation, headers["bob"]), 404))
            for p in (foreign, unknown)
        ]
        assert problems[0] == problems[1], path
        tried += 1
    assert tried >= 17
    assert rows(store) == before


def test_lists_and_fronts_have_nothing_of_others(server, owned, theirs, headers):
    for method, path, operation in owned:
        if method == "GET" and filled(path, operation, ids_of(theirs)) is None:
            answer = ask(server, method, path, operation, headers["bob"])
            assert answer.status_code == 200, path
            assert not any(found in answer.text for found in ids_of(theirs).values()), path


@pytest.mark.parametrize("who", ["ann", "root"])
def test_whose_it_is_and_an_administrator_see_it(server, owned, theirs, headers, who):
    """What the other tests do not find is there."""
    for method, path, operation in owned:
        if method == "GET":
            found = filled(path, operation, ids_of(theirs))
            answer = ask(server, method, found or path, operation, headers[who])
            assert answer.status_code == 200, path
            if path in ("/v1/jobs", "/v1/front"):
                assert theirs.job_id in answer.text


def test_nobody_gets_anything_without_a_key(server, described, store, theirs, headers):
    before = rows(store)
    wrong = {"Authorization": "Bearer rn_00000000_" + "0" * 64}
    for method, path, operation in described:
        asked = filled(path, operation, ids_of(theirs)) or path
        for given in ({}, wrong):
            refused(ask(server, method, asked, operation, given), 401)
    assert rows(store) == before


def test_a_key_that_may_only_read_changes_nothing(server, described, store, theirs, headers):
    before = rows(store)
    changing = 0
    for method, path, operation in described:
        if method == "GET" or operation["operationId"] in READING:
            continue
        asked = filled(path, operation, ids_of(theirs)) or path
        refused(ask(server, method, asked, operation, headers["reader"]), 403)
        changing += 1
    assert changing >= 4
    assert rows(store) == before


def test_keys_are_for_administrators(server, described, store, headers):
    before = store.keys.all()
    tried = 0
    for method, path, operation in described:
        if path.startswith(FOR_ADMINISTRATORS):
            asked = path.format(key_id=before[0].id)
            for who in ("ann", "reader"):
                refused(ask(server, method, asked, operation, headers[who]), 403)
            tried += 1
    assert tried == 3
    assert [key.revoked_at for key in store.keys.all()] == [None] * len(before)
    assert server.get(FOR_ADMINISTRATORS, headers=headers["root"]).status_code == 200


def test_one_idempotency_key_of_two_owners_is_two(server, store, headers):
    given = {"Idempotency-Key": "the same"}
    asked = [
        server.post("/v1/jobs", json=BODY, headers=headers[who] | given) for who in ("ann", "bob")
    ]
    assert [answer.status_code for answer in asked] == [202, 202]
    jobs = [answer.json()["id"] for answer in asked]
    assert jobs[0] != jobs[1]
    assert [store.jobs.get(job).owner for job in jobs] == ["ann", "bob"]


def test_a_cursor_of_somebody_else_leads_to_ones_own(server, store, headers):
    for owner in ("ann", "ann", "bob"):
        answer = server.post("/v1/jobs", json=BODY, headers=headers[owner])
        assert answer.status_code == 202
    page = server.get("/v1/jobs?limit=1", headers=headers["ann"]).json()
    assert page["next_cursor"]
    path = f"/v1/jobs?cursor={page['next_cursor']}"
    owners = {item["owner"] for item in server.get(path, headers=headers["bob"]).json()["items"]}
    assert owners <= {"bob"}
