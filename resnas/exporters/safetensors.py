"""The weights alone, as safetensors: nothing in the file can be executed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from resnas.exporters._base import AbstractExporter, relative_error


class SafetensorsExporter(AbstractExporter):
    """The state dict of the fixed network; the architecture stands beside it as JSON."""

    suffix = ".safetensors"
    media_type = "application/octet-stream"
    about = "weights only; with architecture.json the network can be built again"

    def write(self, module: nn.Module, example: Tensor, path: Path) -> None:
        """Write every parameter and buffer under its name in the state dict."""
        del example
        from safetensors.torch import save_file

        # the format has neither memory layouts nor tensors that share their memory
        plain = torch.contiguous_format
        weights = {k: v.clone(memory_format=plain) for k, v in module.state_dict().items()}
        save_file(weights, path)

    @torch.no_grad()
    def check(self, path: Path, module: nn.Module, examples: Sequence[Tensor]) -> float:
        """Load the file into a copy of the network whose own weights were thrown away."""
        from safetensors.torch import load_file

        restored = copy.deepcopy(module)
        for tensor in restored.state_dict().values():
            tensor.zero_()
        restored.load_state_dict(load_file(path))
        return max(relative_error(restored(images), module(images)) for images in examples)
