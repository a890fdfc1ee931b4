"""DynOPool, and its reference, against stored numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from resnas.resizers.dynopool import DynOPool
from tests.reference import dynopool as reference
from tests.resizers.golden import DTYPES, agree, files, gradients, load


@pytest.mark.parametrize("path", files("dynopool_dyn*.npz"))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("gradient", ["delta", "full"])
def test_dynopool_is_the_golden_one(
    path: Path, dtype: torch.dtype, gradient: Literal["delta", "full"]
) -> None:
    golden = load(path)
    pool = DynOPool(gradient=gradient).to(dtype)
    pool.stride.data = torch.tensor(golden["alpha"], dtype=dtype)
    out, grad_x = gradients(pool, golden["x"], golden["w"], dtype)
    exact = dtype == torch.float64
    agree(out, golden["out"], 1e-10 if exact else 5e-6)
    agree(grad_x, golden["grad_x"], 1e-10 if exact else 5e-6)
    key = "grad_alpha_delta" if gradient == "delta" else "grad_alpha_delta_centre"
    agree(pool.stride.grad, golden[key], 1e-10 if exact else 2e-4)


@pytest.mark.parametrize("path", files("dynopool_dyn*.npz"))
def test_the_reference_is_the_golden_one(path: Path) -> None:
    golden = load(path)
    truth = reference.pool(golden["x"], tuple(golden["alpha"]), golden["w"])
    np.testing.assert_allclose(truth.out, golden["out"], atol=1e-10)
    np.testing.assert_allclose(truth.grad_x, golden["grad_x"], atol=1e-10)
    np.testing.assert_allclose(truth.grad_stride_delta, golden["grad_alpha_delta"], atol=1e-10)
    np.testing.assert_allclose(
        truth.grad_stride_full, golden["grad_alpha_delta_centre"], atol=1e-10
    )
