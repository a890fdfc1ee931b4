"""What the benchmarks compare with computes the same."""

from __future__ import annotations

import pytest
import torch

from resnas.resizers.diffstride import DiffStride
from resnas.resizers.dynopool import DynOPool
from tests.benchmarks._obvious import FourierDiffStride, FourSamples

STRIDE = (1.7, 2.3)


@pytest.mark.parametrize(
    ("ours", "obvious"),
    [(DynOPool(STRIDE), FourSamples(STRIDE)), (DiffStride(STRIDE), FourierDiffStride(STRIDE))],
    ids=["dynopool", "diffstride"],
)
def test_results_and_gradients_agree(ours, obvious):
    torch.manual_seed(0)
    x, other = (torch.randn(2, 3, 24, 20, requires_grad=True) for _ in range(2))
    other.data.copy_(x.data)
    out, wanted = ours(x), obvious(other)
    torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-4)
    weight = torch.randn_like(out)
    (out * weight).sum().backward()
    (wanted * weight).sum().backward()
    torch.testing.assert_close(x.grad, other.grad, rtol=1e-4, atol=1e-4)
    if isinstance(ours, DiffStride):  # the other form's centres move with the stride as well
        torch.testing.assert_close(ours.stride.grad, obvious.stride.grad, rtol=1e-3, atol=1e-3)
