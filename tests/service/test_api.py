"""The HTTP interface: what it answers."""

import json

import pytest

from service.app import create_app
from service.store.values import State
from service.transitions import Event, moves
from tests.service.conftest import BODY, ESTIMATE, PROBLEM, SPEC, refused, wait


def test_a_job_needs_three_fields_and_is_accepted_with_its_estimate(client):
    response = client.post("/v1/jobs", json=BODY)
    assert response.status_code == 202, response.text
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["trials_done"], job["trials_total"]) == ("queued", 0, 8)
    assert (job["best"], job["error"], job["started_at"]) == (None, None, None)
    assert job["spec"].items() >= BODY.items()
    reach = job["estimate"]
    assert reach["min_gmacs"] < reach["human_gmacs"] <= reach["max_gmacs"]
    assert job["created_at"].endswith("Z")
    assert client.get(response.headers["location"]).json() == job


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/openapi.json", "/"])
def test_health_and_description_are_public(anonymous, path):
    wait(lambda: anonymous.get(path).status_code != 503)  # it is not ready before it is warm
    assert anonymous.get(path).status_code == 200


def test_the_token_stays_the_same_and_is_its_owners_alone(settings):
    create_app(settings)
    token = settings.token_path.read_text()
    assert settings.token_path.stat().st_mode & 0o777 == 0o600
    assert token.count("\n") == 1
    assert len(token) > 32
    create_app(settings)
    assert settings.token_path.read_text() == token
    assert [path.name for path in settings.data_dir.glob("*token*")] == ["token"]


def test_a_token_that_others_can_read_is_made_its_owners_alone(settings, caplog):
    create_app(settings)
    settings.token_path.chmod(0o644)
    settings.data_dir.chmod(0o755)
    create_app(settings)
    assert settings.token_path.stat().st_mode & 0o777 == 0o600
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700
    assert "was open to others (mode 644)" in caplog.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example"])
def test_on_loopback_a_rebound_name_is_refused(client, host):
    refused(client.get("/v1/jobs", headers={"Host": host}), 421)


@pytest.mark.parametrize("host", ["localhost", "localhost:8642", "127.0.0.1:1", "[::1]:8642"])
def test_on_loopback_its_own_names_are_answered(client, host):
    assert client.get("/v1/jobs", headers={"Host": host}).status_code == 200


def test_pages_lead_through_all_jobs_newest_first(client, stored):
    ids = [stored.jobs.add(SPEC, ESTIMATE).id for _ in range(5)]
    seen, query = [], {"limit": 2}
    while True:
        page = client.get("/v1/jobs", params=query).json()
        seen += [job["id"] for job in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == ids[::-1]
    other = client.get("/v1/jobs", params=query | {"state": "queued"})
    assert "same filters" in refused(other, 400)["next_step"]
    assert client.get("/v1/jobs?limit=100000").status_code == 200


def test_a_queued_job_is_cancelled_at_once_and_a_failed_one_not_at_all(client, stored):
    job = client.post("/v1/jobs", json=BODY).json()
    for _ in range(2):
        response = client.post(f"/v1/jobs/{job['id']}:cancel")
        assert (response.status_code, response.json()["state"]) == (200, "cancelled")
    failed = stored.jobs.add(SPEC, ESTIMATE)
    _, lease = stored.jobs.claim("one", 60, moves(Event.CLAIM))
    stored.jobs.finish(lease, moves(Event.FAIL))
    problem = refused(client.post(f"/v1/jobs/{failed.id}:cancel"), 409)
    assert "already failed" in problem["detail"]


def test_the_front_has_what_nothing_dominates(client, front):
    answer = client.get(f"/v1/jobs/{front.id}/front").json()
    assert [point["gmacs"] for point in answer["points"]] == [0.002, 0.006, 0.02]
    assert answer["points"][0]["sizes"] == {"s": [16, 16]}
    assert answer["best_under_budget"]["val_accuracy"] == 0.9  # the job's budget is 0.01
    assert answer["counter"] == "ours"
    assert answer["hypervolume"] == pytest.approx(0.7 * 0.004 + 0.9 * 0.014 + 0.95 * 0.02)
    job = client.get(f"/v1/jobs/{front.id}").json()
    assert job["best"]["architecture_id"] == answer["best_under_budget"]["architecture_id"]
    assert client.get("/v1/jobs").json()["items"][0]["best"] == job["best"]


@pytest.mark.parametrize(
    ("query", "costs"),
    [
        ({"max_gmacs": 0.006}, [0.002, 0.006]),
        ({"min_accuracy": 0.8}, [0.006, 0.02]),
        ({"include_dominated": "true"}, [0.002, 0.004, 0.006, 0.02]),
        ({"include_dominated": "true", "max_gmacs": 0.005}, [0.002, 0.004]),
        ({"max_gmacs": 0.001}, []),
    ],
)
def test_a_front_can_be_filtered(client, front, query, costs):
    answer = client.get(f"/v1/jobs/{front.id}/front", params=query).json()
    assert [point["gmacs"] for point in answer["points"]] == costs
    assert [point["gmacs"] for point in answer["points"] if point["dominated"]] in ([], [0.004])


def test_a_nonsense_filter_is_refused(client, front):
    for query in ("max_gmacs=-1", "max_gmacs=nan", "min_accuracy=2", "include=1"):
        refused(client.get(f"/v1/jobs/{front.id}/front?{query}"), 422)


def test_trials_and_their_architectures_are_shown(client, front):
    page = client.get(f"/v1/jobs/{front.id}/trials?limit=3").json()
    rest = client.get(f"/v1/jobs/{front.id}/trials", params={"cursor": page["next_cursor"]}).json()
    trials = page["items"] + rest["items"]
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3]
    assert (trials[0]["state"], trials[0]["lam"], trials[0]["gmacs"]) == ("complete", 1.5, 0.002)
    found = client.get(f"/v1/architectures/{trials[0]['architecture_id']}").json()
    assert (found["architecture"]["sizes"], found["job_id"]) == ({"s": [16, 16]}, front.id)


