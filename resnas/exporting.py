"""A fixed network becomes files that others can run, each verified by reading it again."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from resnas.backbones import Builder
from resnas.catalog import costs, exporters
from resnas.datasets._base import AbstractDataset
from resnas.errors import ExportFailed
from resnas.exporters._base import AbstractExporter
from resnas.feeding import Feeder
from resnas.graph.freeze import facts_of
from resnas.manifest import ExportedFile, Manifest, Measured, versions
from resnas.results import Architecture, TrialResult
from resnas.space import SearchSpace
from resnas.spec import TrainingSpec
from resnas.trial import measured, rebuild

TOLERANCE = 1e-4
"""Largest difference between file and network, relative to the network's largest output."""

BATCHES = (1, 3)
"""Batch sizes that a file is run at; it is written from a batch of 2."""


def export(
    module_or_space: nn.Module,
    directory: Path | str,
    formats: Sequence[str] = ("onnx", "pt2", "safetensors"),
    *,
    input_size: tuple[int, int, int] | None = None,
    result: TrialResult | None = None,
) -> Manifest:
    """Write a network as files into `directory`, with a `manifest.json`.

    Every file is read again and run at two batch sizes before any of them is put in place: a
    failed export changes nothing in `directory`. Files of the same name are replaced.

    Args:
        module_or_space: a search space (frozen here), a frozen module, or any other module.
        directory: made where it does not exist.
        formats: names from `resnas.catalog.exporters`.
        input_size: (C, H, W); needed for a module that is neither a space nor frozen.
        result: the trial that trained the network: its accuracy and seed go into the manifest.

    Raises:
        UnknownName: there is no such format.
        ExportFailed: the input size is not known, `result` belongs to another architecture, a file
            could not be written, or it does not do what the network does.
    """
    module, facts = _fixed(module_or_space, input_size)
    _check_result(facts.get("architecture"), result)
    known = Measured()
    if result is not None:
        known = Measured(
            val_accuracy=result.val_accuracy, test_accuracy=result.test_accuracy, seed=result.seed
        )
    return _put(module, facts, Path(directory), formats, known)


