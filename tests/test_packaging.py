"""What holds for the packages as a whole."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import resnas

ROOT = Path(resnas.__file__).parents[1]
PACKAGES = ("resnas", "search_spaces", "service")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MIGRATIONS = ROOT / "service" / "store" / "migrations"


def imported_by(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after `statement`."""
    script = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_importing_the_library_loads_nothing_that_only_some_need() -> None:
    loaded = imported_by("import resnas")
    assert "resnas" in loaded
    assert not loaded & {"ray", "fastapi", "sqlalchemy", "plotly", "optuna", "service", "typer"}


def test_importing_the_command_line_loads_neither_torch_nor_a_server() -> None:
    loaded = imported_by("import service.cli")
    assert {"typer", "service"} <= loaded
    assert not loaded & {"torch", "ray", "fastapi", "sqlalchemy", "optuna", "plotly", "uvicorn"}


def test_the_library_says_what_is_public_and_has_all_of_it() -> None:
    assert len(set(resnas.__all__)) == len(resnas.__all__)
    for name in resnas.__all__:
        assert getattr(resnas, name) is not None
    assert set(resnas.__all__) <= set(dir(resnas))


def test_nothing_but_the_announced_names_is_visible_in_the_library() -> None:
    submodules = {module.name for module in pkgutil.iter_modules(resnas.__path__)}
    visible = {name for name in dir(resnas) if not name.startswith("_")} - submodules
    assert visible - {"annotations", "TYPE_CHECKING"} == set(resnas.__all__) - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for_and_fits_on_a_few_pages(path: Path) -> None:
    source = path.read_text()
    assert ast.get_docstring(ast.parse(source)) or MIGRATIONS in path.parents
    assert len(source.splitlines()) <= 300


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_with_modules_is_a_package(package: str) -> None:
    for folder in {path.parent for path in MODULES if package in path.parts}:
        assert (folder / "__init__.py").exists() or MIGRATIONS in (folder, *folder.parents)


def test_every_public_module_can_be_imported() -> None:
    for path in MODULES:
        if MIGRATIONS not in path.parents and not path.stem.startswith("_"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
