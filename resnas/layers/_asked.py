"""How a user asks for layers: `name[:key=value[,key=value...]][@prefix[+prefix...]]`.

"phc:n=4@stage3+stage4" is PHC with n = 4 for all convolutions in the stages 3 and 4, "cas" is CAS
for all convolutions there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from resnas.catalog import layers
from resnas.errors import InvalidLayer, UnknownName
from resnas.layers._base import AbstractLayer, Settings


@dataclass(frozen=True)
class Asked:
    """One such text, understood.

    Attributes:
        text: as the user wrote it.
        entry: the layer.
        settings: all that the layer has, with what was asked.
        prefixes: of the paths of the modules to be replaced; none: all modules.
    """

    text: str
    entry: type[AbstractLayer]
    settings: Settings
    prefixes: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """What a text asks for.

        Raises:
            UnknownName: no such layer, or it has no such setting.
            InvalidLayer: the text has another form.
        """
        head, at, stages = text.partition("@")
        name, colon, settings = head.partition(":")
        entry: type[AbstractLayer] = layers[name]
        given = settings.split(",") if colon else []
        prefixes = tuple(stages.split("+")) if at else ()
        if "" in given or "" in prefixes:
            raise InvalidLayer(
                _place(text), "a part of it is empty", "Write it like 'phc:n=4@stage3+stage4'"
            )
        return cls(text, entry, _read(text, entry.settings, given), prefixes)

    @property
    def place(self) -> str:
        """What errors call it."""
        return _place(self.text)

    def head(self) -> str:
        """The text without its prefixes."""
        return self.text.partition("@")[0]


def covers(prefix: str, name: str) -> bool:
    """Whether a module of that path is, or is inside, the module of path `prefix`."""
    return f"{name}.".startswith(f"{prefix}.")


def _place(text: str) -> str:
    return f"layers '{text}'"


def _read(text: str, known: Settings, given: Sequence[str]) -> Settings:
    found: dict[str, int | bool] = {}
    for assignment in given:
        key, _, value = assignment.partition("=")
        if key not in known:
            raise UnknownName.among(f"{_place(text)}, setting", key, sorted(known))
        if key in found:
            raise InvalidLayer(_place(text), f"'{key}' stands there twice", "Say it once")
        found[key] = _value(text, assignment, value, isinstance(known[key], bool))
    return {**known, **found}


def _value(text: str, assignment: str, value: str, is_bool: bool) -> int | bool:
    if is_bool and value in ("0", "1"):
        return value == "1"
    if not is_bool and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    wanted = "0 or 1" if is_bool else "a whole number"
    raise InvalidLayer(_place(text), f"'{assignment}' does not say {wanted}", "Write it like 'n=4'")
