"""torchvision's models that answer classes, of a picture or of every pixel; with random weights.

Setting: `stem=cifar`, see `search_spaces._stem`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from search_spaces._asked import Asked
from search_spaces._general import first_words, general_recipe
from search_spaces._refused import BackboneRefused, UnknownBackbone, told
from search_spaces._sources import Prepared
from search_spaces._stem import options, without_stem_strides

_OTHERS = {
    "detection": "it answers boxes, not classes",
    "optical_flow": "it takes two pictures",
    "quantization": "its weights are integers, which no gradient moves",
    "video": "it takes clips (N, C, T, H, W), not pictures",
}
"""Why the models of torchvision's other folders cannot be searched."""

_ONE_OUTPUT = {"aux_logits": False, "transform_input": False, "init_weights": True}
"""Of those with further heads for training, and with a normalisation of its own for RGB."""

_SETTINGS: dict[str, dict[str, Any]] = {"googlenet": _ONE_OUTPUT, "inception_v3": _ONE_OUTPUT}


class Segmentation(nn.Module):
    """A segmentation model that answers its map of classes, not a dictionary.

    Shape:
        (N, C, H, W) to (N, num_classes, H, W).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """One score for each class and pixel."""
        answered: Tensor = self.model(x)["out"]
        return answered


def names() -> tuple[str, ...]:
    """The models for classification and for segmentation."""
    from torchvision import models

    found = [
        *models.list_models(module=models),
        *models.list_models(module=models.segmentation),
    ]
    return tuple(sorted(found))


def about(name: str) -> str:
    """What torchvision says of a model."""
    from torchvision import models

    return first_words(models.get_model_builder(name).__doc__, f"{name} of torchvision")


def prepare(asked: Asked) -> Prepared:
    """A model of torchvision.

    Raises:
        UnknownBackbone: torchvision has none of that name.
        BackboneRefused: what it does cannot be searched, there is no such setting, or torchvision
            cannot make it for these pictures.
    """
    folder = _folder(asked)
    if folder in _OTHERS:
        raise BackboneRefused(
            asked.text,
            f"torchvision has it under {folder}: {_OTHERS[folder]}",
            "Choose a model of 'torchvision/*', or the backbone inside it",
        )
    small_stem = options(**asked.given_to(options))
    dense = folder == "segmentation"

    def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
        model = _create(asked, dense, num_classes, input_size)
        return without_stem_strides(asked.text, model, input_size) if small_stem else model

    return Prepared(general_recipe(asked.name, about(asked.name), dense=dense), build)


def _folder(asked: Asked) -> str:
    """Which part of torchvision.models has it: "segmentation", say, or the name of a file."""
    from torchvision import models

    if asked.name not in models.list_models():
        raise UnknownBackbone(asked.text, tuple(f"torchvision/{name}" for name in names()))
    module: str = models.get_model_builder(asked.name).__module__
    return module.removeprefix("torchvision.models.").partition(".")[0]


def _create(
    asked: Asked, dense: bool, num_classes: int, input_size: tuple[int, int, int]
) -> nn.Module:
    from torchvision import models

    channels, height, width = input_size
    given = {"weights": None, "num_classes": num_classes, **_SETTINGS.get(asked.name, {})}
    if dense:
        given |= {"weights_backbone": None}
    elif asked.name.startswith("vit_"):
        given |= {"image_size": height}
    elif asked.name.startswith("maxvit_"):
        given |= {"input_size": (height, width)}
    try:
        model: nn.Module = models.get_model(asked.name, **given)
        if channels != 3:
            _take_channels(model, channels)
    except Exception as error:
        raise BackboneRefused(
            asked.text,
            f"torchvision cannot make it for {channels}×{height}×{width}: {told(error)}",
            "Choose another model, or pictures of another size",
        ) from error
    return Segmentation(model) if dense else model


def _take_channels(model: nn.Module, channels: int) -> None:
    """Put a convolution for another number of channels where the network takes the picture."""
    path, first = next(
        (path, layer) for path, layer in model.named_modules() if isinstance(layer, nn.Conv2d)
    )
    replacement = nn.Conv2d(
        channels,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]  # torch types it as of any length
        first.stride,  # type: ignore[arg-type]
        first.padding,  # type: ignore[arg-type]
        first.dilation,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    model.set_submodule(path, replacement)
