"""A folder is a catalogue: one file, one entry, found by its file name.

There is no registry to edit. Files whose name starts with an underscore hold shared code and are
not listed. A file is imported only when its entry is asked for, so listing names costs nothing and
a heavy dependency (Ray, say) is needed only by whoever chooses it.

>>> resizers.names()[:2]
('average', 'diffstride')
>>> resizers["dynopol"]
Traceback (most recent call last):
resnas.errors.UnknownName: resizers: there is no 'dynopol'. Did you mean 'dynopool'? ...
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

from resnas.errors import UnknownName


class Catalog:
    """The classes found in one folder, one a file, keyed by file name."""

    def __init__(self, package: str) -> None:
        self.package = package

    def __repr__(self) -> str:
        return f"Catalog({self.package!r})"

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def names(self) -> tuple[str, ...]:
        """Names of all entries, sorted; imports none of them."""
        path = importlib.import_module(self.package).__path__
        found = (module.name for module in pkgutil.iter_modules(path))
        return tuple(sorted(name for name in found if not name.startswith("_")))

    def __getitem__(self, name: str) -> Any:
        """The entry's class: the only public class that its file defines.

        Raises:
            UnknownName: no such file; the message suggests the nearest name.
        """
        if name not in self.names():
            raise UnknownName.among(self.package.rpartition(".")[2], name, self.names())
        module = importlib.import_module(f"{self.package}.{name}")
        base = importlib.import_module(f"{self.package}._base").ENTRY
        (entry,) = (
            found
            for found in vars(module).values()
            if inspect.isclass(found)
            and issubclass(found, base)
            and found.__module__ == module.__name__
            and not found.__name__.startswith("_")
        )
        return entry


resizers = Catalog("resnas.resizers")
layers = Catalog("resnas.layers")
costs = Catalog("resnas.costs")
datasets = Catalog("resnas.datasets")
controllers = Catalog("resnas.controllers")
strategies = Catalog("resnas.strategies")
executors = Catalog("resnas.executors")
exporters = Catalog("resnas.exporters")
