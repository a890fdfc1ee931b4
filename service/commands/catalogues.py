"""Commands that list what can be chosen; they need no server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from service.commands.options import Json, Plain
from service.console import say, show_entries, show_json


def backbones(
    pattern: Annotated[
        str | None, typer.Argument(help="Which ones, like 'timm/resnet*' or 'torchvision/*'.")
    ] = None,
    plain: Plain = False,
    as_json: Json = False,
) -> None:
    """List the backbones that can be searched; all models of timm and torchvision are, too."""
    from resnas import backbones as known

    names = known.names() if pattern is None else known.matching(pattern)
    if names or as_json:
        _show(((name, known.about(name)) for name in names), plain, as_json)
    if pattern is None:
        say(f"More are listed by a pattern: {', '.join(map(repr, known.patterns()))}")
    elif not names:
        say(f"None fits '{pattern}'. All are listed by: {', '.join(map(repr, known.patterns()))}")


def datasets(plain: Plain = False, as_json: Json = False) -> None:
    """List the data sets that can be trained on."""
    from resnas import catalog

    kinds = {name: catalog.datasets[name] for name in catalog.datasets}
    _show(
        (
            (f"{name}:<{kind.argument}>" if kind.argument else name, kind.about)
            for name, kind in kinds.items()
        ),
        plain,
        as_json,
    )


def resizers(plain: Plain = False, as_json: Json = False) -> None:
    """List what can stand where a backbone changes its resolution."""
    from resnas import catalog

    _show(
        ((name, _first_line(catalog.resizers[name])) for name in catalog.resizers), plain, as_json
    )


def layers(plain: Plain = False, as_json: Json = False) -> None:
    """List what can stand where a backbone has convolutions or pools."""
    from resnas import catalog

    about = ((name, _first_line(catalog.layers[name])) for name in catalog.layers)
    _show(about, plain, as_json)


def _show(entries: Iterable[tuple[str, str]], plain: bool, as_json: bool) -> None:
    if as_json:
        show_json([{"name": name, "about": about} for name, about in entries])
    else:
        show_entries(entries, plain)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]
