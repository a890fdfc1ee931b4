"""fvcore's figures, reported beside ours."""

from __future__ import annotations

import logging
import warnings

import torch
from torch import Tensor, nn


def fvcore_counts(module: nn.Module, input_size: tuple[int, int, int]) -> dict[str, int]:
    """Multiply-accumulates of one sample by operator, as fvcore counts them.

    Args:
        module: a plain network; it is traced in eval mode.
        input_size: (C, H, W).
    """
    training = module.training
    module.eval()
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    logger = logging.getLogger("torch.jit._trace")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # fvcore still traces by torch.jit
            return _by_operator(module, torch.zeros(1, *input_size, device=device))
    finally:
        logger.setLevel(level)
        module.train(training)


def _by_operator(module: nn.Module, sample: Tensor) -> dict[str, int]:
    from fvcore.nn import FlopCountAnalysis  # takes half a second to import

    analysis = FlopCountAnalysis(module, sample)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    return {str(name): round(count) for name, count in analysis.by_operator().items()}


def fvcore_total(module: nn.Module, input_size: tuple[int, int, int]) -> int:
    """fvcore's own total, which adds batch norm, pooling and interpolation in its own units."""
    return sum(fvcore_counts(module, input_size).values())
