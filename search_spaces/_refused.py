"""Why a backbone cannot be had."""

from __future__ import annotations

import difflib

_LONGEST = 300
"""Characters of a foreign error that are told."""
_FEW = 50
"""Names that a person reads through."""


class UnknownBackbone(LookupError):
    """There is no backbone of that name; `names` are those that there are."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        super().__init__(name, names)
        self.name = name
        self.names = names

    def __str__(self) -> str:
        return f"there is no backbone '{self.name}'. {self.next_step}"

    @property
    def next_step(self) -> str:
        """The nearest names, and all of them where they are few."""
        near = difflib.get_close_matches(self.name, self.names, n=3, cutoff=0.5)
        hint = "Did you mean " + " or ".join(f"'{name}'" for name in near) + "? " if near else ""
        if len(self.names) > _FEW:
            source = self.names[0].partition("/")[0]
            return f"{hint}'resnas backbones \"{source}/*\"' lists all {len(self.names)}"
        return f"{hint}Choose one of: {', '.join(self.names)}"


class BackboneRefused(ValueError):
    """A backbone that is there and cannot be built as asked.

    Args:
        name: of the backbone, as it was asked for.
        found: what stands in the way.
        next_step: what the reader can do about it.
    """

    def __init__(self, name: str, found: str, next_step: str) -> None:
        super().__init__(name, found, next_step)
        self.name = name
        self.found = found
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.name}: {self.found}. {self.next_step}"


def told(error: BaseException) -> str:
    """Another library's error in a line of ours."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"[:_LONGEST]
