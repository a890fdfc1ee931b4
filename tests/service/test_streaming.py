"""The events of a job: a stream that can be taken up again, and pages."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from service import keys
from service.app import create_app
from service.principals import Scope
from service.store.events import Standing
from service.store.repository import Repository
from service.streaming import Feed
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC, refused, result, wait

STREAM = {"Accept": "text/event-stream"}
PAGE = {"Accept": "application/json"}


def happen(repository):
    """A claimed job's trial and end."""
    _, lease = repository.jobs.claim("one", 60, moves(Event.CLAIM))
    repository.trials.record(lease, result())
    repository.jobs.finish(lease, moves(Event.SUCCEED))


def parsed(text):
    """The events of a stream: (number, kind, data)."""
    blocks = [block.split("\n") for block in text.split("\n\n") if "id: " in block]
    fields = [dict(line.split(": ", 1) for line in block) for block in blocks]
    return [(int(f["id"]), f["event"], json.loads(f["data"])) for f in fields]


def listening(repository, scenario, stopping=None):
    """Run `scenario(feed)` while the feed looks after its jobs."""

    async def run():
        feed = Feed(repository, stopping or threading.Event())
        task = asyncio.create_task(feed.run())
        try:
            return await scenario(feed)
        finally:
            task.cancel()

    return asyncio.run(run())


async def collect(stream):
    return [event async for part in stream for event in parsed(part.decode())]


