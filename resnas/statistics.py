"""Batch statistics of a network whose weights serve several sizes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Compute the running statistics of all batch norms anew, as plain means over some batches.

    Statistics that were gathered at one size are wrong at another (Yu & Huang, "Universally
    Slimmable Networks", 2019); all else of the network stays as it is in eval mode.

    Args:
        network: in any mode; it is left in eval mode.
        batches: pictures (N, C, H, W).
    """
    network.eval()
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
        norm.train()
    for images in batches:
        network(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
