"""What is told of a request: its id, a line in the log, figures; whether the server can work."""

import asyncio
import io
import json
import logging
import shutil
from collections import namedtuple

import pytest
from sqlalchemy.exc import OperationalError

from service import logs, metrics, readiness
from service.observing import Observed, Traffic
from service.transitions import Event, moves
from service.upkeep import take_away
from tests.service.conftest import BODY, ESTIMATE, SPEC, refused, result


def figures(client):
    """The figures by name and labels."""
    lines = client.get("/metrics").text.splitlines()
    found = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in found}


def test_a_request_keeps_its_id_or_gets_one(client):
    ids = ["a.b-C_1", "x" * 64]
    for given in ids:
        answer = client.get("/v1/nothing", headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] == given
        assert refused(answer, 404)["request_id"] == given
    for given in ("", "a b", "x" * 65, "a\tb", 'a"b'):
        made = client.get("/livez", headers={"X-Request-ID": given}).headers["x-request-id"]
        assert made not in (given, *ids)
        ids.append(made)
    assert len(set(ids)) == len(ids)


def test_every_refusal_has_the_id_that_the_log_has(client, anonymous, stored, monkeypatch, caplog):
    def fail(self, *args):
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(type(stored.jobs), "page", fail)
    problem = refused(client.get("/v1/jobs", headers={"X-Request-ID": "broken"}), 500)
    assert problem["request_id"] == "broken"
    assert "nobody thought of this" in caplog.text
    assert "nobody thought of this" not in json.dumps(problem)
    del anonymous.headers["Authorization"]
    answer = anonymous.get("/v1/jobs", headers={"X-Request-ID": "who"})
    assert refused(answer, 401)["request_id"] == "who"


@pytest.fixture
def warmed(client):
    """Whether the application has imported what takes long; it has."""
    warmed = client.app.state.services.readiness._warmed
    assert warmed.wait(60)
    return warmed


def test_an_answer_is_a_line_in_the_log_without_the_token(client, front, warmed, caplog):
    caplog.set_level(logging.INFO, "resnas.access")
    client.get(f"/v1/jobs/{front.id}/front?max_gmacs=1")
    client.get("/readyz")
    (record,) = (found for found in caplog.records if found.name == "resnas.access")
    assert (record.method, record.route) == ("GET", "/v1/jobs/{job_id}/front")
    assert (record.status, record.owner) == (200, "local")
    assert record.ms > 0
    assert client.headers["authorization"].split()[1] not in caplog.text


@pytest.fixture
def said():
    """What a logger of ours says: for a machine, and for a person."""
    streams = {}
    logger = logging.getLogger("resnas.test")
    for formatter in (logs.Objects(), logs.Lines()):
        handler = logging.StreamHandler(streams.setdefault(type(formatter), io.StringIO()))
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    yield lambda kind: streams[kind].getvalue().splitlines()
    logger.handlers.clear()


def test_a_log_for_machines_is_one_object_a_line(said):
    bound = logs.REQUEST_ID.set("r1")
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        logging.getLogger("resnas.test").exception("line %s\nline 2", 1, extra={"status": 500})
    logs.REQUEST_ID.reset(bound)
    (line,) = said(logs.Objects)
    found = json.loads(line)
    assert found["message"] == "line 1\nline 2"
    assert (found["level"], found["logger"]) == ("error", "resnas.test")
    assert (found["status"], found["request_id"]) == (500, "r1")
    assert "ZeroDivisionError" in found["exception"]
    assert said(logs.Lines)[0].endswith("resnas.test: line 1")


def test_requests_are_counted_by_route_and_never_by_job(client, front):
    name = 'resnas_http_requests_total{method="GET",route="/v1/jobs/{job_id}",status="200"}'
    before = figures(client).get(name, 0)
    for _ in range(3):
        client.get(f"/v1/jobs/{front.id}")
    client.request("NONSENSE", "/v1/jobs")
    after = figures(client)
    assert after[name] == before + 3
    timed = 'resnas_http_request_seconds_count{method="GET",route="/v1/jobs/{job_id}"}'
    assert after[timed] >= 3
    assert not [label for label in after if front.id in label or "NONSENSE" in label]


def test_figures_tell_of_the_queue_the_fronts_and_the_trials(client, stored, front):
    stored.jobs.add(SPEC, ESTIMATE)
    done = stored.jobs.add(SPEC, ESTIMATE, priority=1)
    _, lease = stored.jobs.claim("two", 60, moves(Event.CLAIM))
    assert lease.id == done.id
    for number, (accuracy, macs) in enumerate([(0.5, 10), (0.6, 20), (0.55, 30)]):
        stored.trials.record(lease, result(number, accuracy=accuracy, macs=macs))
    stored.jobs.finish(lease, moves(Event.SUCCEED))
    found = figures(client)
    states = {state: found[f'resnas_jobs{{state="{state}"}}'] for state in ("queued", "running")}
    assert states == {"queued": 1, "running": 1}
    assert found['resnas_jobs{state="succeeded"}'] == 1
    assert found['resnas_trials{state="complete"}'] == 7
    assert found["resnas_drivers"] == 1
    assert found['resnas_front_points{statistic="max"}'] == 2


