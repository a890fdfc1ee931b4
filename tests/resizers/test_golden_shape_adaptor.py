"""Shape Adaptor, and its reference, against stored numbers of the authors' code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from resnas.resizers.shape_adaptor import ShapeAdaptor, initial_alpha, join, stride_at
from tests.reference import shape_adaptor as reference
from tests.resizers.golden import DTYPES, agree, files, load

SINGLE = "shape_adaptor_sa0[1-8]*.npz"


def adaptor(alpha: float, r1: float, r2: float, dtype: torch.dtype, **options: Any) -> ShapeAdaptor:
    """The operator with one α for both axes, as published."""
    stride = stride_at(alpha, r1, r2)
    made = ShapeAdaptor((stride, stride), (r1, r1), (r2, r2), **options).to(dtype)
    made.stride.data = torch.tensor((stride, stride), dtype=dtype)
    return made


def single(golden: dict[str, Any], dtype: torch.dtype) -> ShapeAdaptor:
    """What the authors' function was called with: always square maps."""
    alpha, r1, r2 = (float(golden[key]) for key in ("alpha", "r1", "r2"))
    made = adaptor(alpha, r1, r2, dtype, square=True, residual=bool(golden["residual"]))
    entered, penalty = float(golden["current_dim_before"]), float(golden["penalty"])
    limit = penalty * float(golden["current_dim_true_after"])
    if str(golden["type"]) == "global":
        join([made], (entered, entered), running=True)
    elif penalty < 1:
        join([made], (entered, entered), limit=limit)
    return made


def leaves(golden: dict[str, Any], dtype: torch.dtype) -> dict[str, Tensor]:
    names = [key for key in ("x", "input1", "input2") if key in golden]
    return {key: torch.tensor(golden[key], dtype=dtype).requires_grad_() for key in names}


def grad_alpha(made: ShapeAdaptor, alpha: float, r1: float = 0.5, r2: float = 1.0) -> Tensor:
    assert made.stride.grad is not None
    return made.stride.grad.sum() * reference.stride_slope(alpha, r1, r2)


def resized(made: ShapeAdaptor, golden: dict[str, Any], leaf: dict[str, Tensor]) -> Tensor:
    if "input1" in leaf:
        return made.mix(leaf["input1"], leaf["input2"])
    entered = int(golden["current_dim_before"])
    if entered == leaf["x"].shape[2]:
        return made(leaf["x"])
    return made(leaf["x"], torch.zeros(1, 1, entered, entered))


@pytest.mark.parametrize("path", files(SINGLE))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_adaptor_is_the_authors(path: Path, dtype: torch.dtype) -> None:
    golden = load(path)
    made, leaf = single(golden, dtype), leaves(golden, dtype)
    out = resized(made, golden, leaf)
    assert out.shape == golden["w"].shape
    (out * torch.tensor(golden["w"], dtype=dtype)).sum().backward()
    exact = dtype == torch.float64
    agree(out, golden["out"], 1e-10 if exact else 5e-6)
    for key, tensor in leaf.items():
        agree(tensor.grad, golden[f"grad_{key}"], 1e-10 if exact else 5e-6)
    scales = (float(golden["r1"]), float(golden["r2"]))
    found = grad_alpha(made, float(golden["alpha"]), *scales)
    agree(found, golden["grad_alpha"], 1e-10 if exact else 2e-4)


@pytest.mark.parametrize("path", files("shape_adaptor_sa10*.npz"))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sizes_by_axis_are_those_of_the_authors_toy(path: Path, dtype: torch.dtype) -> None:
    golden = load(path)
    alpha = float(golden["alpha"])
    made, leaf = adaptor(alpha, 0.5, 1.0, dtype), leaves(golden, dtype)
    out = made(leaf["x"])
    (out * torch.tensor(golden["w"], dtype=dtype)).sum().backward()
    exact = dtype == torch.float64
    agree(out, golden["out"], 1e-10 if exact else 5e-6)
    agree(leaf["x"].grad, golden["grad_x"], 1e-10 if exact else 5e-6)
    agree(grad_alpha(made, alpha), golden["grad_alpha"], 1e-10 if exact else 2e-4)


@pytest.mark.parametrize("path", files("shape_adaptor_sa09*.npz"))
def test_adaptors_in_a_row_hand_on_their_sizes(path: Path) -> None:
    golden = load(path)
    alphas = golden["alpha"].tolist()
    row = [adaptor(alpha, 0.5, 1.0, torch.float64, square=True) for alpha in alphas]
    leaf = leaves(golden, torch.float64)["x"]
    out = leaf
    for made, (size, *_) in zip(row, golden["dims"], strict=True):
        out = made(out)
        assert out.shape[2:] == (size, size)
    (out * torch.tensor(golden["w"])).sum().backward()
    agree(out, golden["out"], 1e-10)
    agree(leaf.grad, golden["grad_x"], 1e-10)
    found = torch.stack([grad_alpha(made, a) for made, a in zip(row, alphas, strict=True)])
    agree(found, golden["grad_alpha"], 1e-10)


@pytest.mark.parametrize("path", files("shape_adaptor_sa_init_table.npz"))
def test_first_alphas_are_the_authors(path: Path) -> None:
    golden = load(path)
    assert len(golden["table"]) == 7
    for size_in, size_out, count, r1, r2, alpha in golden["table"].tolist():
        found = initial_alpha(size_in, size_out, int(count), r1, r2)
        assert found == pytest.approx(alpha, abs=1e-12)


@pytest.mark.parametrize("path", [*files(SINGLE), *files("shape_adaptor_sa10*.npz")])
def test_the_reference_is_the_authors(path: Path) -> None:
    golden = load(path)
    alpha, weight = float(golden["alpha"]), golden["w"]
    penalty, residual = float(golden.get("penalty", 1)), bool(golden.get("residual", False))
    if "x" in golden:
        truth = reference.adapt(golden["x"], alpha, weight, penalty, residual)
        found = {"out": truth.out, "grad_x": truth.grad_x, "grad_alpha": truth.grad_alpha}
    else:
        share = reference.sigmoid(alpha)
        mixed = reference.blend(golden["input1"], golden["input2"], share, weight, residual)
        found = {
            "out": mixed.out,
            "grad_input1": mixed.grad_small,
            "grad_input2": mixed.grad_large,
            "grad_alpha": mixed.grad_share * share * (1 - share),
        }
    for key, value in found.items():
        np.testing.assert_allclose(value, golden[key], rtol=0, atol=1e-10)
