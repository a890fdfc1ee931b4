"""Figures over HTTP, and what the page asks beside them: spreads, seeds, the time that is left."""

import gzip
import json
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from resnas.results import EpochMetrics
from service import figures
from service.app import create_app
from service.settings import Settings
from service.store.models import EventRow
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC, refused, result
from tests.service.stored import ARCHITECTURE
from tests.service.test_fronts import fill

UNKNOWN = "0" * 32
EPOCH = {
    "phase": "search",
    "val_accuracy": 0.5,
    "gmacs": 0.01,
    "sizes": {},
    "strides": {"g": (2.0, 2.0)},
    "seconds": 3.0,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), worker=False)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        token = settings.token_path.read_text().strip()
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture(scope="module")
def store(server):
    return server.app.state.services.repository


def begin(store):
    """A job that runs, though others were there before, and the lease of it."""
    job = store.jobs.add(SPEC.model_copy(update={"trials": 10}), ESTIMATE, priority=1)
    _, lease = store.jobs.claim("one", 60, moves(Event.CLAIM))
    assert lease.id == job.id
    return job, lease


@pytest.fixture
def running(store):
    """A running job without trials, and the lease of it."""
    job, lease = begin(store)
    yield job, lease
    store.jobs.finish(lease, moves(Event.SUCCEED))


def end(store, lease, number, accuracy, gmacs, **facts):
    found = result(number, accuracy=accuracy, macs=int(gmacs * 1e9))
    known = {"architecture": ARCHITECTURE, "val_samples": 100} | facts
    store.trials.record(lease, found.model_copy(update=known))


@pytest.fixture
def searched(store, running):
    """A job of five trials: (accuracy, GMACs), the third dominated; the fourth is the best."""
    job, lease = running
    places = [(0.6, 0.002), (0.8, 0.004), (0.7, 0.005), (0.9, 0.009), (0.95, 0.03)]
    for number, (accuracy, gmacs) in enumerate(places):
        end(store, lease, number, accuracy, gmacs)
    return job


def report(store, lease, trial, epoch, epochs=10, **facts):
    known = {"trial": trial, "epoch": epoch, "epochs": epochs, "train_loss": 1.0 / epoch}
    found = EpochMetrics.model_validate(known | EPOCH | facts)
    store.trials.progress(lease, found)


def traces(server, path, **query):
    """The traces of a figure by name, after a look at its form."""
    answer = server.get(path, params=query)
    assert answer.status_code == 200, answer.text
    figure = answer.json()
    assert figure.keys() == {"data", "layout"}
    assert "template" not in figure["layout"]
    assert {trace["type"] for trace in figure["data"]} <= {"scatter", "bar"}
    return {trace["name"]: trace for trace in figure["data"]}


def test_the_figure_of_a_front_has_the_points_of_the_front(server, searched):
    path = f"/v1/jobs/{searched.id}"
    for query in ({}, {"include_dominated": True}, {"min_accuracy": 0.75, "max_gmacs": 0.01}):
        front = server.get(f"{path}/front", params=query).json()
        drawn = traces(server, f"{path}/figures/front", **query)
        for name, dominated in (("front", False), ("dominated", True)):
            points = [p for p in front["points"] if p["dominated"] is dominated]
            assert drawn[name]["customdata"] == [p["architecture_id"] for p in points]
            assert drawn[name]["x"] == [p["gmacs"] for p in points]
        for name, member in (("best under the budget", "best_under_budget"), ("knee", "knee")):
            point = front[member]
            assert drawn[name]["customdata"] == ([point["architecture_id"]] if point else [])
    assert len(traces(server, f"{path}/figures/front", include_dominated=True)) == 4


def test_a_front_without_trials_is_a_figure_all_the_same(server, running):
    job, _ = running
    drawn = traces(server, f"/v1/jobs/{job.id}/figures/front", include_dominated=True)
    assert [trace["x"] for trace in drawn.values()] == [[]] * 4
    assert server.get(f"/v1/jobs/{job.id}/figures/curves").json()["data"] == []
    assert traces(server, "/v1/figures/fronts", job=job.id).popitem()[1]["x"] == []


