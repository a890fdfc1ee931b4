"""Strides in the terms of the published Shape Adaptor, whose parameter is α."""

from __future__ import annotations

import math

from resnas.errors import InvalidResizer


def alpha_at(share: float) -> float:
    """α of the large branch's share σ: ln(σ / (1 - σ)); infinite from 0 and 1 on."""
    if not 0 < share < 1:
        return -math.inf if share <= 0 else math.inf
    return math.log(share / (1 - share))


def stride_at(alpha: float, small: float = 0.5, large: float = 1.0) -> float:
    """The stride of the published parameter α: 1 / (r1 + (r2 - r1) sigmoid(α)).

    >>> round(stride_at(-0.346), 3)
    1.414
    """
    share = 1 / (1 + math.exp(-alpha)) if alpha > -700 else 0.0
    return 1 / (small + (large - small) * share)


def initial_alpha(
    size_in: float, size_out: float, count: int, small: float = 0.5, large: float = 1.0
) -> float:
    """The authors' first α of `count` equal adaptors that together make `size_out` of `size_in`.

    ln((q - r1) / (r2 - q) + 1e-4) with q = (size_out / size_in)^(1 / count); where even scales of
    r1 leave more than `size_out`, ln(1e-4).

    Raises:
        InvalidResizer: `count` scales below r2 do not lead there.

    >>> round(initial_alpha(32, 8, 4), 4)
    -0.3464
    """
    if not (count >= 1 and 0 < size_out < size_in * large**count):
        raise InvalidResizer(
            f"initial_alpha(size_in={size_in}, size_out={size_out}, count={count})",
            f"{count} adaptors of scales below {large:g} do not make this of it",
            "Ask for a smaller size_out, or give the large branch a larger scale",
        )
    scale = (size_out / size_in) ** (1 / count)
    odds = (scale - small) / (large - scale) if size_in * small**count <= size_out else 0.0
    return math.log(odds + 1e-4)