def test_a_job_that_has_ended_is_told_from_its_beginning(client, stored):
    job = stored.jobs.add(SPEC, ESTIMATE)
    happen(stored)
    answer = client.get(f"/v1/jobs/{job.id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    events = parsed(answer.text)
    assert [number for number, _, _ in events] == [1, 2, 3, 4]
    assert [kind for _, kind, _ in events] == ["state", "state", "trial", "state"]
    assert events[-1][2]["state"] == "succeeded"
    assert all(data["created_at"].endswith("Z") for _, _, data in events)


def test_a_listener_that_comes_back_hears_what_it_missed(client, stored):
    job = stored.jobs.add(SPEC, ESTIMATE)
    happen(stored)
    path = f"/v1/jobs/{job.id}/events"
    missed = parsed(client.get(path, headers={"Last-Event-ID": "2"}).text)
    assert [number for number, _, _ in missed] == [3, 4]
    assert parsed(client.get(path, params={"after": 3}).text)[0][0] == 4
    for last in ("4", "2000000000"):
        assert client.get(path, headers={"Last-Event-ID": last}).status_code == 204
    for last in ("-1", "x", "2147483648"):
        refused(client.get(path, headers={"Last-Event-ID": last}), 422)


def test_events_are_had_page_by_page_too(client, stored):
    job = stored.jobs.add(SPEC, ESTIMATE)
    happen(stored)
    path = f"/v1/jobs/{job.id}/events"
    page = client.get(path, params={"limit": 3}, headers=PAGE).json()
    rest = client.get(path, params={"cursor": page["next_cursor"]}, headers=PAGE).json()
    assert [event["id"] for event in page["items"] + rest["items"]] == [1, 2, 3, 4]
    assert rest["next_cursor"] is None
    assert page["items"][2]["event"] == "trial"
    assert page["items"][2]["data"]["gmacs"] == 0.005


def test_events_of_no_job_are_not_found(client):
    refused(client.get(f"/v1/jobs/{'0' * 32}/events", headers=STREAM), 404)


def test_what_happens_is_told_while_it_happens_and_ends_with_the_job(repository, job):
    async def scenario(feed):
        stream = feed.listen(job.id, Standing(1, ended=False), 0)
        heard = []
        async for part in stream:
            heard += parsed(part.decode())
            if len(heard) == 1:  # the stream has come to now, and waits
                await asyncio.to_thread(happen, repository)
        return heard

    heard = listening(repository, scenario)
    assert [number for number, _, _ in heard] == [1, 2, 3, 4]


def test_a_stream_of_a_job_that_is_tried_again_goes_on(repository, job):
    _, lease = repository.jobs.claim("one", 60, moves(Event.CLAIM))
    repository.jobs.finish(lease, moves(Event.FAIL))
    repository.jobs.retry(job.id, moves(Event.RETRY))
    happen(repository)
    now = repository.events.standings([job.id])[job.id]
    heard = listening(repository, lambda feed: collect(feed.listen(job.id, now, 0)))
    states = [data["state"] for _, kind, data in heard if kind == "state"]
    assert states == ["queued", "running", "failed", "queued", "running", "succeeded"]


def test_hundreds_of_listeners_hold_no_connection(repository, database_url, job):
    few = Repository.connect(database_url, connections=2)

    async def scenario(feed):
        began = asyncio.Event()
        waiting = 0

        async def listen():
            nonlocal waiting
            heard = []
            async for part in feed.listen(job.id, Standing(1, ended=False), 1):
                heard += parsed(part.decode())
                if not heard:
                    waiting += 1
                    if waiting == 300:
                        began.set()
            return [number for number, _, _ in heard]

        listeners = [asyncio.create_task(listen()) for _ in range(300)]
        await began.wait()
        held = few.database.engine.pool.checkedout()
        await asyncio.to_thread(happen, repository)
        return held, await asyncio.gather(*listeners)

    held, heard = listening(few, scenario)
    assert held <= 1  # the feed's own look at the jobs
    assert heard == [[2, 3, 4]] * 300
    few.close()


def test_streams_end_when_the_server_stops(repository, job):
    stopping = threading.Event()

    async def scenario(feed):
        heard = []
        async for part in feed.listen(job.id, Standing(1, ended=False), 0):
            heard += parsed(part.decode())
            if heard:
                stopping.set()
        return heard

    assert len(listening(repository, scenario, stopping)) == 1


def test_a_silent_stream_says_that_it_is_alive(repository, job, monkeypatch):
    monkeypatch.setattr("service.streaming.ALIVE", 0.01)

    async def scenario(feed):
        stream = feed.listen(job.id, Standing(1, ended=False), 1)
        return [await anext(stream) for _ in range(3)]

    assert listening(repository, scenario)[1:] == [b": alive\n\n"] * 2


def test_a_stream_outlives_a_database_that_is_away_for_a_moment(repository, job, monkeypatch):
    fails = iter([True, True, False])
    page = type(repository.events).page

    def sometimes(self, *args):
        if next(fails, False):
            raise OperationalError("SELECT", {}, Exception("away"))
        return page(self, *args)

    monkeypatch.setattr(type(repository.events), "page", sometimes)
    monkeypatch.setattr("service.streaming.ALIVE", 0.01)
    happen(repository)
    now = repository.events.standings([job.id])[job.id]
    heard = listening(repository, lambda feed: collect(feed.listen(job.id, now, 0)))
    assert [number for number, _, _ in heard] == [1, 2, 3, 4]


def test_a_stream_ends_with_the_key_of_who_listens(repository, job):
    asked = []

    async def still_valid():
        asked.append(1)
        return len(asked) < 2

    async def scenario(feed):
        stream = feed.listen(job.id, Standing(1, ended=False), 0, still_valid)
        return [part async for part in stream]

    assert len(listening(repository, scenario)) == 2  # that it listens, and the first event


def test_an_owner_has_so_many_streams_until_the_key_is_revoked(settings, monkeypatch):
    monkeypatch.setattr("service.streaming.ALIVE", 0.01)
    monkeypatch.setattr("service.keyring._FRESH_SECONDS", 0.0)
    tight = settings.model_copy(update={"streams_per_owner": 1})
    with TestClient(create_app(tight), base_url="http://127.0.0.1") as client:
        services = client.app.state.services
        job = services.repository.jobs.add(SPEC, ESTIMATE, "ann")
        made = keys.create(services.repository, "ann", frozenset({Scope.READ}))
        client.headers["Authorization"] = f"Bearer {made.text}"
        path = f"/v1/jobs/{job.id}/events"
        with ThreadPoolExecutor() as threads:
            stream = threads.submit(client.get, path)
            wait(lambda: services.feed._channels)
            response = client.get(path)
            assert "RESNAS_STREAMS_PER_OWNER" in refused(response, 429)["detail"]
            assert int(response.headers["retry-after"]) > 0
            assert client.get(path, headers=PAGE).status_code == 200
            keys.revoke(services.repository, made.key.id)
            assert parsed(stream.result().text)[0][0] == 1
        refused(client.get(path), 401)
        assert not services.feed._seats


@pytest.mark.parametrize("accept", ["application/json", "application/json, */*;q=0.1"])
def test_json_is_a_page(client, stored, accept):
    job = stored.jobs.add(SPEC, ESTIMATE)
    answer = client.get(f"/v1/jobs/{job.id}/events", headers={"Accept": accept})
    assert answer.json()["items"][0]["data"]["state"] == "queued"
