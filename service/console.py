"""What the `resnas` command shows: data on stdout, messages and progress on stderr.

Colour and moving bars only where a terminal is; `NO_COLOR` is respected (rich sees to both). Where
stdout is no terminal, or plain rows are asked for, nothing is shortened.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from resnas.errors import ResnasError
from resnas.results import Size
from service.answers import FrontPoint
from service.drawing import ASCII, UNICODE, Glyphs

Cell = str | Text
"""What stands in a table: as it is, never read as markup."""

_PIPE_WIDTH = 160  # columns; a file has no width, and ids must not be cut there
_ID_DIGITS = 12  # of an id that are shown at a terminal: the millisecond in which it was made
_IDS = frozenset({"job", "architecture", "id"})  # columns that are never cut
_WHOLE = _IDS | {"GMACs", "points", "state", "trial", "trials"}  # columns without line breaks
_NARROW = 64  # columns of a terminal, below which those of a table are left out that matter least
_FIRST_TO_GO = (
    *("backbone", "dataset", "test", "resizer", "aim", "left", "budget", "sizes"),
    *("how it stands", "GMACs"),
)
_REMARK = 6  # characters at least of a column without a name, whose words may be broken


def stdout() -> Console:
    """Where data go."""
    return _console(sys.stdout, stderr=False)


def stderr() -> Console:
    """Where messages and progress go."""
    return _console(sys.stderr, stderr=True)


def allow_any_text() -> None:
    """Let a terminal that lacks a character show another one, rather than end the command."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # another program's, which sees to that itself
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def glyphs() -> Glyphs:
    """What stdout can draw with."""
    return UNICODE if _has_all_characters() else ASCII


def say(message: str) -> None:
    """One message, on stderr."""
    stderr().print(escape(message), soft_wrap=True)


def hint(message: str) -> None:
    """What can be done next, for a person: nothing where nobody looks."""
    console = stderr()
    if console.is_terminal:
        console.print(escape(message), style="dim")


def complain(error: ResnasError) -> None:
    """An error as "place: found. next step", on stderr."""
    stderr().print(f"[red]error[/red] {escape(str(error))}", soft_wrap=True)


def show_json(value: Any) -> None:
    """Any answer, or list of answers, as JSON on stdout."""
    escaped = not _has_all_characters()  # there others would be replaced, and be lost
    text = json.dumps(_plain(value), indent=2, ensure_ascii=escaped, allow_nan=False)
    sys.stdout.write(text + "\n")


def show_datum(value: dict[str, str]) -> None:
    """A JSON object on a line of its own on stdout, at once: whoever started us waits for it."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def show_line(text: str) -> None:
    """A single datum on stdout, as it is."""
    sys.stdout.write(text + "\n")


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[Cell]], plain: bool = False) -> None:
    """A table; `plain`: a line each, tabs between the values, no headings, for other programs.

    Columns in which nothing stands are left out of what a person reads, and others where the
    terminal is narrow.
    """
    cells = [tuple(row) for row in rows]
    if plain:
        for row in cells:
            show_line("\t".join(" ".join(str(cell).split()) for cell in row))
        return
    kept = [n for n, _ in enumerate(columns) if not cells or any(str(row[n]) for row in cells)]
    kept = _fitting(kept, columns, cells)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for n in kept:
        least = _least(n, columns, cells) if columns[n] in _IDS else None
        whole = columns[n] in _WHOLE
        table.add_column(columns[n], overflow="fold", no_wrap=whole, min_width=least)
    for row in cells:
        table.add_row(*(_as_it_is(row[n]) for n in kept))
    stdout().print(table)


def _fitting(kept: list[int], columns: Sequence[str], cells: Sequence[Sequence[Cell]]) -> list[int]:
    """The columns that are shown: at a narrow terminal so many that no word has to be broken."""
    room = stdout().width
    leaving = [columns.index(name) for name in _FIRST_TO_GO if name in columns]
    while room < _NARROW and sum(_least(n, columns, cells) + 2 for n in kept) - 2 > room:
        if not leaving:
            break
        kept = [n for n in kept if n != leaving[0]]
        leaving = leaving[1:]
    return kept


def _least(n: int, columns: Sequence[str], cells: Sequence[Sequence[Cell]]) -> int:
    """How wide a column has to be at least."""
    texts = [columns[n], *(str(row[n]) for row in cells)]
    words = texts if columns[n] in _WHOLE else " ".join(texts).split()
    least = max(map(len, words), default=0)
    return least if columns[n] else min(least, _REMARK)


def show_entries(entries: Iterable[tuple[str, str]], plain: bool = False) -> None:
    """A catalogue: names, and what each is."""
    show_rows(("name", "what it is"), entries, plain)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """A table, set off by a line from what stands above it."""
    stdout().print()
    show_rows(columns, rows)


def show_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and their values, one a line."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(Text(name), Text(value))
    stdout().print(grid)


def show_drawing(drawing: Text, legend: str = "") -> None:
    """What was drawn, set off by a line, and what its signs mean."""
    console = stdout()
    console.print()
    console.print(drawing, soft_wrap=True)
    if legend:
        console.print(Text(legend, "dim"))


def shortened(ids: Iterable[str], plain: bool = False) -> dict[str, str]:
    """How each id is shown: by a beginning that tells them apart, where a person reads it."""
    known = set(ids)
    if plain or not sys.stdout.isatty():
        return {each: each for each in known}
    longest = max(map(len, known), default=0)
    enough = (n for n in range(_ID_DIGITS, longest) if len({i[:n] for i in known}) == len(known))
    digits = next(enough, longest)
    return {each: each[:digits] for each in known}


def brief(text: str) -> str:
    """One id as `shortened` shows it."""
    return shortened([text])[text]


def gmacs(value: float | None) -> str:
    """A cost with four digits that count; empty for none."""
    return "" if value is None else f"{value:.4g}"


def share(value: float | None, spread: float | None = None) -> str:
    """An accuracy in percent, with one standard error where it is known; empty for none."""
    if value is None:
        return ""
    return f"{100 * value:.2f} %" if spread is None else f"{100 * value:.2f} ± {100 * spread:.2f} %"


def pixels(size: Size | None) -> str:
    """Height and width; empty for none."""
    return "" if size is None else f"{size[0]}×{size[1]}"


def achieved(point: FrontPoint | None) -> str:
    """An architecture's accuracy and cost in a few words; empty for none."""
    return "" if point is None else f"{share(point.val_accuracy)} at {gmacs(point.gmacs)} GMACs"


def span(seconds: float | None) -> str:
    """How long something takes, in words; empty where nobody knows."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def clock(moment: datetime) -> str:
    """When it was, by the clock on the wall; with the day where that is another one."""
    here = moment.astimezone()
    today = datetime.now(UTC).astimezone().date()
    return f"{here:%H:%M}" if here.date() == today else f"{here:%Y-%m-%d %H:%M}"


def _console(stream: TextIO, *, stderr: bool) -> Console:
    """What prints text as it is: no signs for names between colons, no colours for numbers."""
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, emoji=False)


def _has_all_characters() -> bool:
    return stdout().encoding.lower().startswith("utf")


def _as_it_is(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
