"""Golden vectors: numbers of the operators' authors, stored; where they lie and how to compare."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

FOLDER = os.environ.get("RESNAS_GOLDEN_DIR")
DTYPES = [torch.float64, torch.float32]


def files(pattern: str) -> list[Any]:
    """The files as parameters of a test; without the folder one that is skipped and says why."""
    if FOLDER is None:
        reason = "RESNAS_GOLDEN_DIR does not say where the golden vectors lie"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="no golden vectors")]
    found = sorted(Path(FOLDER).glob(pattern))
    assert found, f"{FOLDER} holds no {pattern}"
    return [pytest.param(path, id=path.stem) for path in found]


def load(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def channels_first(golden: dict[str, Any], key: str) -> Any:
    """A stored map as (N, C, H, W), whichever order its file has."""
    last = str(golden["data_format"]) == "channels_last"
    return golden[key].transpose(0, 3, 1, 2) if last else golden[key]


def agree(found: Tensor | None, wanted: Any, tolerance: float) -> None:
    """Absolute where values are at most 1, relative to the largest one above that."""
    assert found is not None
    scale = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found.detach().double(), wanted, rtol=0, atol=tolerance * scale)


def gradients(
    resizer: torch.nn.Module, x: Any, weight: Any, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Of sum(out * weight): what comes out, and the gradient of x."""
    leaf = torch.tensor(x, dtype=dtype).requires_grad_()
    out = resizer(leaf)
    assert tuple(out.shape) == weight.shape
    (out * torch.tensor(weight, dtype=dtype)).sum().backward()
    assert leaf.grad is not None
    return out, leaf.grad
