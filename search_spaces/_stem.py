"""CIFAR-style stems for networks that were made for large pictures."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import torch
from torch import Tensor, nn

from search_spaces._layers import SMALL_IMAGE, is_small
from search_spaces._refused import BackboneRefused, told

Stem = Literal["original", "cifar"]

_QUARTER = 3
"""A map this many times smaller than the picture has been reduced four times, but for rounding."""

_STRIDED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def options(*, stem: Stem = "original") -> bool:
    """The settings of networks from other libraries; whether they want a CIFAR-style stem."""
    return stem == "cifar"


def without_stem_strides(
    name: str, model: nn.Module, input_size: tuple[int, int, int]
) -> nn.Module:
    """`model` itself, which no longer reduces a picture of (C, H, W) fourfold at its start.

    He et al. 2016 and all CIFAR networks after them leave out what a network for 224 pixels begins
    with. Here every strided convolution that meets a map larger than a quarter of the picture
    takes stride 1, and every such pool becomes the identity; which ones they are is seen by
    running the network once. Kernels and padding stay as they are.

    Args:
        name: of the network, for errors.
        model: built for `input_size`; it is changed.
        input_size: (C, H, W) of one sample, at most 64 pixels on the shorter side.

    Raises:
        BackboneRefused: the pictures are large, nothing is strided there, or the network fails
            without the strides.
    """
    if not is_small(input_size):
        raise BackboneRefused(
            name,
            f"stem=cifar is for pictures of up to {SMALL_IMAGE} pixels, not {input_size[1:]}",
            "Leave it out",
        )
    found = _strided(model, input_size)
    if not found:
        raise BackboneRefused(
            name,
            "stem=cifar finds no strided convolution or pool at its start",
            "Leave it out, or choose another network",
        )
    for path, layer in found.items():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
        else:
            model.set_submodule(path, nn.Identity())
    try:
        _run(model, input_size)
    except Exception as error:
        raise BackboneRefused(
            name,
            f"without the strides of {', '.join(found)} it fails: {told(error)}",
            "Leave stem=cifar out, or choose another network",
        ) from error
    return model


def _strided(model: nn.Module, input_size: tuple[int, int, int]) -> dict[str, nn.Module]:
    """The strided layers that meet a map which has not yet been reduced fourfold, by path."""
    found: dict[str, nn.Module] = {}
    paths: dict[nn.Module, str] = {
        layer: path for path, layer in model.named_modules() if isinstance(layer, _STRIDED)
    }

    def note(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        reduced = any(
            side * _QUARTER <= whole
            for side, whole in zip(args[0].shape[2:], input_size[1:], strict=True)
        )
        if not reduced and max(_pair(layer.stride)) > 1:
            found[paths[layer]] = layer

    hooks = [layer.register_forward_pre_hook(note) for layer in paths]
    with suppress(Exception):  # too small a picture for all the strides gets through the stem
        _run(model, input_size)
    for hook in hooks:
        hook.remove()
    return found


def _run(model: nn.Module, input_size: tuple[int, int, int]) -> None:
    """One sample of zeros through the network, whose mode stays what it was."""
    training = model.training
    first = next(model.parameters())
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *input_size, device=first.device, dtype=first.dtype))
    finally:
        model.train(training)


def _pair(stride: object) -> tuple[int, int]:
    if isinstance(stride, tuple):
        v, h = stride if len(stride) == 2 else stride * 2
        return (int(v), int(h))
    return (int(str(stride)), int(str(stride)))