def test_what_is_in_the_database_is_counted_once_in_a_while(client, stored, monkeypatch):
    assert figures(client)['resnas_jobs{state="queued"}'] == 0
    stored.jobs.add(SPEC, ESTIMATE)
    assert figures(client)['resnas_jobs{state="queued"}'] == 0
    monkeypatch.setattr(metrics, "FRESH", 0.0)
    monkeypatch.setattr(metrics.time, "monotonic", lambda: 1e12)
    assert figures(client)['resnas_jobs{state="queued"}'] == 1


def test_leases_that_ran_out_and_trials_that_ended_are_counted(client, stored):
    before = figures(client)
    stored.jobs.add(SPEC, ESTIMATE)
    stored.jobs.claim("one", -1.0, moves(Event.CLAIM))
    take_away(stored)
    metrics.trial_ended(result().model_copy(update={"seconds": 7.0}))
    after = figures(client)
    for name in (
        'resnas_leases_expired_total{kind="job"}',
        'resnas_trials_ended_total{state="complete"}',
        'resnas_trial_seconds_bucket{le="15.0"}',
    ):
        assert after[name] == before.get(name, 0) + 1, name


def test_a_server_that_cannot_work_says_why_and_still_lives(client, stored, warmed, monkeypatch):
    warmed.clear()
    assert "begun to start" in refused(client.get("/readyz"), 503)["detail"]
    warmed.set()
    assert client.get("/readyz").json() == {"status": "ok"}
    monkeypatch.setattr(readiness, "FRESH", 0.0)
    client.app.state.services.readiness._until = 0.0
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 2**20))
        assert "1 MB are free" in refused(client.get("/readyz"), 503)["detail"]
    with stored.database.write() as session:
        session.connection().exec_driver_sql("UPDATE resnas_version SET version_num = '0001'")
    assert "schema is 0001" in refused(client.get("/readyz"), 503)["detail"]
    with monkeypatch.context() as away:

        def fail(self):
            raise OperationalError("SELECT", {}, Exception("away"))

        away.setattr(type(stored), "schema", fail)
        answer = client.get("/readyz")
        assert "does not answer" in refused(answer, 503)["detail"]
        assert answer.headers["retry-after"] == "5"
    client.app.state.stopping.set()
    assert "stopping" in refused(client.get("/readyz"), 503)["detail"]
    assert client.get("/livez").status_code == 200


def test_readiness_is_looked_up_once_in_a_while(client, stored, warmed, monkeypatch):
    monkeypatch.setattr(readiness, "FRESH", 60.0)
    looks = []
    schema = type(stored).schema
    monkeypatch.setattr(type(stored), "schema", lambda self: looks.append(1) or schema(self))
    for _ in range(5):
        assert client.get("/readyz").status_code == 200
    assert len(looks) == 1


def test_a_plan_says_what_a_job_would_come_to_and_stores_nothing(client, stored):
    headers = {"Idempotency-Key": "one"}
    for _ in range(2):
        answer = client.post("/v1/jobs?validate_only=true", json=BODY, headers=headers)
        assert answer.status_code == 200
    plan = answer.json()
    trials, epochs = plan["spec"]["trials"], plan["spec"]["training"]["epochs"]
    assert (trials, epochs) == (8, 15)
    assert plan["cost"]["training_epochs"] == trials * epochs
    human = plan["estimate"]["human_gmacs"]
    assert plan["cost"]["gmacs_epochs"] == pytest.approx(human * trials * epochs)
    assert plan["estimate"]["min_gmacs"] < human <= plan["estimate"]["max_gmacs"]
    refused(client.post("/v1/jobs?validate_only=true", json=BODY | {"budget_gmacs": 1e-9}), 422)
    assert stored.jobs.page(1) == []
    assert client.post("/v1/jobs", json=BODY, headers=headers).status_code == 202


def test_a_job_says_whose_it_is_and_how_urgent(client):
    job = client.post("/v1/jobs?priority=7", json=BODY).json()
    assert (job["owner"], job["priority"], job["events"]) == ("local", 7, 1)
    for priority in (-101, 101, "high"):
        refused(client.post(f"/v1/jobs?priority={priority}", json=BODY), 422)


def test_a_request_that_the_end_of_the_server_cuts_off_may_be_sent_again():
    begun, sent = asyncio.Event(), []

    async def endless(scope, receive, send):
        begun.set()
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    async def cut_off():
        scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "headers": []}
        request = asyncio.ensure_future(Observed(endless, Traffic())(scope, None, send))
        await begun.wait()
        request.cancel()
        await request

    asyncio.run(cut_off())
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"2") in sent[0]["headers"]
    assert "may have been done" in json.loads(sent[1]["body"])["detail"]
