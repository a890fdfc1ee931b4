"""How often somebody may ask: rates of owners and of strangers, refused requests included."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from service import keys
from service.app import create_app
from service.principals import Scope
from service.rates import Rates
from tests.service.conftest import BODY, refused

READ = frozenset({Scope.READ})
BOTH = frozenset({Scope.READ, Scope.WRITE})


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def test_whoever_asks_too_often_waits(settings):
    slow = settings.model_copy(
        update={"requests_per_second": 0.01, "unknown_requests_per_second": 0.01}
    )
    with TestClient(create_app(slow), base_url="http://127.0.0.1") as client:
        store = client.app.state.services.repository
        ann, bob = (bearer(keys.create(store, owner, BOTH).text) for owner in ("ann", "bob"))
        assert client.get("/v1/jobs", headers=ann).status_code == 200
        response = client.get("/v1/jobs", headers=ann)
        refused(response, 429)
        assert 0 < int(response.headers["retry-after"]) <= 100
        assert response.headers["ratelimit"].startswith('"default";r=0;t=')
        assert response.headers["ratelimit-policy"] == '"default";q=1;w=100'
        # bob's key is looked up for the first time, as a guess at one would be
        refused(client.get("/v1/jobs", headers=bob), 429)
        refused(client.get("/v1/jobs"), 429)
        refused(client.get("/docs"), 429)
        token = bearer(settings.token_path.read_text().strip())
        for _ in range(3):
            assert client.get("/livez").status_code == 200
            assert client.get("/v1/jobs", headers=token).status_code == 200


@pytest.mark.parametrize(("lasts", "status"), [(None, 403), (timedelta(0), 401)])
def test_what_a_key_is_refused_is_counted_as_well(settings, lasts, status):
    slow = settings.model_copy(
        update={"requests_per_second": 0.01, "unknown_requests_per_second": 0.01}
    )
    with TestClient(create_app(slow), base_url="http://127.0.0.1") as client:
        store = client.app.state.services.repository
        reader = bearer(keys.create(store, "ann", READ, lasts).text)
        refused(client.post("/v1/jobs", json=BODY, headers=reader), status)
        refused(client.post("/v1/jobs", json=BODY, headers=reader), 429)


def test_a_bucket_fills_steadily_and_holds_two_seconds():
    now = [0.0]
    rates = Rates(10, clock=lambda: now[0])
    assert [rates.wait("ann") for _ in range(20)] == [0] * 20
    assert rates.wait("ann") == pytest.approx(0.1)
    assert rates.wait("bob") == 0
    now[0] += 0.1
    assert rates.wait("ann") == 0
    assert rates.wait("ann") > 0
    now[0] += 1000
    assert sum(rates.wait("ann") == 0 for _ in range(30)) == 20


def test_many_names_take_no_memory_and_none_is_no_limit():
    rates = Rates(1)
    for number in range(20_000):
        rates.wait(str(number))
    assert len(rates) <= 10_000
    assert not any(Rates(0).wait("ann") for _ in range(1000))
