"""DiffStride, and its reference, against the authors' numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from resnas.resizers.diffstride import DiffStride
from tests.reference import diffstride as reference
from tests.resizers.golden import DTYPES, agree, channels_first, files, gradients, load


def diffstride(golden: dict[str, Any]) -> tuple[DiffStride, reference.Settings]:
    lower, upper = (
        None if np.isnan(golden[key]) else float(golden[key])
        for key in ("lower_limit_stride", "upper_limit_stride")
    )
    settings = reference.Settings(
        smoothness=float(golden["smoothness_factor"]),
        shared=bool(golden["shared_stride"]),
        compat=True,
        crop=bool(golden["cropping"]),
        lower=1.0 if lower is None else lower,
        upper=float("inf") if upper is None else upper,
    )
    resizer = DiffStride(
        stride=tuple(golden["strides_init"].tolist()),
        smoothness=settings.smoothness,
        shared=settings.shared,
        compat=True,
        crop=settings.crop,
        lower=lower,
        upper=upper,
    )
    return resizer, settings


@pytest.mark.parametrize("path", files("diffstride_ds*.npz"))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_diffstride_is_the_authors(path: Path, dtype: torch.dtype) -> None:
    golden = load(path)
    resizer, _ = diffstride(golden)
    resizer.to(dtype).stride.data = torch.tensor(golden["strides_init"], dtype=dtype)
    x, weight = channels_first(golden, "x"), channels_first(golden, "w")
    assert resizer.hard_size(x.shape[2:]) == weight.shape[2:]
    out, grad_x = gradients(resizer, x, weight, dtype)
    exact = dtype == torch.float64
    agree(out, channels_first(golden, "out_f64"), 1e-10 if exact else 5e-6)
    agree(grad_x, channels_first(golden, "grad_x_f64"), 1e-10 if exact else 5e-6)
    agree(resizer.stride.grad, golden["grad_strides_f64"], 1e-10 if exact else 2e-4)


@pytest.mark.parametrize("path", files("diffstride_ds*.npz"))
def test_the_reference_is_the_authors(path: Path) -> None:
    golden = load(path)
    _, settings = diffstride(golden)
    truth = reference.resize(
        channels_first(golden, "x"),
        tuple(golden["strides_init"]),
        settings,
        channels_first(golden, "w"),
    )
    np.testing.assert_allclose(truth.out, channels_first(golden, "out_f64"), atol=1e-10)
    np.testing.assert_allclose(truth.grad_x, channels_first(golden, "grad_x_f64"), atol=1e-10)
    np.testing.assert_allclose(truth.grad_stride, golden["grad_strides_f64"], atol=1e-10)


@pytest.mark.parametrize("path", files("diffstride_residual_block.npz"))
def test_a_residual_block_shares_one_diffstride(path: Path) -> None:
    golden = load(path)
    leaf = {
        key: torch.tensor(golden[key], requires_grad=True)
        for key in ("x", "conv1_kernel", "conv2_kernel", "shortcut_kernel")
    }
    pool = DiffStride().double()
    pool.stride.data = torch.tensor(golden["strides"])

    def normed(x: Tensor, name: str) -> Tensor:
        scale, shift = (torch.tensor(golden[f"{name}_{key}"]) for key in ("gamma", "beta"))
        eps = float(golden["bn_eps"])
        return F.batch_norm(x, None, None, scale, shift, training=True, eps=eps).relu()

    def convolved(x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, leaf[name].permute(3, 2, 0, 1), padding="same")

    x = leaf["x"].permute(0, 3, 1, 2)
    main = normed(pool(convolved(normed(x, "bn1"), "conv1_kernel")), "bn2")
    out = convolved(main, "conv2_kernel") + pool(convolved(x, "shortcut_kernel"))
    out = out.permute(0, 2, 3, 1)
    (out * torch.tensor(golden["w"])).sum().backward()
    agree(out, golden["out"], 1e-10)
    agree(pool.stride.grad, golden["grad_strides"], 1e-10)
    for key, tensor in leaf.items():
        agree(tensor.grad, golden[f"grad_{key}"], 1e-10)
