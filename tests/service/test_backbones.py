"""Backbones of other libraries and of the operator, over HTTP and on the command line."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest
from fastapi.testclient import TestClient

from resnas.errors import InvalidSpec
from resnas.estimating import check, estimate
from resnas.spec import JobSpec
from service import cli, local_server, worker
from service.app import create_app
from service.errors import StartRefused
from service.settings import Settings
from tests.service.conftest import refused, wait

TINY = '''"""A net of the operator's."""

from torch import nn


def build(num_classes, input_size, *, width: int = 8):
    return nn.Sequential(
        nn.Conv2d(input_size[0], width, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes),
    )
'''
DENSE = """from torch import nn


def build(num_classes, input_size):
    return nn.Sequential(nn.Conv2d(input_size[0], 4, 3, 2, 1), nn.Conv2d(4, num_classes, 1))
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with backbones of the operator's, one of them broken."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "tiny.py").write_text(TINY)
    (folder / "dense.py").write_text(DENSE)
    (folder / "broken.py").write_text("import torch\nx = y\n")
    return folder


@pytest.fixture
def settings(tmp_path: Path, own: Path) -> Settings:
    """A server that is told of the folder by its settings alone, and runs no jobs."""
    return Settings(data_dir=tmp_path / "data", backbones_dir=own, worker=False, port=0)


@pytest.fixture
def resnas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The command in this process: its exit code and what it printed."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["resnas", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def names(client: TestClient, query: str = "") -> dict[str, str]:
    page = client.get(f"/v1/backbones{query}").json()
    assert page["patterns"] == ["timm/*", "torchvision/*"]
    return {item["name"]: item["about"] for item in page["items"]}


def test_own_backbones_are_listed_and_a_broken_one_says_what_is_wrong(client):
    listed = names(client)
    assert listed["own/tiny"] == "A net of the operator's."
    assert "broken.py, line 2: NameError" in listed["own/broken"]
    assert listed["vgg_small"]
    assert not [name for name in listed if name.startswith("timm/")]


def test_other_libraries_models_are_listed_by_a_pattern(client):
    assert set(names(client, "?match=timm/resnet1?")) == {"timm/resnet18"}
    assert "torchvision/fcn_resnet50" in names(client, "?match=torchvision/*")
    assert set(names(client, "?match=own/t*")) == {"own/tiny"}
    assert names(client, "?match=nothing*") == {}
    refused(client.get(f"/v1/backbones?match={'x' * 201}"), 422)


def test_a_library_that_is_missing_is_named(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    problem = refused(client.get("/v1/backbones?match=timm/*"), 422)
    assert "pip install" in problem["next_step"]


@pytest.mark.parametrize(
    ("backbone", "sites"),
    [
        ("own/tiny:width=16", ["2", "3"]),
        ("timm/resnet18:stem=cifar", ["layer2.0.conv1", "layer3.0.conv1", "layer4.0.conv1"]),
        ("torchvision/resnet18", None),
    ],
)
def test_an_estimate_takes_any_of_them(client, backbone, sites):
    found = client.post("/v1/estimates", json={"backbone": backbone, "dataset": "digits"}).json()
    assert (found["backbone"], found["output_size"]) == (backbone, [10])
    assert found["min_gmacs"] < found["human_gmacs"] <= found["start_gmacs"] < found["max_gmacs"]
    assert found["convert_seconds"] > 0
    if sites:
        assert [group["sites"][0] for group in found["groups"]] == sites
    for group in found["groups"]:
        assert set(group["sizes"]) == set(group["sites"])
        for site in group["sizes"].values():
            small, human, large = (site[k][0] for k in ("smallest", "human_size", "largest"))
            assert small <= min(2, human)
            assert human < large


@pytest.mark.parametrize(
    ("backbone", "words"),
    [
        ("own/broken", "broken.py, line 2: NameError: name 'y' is not defined"),
        ("own/tiny:widht=4", "Its settings: width (a whole number)"),
        ("own/../tiny", "Did you mean 'own/tiny'"),
        ("own/dense", "its output has the shape N×10×16×16"),
        ("timm/resnet19", "'timm/resnet18'"),
        ("torchvision/fasterrcnn_resnet50_fpn", "it answers boxes"),
        ("torchvision/lraspp_mobilenet_v3_large", "its output has the shape N×10×32×32"),
    ],
)
def test_a_job_that_cannot_succeed_is_refused(client, stored, backbone, words):
    body = {"backbone": backbone, "dataset": "digits", "budget_gmacs": 1.0}
    problem = refused(client.post("/v1/jobs", json=body), 422)
    assert words in f"{problem['detail']}. {problem['next_step']}"
    assert stored.jobs.page(1) == []


def test_a_job_with_an_own_backbone_is_accepted(client):
    body = {"backbone": "own/tiny:width=4", "dataset": "digits", "budget_gmacs": 1.0}
    job = client.post("/v1/jobs", json=body)
    assert job.status_code == 202
    assert job.json()["spec"]["backbone"] == "own/tiny:width=4"


def test_a_server_without_the_folder_knows_no_own_backbones(tmp_path, own):
    plain = Settings(data_dir=tmp_path / "plain", worker=False, port=0)
    app = create_app(plain)
    headers = {"Authorization": f"Bearer {plain.token_path.read_text().strip()}"}
    with TestClient(app, base_url="http://127.0.0.1", headers=headers) as client:
        assert not [name for name in names(client) if name.startswith("own/")]
        body = {"backbone": "own/tiny", "dataset": "digits"}
        assert (
            "RESNAS_BACKBONES_DIR" in refused(client.post("/v1/estimates", json=body), 422)["found"]
        )


def test_the_folder_comes_from_the_environment_and_has_to_be_there(tmp_path, own, monkeypatch):
    monkeypatch.chdir(own.parent)
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", "own")
    found = Settings.load(data_dir=tmp_path / "data")
    assert found.backbones_dir == own
    found.prepare()
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", "gone")
    with pytest.raises(StartRefused, match=r"RESNAS_BACKBONES_DIR .*gone: it is no folder"):
        Settings.load(data_dir=tmp_path / "data").prepare()
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", "")
    assert Settings.load(data_dir=tmp_path / "data").backbones_dir is None


@pytest.mark.chaos
def test_a_worker_searches_and_exports_an_own_backbone(settings, monkeypatch, tmp_path):
    """The settings alone say where it is: the driver processes hear it from their worker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker, "POLL", 0.05)
    working = settings.model_copy(update={"worker": True, "executor": "inline"})
    app = create_app(working)
    headers = {"Authorization": f"Bearer {working.token_path.read_text().strip()}"}
    spec = {"backbone": "own/tiny:width=6", "dataset": "digits", "budget_gmacs": 0.01, "trials": 1}
    training = {"epochs": 2, "batch_size": 256, "warmup": 0.0, "settle": 0.5}
    with TestClient(app, base_url="http://127.0.0.1", headers=headers) as client:
        job = client.post("/v1/jobs", json=spec | {"training": training}).json()
        job = wait(lambda: (j := client.get(f"/v1/jobs/{job['id']}").json())["finished_at"] and j)
        assert (job["state"], job["error"]) == ("succeeded", None)
        found = f"/v1/architectures/{job['best']['architecture_id']}"
        assert client.get(found).json()["architecture"]["backbone"] == "own/tiny:width=6"
        asked = client.post(f"{found}/exports", json={"format": "onnx"}).json()
        path = f"/v1/exports/{asked['id']}"
        export = wait(lambda: (e := client.get(path).json())["finished_at"] and e)
        assert (export["state"], export["error"]) == ("succeeded", None)
        onnx.checker.check_model(onnx.load_from_string(client.get(f"{path}/content").content))


def test_a_server_of_a_program_of_its_own_keeps_the_folder(monkeypatch):
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", "/backbones")
    monkeypatch.setenv("RESNAS_DATABASE_URL", "postgresql://another.server")
    kept = local_server._environment()
    assert kept["RESNAS_BACKBONES_DIR"] == "/backbones"
    assert "RESNAS_DATABASE_URL" not in kept


def test_the_command_lists_by_pattern_and_says_how_to(resnas):
    code, out, err = resnas("backbones")
    assert code == 0
    assert "timm/" not in out
    assert "'timm/*', 'torchvision/*'" in err
    code, out, err = resnas("backbones", "timm/resnet1?", "--json")
    assert [entry["name"] for entry in json.loads(out)] == ["timm/resnet18"]
    code, out, err = resnas("backbones", "timm/no_such*")
    assert (code, out) == (0, "")
    assert "None fits" in err


def test_the_command_estimates_own_backbones_with_sizes_of_every_site(resnas, own, monkeypatch):
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", str(own))
    code, out, _ = resnas("estimate", "own/tiny", "--input", "3x48x32")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["2", "48×32", "2", "24×16", "24×16", "2×2", "to", "96×64"] in rows
    assert ["converted", "in"] in [row[:2] for row in rows]
    code, out, err = resnas("estimate", "own/broken")
    assert (code, out) == (2, "")
    assert "broken.py, line 2" in err


def test_fixed_sites_are_shown_with_their_reason(resnas):
    code, out, _ = resnas("estimate", "torchvision/squeezenet1_1", "--input", "3x64x64", "--json")
    fixed = json.loads(out)["fixed_sites"]
    code, out, _ = resnas("estimate", "torchvision/squeezenet1_1", "--input", "3x64x64")
    assert code == 0
    for site, reason in fixed.items():
        assert site in out
        assert reason.split()[0] in out


HUGE = """from torch import nn


def build(num_classes, input_size, *, looks: bool = False):
    layer = nn.Linear(60_000, 60_000)
    if looks:
        layer.weight[0, 0].item()
    return nn.Sequential(
        nn.Conv2d(input_size[0], 60_000, 3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), layer,
        nn.Linear(60_000, num_classes),
    )
"""


def test_estimating_a_huge_model_takes_no_memory_for_its_weights(own, monkeypatch):
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", str(own))
    (own / "huge.py").write_text(HUGE)
    assert estimate("own/huge", (1, 32, 32), 10).params > 3_600_000_000
    with pytest.raises(InvalidSpec, match=r"more than 250,000,000 parameters.*a smaller one"):
        estimate("own/huge:looks=true", (1, 32, 32), 10)


def test_what_looks_at_values_while_it_is_built_is_estimated_all_the_same():
    assert estimate("torchvision/regnet_y_400mf", (3, 64, 64), 10).output_size == (10,)


def test_an_estimate_follows_an_own_file_that_changes(own, monkeypatch):
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", str(own))
    before = estimate("own/tiny", (1, 32, 32), 10)
    (own / "tiny.py").write_text(TINY.replace("width: int = 8", "width: int = 16"))
    assert estimate("own/tiny", (1, 32, 32), 10).params > before.params


def test_estimates_may_be_asked_for_at_the_same_time(own, monkeypatch):
    """Tracing changes torch's own classes while it lasts: a server's threads take turns."""
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", str(own))
    names = [f"own/tiny:width={width}" for width in range(4, 12)]

    def params(name: str) -> int:
        return estimate(name, (1, 32, 32), 10).params

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(params, names)) == [params(name) for name in names]


def test_a_dense_backbone_is_for_data_with_a_class_for_every_pixel(own, monkeypatch, tmp_path):
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", str(own))
    assert estimate("own/dense", (1, 32, 32), 10).output_size == (10, 16, 16)
    spec = JobSpec(backbone="own/dense", dataset="digits", budget_gmacs=1.0)
    with pytest.raises(InvalidSpec, match="Choose a backbone for classification"):
        check(spec, tmp_path)
