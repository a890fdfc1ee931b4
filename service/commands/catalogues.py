"""Commands that list what can be chosen; they need no server."""

from __future__ import annotations

from collections.abc import Iterable

from service.commands.options import Json
from service.console import show_entries, show_json


def backbones(as_json: Json = False) -> None:
    """List the backbones that can be searched."""
    import search_spaces

    _show(((name, search_spaces.recipe(name).about) for name in search_spaces.names()), as_json)


def datasets(as_json: Json = False) -> None:
    """List the data sets that can be trained on."""
    from resnas import catalog

    kinds = {name: catalog.datasets[name] for name in catalog.datasets}
    _show(
        (
            (f"{name}:<{kind.argument}>" if kind.argument else name, kind.about)
            for name, kind in kinds.items()
        ),
        as_json,
    )


def resizers(as_json: Json = False) -> None:
    """List what can stand where a backbone changes its resolution."""
    from resnas import catalog

    _show(((name, _first_line(catalog.resizers[name])) for name in catalog.resizers), as_json)


def layers(as_json: Json = False) -> None:
    """List what can stand where a backbone has convolutions or pools."""
    from resnas import catalog

    _show(((name, _first_line(catalog.layers[name])) for name in catalog.layers), as_json)


def _show(entries: Iterable[tuple[str, str]], as_json: bool) -> None:
    if as_json:
        show_json([{"name": name, "about": about} for name, about in entries])
    else:
        show_entries(entries)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]
