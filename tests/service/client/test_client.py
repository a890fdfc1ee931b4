"""The Python client against a real server, and against things that are none."""

from __future__ import annotations

import doctest
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import onnx
import pytest
from pydantic import ValidationError

from resnas.errors import ResnasError
from resnas.spec import JobSpec
from service import client as client_module
from service.answers import Export, Job
from service.client import Client
from service.client_errors import (
    NotAllowed,
    Refused,
    ServerFailed,
    ServerUnreachable,
    problem_of,
)
from service.errors import NotFound
from service.local_server import LocalServer

DIGEST = hashlib.sha256(b"whole").hexdigest()


@pytest.fixture
def client(server: LocalServer) -> Iterator[Client]:
    with server.client() as client:
        yield client


def test_a_finished_job_shows_its_trials_and_its_front(client: Client, finished: Job) -> None:
    job = client.job(finished.id)
    trials = list(client.trials(job.id))
    front = client.front(job.id)
    assert (job.state, job.trials_done, job.trials_total) == ("succeeded", 2, 2)
    assert [trial.state for trial in trials] == ["complete", "complete"]
    assert {point.architecture_id for point in front.points} <= {
        trial.architecture_id for trial in trials
    }
    costs = [point.gmacs for point in front.points]
    assert costs == sorted(costs)
    assert front.best_under_budget is not None
    assert front.best_under_budget.gmacs <= job.spec.budget_gmacs


def test_watching_ends_with_the_state_that_a_job_ends_in(client: Client, finished: Job) -> None:
    assert [job.state for job in client.watch(finished.id)] == ["succeeded"]


def test_the_events_of_a_job_end_with_its_end(client: Client, finished: Job) -> None:
    events = list(client.events(finished.id))
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert events[-1].data["state"] == "succeeded"
    assert list(client.events(finished.id, after=len(events))) == []


def test_only_what_has_failed_is_tried_again(client: Client, finished: Job) -> None:
    with pytest.raises(Refused, match="it has succeeded"):
        client.retry(finished.id)


def test_jobs_are_listed_newest_first_and_by_state(client: Client, finished: Job) -> None:
    ids = [job.id for job in client.jobs()]
    assert finished.id in ids
    assert ids == sorted(ids, reverse=True)
    assert finished.id in [job.id for job in client.jobs("succeeded")]
    assert finished.id not in [job.id for job in client.jobs("failed")]


def test_a_front_can_be_cut_at_a_cost(client: Client, finished: Job) -> None:
    cheapest = client.front(finished.id).points[0]
    cut = client.front(finished.id, max_gmacs=cheapest.gmacs)
    assert [point.architecture_id for point in cut.points] == [cheapest.architecture_id]


def test_an_architecture_is_fetched_as_the_file_the_server_wrote(
    client: Client, finished: Job, tmp_path: Path
) -> None:
    (point, *_) = client.front(finished.id).points
    path = client.export(point.architecture_id, "onnx", tmp_path / "new" / "folder")
    assert path.suffix == ".onnx"
    assert path.parent == tmp_path / "new" / "folder"
    onnx.checker.check_model(onnx.load(path))
    assert list(path.parent.iterdir()) == [path]


def test_an_estimate_names_what_can_be_reached(client: Client) -> None:
    found = client.estimate("vgg_small", "digits")
    assert found.min_gmacs < found.human_gmacs < found.max_gmacs


def test_catalogues_are_listed(client: Client) -> None:
    assert "vgg_small" in [entry.name for entry in client.backbones()]
    assert "digits" in [entry.name for entry in client.datasets()]
    assert "dynopool" in [entry.name for entry in client.resizers()]


@pytest.mark.parametrize("job_id", ["0" * 32, "x", "../../livez", "a?state=failed", "a/b"])
def test_an_id_that_no_job_has_is_not_found(client: Client, job_id: str) -> None:
    with pytest.raises(NotFound):
        client.job(job_id)


def test_what_the_server_refuses_says_why(client: Client) -> None:
    spec = JobSpec(backbone="vgg_smal", dataset="digits", budget_gmacs=0.004)
    with pytest.raises(Refused, match="vgg_small"):
        client.submit(spec)


def test_a_wrong_token_is_not_allowed(server: LocalServer) -> None:
    named = r"RESNAS_TOKEN_FILE .* RESNAS_DATA_DIR"
    with Client(server.url, "wrong") as stranger, pytest.raises(NotAllowed, match=named):
        next(stranger.jobs())


