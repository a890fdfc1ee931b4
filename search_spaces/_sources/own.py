"""Backbones of whoever runs the program: files in a folder, each like a file of this package.

The folder is `RESNAS_BACKBONES_DIR`, or what `own_from` says. A file `my_net.py` there is
"own/my_net". It states `build(num_classes, input_size)`, which answers a network; further
keyword-only parameters of it are its settings; a `RECIPE` (`search_spaces.Recipe`) may say how it
is trained. It is run as it is when somebody asks for it, with all rights of the program, so the
folder must be its operator's alone.

Names are of a-z, 0-9 and _, so that none leads to another folder, and neither may a link. A file
that was changed is read again. One that is broken is listed with its error, and hides no other.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import TypeVar

from torch import nn

from search_spaces._asked import Asked
from search_spaces._file import prepare_file
from search_spaces._general import first_words, general_recipe
from search_spaces._recipe import Recipe
from search_spaces._refused import BackboneRefused, UnknownBackbone, told
from search_spaces._sources import Prepared

VARIABLE = "RESNAS_BACKBONES_DIR"

_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
_PACKAGE = "search_spaces._own"

_folder: ContextVar[Path | None] = ContextVar("folder of own backbones", default=None)
_loaded: dict[Path, tuple[bytes, ModuleType]] = {}
_loading = RLock()  # a file may ask for another one

Result = TypeVar("Result")


@contextmanager
def own_from(folder: Path | None) -> Iterator[None]:
    """Own backbones come from that folder until the end; None: from where the environment says."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def own_folder() -> Path | None:
    """The absolute path of the folder with own backbones; None where there is none."""
    named = os.environ.get(VARIABLE)
    found = _folder.get() or (Path(named) if named else None)
    return found.absolute() if found else None


def names() -> tuple[str, ...]:
    """The files that are there now; none where the folder is missing."""
    folder = own_folder()
    if folder is None or not folder.is_dir():
        return ()
    return tuple(sorted(p.stem for p in folder.glob("*.py") if _is_named(p) and _is_inside(p)))


def about(name: str) -> str:
    """What the file says of itself, or why it cannot be used."""
    try:
        return prepare(Asked(f"own/{name}", "own", name, {})).recipe.about
    except BackboneRefused as error:
        return error.found


def prepare(asked: Asked) -> Prepared:
    """A file of the folder.

    Raises:
        UnknownBackbone: there is no such file.
        BackboneRefused: there is no folder, the file leads out of it, it is broken, it has no such
            setting, or wants one that is not given.
    """
    path = _path(asked)
    module = _guarded(asked, path, lambda: _module(path))
    if not callable(getattr(module, "build", None)):
        raise BackboneRefused(
            asked.text,
            f"{path.name} states no function 'build'",
            "Write build(num_classes, input_size), which answers the network",
        )
    recipe = getattr(module, "RECIPE", None)
    if recipe is None:
        recipe = general_recipe(asked.name, first_words(module.__doc__, f"build() of {path.name}"))
    if not isinstance(recipe, Recipe):
        raise BackboneRefused(
            asked.text,
            f"the RECIPE of {path.name} is a {type(recipe).__name__}",
            "Make it a search_spaces.Recipe, or leave it out",
        )
    prepared = _guarded(asked, path, lambda: prepare_file(asked, module, recipe))

    def build(num_classes: int, input_size: tuple[int, int, int]) -> nn.Module:
        model = _guarded(asked, path, lambda: prepared.build(num_classes, input_size))
        if not isinstance(model, nn.Module):
            raise BackboneRefused(
                asked.text,
                f"build() of {path.name} answered a {type(model).__name__}",
                "Let it return a torch.nn.Module",
            )
        return model

    return Prepared(recipe, build)


def _path(asked: Asked) -> Path:
    folder = own_folder()
    if folder is None or not folder.is_dir():
        found = f"{VARIABLE} names no folder" if folder is None else f"{VARIABLE} is no folder"
        raise BackboneRefused(
            asked.text, found, "Whoever runs this program can put backbones into one and name it"
        )
    path = folder / f"{asked.name}.py"
    if not _NAME.fullmatch(asked.name) or not path.is_file():
        raise UnknownBackbone(asked.text, tuple(f"own/{name}" for name in names()))
    if not _is_inside(path):
        raise BackboneRefused(
            asked.text,
            f"{path.name} is a link out of the folder of own backbones",
            "Put the file itself there",
        )
    return path


def _is_named(path: Path) -> bool:
    return _NAME.fullmatch(path.stem) is not None and path.is_file()


def _is_inside(path: Path) -> bool:
    return path.resolve().parent == path.parent.resolve()


def _module(path: Path) -> ModuleType:
    """The file as a module, run again where its text has changed; it leaves no bytecode behind."""
    source = path.read_bytes()
    with _loading:
        before = _loaded.get(path)
        if before is not None and before[0] == source:
            return before[1]
        module = ModuleType(f"{_PACKAGE}.{path.stem}")
        module.__file__ = str(path)
        sys.modules[module.__name__] = module  # dataclasses and pickle look there
        exec(compile(source, str(path), "exec"), module.__dict__)
        _loaded[path] = source, module
        return module


def _guarded(asked: Asked, path: Path, call: Callable[[], Result]) -> Result:
    """What `call` answers; whatever the file's own code raises is told with its line."""
    try:
        return call()
    except BackboneRefused:
        raise
    except (Exception, SystemExit) as error:
        raise BackboneRefused(
            asked.text,
            f"{path.name}, line {_line(error, path)}: {told(error)}",
            "Mend that line",
        ) from error


def _line(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return str(error.lineno)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if frame.filename == str(path)]
    return str(own[-1]) if own else "1"
