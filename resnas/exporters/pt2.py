"""torch.export's own file, for PyTorch without this library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from resnas.exporters._base import AbstractExporter, quiet, relative_error


class Pt2Exporter(AbstractExporter):
    """An exported program of plain ATen operations; any batch size."""

    suffix = ".pt2"
    media_type = "application/zip"
    about = "torch.export program; torch.export.load(path).module() runs it"

    def write(self, module: nn.Module, example: Tensor, path: Path) -> None:
        """Trace `module` and save the program."""
        with quiet(), torch.no_grad():
            program = torch.export.export(
                module, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)
            )
            torch.export.save(program, path)

    @torch.no_grad()
    def check(self, path: Path, module: nn.Module, examples: Sequence[Tensor]) -> float:
        """Load the program and run it."""
        with quiet():
            loaded = torch.export.load(path).module()
        return max(relative_error(loaded(images), module(images)) for images in examples)
