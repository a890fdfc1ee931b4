"""ONNX, for ONNX Runtime and everything that reads its models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from resnas.exporters._base import AbstractExporter, quiet, relative_error


class OnnxExporter(AbstractExporter):
    """One file with its weights inside (below the format's own limit of 2 GB); any batch size."""

    suffix = ".onnx"
    media_type = "application/onnx"
    about = "ONNX, opset 18; checked in ONNX Runtime"

    def write(self, module: nn.Module, example: Tensor, path: Path) -> None:
        """Write an ONNX file with the input `images` and the output `output`."""
        with quiet(), torch.no_grad():
            torch.onnx.export(
                module,
                (example,),
                path,
                input_names=["images"],
                output_names=["output"],
                opset_version=18,
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                external_data=False,
                verbose=False,
            )

    @torch.no_grad()
    def check(self, path: Path, module: nn.Module, examples: Sequence[Tensor]) -> float:
        """Run the file in ONNX Runtime on the CPU."""
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        errors = []
        for images in examples:
            (found,) = session.run(["output"], {"images": images.numpy()})
            errors.append(relative_error(torch.from_numpy(found), module(images)))
        return max(errors)
