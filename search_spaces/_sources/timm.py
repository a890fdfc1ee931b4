"""All models of timm, with random weights; timm need not be installed for anything else.

Classes, channels and, where a model fixes its input size, that size are adapted by timm itself.
Setting: `stem=cifar`, see `search_spaces._stem`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from torch import nn

from search_spaces._asked import Asked
from search_spaces._general import first_words, general_recipe
from search_spaces._refused import BackboneRefused, UnknownBackbone, told
from search_spaces._sources import Prepared
from search_spaces._stem import options, without_stem_strides


def names() -> tuple[str, ...]:
    """All models that timm can make.

    Raises:
        BackboneRefused: timm is not installed.
    """
    return tuple(sorted(_timm().list_models()))


def about(name: str) -> str:
    """What timm says of a model."""
    return first_words(_timm().model_entrypoint(name).__doc__, f"{name} of timm")


def prepare(asked: Asked) -> Prepared:
    """A model of timm.

    Raises:
        UnknownBackbone: timm has none of that name.
        BackboneRefused: timm is not installed, there is no such setting, or timm cannot make the
            model for these pictures.
    """
    if asked.name not in names():  # names of weights and of hubs are none of models
        raise UnknownBackbone(asked.text, tuple(f"timm/{name}" for name in names()))
    small_stem = options(**asked.given_to(options))

    def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
        model = _create(asked, num_classes, input_size)
        return without_stem_strides(asked.text, model, input_size) if small_stem else model

    return Prepared(general_recipe(asked.name, about(asked.name)), build)


def _create(asked: Asked, num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
    channels, height, width = input_size
    given: dict[str, Any] = {"num_classes": num_classes, "in_chans": channels}
    try:
        try:
            return _model(asked.name, given | {"img_size": (height, width)})
        except TypeError as error:
            if "img_size" not in str(error):
                raise
        return _model(asked.name, given)  # most models take any size, and none as an argument
    except Exception as error:
        raise BackboneRefused(
            asked.text,
            f"timm cannot make it for {channels}×{height}×{width}: {told(error)}",
            "Choose another model, or pictures of another size",
        ) from error


def _model(name: str, given: dict[str, Any]) -> nn.Module:
    model: nn.Module = _timm().create_model(name, pretrained=False, **given)
    return model


def _timm() -> ModuleType:
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise BackboneRefused(
            "timm/", "timm is not installed here", "Install it: pip install 'timm>=1.0.15'"
        ) from error
