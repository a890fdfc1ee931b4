"""The worked examples do what they say, in a shortened form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.examples import own_network, phone_budget, reading_a_front


def test_an_own_network_and_image_folder_end_in_a_file_that_onnx_runtime_confirms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = own_network.main(tmp_path, pictures=16, trials=1, epochs=1, share=2.0)
    said = capsys.readouterr().out
    assert found.best is not None
    assert f"in ONNX Runtime: {found.best.val_accuracy:.2%}" in said
    assert (tmp_path / "exported" / "model.onnx").exists()
    assert "best under the budget" in (tmp_path / "front.html").read_text()
    assert (tmp_path / "front.svg").read_text().startswith("<svg")


@pytest.mark.chaos
def test_a_phone_gets_a_file_within_its_budget_at_multiples_of_eight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = phone_budget.main(tmp_path, pictures=8, epochs=1)
    assert manifest.gmacs is not None
    assert manifest.sizes is not None
    said = capsys.readouterr().out
    (budget,) = re.findall(r"the phone has ([\d.]+)", said)
    assert (manifest.gmacs <= float(budget)) != ("that is above the phone's" in said)
    assert all(side % 8 == 0 for size in manifest.sizes.values() for side in size)
    assert (tmp_path / "exported" / "model.onnx").exists()


@pytest.mark.chaos
def test_a_front_is_read_over_the_client_and_its_best_point_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESNAS_EXECUTOR", "inline")
    exported = reading_a_front.main(tmp_path, trials=2, epochs=1)
    said = capsys.readouterr().out
    assert "succeeded: 2 of 2 trials" in said
    if "best under the budget" in said:
        assert exported is not None
        assert exported.stat().st_size > 0
    assert (tmp_path / "front.svg").read_text().startswith("<svg")
