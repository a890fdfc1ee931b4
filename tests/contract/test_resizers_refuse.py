"""What every file in resnas/resizers refuses, and that its errors name."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from resnas.catalog import resizers
from resnas.errors import InvalidResizer
from tests.contract.test_resizers import NAMES, allowed, image


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "stride", [(0.0, 2.0), (2.0, -1.0), (math.nan, 2.0), (2.0, math.inf), (2.0,) * 4, ()]
)
def test_a_stride_that_is_none_is_refused(name: str, stride: tuple[float, ...]) -> None:
    with pytest.raises(InvalidResizer):
        resizers[name].at(stride)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [math.nan, 0.0, -1.0, math.inf])
def test_a_stride_that_training_has_spoilt_is_named(name: str, value: float) -> None:
    resizer = allowed(name)
    if not resizer.stride.requires_grad:
        pytest.skip("its stride does not move")
    resizer.stride.data.fill_(value)
    for call in (lambda: resizer(image(1, 1, 8, 8)), lambda: resizer.hard_size((8, 8))):
        with pytest.raises(InvalidResizer, match="its stride has become") as refused:
            call()
        assert type(resizer).__name__ in str(refused.value)
    assert type(resizer).__name__ in repr(resizer)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(3, 8, 8, dtype=torch.int64),
        torch.zeros(1, 3, 8, 8, dtype=torch.int64),
        torch.zeros(3, 8, 8),
        torch.zeros(1, 3, 0, 8),
    ],
    ids=["3-D integers", "integers", "3-D", "no rows"],
)
def test_what_is_no_map_is_refused(name: str, x: Tensor) -> None:
    resizer = allowed(name)
    with pytest.raises(InvalidResizer, match=r"N, C, H, W") as refused:
        resizer(x)
    assert type(resizer).__name__ in str(refused.value)
    assert str(tuple(x.shape)) in str(refused.value)
