"""The command that tells what a backbone costs and reaches; it needs no server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from resnas.errors import InvalidSpec
from service.commands.options import Backbone, Json, LayerTexts, PlaceOption, Resizers
from service.console import gmacs, show_facts, show_json, show_table

if TYPE_CHECKING:
    from resnas.estimates import Estimate
    from resnas.results import Size

_INPUT = re.compile(r"(\d+)x(\d+)x(\d+)")


def estimate(
    backbone: Backbone,
    input: Annotated[
        str, typer.Option("--input", metavar="CxHxW", help="Channels, height and width.")
    ] = "3x32x32",
    classes: Annotated[int, typer.Option(min=1, help="What the backbone tells apart.")] = 10,
    resizer: Resizers = None,
    place: PlaceOption = None,
    layer: LayerTexts = None,
    as_json: Json = False,
) -> None:
    """Show what a backbone costs and which costs its search space reaches."""
    from resnas.estimating import estimate as run_estimate

    found = run_estimate(
        backbone,
        _input_size(input),
        classes,
        resizers=tuple(resizer or ("dynopool",)),
        place=place,
        layers=tuple(layer or ()),
    )
    if as_json:
        show_json(found)
    else:
        _show_estimate(found)


def _show_estimate(found: Estimate) -> None:
    show_facts(
        [
            ("the backbone as it is", f"{gmacs(found.human_gmacs)} GMACs"),
            ("where a search starts", f"{gmacs(found.start_gmacs)} GMACs"),
            ("smallest reachable", f"{gmacs(found.min_gmacs)} GMACs"),
            ("largest reachable", f"{gmacs(found.max_gmacs)} GMACs"),
            ("parameters", f"{found.params:,}"),
            ("output", "×".join(("N", *map(str, found.output_size)))),
            ("sizes to learn", str(len(found.groups))),
            ("converted in", f"{found.convert_seconds:.2f} s"),
            ("counted by", found.counter),
        ]
    )
    if found.groups:
        show_table(("group", "in", "site", "human", "start", "reachable"), _group_rows(found))
    if found.fixed_sites:
        show_table(("fixed site", "why"), found.fixed_sites.items())


def _group_rows(found: Estimate) -> Iterator[tuple[str, ...]]:
    """One row a site; what holds for the whole group is said once."""
    for group in found.groups:
        named = (group.name, _size(group.size_in))
        for site, sizes in group.sizes.items():
            reach = f"{_size(sizes.smallest)} to {_size(sizes.largest)}"
            yield *named, site, _size(sizes.human_size), _size(sizes.start_size), reach
            named = ("", "")


def _size(size: Size) -> str:
    return f"{size[0]}×{size[1]}"


def _input_size(text: str) -> tuple[int, int, int]:
    match = _INPUT.fullmatch(text)
    if match is None:
        raise InvalidSpec("--input", f"'{text}'", "Write channels, height and width as 3x32x32")
    channels, height, width = (int(number) for number in match.groups())
    return channels, height, width
