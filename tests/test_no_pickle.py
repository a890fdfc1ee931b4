"""Nothing that was stored or sent is ever run: no pickle, no `eval`, no shell, no address to fetch.

Ray sends functions of this program to its own processes as cloudpickle, over connections with a
token: `resnas/executors/_trainable.py`. A folder of backbones, where its operator names one, is
code by intent: `search_spaces/_sources/own.py`. Torchvision unpickles the files of CIFAR, after it
has compared their checksums with the published ones.
"""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from torchvision.datasets import CIFAR10, CIFAR100

import resnas
from resnas.datasets._base import load
from resnas.errors import DatasetUnavailable

ROOT = Path(resnas.__file__).parents[1]
FILES = sorted(
    path
    for package in ("resnas", "service", "search_spaces")
    for path in (ROOT / package).rglob("*.py")
)
BANNED_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "urllib.request"}
BANNED_CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.startfile"),
    *("numpy.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "torch.hub.load"),
    *("torch.jit.load", "torch.export.load", "torch.package.PackageImporter"),
    *("torch.utils.model_zoo.load_url", "torch.hub.load_state_dict_from_url"),
}
FETCHING = {"httpx", "requests", "aiohttp", "fsspec", "s3fs", "boto3", "ftplib", "http.client"}
ALLOWED = {
    ("resnas/executors/_trainable.py", "ray.cloudpickle"),
    ("search_spaces/_sources/own.py", "exec"),
    ("search_spaces/_sources/own.py", "compile"),
    # what was just written is read again, before anybody gets it
    ("resnas/exporters/pt2.py", "torch.export.load"),
}


def found_in(source: str) -> Iterator[str]:
    """What a module's text does that is banned, by its full name."""
    tree = ast.parse(source)
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                yield from _module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield from _module(f"{node.module}.{alias.name}")
            yield from _module(f"{node.module}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _call(node, names)


def _module(name: str) -> Iterator[str]:
    if name in BANNED_MODULES or name.rpartition(".")[2] in BANNED_MODULES:
        yield name


def _call(node: ast.Call, names: dict[str, str]) -> Iterator[str]:
    called = ast.unparse(node.func)
    first, dot, rest = called.partition(".")
    name = f"{names.get(first, first)}{dot}{rest}"
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if name in BANNED_CALLS:
        yield name
    if name == "torch.load" and given.get("weights_only") != "True":
        yield "torch.load without weights_only"
    if given.get("allow_pickle", "False") != "False":
        yield f"{name} with allow_pickle"
    if given.get("shell", "False") != "False":
        yield f"{name} with shell"


def test_no_module_runs_what_it_reads() -> None:
    found = {
        (str(path.relative_to(ROOT)), name) for path in FILES for name in found_in(path.read_text())
    }
    assert found == ALLOWED


def test_only_the_client_and_what_is_configured_asks_other_addresses() -> None:
    asking = {
        str(path.relative_to(ROOT))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        for module in _imported(node)
        if module in FETCHING
    }
    assert "resnas/storage.py" in asking  # the operator's bucket
    assert {
        place for place in asking if not place.startswith(("service/client", "service/connection"))
    } <= {
        "resnas/storage.py",
        "service/doctor/machine.py",  # whether this server answers
    }


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "from ray import cloudpickle as c",
        "import torch as t\nt.load(path)",
        "from torch import load\nload(path, weights_only=False)",
        "from torch.export import load\nload(path)",
        "import numpy as np\nnp.load(path)",
        "from numpy.lib import format\nformat.read_array(file, allow_pickle=True)",
        "import subprocess\nsubprocess.run(words, shell=True)",
        "import yaml\nyaml.load(text)",
        "eval(text)",
    ],
)
def test_each_way_of_running_it_is_seen(source: str) -> None:
    assert list(found_in(source))


@pytest.mark.parametrize(("name", "reader"), [("cifar10", CIFAR10), ("cifar100", CIFAR100)])
def test_a_pickle_in_the_place_of_a_published_file_is_not_run(
    name: str, reader: type[CIFAR10], tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    bomb = pickle.dumps(_Bomb(str(canary)))
    folder = tmp_path / reader.base_folder
    folder.mkdir()
    for entry in [*reader.train_list, *reader.test_list, [reader.meta["filename"]]]:
        (folder / entry[0]).write_bytes(bomb)
    with pytest.raises(DatasetUnavailable):
        load(name, tmp_path)
    assert not canary.exists()
    pickle.loads(bomb)
    assert canary.exists()  # it would have gone off


class _Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return open, (self.path, "w")