def _put(
    module: nn.Module,
    facts: Mapping[str, Any],
    directory: Path,
    formats: Sequence[str],
    known: Measured,
) -> Manifest:
    """All files of a fixed network, or none."""
    chosen: dict[str, AbstractExporter] = {name: exporters[name]() for name in formats}
    architecture: Architecture | None = facts.get("architecture")
    with _staging(directory) as staging:
        files = [
            _write(name, e, module, facts["input_size"], staging) for name, e in chosen.items()
        ]
        if architecture is not None:
            files.append(_describe(architecture, staging / "architecture.json"))
        manifest = _manifest(module, facts, files, known)
        (staging / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n")
        directory.mkdir(exist_ok=True)
        for name in [*(file.name for file in files), "manifest.json"]:
            (staging / name).replace(directory / name)
    return manifest


def export_trial(
    architecture: Architecture,
    weights: bytes,
    directory: Path | str,
    formats: Sequence[str] = ("onnx", "pt2", "safetensors"),
    *,
    result: TrialResult | None = None,
    builder: Builder | None = None,
    multiple_of: int = 1,
    dataset: AbstractDataset | None = None,
) -> Manifest:
    """Build the network of a stored trial again and export it.

    Args:
        architecture: of a backbone known by name, or that `builder` builds.
        weights: content of the safetensors file that the trial kept.
        directory: as in `export`.
        formats: as in `export`.
        result: as in `export`.
        builder: what the search was given as its backbone, if anything.
        multiple_of: of what the learned sizes become multiples. That is another network than the
            trained one: its accuracy is measured again on `dataset`, and the manifest states both.
        dataset: what the trial was trained on; needed for `multiple_of`.

    Raises:
        ResnasError: the architecture cannot be built again; see `resnas.trial.rebuild`.
        ExportFailed, UnknownName: as in `export`; or `dataset` is missing, or of another kind than
            the one that it was trained on.
    """
    network = rebuild(architecture, weights, builder, multiple_of)
    if multiple_of == 1:
        return export(network, directory, formats, result=result)
    if dataset is None:
        raise ExportFailed(
            "dataset",
            f"sizes that are multiples of {multiple_of} make another network than the trained one, "
            "whose accuracy is not known",
            "Pass the data set that it was trained on",
        )
    _check_result(architecture, result)
    _check_dataset(architecture, dataset)
    return _export_resized(network, directory, formats, result, multiple_of, dataset)


def _export_resized(
    network: nn.Module,
    directory: Path | str,
    formats: Sequence[str],
    result: TrialResult | None,
    multiple_of: int,
    dataset: AbstractDataset,
) -> Manifest:
    feeder = Feeder(dataset, TrainingSpec(augment=False), torch.device("cpu"))
    accuracy, test = measured(network, feeder)
    known = Measured(
        val_accuracy=accuracy,
        test_accuracy=test,
        multiple_of=multiple_of,
        trained_val_accuracy=None if result is None else result.val_accuracy,
        trained_test_accuracy=None if result is None else result.test_accuracy,
        seed=None if result is None else result.seed,
    )
    module, facts = _fixed(network, None)
    return _put(module, facts, Path(directory), formats, known)


def _fixed(
    module: nn.Module, input_size: tuple[int, int, int] | None
) -> tuple[nn.Module, Mapping[str, Any]]:
    """An eval-mode copy on the CPU, and what is known about it: at least its input size."""
    frozen = module.freeze() if isinstance(module, SearchSpace) else copy.deepcopy(module)
    facts = facts_of(frozen)
    known: dict[str, Any] = dict(vars(facts)) if facts else {}
    if input_size is not None and input_size != known.get("input_size", input_size):
        raise ExportFailed(
            "input_size",
            f"it is {input_size}, but the network was frozen for {known['input_size']}",
            "Leave it out",
        )
    size = input_size or known.get("input_size")
    if size is None:
        raise ExportFailed(
            "module",
            f"{type(module).__name__} does not say what size its inputs have",
            "Pass a search space, a frozen module, or input_size=(C, H, W)",
        )
    return frozen.cpu().eval(), {**known, "input_size": size}


def _check_result(architecture: Architecture | None, result: TrialResult | None) -> None:
    if result is not None and _resolutions(result.architecture) != _resolutions(architecture):
        raise ExportFailed(
            "result",
            f"trial {result.number} trained another architecture than the one to be exported",
            "Load the trial's architecture into the space, or pass no result",
        )


def _check_dataset(architecture: Architecture, dataset: AbstractDataset) -> None:
    trained = (architecture.num_classes, architecture.input_size)
    found = (dataset.num_classes, dataset.input_size)
    if found != trained:
        raise ExportFailed(
            "dataset",
            f"it has {found[0]} classes of samples {found[1]}, but the network is for "
            f"{trained[0]} of {trained[1]}",
            "Pass the data set that it was trained on",
        )


def _resolutions(architecture: Architecture | None) -> Any:
    """What two descriptions of the same network agree on; names of backbones may be missing."""
    if architecture is None:
        return None
    kind = (architecture.resizer, architecture.place, architecture.layers)
    return kind, architecture.input_size, architecture.sizes


@contextlib.contextmanager
def _staging(directory: Path) -> Iterator[Path]:
    """A temporary folder beside `directory`, on its file system, gone afterwards."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".export-") as folder:
            yield Path(folder)
    except OSError as cause:
        raise ExportFailed(
            str(directory),
            f"it cannot be written to ({cause.strerror or cause})",
            "Choose a directory that you may write to, on a disk with room",
        ) from cause


def _write(
    name: str,
    exporter: AbstractExporter,
    module: nn.Module,
    input_size: tuple[int, int, int],
    staging: Path,
) -> ExportedFile:
    path = staging / f"model{exporter.suffix}"
    try:
        exporter.write(module, _images(2, input_size), path)
        error = exporter.check(path, module, [_images(n, input_size) for n in BATCHES])
    except Exception as cause:
        raise ExportFailed(
            f"format {name}",
            f"the exporter refused the network ({type(cause).__name__}: {cause})",
            "Choose another format, or replace the operation it names",
        ) from cause
    if not error <= TOLERANCE:  # NaN fails too
        raise ExportFailed(
            f"format {name}",
            f"the file's outputs differ from the network's by {error:.1e} of their scale",
            f"At most {TOLERANCE:.0e} is allowed: look for NaN weights, or report the network",
        )
    return _file(path, name, error)


def _images(count: int, input_size: tuple[int, int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, *input_size, generator=generator)


def _describe(architecture: Architecture, path: Path) -> ExportedFile:
    path.write_text(architecture.model_dump_json(indent=2) + "\n")
    return _file(path, "architecture", None)


def _file(path: Path, format_name: str, error: float | None) -> ExportedFile:
    content = path.read_bytes()
    return ExportedFile(
        name=path.name,
        format=format_name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        max_error=error,
    )


def _manifest(
    module: nn.Module,
    facts: Mapping[str, Any],
    files: Sequence[ExportedFile],
    known: Measured,
) -> Manifest:
    architecture: Architecture | None = facts.get("architecture")
    return Manifest(
        **known.model_dump(),
        files=tuple(files),
        input_size=facts["input_size"],
        params=sum(p.numel() for p in module.parameters()),
        gmacs=facts["macs"] / 1e9 if "macs" in facts else None,
        counter=costs["macs"].counter if "macs" in facts else None,
        architecture=architecture,
        sizes=None if architecture is None else architecture.sizes,
        versions=versions(),
    )
