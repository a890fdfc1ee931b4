"""Jobs of every strategy, as the HTTP interface takes them and shows what they try."""

from __future__ import annotations

import pytest

from resnas.catalog import strategies
from resnas.results import Plan, TrialResult, TrialState
from service.transitions import Event, moves
from tests.service.conftest import BODY, ESTIMATE, SPEC, refused

USUAL = {"amortized": 9, "budget": 1}


@pytest.mark.parametrize("strategy", strategies.names())
def test_a_job_has_as_many_trials_as_its_strategy_takes(client, strategy):
    job = client.post("/v1/jobs", json=BODY | {"strategy": strategy}).json()
    assert job["trials_total"] == job["spec"]["trials"] == USUAL.get(strategy, 8)
    asked = client.post("/v1/jobs", json=BODY | {"strategy": strategy, "trials": 3}).json()
    assert asked["trials_total"] == 3


def test_a_budget_that_a_training_cannot_land_on_is_refused_with_the_nearest(client):
    body = {**BODY, "backbone": "vgg_small", "strategy": "budget", "budget_gmacs": 1000.0}
    problem = refused(client.post("/v1/jobs", json=body), 422)
    largest = client.post("/v1/jobs", json=BODY | {"backbone": "vgg_small"}).json()["estimate"]
    assert problem["place"] == "budget_gmacs"
    assert problem["below_gmacs"] == largest["max_gmacs"]
    assert problem["above_gmacs"] is None
    assert f"{problem['below_gmacs']:.6g}" in problem["next_step"]
    assert client.post("/v1/jobs", json=body | {"strategy": "sweep"}).status_code == 202


def test_every_resizer_has_to_land(client):
    body = {"backbone": "vgg_small", "strategy": "budget", "budget_gmacs": 0.005}
    for resizers in (["dynopool", "diffstride"], ["diffstride", "dynopool"]):
        refused(client.post("/v1/jobs", json={**BODY, **body, "resizer": resizers}), 422)
    assert client.post("/v1/jobs", json={**BODY, **body}).status_code == 202


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"strategy": "amortized", "resizer": ["dynopool", "diffstride"]}, "resizer"),
        ({"strategy": "nsga2", "resizer": ["strided"], "budget_gmacs": 1.0}, "resizer"),
        ({"strategy": "budget", "search": {"open": {"lr": [0.01, 0.1]}}}, "search.open"),
    ],
)
def test_what_a_strategy_would_leave_unused_is_refused(client, more, place):
    assert refused(client.post("/v1/jobs", json=BODY | more), 422)["place"] == place


def test_opened_settings_have_to_go_with_the_jobs_own(client):
    wide = BODY | {"search": {"open": {"warmup": [0.0, 0.7]}}}
    assert client.post("/v1/jobs", json=wide | {"training": {"settle": 0.1}}).status_code == 202
    refused(client.post("/v1/jobs", json=wide | {"training": {"settle": 0.3}}), 422)


def test_milliseconds_are_for_the_strategy_that_lands_on_them(client):
    problem = refused(client.post("/v1/jobs", json=BODY | {"budget_ms": 3.0}), 422)
    assert "strategy='budget'" in problem["next_step"]


@pytest.mark.parametrize(
    ("search", "place"),
    [
        ({"min_gmacs": 0.02, "max_gmacs": 0.01}, "min_gmacs"),
        ({"max_gmacs": 500.0}, "search.max_gmacs"),
        ({"open": {"lr": [0.1, 0.01]}}, "open"),
        ({"open": {"colour": [0.1, 0.2]}}, "colour"),
    ],
)
def test_ends_and_ranges_that_cannot_be_are_refused(client, search, place):
    problem = refused(client.post("/v1/jobs", json=BODY | {"search": search}), 422)
    assert place in problem["detail"] + str(problem.get("errors"))


@pytest.mark.parametrize(
    ("plan", "aim"),
    [
        (Plan(resizer="dynopool", controller="projection", budget_gmacs=0.01), "0.01 GMACs"),
        (Plan(resizer="strided", controller="fixed", picture=(24, 20)), "pictures of 24×20"),
        (Plan(resizer="dynopool", controller="fixed", sizes={"s": (4, 4)}), "given sizes"),
        (Plan(resizer="dynopool", controller="dual", budget_ms=2.5), "2.5 ms"),
        (Plan(resizer="dynopool", lam=1.5), "λ = 1.5"),
    ],
)
def test_a_trial_without_a_lam_says_what_it_aimed_at(client, stored, plan, aim):
    job = stored.jobs.add(SPEC, ESTIMATE)
    _, lease = stored.jobs.claim("one", 60, moves(Event.CLAIM))
    facts = {"number": 0, "state": TrialState.FAILED, "seed": 0, "reason": "no"}
    stored.trials.record(lease, TrialResult(**plan.model_dump(), **facts))
    (trial,) = client.get(f"/v1/jobs/{job.id}/trials").json()["items"]
    assert (trial["aim"], trial["controller"], trial["lam"]) == (aim, plan.controller, plan.lam)
    assert stored.trials.finished(job.id)[0].budget_gmacs == plan.budget_gmacs
