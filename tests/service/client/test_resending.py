"""What the client does about answers that do not come: nothing is done twice, nothing is missed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from resnas.errors import ResnasError
from resnas.spec import JobSpec
from service import client_events, client_sending
from service.client import Client
from service.client_errors import NotAllowed, Refused, ServerFailed, ServerUnreachable

SPEC = JobSpec(backbone="vgg_small", dataset="digits", budget_gmacs=0.1)
JOB = {
    "id": "j",
    "state": "queued",
    "spec": SPEC.model_dump(mode="json"),
    "trials_done": 0,
    "trials_total": 8,
    "events": 1,
}
Script = list[Callable[[BaseHTTPRequestHandler], None]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_sending, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(client_events, "_PAUSES", (0.0,))


@pytest.fixture
def script() -> Script:
    """What becomes of the requests, one after another."""
    return []


@pytest.fixture
def asked() -> list[dict[str, str]]:
    """The headers of the requests that came."""
    return []


@pytest.fixture
def client(script: Script, asked: list[dict[str, str]]) -> Iterator[Client]:
    """Of a server behind a bad line."""

    class Line(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append({name.lower(): value for name, value in self.headers.items()})
            script.pop(0)(self)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Line)
    threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
    with Client(f"http://127.0.0.1:{listener.server_port}", "") as found:
        yield found
    listener.shutdown()
    listener.server_close()


def lost(line: BaseHTTPRequestHandler) -> None:
    """No answer: the connection breaks."""
    line.close_connection = True


def answer(status: int, body: object = None, **headers: str) -> Callable[..., None]:
    def send(line: BaseHTTPRequestHandler) -> None:
        line.send_response(status)
        for name, value in headers.items():
            line.send_header(name.replace("_", "-"), value)
        line.end_headers()
        line.wfile.write(b"" if body is None else json.dumps(body).encode())

    return send


def stream(*numbers: int, cut: bool = False) -> Callable[..., None]:
    """Events; `cut`: the last one breaks off in its middle."""

    def send(line: BaseHTTPRequestHandler) -> None:
        line.send_response(200)
        line.send_header("Content-Type", "text/event-stream")
        line.end_headers()
        line.wfile.write(b": listening\n\n")
        events = [f'event: epoch\ndata: {{"epoch":{n}}}\nid: {n}\n\n' for n in numbers]
        text = "".join(events)
        line.wfile.write(text[: -len("}\nid: 1\n\n")].encode() if cut else text.encode())

    return send


def test_a_lost_answer_is_asked_for_again_under_the_same_key(
    client: Client, script: Script, asked: list[dict[str, str]]
) -> None:
    busy = answer(409, {"detail": "in flight"}, Retry_After="0")
    script += [lost, busy, answer(202, JOB), answer(202, JOB)]
    assert client.submit(SPEC).id == "j"
    keys = {headers["idempotency-key"] for headers in asked}
    assert len(asked) == 3
    assert len(keys) == 1
    client.submit(SPEC)
    assert asked[3]["idempotency-key"] not in keys


def test_where_no_answer_comes_the_key_is_told(client: Client, script: Script) -> None:
    script += [lost, lost, lost]
    with pytest.raises(ServerUnreachable, match="--idempotency-key mine: then it is not carried"):
        client.submit(SPEC, idempotency_key="mine")
    assert script == []


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (answer(422, {"detail": "wrong"}), Refused),
        (answer(409, {"detail": "it has succeeded"}), Refused),
        (answer(429, {"detail": "too many"}, Retry_After="3600"), Refused),
        (answer(500), ServerFailed),
    ],
)
def test_a_refusal_is_not_asked_for_again(
    client: Client, script: Script, refusal: Callable[..., None], kind: type[ResnasError]
) -> None:
    script += [refusal, answer(202, JOB)]
    with pytest.raises(kind):
        client.submit(SPEC)
    assert len(script) == 1


def test_events_are_taken_up_where_the_line_broke(
    client: Client, script: Script, asked: list[dict[str, str]]
) -> None:
    script += [stream(1, 2, cut=True), answer(503), stream(2, 3), answer(204)]
    assert [event.id for event in client.events("j")] == [1, 2, 3]
    assert [headers["last-event-id"] for headers in asked] == ["0", "1", "1", "3"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(403, {"detail": "no"}), NotAllowed),
        (answer(200, {"items": []}, Content_Type="application/json"), ServerFailed),
    ],
)
def test_what_is_no_stream_is_not_waited_for(
    client: Client, script: Script, reply: Callable[..., None], kind: type[ResnasError]
) -> None:
    script += [reply]
    with pytest.raises(kind):
        next(client.events("j"))


def test_a_server_that_stays_away_is_given_up(
    client: Client, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_events, "PATIENCE", 0.0)
    script += [lost]
    with pytest.raises(ServerUnreachable):
        next(client.events("j"))


def test_a_job_is_watched_without_a_stream_too(client: Client, script: Script) -> None:
    no_stream = answer(200, "<html>", Content_Type="text/html")
    now = {"trials_done": 1, "events": 3}
    ended = {"state": "succeeded", "events": 5}
    script += [
        *(answer(200, JOB), no_stream, answer(200, JOB | now)),
        *(stream(4, 5), answer(200, JOB | now | ended)),
    ]
    seen = [(job.state, job.trials_done) for job in client.watch("j", interval=0)]
    assert seen == [("queued", 0), ("queued", 1), ("succeeded", 1)]
    assert script == []


def test_a_watch_outlives_a_server_that_is_away_and_tells_of_it(
    client: Client, script: Script
) -> None:
    now = {"state": "running", "trials_done": 1, "events": 2}
    ended = {"state": "succeeded", "trials_done": 2, "events": 3}
    script += [
        *(answer(200, JOB), stream(2, cut=False), lost, answer(503), answer(200, JOB | now)),
        *(lost, stream(3), answer(200, JOB | now | ended)),
    ]
    told: list[datetime | None] = []
    before = datetime.now(UTC)
    seen = [job.trials_done for job in client.watch("j", interval=0, on_line=told.append)]
    assert seen == [0, 1, 2]
    assert script == []
    first, back, second, again = told
    assert (back, again) == (None, None)
    assert first is not None
    assert second is not None
    assert before <= first <= second <= datetime.now(UTC)


def test_a_watch_waits_where_too_many_ask(client: Client, script: Script) -> None:
    busy = answer(429, {"detail": "too many requests"}, Retry_After="1")
    ended = {"state": "succeeded", "events": 2}
    script += [answer(200, JOB), stream(2), busy, busy, answer(200, JOB | ended)]
    heard: list[int] = []
    watched = client.watch("j", interval=0, on_event=lambda event: heard.append(event.id))
    assert [job.state for job in watched] == ["queued", "succeeded"]
    assert (heard, script) == ([2], [])


def test_a_watch_gives_a_server_up_that_stays_away(client: Client, script: Script) -> None:
    script += [answer(200, JOB), stream(2), *[lost] * 50]
    with pytest.raises(ServerUnreachable):
        list(client.watch("j", interval=0, patience=0.0))


def test_waiting_ends_with_what_the_job_came_to(client: Client, script: Script) -> None:
    failed = {"state": "failed", "events": 2}
    script += [answer(200, JOB), stream(2), answer(200, JOB | failed)]
    job = client.wait("j")
    assert (job.state, job.failure() is not None) == ("failed", True)