def test_points_tell_their_seed_their_aim_and_how_sure_their_accuracy_is(server, searched):
    best = server.get(f"/v1/jobs/{searched.id}").json()["best"]
    assert (best["trial"], best["seed"], best["aim"]) == (3, 3, "λ = 1.5")
    assert best["spread"] == pytest.approx(0.03)  # the root of 0.9 * 0.1 / 100
    front = server.get(f"/v1/jobs/{searched.id}/front").json()
    assert front["best_under_budget"] == best
    card = traces(server, f"/v1/jobs/{searched.id}/figures/front")["front"]["hovertext"][2]
    assert "90.00% ± 3.00%" in card


def test_a_figure_that_one_has_is_not_sent_again_until_it_changes(server, store, running):
    job, lease = running
    paths = (
        f"/v1/jobs/{job.id}/figures/front",
        f"/v1/jobs/{job.id}/figures/curves",
        f"/v1/figures/fronts?job={job.id}",
    )
    end(store, lease, 0, 0.6, 0.002)
    tags = [server.get(path).headers["etag"] for path in paths]
    assert len(set(tags)) == 3
    for path, tag in zip(paths, tags, strict=True):
        assert server.get(path, headers={"If-None-Match": tag}).status_code == 304
    end(store, lease, 1, 0.9, 0.003)
    for path, tag in zip(paths, tags, strict=True):
        assert server.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_large_answers_are_compressed_and_small_ones_are_not(server, searched):
    path = f"/v1/jobs/{searched.id}/figures/front"
    with server.stream("GET", path) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in answer.headers["vary"].lower()
    plain = server.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content
    assert "content-encoding" not in server.get("/livez").headers


def test_curves_are_of_the_trials_that_run_and_of_the_best(server, store, running):
    job, lease = running
    for number in range(7):
        report(store, lease, number, 1)
    for number in range(6):
        end(store, lease, number, 0.5 + number / 20, 0.004 + number / 500)

    def shown(**query):
        drawn = server.get(f"/v1/jobs/{job.id}/figures/curves", params=query).json()["data"]
        return {trace["name"] for trace in drawn}

    # Trial 3 is the best within the budget of 0.01, of the others three are more accurate.
    assert shown() == {"trial 6", "trial 3", "trial 5", "trial 4", "trial 2"}
    assert shown(trial=[0, 1, 999]) == {"trial 0", "trial 1"}
    path = f"/v1/jobs/{job.id}/figures/curves"
    for wrong in ({"trial": list(range(13))}, {"trial": -1}, {"trial": "x"}, {"trial": 2**31}):
        refused(server.get(path, params=wrong), 422)


def test_a_long_curve_is_thinned_to_what_a_screen_shows(server, store, running, monkeypatch):
    monkeypatch.setattr(figures, "MOST_EPOCHS", 5)
    job, lease = running
    for epoch in range(1, 22):
        report(store, lease, 0, epoch)
    report(store, lease, 1, 1)
    curves = server.get(f"/v1/jobs/{job.id}/figures/curves").json()["data"]
    xs = {trace["name"]: trace["x"] for trace in curves}
    assert xs["trial 0"][0] == 1
    assert xs["trial 0"][-1] == 21
    assert 3 <= len(xs["trial 0"]) <= 5
    assert xs["trial 1"] == [1]


def test_a_trial_that_began_anew_has_one_curve_and_what_is_no_number_none(server, store, running):
    job, _ = running
    with store.database.write() as session:
        for number, (epoch, loss) in enumerate(
            [(1, 3.0), (2, 2.0), (3, 1.0), (1, 4.0), (2, float("nan")), (3, 5.0)]
        ):
            told = {"trial": 0, "epoch": epoch, "epochs": 3, "train_loss": loss} | EPOCH
            row = {"job_id": job.id, "number": 100 + number, "kind": "epoch"}
            session.add(EventRow(**row, trial=0, data=told))
    answer = server.get(f"/v1/jobs/{job.id}/figures/curves", params={"trial": 0})
    loss = json.loads(answer.text, parse_constant=pytest.fail)["data"][0]
    assert (loss["x"], loss["y"]) == ([1, 3], [4.0, 5.0])


