"""How a backbone is asked for: `[source/]name[:key=value[,key=value...]]`.

"resnet18" is a file of this package, "timm/resnet18" comes from a source. What follows the colon
are settings: of a file the keyword-only parameters of its `build`, of another library's networks
those of the source. The parts of a tuple are joined by +: "resnet18:strides=2+2+2".
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin

from search_spaces._refused import BackboneRefused

_WHOLE = re.compile(r"-?[0-9]{1,9}")
_REAL = re.compile(r"-?[0-9]+(\.[0-9]*)?(e-?[0-9]{1,2})?")
_NAMED = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Asked:
    """Such a text, taken apart.

    Attributes:
        text: as the user wrote it.
        source: what stands before the slash; empty for the files of this package.
        name: of the backbone there.
        settings: the values as texts, by key.
    """

    text: str
    source: str
    name: str
    settings: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """What a text asks for.

        Raises:
            BackboneRefused: its settings have another form.
        """
        path, colon, rest = text.partition(":")
        source, slash, name = path.partition("/")
        settings: dict[str, str] = {}
        for assignment in rest.split(",") if colon else ():
            key, equals, value = assignment.partition("=")
            if not (key and equals and value):
                raise BackboneRefused(
                    text, f"'{assignment}' is no setting with a value", "Write it like 'key=value'"
                )
            if key in settings:
                raise BackboneRefused(text, f"'{key}' stands there twice", "Say it once")
            settings[key] = value
        return cls(text, source if slash else "", name if slash else path, settings)

    def given_to(self, function: Callable[..., Any]) -> dict[str, Any]:
        """The settings as the keyword-only parameters of `function`, with their types.

        Raises:
            BackboneRefused: it has no such parameter, one of another type, or one that must be
                given and is not.
        """
        parameters = {
            parameter.name: parameter
            for parameter in inspect.signature(function, eval_str=True).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        known = ", ".join(map(_described, parameters.values())) or "none"
        for key in self.settings:
            if key not in parameters:
                raise BackboneRefused(
                    self.text, f"there is no setting '{key}'", f"Its settings: {known}"
                )
        for parameter in parameters.values():
            if parameter.default is parameter.empty and parameter.name not in self.settings:
                raise BackboneRefused(
                    self.text,
                    f"the setting '{parameter.name}' has to be given",
                    f"Its settings: {known}",
                )
        return {
            key: self._value(key, text, parameters[key].annotation)
            for key, text in self.settings.items()
        }

    def _value(self, key: str, text: str, kind: Any) -> Any:
        try:
            return _read(text, kind)
        except ValueError as error:
            raise BackboneRefused(
                self.text,
                f"the setting '{key}' is '{text}', not {_words(kind)}",
                f"Write it like '{key}={_example(kind)}'",
            ) from error
        except TypeError as error:
            raise BackboneRefused(
                self.text,
                f"the setting '{key}' is {_words(kind)}, which no text can stand for",
                "Leave it out; whoever wrote the backbone can give it another type",
            ) from error


def _read(text: str, kind: Any) -> Any:
    """The value that `text` stands for; ValueError: for none; TypeError: no text could."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType) and NoneType in parts and len(parts) == 2:
        return None if text == "none" else _read(text, next(p for p in parts if p is not NoneType))
    if origin is Literal:
        return {str(each): each for each in parts}[_one_of(text, [str(each) for each in parts])]
    if origin is tuple:
        return _read_tuple(text.split("+"), parts)
    if kind is bool:
        return _TRUTHS[_one_of(text, _TRUTHS)]
    if kind is int and _WHOLE.fullmatch(text):
        return int(text)
    if kind is float and _REAL.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if kind is str:
        return text
    raise ValueError(text) if kind in (int, float) else TypeError(kind)


def _read_tuple(texts: list[str], kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(texts)
    if len(kinds) != len(texts):
        raise ValueError(texts)
    return tuple(_read(text, kind) for text, kind in zip(texts, kinds, strict=True))


def _one_of(text: str, texts: Mapping[str, Any] | list[str]) -> str:
    if text not in texts:
        raise ValueError(text)
    return text


def _described(parameter: inspect.Parameter) -> str:
    words = f"{parameter.name} ({_words(parameter.annotation)})"
    if parameter.default is parameter.empty:
        return f"{words}, which must be given"
    return words


def _words(kind: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join("none" if part is NoneType else _words(part) for part in parts)
    if origin is Literal:
        return " or ".join(str(part) for part in parts)
    if origin is tuple:
        return "+".join("..." if part is Ellipsis else _words(part) for part in parts)
    return _NAMED.get(kind) or str(getattr(kind, "__name__", kind))


def _example(kind: Any) -> str:
    """What a value of that type looks like."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _example(next(part for part in parts if part is not NoneType))
    if origin is Literal:
        return str(parts[0])
    if origin is tuple:
        kinds = (parts[0],) * 3 if parts[-1] is Ellipsis else parts
        return "+".join(map(_example, kinds))
    return {int: "2", float: "0.5", bool: "true"}.get(kind, "text")
