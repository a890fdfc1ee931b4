"""An exported network is built again from its files."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from torch import fx, nn

from resnas.converting import convert
from resnas.errors import ExportUnreadable
from resnas.results import Architecture
from resnas.trial import fixed_network, rebuild


def load(directory: Path | str, backbone: nn.Module | None = None) -> fx.GraphModule:
    """The network that `resnas.export` wrote, in eval mode, on the CPU: the same outputs.

    It needs `architecture.json` and `model.safetensors`; no code is run but that of the backbone.

    Args:
        directory: that was exported to.
        backbone: the module that was converted, as it was built, whatever its weights; None where
            the architecture knows it by name.

    Raises:
        ExportUnreadable: a file is missing or damaged.
        ArchitectureMismatch: the backbone is another one.
        ResnasError: it has no name, and none is given.

    Shape:
        (N, *input_size), as the architecture has it.
    """
    folder = Path(directory)
    weights = _read(folder / "model.safetensors")
    try:
        architecture = Architecture.model_validate_json(_read(folder / "architecture.json"))
    except ValidationError as error:
        first = error.errors()[0]
        raise ExportUnreadable(
            str(folder / "architecture.json"),
            f"it describes no architecture ({'.'.join(map(str, first['loc']))}: {first['msg']})",
            "Export the network again",
        ) from error
    if backbone is None:
        return rebuild(architecture, weights)
    space = convert(
        backbone,
        architecture.input_size,
        architecture.resizer,
        architecture.place,
        architecture.layers,
        sites=tuple(architecture.sizes),
        fit_flattened=architecture.fit_flattened,
    )
    return fixed_network(space, architecture, weights)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExportUnreadable(
            str(path),
            f"it cannot be read ({error.strerror or error})",
            "Export with the formats that include safetensors, and name that directory",
        ) from error