def test_fronts_of_jobs_lie_over_one_another(server, store, searched):
    other = store.jobs.add(SPEC, ESTIMATE)
    fill(store, other.id, [(1_000_000, 0.5), (2_000_000, 0.4), (3_000_000, 0.6)])
    drawn = traces(server, "/v1/figures/fronts", job=[searched.id, other.id, other.id])
    assert sorted(len(trace["x"]) for trace in drawn.values()) == [2, 4]
    assert all(name.startswith("mobilenet_small on digits") for name in drawn)
    for wrong, status in (
        ([], 422),
        ([UNKNOWN] * 9, 422),
        ([searched.id, UNKNOWN], 404),
        (["nonsense"], 404),
    ):
        refused(server.get("/v1/figures/fronts", params={"job": wrong}), status)


def test_an_architecture_is_told_layer_by_layer_and_drawn(server, searched):
    point = server.get(f"/v1/jobs/{searched.id}/front").json()["points"][0]
    path = f"/v1/architectures/{point['architecture_id']}"
    profile = server.get(f"{path}/profile").json()
    assert profile["backbone"] == "mobilenet_small"
    assert sum(each["macs"] for each in profile["maps"]) == round(profile["gmacs"] * 1e9)
    assert {"conv", "resizer", "linear"} <= {each["kind"] for each in profile["maps"]}
    assert "human" in traces(server, f"{path}/figures/ladder")
    bars = traces(server, f"{path}/figures/layers")
    assert sum(bars["this architecture"]["y"]) == pytest.approx(profile["gmacs"])
    both = {"a": point["architecture_id"], "b": point["architecture_id"]}
    assert traces(server, "/v1/figures/ladders", **both)
    refused(server.get("/v1/figures/ladders", params=both | {"b": UNKNOWN}), 404)
    refused(server.get("/v1/figures/ladders", params={"a": both["a"]}), 422)


def test_the_time_left_comes_from_trials_that_ended_and_epochs_of_those_that_run(
    server, store, running
):
    job, lease = running

    def left():
        return server.get(f"/v1/jobs/{job.id}").json()["seconds_left"]

    assert left() is None
    report(store, lease, 0, 4, seconds=3.0)
    assert left() == pytest.approx(6 * 3 + 9 * 30)  # nothing has ended: as this one goes on
    end(store, lease, 0, 0.6, 0.002, seconds=40.0)
    for number in (1, 2):
        report(store, lease, number, 5, seconds=4.0)
    assert left() == pytest.approx((2 * 5 * 4 + 7 * 40) / 2)  # two at a time
    (listed,) = [j for j in server.get("/v1/jobs").json()["items"] if j["id"] == job.id]
    assert listed["seconds_left"] == left()


def test_what_has_ended_or_not_begun_has_no_time_left(server, store):
    job = store.jobs.add(SPEC, ESTIMATE)
    assert server.get(f"/v1/jobs/{job.id}").json()["seconds_left"] is None
    job, lease = begin(store)
    report(store, lease, 0, 1)
    store.jobs.finish(lease, moves(Event.SUCCEED))
    assert server.get(f"/v1/jobs/{job.id}").json()["seconds_left"] is None


@contextmanager
def counted(store):
    """The statements that are run meanwhile."""
    found = []

    def count(connection, cursor, statement, *rest):
        found.append(statement)

    event.listen(store.database.engine, "before_cursor_execute", count)
    yield found
    event.remove(store.database.engine, "before_cursor_execute", count)


def test_a_list_of_jobs_takes_as_many_queries_as_one(server, store, searched):
    with counted(store) as one:
        assert len(server.get("/v1/jobs", params={"limit": 1}).json()["items"]) == 1
    for _ in range(5):
        fill(store, store.jobs.add(SPEC, ESTIMATE).id, [(1_000_000, 0.5)])
    with counted(store) as six:
        assert len(server.get("/v1/jobs", params={"limit": 6}).json()["items"]) == 6
    assert len(six) <= len(one)
