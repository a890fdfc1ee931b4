"""Layers from the command line to the exported file, through a real server."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import onnx
import pytest

from service import cli
from service.local_server import LocalServer

LAYERS = ("phc:n=4@stage2+stage3", "cas@stage4")
ASKED = [word for layer in LAYERS for word in ("--layer", layer)]
QUICK = ["--budget-gmacs", "0.1", "--trials", "1", "--epochs", "1", "--batch-size", "256"]


@pytest.fixture
def resnas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The command in this process: its exit code and what it printed."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["resnas", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def test_layers_are_listed_without_a_server(resnas):
    code, out, _ = resnas("layers", "--json")
    assert code == 0
    assert {"phc", "cas", "pas"} <= {entry["name"] for entry in json.loads(out)}


@pytest.mark.chaos
def test_a_job_with_layers_is_run_and_exported(
    resnas, server: LocalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("RESNAS_URL", server.url)
    monkeypatch.setenv("RESNAS_DATA_DIR", str(server.data_dir))
    code, out, err = resnas("submit", "vgg_small", "digits", *QUICK, *ASKED, "--watch", "--json")
    assert code == 0, err
    job = json.loads(out)
    with server.client() as client:
        (point,) = client.front(job["id"]).points
        assert client.architecture(point.architecture_id).architecture.layers == LAYERS
    code, out, err = resnas("export", job["id"], "--format", "onnx", "-o", str(tmp_path))
    assert code == 0, err
    onnx.checker.check_model(onnx.load(out.strip()))
    assert "phc:n=4@stage2+stage3, cas@stage4" in " ".join(resnas("show", job["id"])[1].split())


def test_a_search_here_and_now_takes_layers(resnas, tmp_path: Path):
    found = tmp_path / "found"
    code, out, err = resnas(
        "search", "vgg_small", "digits", *QUICK, *ASKED, "-o", str(found), "--json"
    )
    assert code == 0, err
    (trial,) = json.loads(out)["trials"]
    assert trial["architecture"]["layers"] == list(LAYERS)


def test_an_estimate_takes_layers(resnas):
    words = ("estimate", "vgg_small", "--json")
    plain, gated = (json.loads(resnas(*words, *more)[1]) for more in ((), ("--layer", "cas")))
    assert plain["params"] < gated["params"]


@pytest.mark.parametrize("command", ["search", "estimate"])
def test_a_layer_that_cannot_be_is_wrong_usage(resnas, command: str):
    target = ["vgg_small", "digits", *QUICK] if command == "search" else ["vgg_small"]
    code, out, err = resnas(command, *target, "--layer", "phc:n=4@stage1")
    assert (code, out) == (2, "")
    assert "n=4 does not divide" in " ".join(err.split())


def test_a_layer_that_is_given_twice_is_named_by_its_option(resnas):
    code, _, err = resnas("submit", "vgg_small", "digits", *QUICK, *ASKED, *ASKED)
    assert code == 2
    assert "--layer" in err