def test_the_token_is_found_in_the_data_directory(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, finished: Job
) -> None:
    monkeypatch.setenv("RESNAS_DATA_DIR", str(server.data_dir))
    monkeypatch.setenv("RESNAS_URL", server.url)
    with Client() as client:
        assert client.job(finished.id).state == "succeeded"


def test_nobody_answering_is_said_with_the_address() -> None:
    with Client("http://127.0.0.1:9", "") as client:
        assert not client.ready()
        with pytest.raises(ServerUnreachable, match="resnas serve"):
            client.job("x")


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, {"detail": "no token"}, NotAllowed, "no token. Set RESNAS_TOKEN_FILE"),
        (401, {"detail": "it expired", "next_step": "Ask for one"}, NotAllowed, "d. Ask for one"),
        (403, {}, NotAllowed, "403"),
        (404, {"detail": "no job x", "next_step": "List them"}, NotFound, "no job x. List them"),
        (409, {"detail": "it has ended"}, Refused, "it has ended"),
        (
            422,
            {"title": "wrong", "errors": [{"pointer": "/trials", "detail": "too many"}]},
            Refused,
            "/trials too many",
        ),
        (500, {"detail": "broken"}, ServerFailed, "broken"),
        (413, ["not", "a", "problem"], ServerFailed, "413"),
        (502, None, ServerFailed, "502"),
    ],
)
def test_every_answer_of_error_becomes_a_readable_error(
    status: int, body: object, kind: type[ResnasError], message: str
) -> None:
    request = httpx.Request("GET", "http://127.0.0.1/v1/jobs/x")
    content = {"html": "<h1>Bad gateway</h1>"} if body is None else {"json": body}
    error = problem_of(httpx.Response(status, request=request, **content))
    assert type(error) is kind
    assert error.place == "GET /v1/jobs/x"
    assert message in str(error)


def test_fields_of_a_newer_server_are_kept() -> None:
    spec = {"backbone": "b", "dataset": "d", "budget_gmacs": 1.0, "colour": "red"}
    answer = {"id": "1", "state": "queued", "spec": spec, "trials_done": 0, "trials_total": 8}
    job = Job.model_validate(answer | {"priority": 3})
    assert job.model_dump()["priority"] == 3
    assert job.spec.model_dump()["colour"] == "red"
    assert not job.ended


class _Liar(BaseHTTPRequestHandler):
    """Something between client and server that damages files and answers nonsense."""

    def do_POST(self) -> None:
        self._answer(b'{"id": "e", "state": "succeeded", "sha256": "%s"}' % DIGEST.encode())

    def do_GET(self) -> None:
        self._answer(b"torn" if self.path.endswith("/content") else b"<h1>Welcome</h1>")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def liar() -> Iterator[Client]:
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _Liar)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    with Client(f"http://127.0.0.1:{listener.server_port}", "") as client:
        yield client
    listener.shutdown()
    listener.server_close()


def test_a_damaged_file_is_refused_and_not_written(liar: Client, tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=DIGEST):
        liar.export("a", "onnx", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_program_at_the_address_is_recognised(liar: Client) -> None:
    with pytest.raises(ServerFailed, match="resnas server"):
        liar.job("x")


@pytest.mark.parametrize("name", ["../up.onnx", "/etc/x.onnx", "..", "", "a/b", "a\\b", ".ssh"])
def test_the_server_cannot_choose_the_folder_of_a_file(name: str) -> None:
    with pytest.raises(ValidationError, match="plain file name"):
        Export(id="e", state="succeeded", filename=name)


@pytest.mark.chaos
def test_the_examples_of_its_description_run(
    server: LocalServer, finished: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESNAS_URL", server.url)
    monkeypatch.setenv("RESNAS_DATA_DIR", str(server.data_dir))
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(client_module)
    assert (found.failed, found.attempted > 8) == (0, True)
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".onnx"]


def test_a_profile_tells_every_layer_beside_the_human_one(client: Client, finished: Job) -> None:
    best = client.front(finished.id).best_under_budget
    assert best is not None
    profile = client.profile(best.architecture_id)
    assert profile.gmacs == pytest.approx(best.gmacs)
    assert profile.human_gmacs == pytest.approx(client.estimate("vgg_small", "digits").human_gmacs)
    learned = {each.name: each.size for each in profile.maps if each.kind == "resizer"}
    assert set(learned.values()) == set((best.sizes or {}).values())
    with pytest.raises(NotFound):
        client.profile("0" * 32)
