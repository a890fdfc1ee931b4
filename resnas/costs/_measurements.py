"""Measured times: each taken once a process, and once for all where there is a file for them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, Field, ValidationError

from resnas.costs._timing import Call, Clock, Stopwatch, machine
from resnas.errors import ResnasError
from resnas.storage import write_atomic

Times = dict[str, dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]]]
"""Milliseconds by name of the layer and sizes, as `16x24`."""


class _File(BaseModel):
    format: Literal["resnas.latency/1"] = "resnas.latency/1"
    machines: dict[str, Times] = {}


class Measurements:
    """Times of layers on the machines they were taken on.

    Args:
        clock: what takes them.
        file: JSON that is read at first use and written whenever more was measured, such that
            several processes may share it; None: kept in memory alone.
    """

    def __init__(self, clock: Clock | None = None, file: Path | None = None) -> None:
        self.file = file
        self._clock = clock or Stopwatch()
        self._machines: dict[str, Times] | None = None

    def milliseconds(self, calls: Sequence[Call], device: torch.device) -> list[float]:
        """Of one run of each; those that are not known yet are measured, all in turns.

        Raises:
            ResnasError: the file is damaged, or the clock told no time.
        """
        if self._machines is None:
            self._machines = self._read()
        known = self._machines.setdefault(machine(device), {})
        missing = {
            (call.layer, call.sizes): call
            for call in calls
            if _text(call.sizes) not in known.get(call.layer, {})
        }
        if missing:
            found = self._clock(list(missing.values()))
            for (layer, sizes), time in zip(missing, found, strict=True):
                known.setdefault(layer, {})[_text(sizes)] = time
            self._write()
        return [known[call.layer][_text(call.sizes)] for call in calls]

    def _read(self) -> dict[str, Times]:
        if self.file is None or not self.file.exists():
            return {}
        try:
            return _File.model_validate_json(self.file.read_bytes()).machines
        except (OSError, ValidationError) as error:
            first = str(error).partition("\n")[2].partition("\n")[0] or str(error)
            raise ResnasError(
                f"latency file {self.file}",
                f"it does not hold measurements that this version wrote ({first.strip()})",
                f"Delete it, and layers are measured anew, or name another in {VARIABLE}",
            ) from error

    def _write(self) -> None:
        assert self._machines is not None
        if self.file is None:
            return
        merged = self._read()  # another process may have added to it
        for name, layers in self._machines.items():
            for layer, times in layers.items():
                merged.setdefault(name, {}).setdefault(layer, {}).update(times)
        write_atomic(self.file, _File(machines=merged).model_dump_json(indent=1).encode())


VARIABLE = "RESNAS_LATENCY_FILE"
"""Environment variable that names the file in which measurements are kept."""


def usual() -> Measurements:
    """Those of this process, in the file that the environment names."""
    return _shared(os.environ.get(VARIABLE) or None)


@lru_cache
def _shared(file: str | None) -> Measurements:
    return Measurements(file=None if file is None else Path(file))


def _text(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
