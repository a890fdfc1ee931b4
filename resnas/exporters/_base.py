"""What every exporter states."""

from __future__ import annotations

import contextlib
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn


class AbstractExporter(ABC):
    """Writes a fixed network to one file, and proves that the file does what the network does.

    Attributes:
        suffix: of the file name, with its dot.
        media_type: what an HTTP answer calls the content.
        about: one line for whoever chooses a format.
    """

    suffix: ClassVar[str]
    media_type: ClassVar[str]
    about: ClassVar[str]

    @abstractmethod
    def write(self, module: nn.Module, example: Tensor, path: Path) -> None:
        """Write `module` to `path`.

        Args:
            module: in eval mode, on the CPU.
            example: an input (N, C, H, W) with N >= 2; the file takes any N.
            path: of the new file.
        """

    @abstractmethod
    def check(self, path: Path, module: nn.Module, examples: Sequence[Tensor]) -> float:
        """Read `path` as its users do and run it; the largest `relative_error` over `examples`."""


ENTRY = AbstractExporter


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """Largest absolute difference over the largest absolute wanted value; inf where shapes differ.

    Relative to the whole output, not element by element: a logit near zero is not held to more
    digits than its neighbours.
    """
    if found.shape != wanted.shape:
        return float("inf")
    difference = (found.double() - wanted.double()).abs().max()
    scale = wanted.double().abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    return float(difference / scale)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's exporters from talking about their own insides; errors still come through."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
