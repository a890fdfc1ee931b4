"""Layers of a backbone give way to those that a user asks for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn

from resnas.errors import InvalidLayer, UnknownName
from resnas.layers._asked import Asked, covers
from resnas.layers._base import AbstractLayer, Original

Maps = Mapping[str, Sequence[tuple[int, int, int]]]
"""(C, H, W) of every map that enters a module, by the module's path."""


def replace_layers(model: nn.Module, texts: Sequence[str], entering: Maps) -> None:
    """Put the layers that `texts` ask for into `model` itself.

    What is put there has the device, the precision and the mode of what stood there.

    Args:
        model: a backbone.
        texts: see `resnas.layers._asked`.
        entering: of the modules that the backbone calls; only these are replaced.

    Raises:
        UnknownName: no layer, setting or module is called so.
        InvalidLayer: a text has another form, asks for what cannot be, replaces nothing, or
            replaces what another one replaces as well.
    """
    originals = [
        Original(name, model.get_submodule(name), tuple(maps)) for name, maps in entering.items()
    ]
    done: dict[str, Asked] = {}
    for asked in map(Asked.parse, texts):
        chosen = [o for o in originals if _wanted(asked, o.name)]
        _check_prefixes(asked, [o.name for o in originals])
        made = _make(asked, chosen)
        _check_made(asked, made)
        for name in made:
            if name in done:
                raise InvalidLayer(
                    asked.place, f"'{done[name].text}' replaces {name} already", _NAME_STAGES
                )
            done[name] = asked
        for original in chosen:
            if original.name in made:
                _put(model, original.layer, made[original.name])


_NAME_STAGES = "Name the stages that each of them is for, like 'phc:n=4@stage3+stage4'"


def _wanted(asked: Asked, name: str) -> bool:
    return not asked.prefixes or any(covers(prefix, name) for prefix in asked.prefixes)


def _make(asked: Asked, originals: Sequence[Original]) -> dict[str, AbstractLayer]:
    made: dict[str, AbstractLayer] = {}
    refused: dict[str, InvalidLayer] = {}
    for original in originals:
        try:
            layer = asked.entry.instead_of(original, asked.settings)
        except InvalidLayer as error:
            refused[original.name] = error
            continue
        if layer is not None:
            made[original.name] = layer
    if refused:
        raise _without(asked, list(made), refused)
    return made


def _without(
    asked: Asked, others: Sequence[str], refused: Mapping[str, InvalidLayer]
) -> InvalidLayer:
    """The error for the first that cannot be replaced, and how to ask for the others alone."""
    name, error = next(iter(refused.items()))
    alone = f"{asked.head()}@{'+'.join(_stages(others, refused))}"
    hint = f", or leave it out: '{alone}'" if others else ""
    return InvalidLayer(f"{asked.place}, {name}", error.found, f"{error.next_step}{hint}")


def _stages(names: Iterable[str], without: Iterable[str]) -> list[str]:
    """The fewest prefixes, none of which covers a name in `without`."""
    without = list(without)
    found: dict[str, None] = {}
    for name in names:
        free = (p for p in _prefixes(name) if not any(covers(p, other) for other in without))
        found[next(free)] = None
    return list(found)


def _prefixes(name: str) -> list[str]:
    """The paths of all modules that the module `name` is in, from the outermost, and its own."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _check_prefixes(asked: Asked, names: Sequence[str]) -> None:
    known = list(dict.fromkeys(prefix for name in names for prefix in _prefixes(name)))
    for prefix in asked.prefixes:
        if prefix in known:
            continue
        near = difflib.get_close_matches(prefix, known, n=3, cutoff=0.5)
        near = near or [path for path in known if "." not in path]
        raise UnknownName(
            asked.place,
            f"the backbone calls no module '{prefix}'",
            f"Name a module or what it is in, for example: {', '.join(near)}",
        )


def _check_made(asked: Asked, made: Iterable[str]) -> None:
    idle = [p for p in asked.prefixes if not any(covers(p, name) for name in made)]
    if idle or not made:
        where = f"in {', '.join(idle)}" if idle else "in the backbone"
        raise InvalidLayer(
            asked.place, f"there is nothing {where} that it replaces", "Leave that out"
        )


def _put(model: nn.Module, layer: nn.Module, made: AbstractLayer) -> None:
    """`made` stands wherever `layer` stood; a module may be registered under several paths."""
    like = next(layer.parameters(), next(model.parameters(), torch.empty(0)))
    made.to(like.device, like.dtype).train(layer.training)
    paths = [path for path, found in model.named_modules(remove_duplicate=False) if found is layer]
    for path in paths:
        owner, _, name = path.rpartition(".")
        setattr(model.get_submodule(owner), name, made)
