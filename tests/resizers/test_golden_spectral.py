"""SpectralPool, and its reference, against the authors' numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from resnas.resizers.spectral import SpectralPool
from tests.reference import spectral as reference
from tests.resizers.golden import DTYPES, agree, channels_first, files, gradients, load


@pytest.mark.parametrize("path", files("spectral_sp*.npz"))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_spectral_pool_is_the_authors(path: Path, dtype: torch.dtype) -> None:
    golden = load(path)
    pool = SpectralPool(tuple(golden["strides_init"].tolist()))
    x, weight = channels_first(golden, "x"), channels_first(golden, "w")
    assert pool.hard_size(x.shape[2:]) == weight.shape[2:]
    out, grad_x = gradients(pool, x, weight, dtype)
    exact = dtype == torch.float64
    agree(out, channels_first(golden, "out_f64"), 1e-10 if exact else 5e-6)
    agree(grad_x, channels_first(golden, "grad_x_f64"), 1e-10 if exact else 5e-6)


@pytest.mark.parametrize("path", files("spectral_sp*.npz"))
def test_the_reference_is_the_authors(path: Path) -> None:
    golden = load(path)
    x, stride = channels_first(golden, "x"), tuple(golden["strides_init"])
    out = reference.pool(x, stride)
    np.testing.assert_allclose(out, channels_first(golden, "out_f64"), atol=1e-10)
    grad = reference.gradient(x.shape[2:], stride, channels_first(golden, "w"))
    np.testing.assert_allclose(grad, channels_first(golden, "grad_x_f64"), atol=1e-10)
