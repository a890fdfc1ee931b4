"""Backbones by name, and those that a caller builds himself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import search_spaces
from resnas.errors import InvalidSpec, UnknownName

Builder = Callable[[int, tuple[int, int, int]], nn.Module]
"""(num_classes, (C, H, W)) to a network with new weights, which takes (N, C, H, W)."""

LARGEST = 250_000_000
"""Parameters (1 GB) of a network that is sketched on the CPU; without memory there is no limit."""


def names() -> tuple[str, ...]:
    """The names of this program's backbones and of own ones, sorted."""
    return search_spaces.names()


def patterns() -> tuple[str, ...]:
    """What `matching` can be asked for beside `names()`: the many models of other libraries."""
    return search_spaces.patterns()


def matching(pattern: str) -> tuple[str, ...]:
    """The names that fit a pattern like "timm/resnet*", sorted.

    Raises:
        InvalidSpec: the library that would have them is not installed.
    """
    with _told(pattern):
        return search_spaces.matching(pattern)


def about(name: str) -> str:
    """One line on a backbone that `names` or `matching` gave."""
    with _told(name):
        return search_spaces.about(name)


def check(name: str) -> None:
    """See whether there is a backbone of that name, with such settings; nothing is built.

    Raises:
        UnknownName: there is none.
        InvalidSpec: it cannot be had, or has no such settings.
    """
    with _told(name):
        search_spaces.check(name)


def recipe(name: str, builder: Builder | None = None) -> search_spaces.Recipe:
    """How the backbone is best trained; a general recipe where `builder` builds it.

    Raises:
        UnknownName: there is no such backbone.
        InvalidSpec: it cannot be had, or has no such settings.
    """
    if builder is not None:
        return search_spaces.general_recipe(name, "a network of the caller's")
    with _told(name):
        return search_spaces.recipe(name)


def build(
    name: str,
    num_classes: int,
    input_size: tuple[int, int, int],
    builder: Builder | None = None,
) -> nn.Module:
    """A freshly initialised backbone for samples of `input_size` (C, H, W).

    Args:
        name: of the backbone; its settings may follow.
        num_classes: what it tells apart.
        input_size: (C, H, W) of one sample.
        builder: what builds it; None: it is known by its name.

    Raises:
        UnknownName: there is no such backbone.
        InvalidSpec: it cannot be built for such samples, or `builder` answers no module.
    """
    if builder is None:
        with _told(name):
            return search_spaces.build(name, num_classes, input_size)
    model = builder(num_classes, input_size)
    if not isinstance(model, nn.Module):
        raise InvalidSpec(
            f"backbone {name}",
            f"the callable answered a {type(model).__name__} for {num_classes} classes of "
            f"{input_size}",
            "Pass one that takes (num_classes, input_size) and returns a torch.nn.Module",
        )
    return model


def sketch(
    name: str,
    num_classes: int,
    input_size: tuple[int, int, int],
    builder: Builder | None = None,
    *,
    on_cpu: bool = False,
) -> nn.Module:
    """The backbone without content in its weights: all that its sizes and costs need.

    It is built on torch's meta device, where weights take no memory; on the CPU only where it
    cannot be built there, or `on_cpu` says so.

    Args:
        name: of the backbone; its settings may follow.
        num_classes: what it tells apart.
        input_size: (C, H, W) of one sample.
        builder: what builds it; None: it is known by its name.
        on_cpu: whether the meta device is known not to do.

    Raises:
        UnknownName, InvalidSpec: as `build`; also: it needs the CPU, and is too large for that.
    """
    if not on_cpu:
        # an error may come of values that were looked at; any other comes again
        with suppress(Exception), torch.device("meta"):
            return build(name, num_classes, input_size, builder)
    with _Bounded() as bounded:
        try:
            return build(name, num_classes, input_size, builder)
        except Exception as error:
            if bounded.made > LARGEST:
                raise InvalidSpec(
                    f"backbone {name}",
                    f"it has more than {LARGEST:,} parameters, and cannot be built without memory "
                    "for them",
                    "Choose a smaller one",
                ) from error
            raise


class _Bounded(TorchFunctionMode):
    """Ends the building of a network that takes too much memory; for one thread.

    Attributes:
        made: elements of all tensors that weights are made of, or were to be.
    """

    _FACTORIES = frozenset({torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand})

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if func in self._FACTORIES:  # counted first: what is far too large cannot even be made
            self.made += _elements(args, given)
            if self.made > LARGEST:
                raise MemoryError(f"more than {LARGEST:,} parameters")
        return func(*args, **given)


def _elements(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Of the tensor that a factory is asked for: as (2, 3), ((2, 3),) or size=(2, 3)."""
    size = args or kwargs.get("size", ())
    return math.prod(size[0] if size and isinstance(size[0], Sequence) else size)


def claim(name: str) -> None:
    """See that a caller's own network would not be stored under the name of another one.

    Raises:
        InvalidSpec: the name is that of a backbone, or could be.
    """
    if name in names() or "/" in name or ":" in name:
        raise InvalidSpec(
            f"backbone {name}",
            "what is built by a callable is stored under this name, which stands for a backbone of "
            "the program",
            "Choose a name of its own, without '/' and ':', as spec.backbone",
        )


@contextmanager
def own_from(folder: Path | None) -> Iterator[None]:
    """Names like "own/my_net" are files of that folder until the end.

    None: of the folder that RESNAS_BACKBONES_DIR names.
    """
    with search_spaces.own_from(folder):
        yield


def own_folder() -> Path | None:
    """Where names like "own/my_net" come from; None: from nowhere."""
    return search_spaces.own_folder()


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What `search_spaces` refuses, as errors of this library."""
    try:
        yield
    except search_spaces.UnknownBackbone as error:
        raise UnknownName("backbone", f"there is no '{name}'", error.next_step) from error
    except search_spaces.BackboneRefused as error:
        raise InvalidSpec(f"backbone {name}", error.found, error.next_step) from error
    except ValueError as error:
        raise InvalidSpec(
            f"backbone {name}", str(error), "Choose another backbone, or enlarge the pictures"
        ) from error
