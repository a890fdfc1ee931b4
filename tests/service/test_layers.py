"""Jobs that ask for layers, over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import resnas.layers
from resnas.catalog import layers
from tests.service.conftest import BODY, refused

LAYERS = ["phc:n=4@stage1+stage2", "cas:width=4@stem"]


def test_layers_are_listed_with_what_they_are(client):
    items = {item["name"]: item["about"] for item in client.get("/v1/layers").json()["items"]}
    assert tuple(items) == layers.names()
    assert all(items.values())
    assert "hypercomplex" in items["phc"]


def test_a_job_is_accepted_with_its_layers(client):
    job = client.post("/v1/jobs", json=BODY | {"layers": LAYERS}).json()
    assert job["spec"]["layers"] == job["estimate"]["layers"] == LAYERS
    assert client.post("/v1/jobs", json=BODY).json()["spec"]["layers"] == []


def test_an_estimate_knows_what_layers_cost(client):
    body = {"backbone": "mobilenet_small", "dataset": "digits"}
    plain = client.post("/v1/estimates", json=body).json()
    found = client.post("/v1/estimates", json=body | {"layers": LAYERS[:1]}).json()
    assert found["params"] < plain["params"]
    assert found["human_gmacs"] == plain["human_gmacs"]


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("phd:n=4", "Did you mean 'phc'"),
        ("phc:m=4@stage1", "Choose one of: n"),
        ("phc:n=four", "Write it like 'n=4'"),
        ("phc:n=4@stgae1", "stage1"),
        ("phc:n=4", "leave it out: 'phc:n=4@stage1+stage2"),
        ("pas", "Leave that out"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/estimates"])
def test_layers_that_cannot_be_are_refused_with_a_way_on(client, stored, path, layer, words):
    body = {key: BODY[key] for key in ("backbone", "dataset")} if "estimates" in path else BODY
    problem = refused(client.post(path, json=body | {"layers": [layer]}), 422)
    assert "layers" in problem["place"]
    assert words in problem["next_step"]
    assert stored.jobs.page(1) == []


@pytest.mark.parametrize("layers", [["cas", "cas"], [""], [3], None])
def test_what_is_no_list_of_layers_is_pointed_at(client, layers):
    problem = refused(client.post("/v1/jobs", json=BODY | {"layers": layers}), 422)
    assert problem["errors"][0]["pointer"].startswith("#/layers")


FILE = '''"""A pool whose result is multiplied."""

from torch import nn
from resnas.layers._base import AbstractLayer


class Louder(AbstractLayer):
    settings = {"factor": 3}

    @classmethod
    def instead_of(cls, original, settings):
        if type(original.layer) is not nn.MaxPool2d:
            return None
        made = cls()
        made.pool = original.layer
        made.factor = settings["factor"]
        return made

    def forward(self, x):
        return self.pool(x) * self.factor
'''


@pytest.fixture
def louder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The folder of the layers with one file more."""
    (tmp_path / "louder.py").write_text(FILE)
    monkeypatch.setattr(resnas.layers, "__path__", [*resnas.layers.__path__, str(tmp_path)])
    yield "louder"
    sys.modules.pop("resnas.layers.louder", None)


def test_a_new_layer_is_one_new_file(client, louder):
    about = "A pool whose result is multiplied."
    assert {"name": louder, "about": about} in client.get("/v1/layers").json()["items"]
    body = {**BODY, "backbone": "vgg_small", "budget_gmacs": 0.1}
    asked = f"{louder}:factor=2@pool1+pool3"
    job = client.post("/v1/jobs", json={**body, "layers": [asked]}).json()
    assert [group["name"] for group in job["estimate"]["groups"]] == [
        *("pool1.pool", "pool2", "pool3.pool")
    ]
