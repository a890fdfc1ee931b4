"""Who gets in: keys, scopes, host names, origins, rates, and what every answer tells a browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from service import keys
from service.app import create_app
from service.errors import StartRefused
from service.exposure import check_exposure
from service.headers import SECURITY
from service.principals import Scope
from service.serving import serve
from service.settings import Settings
from service.store.repository import Repository
from tests.service.conftest import BODY, refused, wait

READ = frozenset({Scope.READ})
BOTH = frozenset({Scope.READ, Scope.WRITE})
ASKED = {"backbone": "mobilenet_small", "dataset": "digits"}


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
def store(anonymous):
    return anonymous.app.state.services.repository


def test_a_key_opens_and_its_use_is_written_down(anonymous, store):
    made = keys.create(store, "ann", BOTH)
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {made.text}"}
        assert anonymous.get("/v1/jobs", headers=headers).status_code == 200
    wait(lambda: store.keys.all()[0].used_at)


@pytest.mark.timeout(30)
def test_a_key_that_another_process_revokes_opens_nothing_any_more(anonymous, store, settings):
    made = keys.create(store, "ann", BOTH)
    assert anonymous.get("/v1/jobs", headers=bearer(made.text)).status_code == 200
    other = Repository.connect(settings.database)
    keys.revoke(other, made.key.id)
    other.close()
    wait(lambda: anonymous.get("/v1/jobs", headers=bearer(made.text)).status_code == 401)
    problem = refused(anonymous.get("/v1/jobs", headers=bearer(made.text)), 401)
    assert f"{made.key.prefix} was revoked" in problem["detail"]


def test_only_who_has_a_key_learns_that_it_has_expired(anonymous, store):
    made = keys.create(store, "ann", BOTH, timedelta(0))
    problem = refused(anonymous.get("/v1/jobs", headers=bearer(made.text)), 401)
    assert f"{made.key.prefix} has expired" in problem["detail"]
    other = made.text[:-1] + ("0" if made.text[-1] != "0" else "1")
    for text in (other, made.key.prefix, keys.digest_of(made.text), "rn_", "rn_" + "0" * 73):
        response = anonymous.get("/v1/jobs", headers=bearer(text))
        problem = refused(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"
        assert problem["detail"] == "The request has no valid token"


def test_a_key_without_the_scope_is_told_which_one_it_lacks(anonymous, store):
    reader = bearer(keys.create(store, "ann", READ).text)
    response = anonymous.post("/v1/jobs", json=BODY, headers=reader)
    assert "'write'" in refused(response, 403)["detail"]
    assert 'scope="write"' in response.headers["www-authenticate"]
    writer = bearer(keys.create(store, "ann", frozenset({Scope.WRITE})).text)
    assert "'read'" in refused(anonymous.get("/v1/jobs", headers=writer), 403)["detail"]
    assert store.jobs.page(1) == []


def test_to_ask_what_something_would_come_to_is_to_read(anonymous, store):
    reader = bearer(keys.create(store, "ann", READ).text)
    assert anonymous.post("/v1/estimates", json=ASKED, headers=reader).status_code == 200
    asked = anonymous.post("/v1/jobs?validate_only=true", json=BODY, headers=reader)
    assert asked.status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        *("", "validate_only=false", "validate_only=0", "validate_only=", "x=validate_only=true"),
        *("validate_only=true&validate_only=false", "validate_only=false&validate_only=true"),
        *("Validate_only=true", "validate_only=true%00", "validate_only[]=true"),
    ],
)
def test_no_spelling_of_a_question_hands_in_a_job(anonymous, store, query):
    reader = bearer(keys.create(store, "ann", READ).text)
    response = anonymous.post(f"/v1/jobs?{query}", json=BODY, headers=reader)
    refused(response, response.status_code)
    assert response.status_code in (400, 403)
    assert store.jobs.page(1) == []


def test_there_are_no_web_sockets(client):
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/jobs"):
        pass


def test_a_database_that_fails_lets_nobody_in(anonymous, store):
    made = keys.create(store, "ann", BOTH)
    with store.database.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE keys RENAME TO elsewhere")
    response = anonymous.get("/v1/jobs", headers=bearer(made.text))
    refused(response, 503)
    assert response.headers["retry-after"]


@pytest.mark.parametrize(
    "hosts",
    [
        *(["evil.example"], ["127.0.0.1.evil.example"], ["localhost.evil.example"], [""]),
        *(["[::1"], ["127.0.0.1@evil.example"], ["evil.example#127.0.0.1"], ["2130706433"]),
        *(["127.0.0.1", "evil.example"], ["0.0.0.0"], ["169.254.169.254"], ["xn--localhost-"]),
    ],
)
def test_a_forged_host_is_refused(client, hosts):
    response = client.get("/v1/jobs", headers=[("Host", host) for host in hosts])
    refused(response, 421)


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "", "http://127.0.0.1.evil.example", "file://127.0.0.1"),
        *("http://127.0.0.1:8080", "http://localhost", "http://127.0.0.1/", "127.0.0.1", "http://"),
        *("http://evil@127.0.0.1", "http://127.0.0.1#", "http://[::1", "http://127.0.0.1\t"),
    ],
)
def test_a_page_of_another_site_changes_nothing(client, stored, origin):
    headers = {"Origin": origin}
    refused(client.post("/v1/jobs", json=BODY, headers=headers), 403)
    refused(client.post(f"/v1/jobs/{'0' * 32}:cancel", headers=headers), 403)
    assert client.get("/v1/jobs", headers=headers).status_code == 200
    assert stored.jobs.page(1) == []


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1", "http://127.0.0.1"),
        ("127.0.0.1:8642", "http://127.0.0.1:8642"),
        ("localhost:80", "http://LOCALHOST"),
        ("[::1]:8642", "http://[::1]:8642"),
        ("localhost", "https://localhost"),
    ],
)
def test_a_page_of_this_server_may_ask_for_all(client, host, origin):
    response = client.post("/v1/estimates", json={}, headers={"Host": host, "Origin": origin})
    refused(response, 422)


def test_names_that_the_operator_lists_are_answered(settings, monkeypatch):
    monkeypatch.setenv("RESNAS_ALLOWED_HOSTS", "search.example.org, *.inner.example")
    listed = Settings.load(data_dir=settings.data_dir, host="10.1.2.3", worker=False)
    assert listed.allowed_hosts == ("search.example.org", "*.inner.example")
    expected = {
        "search.example.org": 200,
        "SEARCH.example.org:443": 200,
        "a.b.inner.example": 200,
        "10.1.2.3:8642": 200,
        "localhost": 200,
        "inner.example": 421,
        "evilinner.example": 421,
        "x.search.example.org": 421,
    }
    with TestClient(create_app(listed)) as client:
        found = {
            host: client.get("/livez", headers={"Host": host}).status_code for host in expected
        }
    assert found == expected


def test_figures_are_public_on_this_machine_alone(settings, anonymous, monkeypatch):
    assert anonymous.get("/metrics").status_code == 200
    monkeypatch.setenv("RESNAS_ALLOWED_HOSTS", "testserver")
    beyond = Settings.load(data_dir=settings.data_dir, host="0.0.0.0", worker=False)
    with TestClient(create_app(beyond)) as client:
        refused(client.get("/metrics"), 401)
        made = keys.create(client.app.state.services.repository, "ann", READ)
        assert client.get("/metrics", headers=bearer(made.text)).status_code == 200


def exposed(settings, monkeypatch, names):
    monkeypatch.setenv("RESNAS_ALLOWED_HOSTS", names)
    return Settings.load(data_dir=settings.data_dir, host="0.0.0.0", port=0, worker=False)


def test_beyond_loopback_a_server_wants_names_and_a_valid_key(settings, monkeypatch):
    with pytest.raises(StartRefused, match="RESNAS_ALLOWED_HOSTS"):
        serve(exposed(settings, monkeypatch, ""))
    named = exposed(settings, monkeypatch, "search.example.org")
    with pytest.raises(StartRefused, match="resnas keys create"):
        serve(named)
    repository = Repository.open(settings.database)
    keys.create(repository, "ann", BOTH, timedelta(0))
    keys.revoke(repository, keys.create(repository, "ann", BOTH).key.id)
    with pytest.raises(StartRefused, match="no API key that is valid"):
        check_exposure(named)
    keys.create(repository, "ann", BOTH)
    repository.close()
    check_exposure(named)
    check_exposure(settings)


def test_every_answer_tells_browsers_to_be_careful(client, stored, monkeypatch):
    def fail(self, *args):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(type(stored.jobs), "get", fail)
    job = f"/v1/jobs/{'0' * 32}"
    answers = {
        200: client.get("/docs"),
        401: client.get("/v1/jobs", headers={"Authorization": ""}),
        403: client.post("/v1/jobs", json=BODY, headers={"Origin": "null"}),
        404: client.get("/nothing"),
        405: client.delete("/v1/jobs"),
        413: client.post("/v1/jobs", content=b"x" * (2**20 + 1)),
        421: client.get("/livez", headers={"Host": "evil.example"}),
        422: client.post("/v1/jobs", json={}),
        500: client.get(job),
    }
    assert {status: answer.status_code for status, answer in answers.items()} == {
        status: status for status in answers
    }
    for answer in answers.values():
        assert {name: answer.headers.get(name) for name in SECURITY} == SECURITY
    policy = dict(rule.split(" ", 1) for rule in SECURITY["Content-Security-Policy"].split("; "))
    assert policy["script-src"] == "'self'"
    unsafe = {name for name, sources in policy.items() if "unsafe" in sources}
    assert unsafe == {"style-src-attr"}


def test_the_description_for_people_has_all_operations_and_no_script(anonymous):
    page = anonymous.get("/docs").text
    for path in anonymous.get("/openapi.json").json()["paths"]:
        assert f" {path}</code>" in page
    assert not re.search(r"<script|<style|\bstyle=|\bon\w+=", page)
    assert set(re.findall(r'(?:href|src)="([^"]*)"', page)) == {"/docs.css", "/openapi.json"}
    style = anonymous.get("/docs.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text
