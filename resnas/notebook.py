"""What a notebook shows of a value: cards, tables and data frames; all texts are escaped."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from resnas.errors import ResnasError

if TYPE_CHECKING:
    from pandas import DataFrame

_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"


def card(title: str, facts: Mapping[str, str | None], *parts: str) -> str:
    """A heading, the facts that are known, and parts that are HTML already."""
    known = [(name, value) for name, value in facts.items() if value]
    told = " · ".join(f"{escape(name)} <b>{escape(value)}</b>" for name, value in known)
    return f"<div><strong>{escape(title)}</strong><div>{told}</div>{''.join(parts)}</div>"


def table(
    columns: Iterable[str], rows: Iterable[Sequence[str]], strong: Collection[int] = ()
) -> str:
    """Rows of texts under their headings.

    Args:
        columns: the headings.
        rows: as many texts each.
        strong: indices of rows that stand out.
    """
    head = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in columns)
    bold = ' style="font-weight:bold"'
    body = "".join(
        f"<tr{bold if index in strong else ''}>"
        + "".join(f'<td style="{_CELL}">{escape(text)}</td>' for text in row)
        + "</tr>"
        for index, row in enumerate(rows)
    )
    return (
        f'<table style="margin:6px 0"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def picture(svg: str) -> str:
    """A picture that shrinks with the page."""
    return f'<div style="max-width:600px">{svg}</div>'


def frame(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> DataFrame:
    """A data frame with these columns, also where there is no row.

    Raises:
        ResnasError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ResnasError(
            "to_dataframe()",
            "pandas, which makes data frames, is not installed",
            "Install it: pip install pandas",
        ) from error
    return pandas.DataFrame(list(rows), columns=list(columns))


class Place:
    """A place in the output of the cell that is running, whose content changes."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self._handle = display(HTML(""), display_id=True)

    def show(self, html: str) -> None:
        """Put this where the last thing stood."""
        self._handle.update(self._html(html))


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def share(value: float | None, spread: float | None = None) -> str:
    """An accuracy in percent, with its standard error where that is known; empty for none."""
    if value is None:
        return ""
    return f"{100 * value:.2f}" + ("" if spread is None else f" ± {100 * spread:.2f}") + " %"


def gmacs(value: float | None) -> str:
    """A cost with four digits that count; empty for none."""
    return "" if value is None else f"{value:.4g}"