def test_an_export_is_queued_once_and_has_no_content_before_it_is_there(client, front):
    point = client.get(f"/v1/jobs/{front.id}/front").json()["points"][0]
    path = f"/v1/architectures/{point['architecture_id']}/exports"
    first = client.post(path, json={"format": "onnx"})
    assert (first.status_code, first.json()["state"]) == (202, "queued")
    assert first.headers["location"] == f"/v1/exports/{first.json()['id']}"
    assert client.post(path, json={"format": "onnx"}).json() == first.json()
    problem = refused(client.get(f"{first.headers['location']}/content"), 409)
    assert "queued" in problem["detail"]
    problem = refused(client.post(path, json={"format": "onxx"}), 422)
    assert "Did you mean 'onnx'" in problem["next_step"]


@pytest.mark.parametrize("what", ["backbones", "datasets", "resizers", "strategies"])
def test_catalogues_name_their_entries_and_say_what_they_are(client, what):
    items = client.get(f"/v1/{what}").json()["items"]
    assert items
    assert all(item["name"] and item["about"] for item in items)


def test_an_export_whose_file_is_gone_is_written_again(client, stored, settings, front):
    (architecture_id, *_) = (t.architecture_id for t in stored.trials.page(front.id, 1))
    path = f"/v1/architectures/{architecture_id}/exports"
    first = client.post(path, json={"format": "onnx"}).json()
    _, lease = stored.exports.claim("one", 60, moves(Event.CLAIM))
    digest = settings.artifacts.put(b"a network")
    stored.exports.deliver(
        lease, moves(Event.SUCCEED), file_name="a.onnx", size=9, sha256=digest, manifest={}
    )
    assert client.post(path, json={"format": "onnx"}).json()["id"] == first["id"]
    settings.artifacts.path(digest).unlink()
    again = client.post(path, json={"format": "onnx"}).json()
    assert (again["state"], again["id"] != first["id"]) == ("queued", True)
    assert client.post(path, json={"format": "onnx"}).json() == again


def test_an_estimate_costs_no_job(client, stored):
    body = {"backbone": "mobilenet_small", "dataset": "digits"}
    estimate = client.post("/v1/estimates", json=body).json()
    assert estimate["min_gmacs"] < estimate["human_gmacs"] <= estimate["max_gmacs"]
    assert estimate["groups"]
    assert stored.jobs.page(1) == []
    refused(client.post("/v1/estimates", json=body | {"resizer": ["dynopol"]}), 422)


def test_the_description_tells_the_truth_about_errors_and_the_token(client):
    schema = client.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            errors = [
                answer
                for status, answer in operation["responses"].items()
                if status == "default" or status >= "400"
            ]
            assert len(errors) > 4
            for answer in errors:
                assert answer["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }
            assert ("security" in operation) == (path.startswith("/v1") or path == "/metrics")
    assert set(schema["components"]["schemas"]["Problem"]["required"]) == PROBLEM
    assert "HTTPValidationError" not in json.dumps(schema)


def test_a_new_state_of_a_job_is_never_unknown_to_the_description(client):
    schema = client.get("/openapi.json").json()
    assert schema["components"]["schemas"]["State"]["enum"] == [state.value for state in State]
