"""PHConv2d against stored numbers of its authors, and so the reference too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resnas.layers.phc import PHConv2d
from tests.reference import phc as reference
from tests.resizers.golden import DTYPES, agree, files, gradients, load


def restored(golden: dict[str, Any], dtype: torch.dtype) -> PHConv2d:
    """The authors' layer: their weights, and their bias, which they never add."""
    sizes = ("in_features", "out_features", "kernel_size", "n", "stride", "padding")
    layer = PHConv2d(*(int(golden[key]) for key in sizes), compat=True).to(dtype)
    state = {"A": golden["A"], "F": golden["F"], "bias": golden["bias_unused"]}
    layer.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    return layer


@pytest.mark.parametrize("path", files("phc_*.npz"))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_phc_is_the_authors(path: Path, dtype: torch.dtype) -> None:
    golden = load(path)
    layer = restored(golden, dtype)
    exact = dtype == torch.float64
    out, grad_x = gradients(layer, golden["x"], golden["w"], dtype)
    agree(layer.weight, golden["weight"], 1e-10 if exact else 5e-6)
    agree(out, golden["out"], 1e-10 if exact else 5e-6)
    agree(grad_x, golden["grad_x"], 1e-10 if exact else 5e-6)
    agree(layer.A.grad, golden["grad_A"], 1e-10 if exact else 2e-4)
    agree(layer.F.grad, golden["grad_F"], 1e-10 if exact else 2e-4)
    assert layer.bias is not None
    assert (layer.bias.grad is None) == bool(golden["bias_grad_is_none"])
    assert sum(p.numel() for p in layer.parameters()) == int(golden["n_params"])


@pytest.mark.parametrize("path", files("phc_*.npz"))
def test_the_phc_reference_is_the_authors(path: Path) -> None:
    golden = load(path)
    truth = reference.convolve(
        *(golden[key] for key in ("x", "A", "F")),
        np.zeros(int(golden["out_features"])),
        int(golden["stride"]),
        int(golden["padding"]),
        golden["w"],
    )
    np.testing.assert_allclose(truth.out, golden["out"], atol=1e-10)
    np.testing.assert_allclose(truth.grad_x, golden["grad_x"], atol=1e-10)
    np.testing.assert_allclose(truth.grad_A, golden["grad_A"], atol=1e-10)
    np.testing.assert_allclose(truth.grad_F, golden["grad_F"], atol=1e-10)
