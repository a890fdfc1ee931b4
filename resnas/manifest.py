"""What an export tells of itself."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata
from typing import Literal

from pydantic import Field

from resnas.results import Architecture, Size, Value


class Measured(Value):
    """What is known of a trained network beyond its form."""

    val_accuracy: float | None = Field(None, description="of this very network")
    test_accuracy: float | None = None
    multiple_of: int = Field(1, description="of what the learned sizes were made multiples")
    trained_val_accuracy: float | None = Field(
        None, description="at the sizes that it was trained at, where these are others"
    )
    trained_test_accuracy: float | None = None
    seed: int | None = None


class ExportedFile(Value):
    """One file of an export."""

    name: str
    format: str
    sha256: str
    bytes: int
    max_error: float | None = Field(description="relative to the output; null: nothing to run")


class Manifest(Measured):
    """What was exported, and all that is known about it; also lies there as `manifest.json`."""

    schema_version: Literal[1] = 1
    files: tuple[ExportedFile, ...]
    input_size: tuple[int, int, int] = Field(description="(C, H, W) of one sample")
    params: int
    gmacs: float | None = Field(None, description="of one sample; null for a foreign module")
    counter: str | None = Field(None, description="which rules counted `gmacs`")
    architecture: Architecture | None = Field(None, description="null for a foreign module")
    sizes: dict[str, Size] | None = None
    versions: dict[str, str]


def versions() -> dict[str, str]:
    """Of what an export is made with."""
    packages = ("resnas", "torch", "onnx", "onnxscript", "onnxruntime", "safetensors")
    found = {"python": platform.python_version()}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):  # run from a source tree
            found[package] = metadata.version(package)
    return found
