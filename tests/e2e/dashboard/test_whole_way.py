"""From the address that the server prints to a file for ONNX Runtime, in few clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from tests.e2e.dashboard.visiting import Visitor

MOST_CLICKS = 6


def test_a_new_user_submits_watches_chooses_and_downloads_in_six_clicks(
    visitor: Visitor, tmp_path: Path
) -> None:
    page = visitor.page
    visitor.sign_in()
    visitor.click("link", "Submit a job")
    visitor.heading("Submit a job")
    page.get_by_label("Trials").fill("2")
    page.get_by_label("Epochs of each").fill("1")
    page.get_by_label("Batch size").fill("256")
    visitor.see("Can be reached")
    page.get_by_label("Budget, GMACs of one sample").fill("0.1")
    visitor.click("button", "Submit the job")

    visitor.heading("vgg_small on digits")
    succeeded = page.locator('[data-state="succeeded"]').first
    succeeded.wait_for(timeout=200_000)  # by itself; a busy machine takes its time
    visitor.drawn()
    visitor.click("button", "Best under the budget")
    assert "select=" in page.url
    visitor.click("tab", "Take it")
    with page.expect_download() as download:
        visitor.click("button", "ONNX")
    download.value.save_as(tmp_path / "model.onnx")

    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (taken,) = session.get_inputs()
    (scores,) = session.run(None, {taken.name: np.zeros((2, 1, 32, 32), np.float32)})
    assert scores.shape == (2, 10)
    assert visitor.clicks <= MOST_CLICKS
