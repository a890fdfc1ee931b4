"""How trials went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from resnas.plots._style import CYCLE, DASHES, SYMBOLS, axis, layout, literal, pixels
from resnas.results import EpochMetrics

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_GAP = 0.06
"""Between two panels, as a share of the figure's height."""
_PANELS: tuple[tuple[str, str, Callable[[EpochMetrics], float]], ...] = (
    ("loss", ".4~g", lambda epoch: epoch.train_loss),
    ("accuracy", ".0%", lambda epoch: epoch.val_accuracy),
    ("GMACs", ".4~g", lambda epoch: epoch.gmacs),
)
_STRIDES = "stride √(v·h)"


def curves(
    epochs: Sequence[EpochMetrics], front: Collection[int] = (), *, title: str = "Training"
) -> Figure:
    """Loss, validation accuracy, GMACs and strides over the epochs, of one or several trials.

    Every trial has a colour and a symbol, every group of strides a dash; what is drawn of a group
    is the geometric mean of its vertical and its horizontal stride.

    Args:
        epochs: of any trials, in any order.
        front: numbers of the trials on the front, which are drawn in full; the others are dimmed.
            All are drawn in full where none is named.
        title: of the figure.
    """
    from plotly import graph_objects as go

    trials: dict[int, list[EpochMetrics]] = {}
    for each in sorted(epochs, key=lambda epoch: (epoch.trial, epoch.epoch)):
        trials.setdefault(each.trial, []).append(each)
    traces = []
    for index, (number, own) in enumerate(trials.items()):
        look = {
            "name": f"trial {number}",
            "legendgroup": f"trial {number}",
            "opacity": 1.0 if not front or number in front else 0.4,
        }
        colour, symbol = CYCLE[index % len(CYCLE)], SYMBOLS[index % len(SYMBOLS)]
        traces += [trace | look for trace in _trial(own, colour, symbol)]
    last = max((epoch.epochs for epoch in epochs), default=1)
    most = max((each.gmacs for each in epochs if math.isfinite(each.gmacs)), default=0.0)
    return go.Figure(traces, layout(title) | _axes(last, most) | {"height": 720})


def _trial(epochs: list[EpochMetrics], colour: str, symbol: str) -> list[dict[str, Any]]:
    """Its line in each of the first panels, and one for each of its groups in the last."""
    found = []
    for row, (_, _, value) in enumerate(_PANELS):
        line = _line(epochs, row, [value(epoch) for epoch in epochs], colour, "solid")
        found.append(line | {"showlegend": row == 0})
        found[-1]["mode"] = "lines+markers"
        found[-1]["marker"] = {"color": colour, "symbol": symbol, "size": 6}
        found[-1]["hovertext"] = [_told(epoch) for epoch in epochs]
    groups = list(dict.fromkeys(name for epoch in epochs for name in epoch.strides))
    for index, group in enumerate(groups):
        own = [epoch for epoch in epochs if group in epoch.strides]
        means = [math.sqrt(math.prod(epoch.strides[group])) for epoch in own]
        line = _line(own, len(_PANELS), means, colour, DASHES[index % len(DASHES)])
        line["hovertext"] = [_stride(epoch, group) for epoch in own]
        found.append(line | {"showlegend": False})
    return found


def _line(
    epochs: list[EpochMetrics], row: int, values: list[float], colour: str, dash: str
) -> dict[str, Any]:
    number = "" if row == 0 else str(row + 1)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [epoch.epoch for epoch in epochs],
        "y": [value if math.isfinite(value) else None for value in values],
        "yaxis": f"y{number}",
        "line": {"color": colour, "dash": dash, "width": 1.5},
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _told(epoch: EpochMetrics) -> str:
    return (
        f"<b>trial {epoch.trial}</b>, epoch {epoch.epoch} of {epoch.epochs}, {epoch.phase}<br>"
        f"loss {epoch.train_loss:.4g}, accuracy {epoch.val_accuracy:.2%}<br>{epoch.gmacs:.4g} GMACs"
    )


def _stride(epoch: EpochMetrics, group: str) -> str:
    v, h = epoch.strides[group]
    size = f", size {pixels(epoch.sizes[group])}" if group in epoch.sizes else ""
    return (
        f"<b>trial {epoch.trial}</b>, epoch {epoch.epoch}, {epoch.phase}<br>"
        f"{literal(group)}: stride {v:.3g} × {h:.3g}{size}"
    )


def _axes(last: int, most: float) -> dict[str, Any]:
    """Four panels above one another that share their epochs, those to come included.

    The panel of GMACs ends above `most`: left to itself it would end at 1 where all are equal.
    """
    whole = {"range": [0.5, last + 0.5], "dtick": math.ceil(last / 20), "tickformat": "d"}
    panels = [(name, form) for name, form, _ in _PANELS] + [(_STRIDES, ".3~g")]
    height = (1 + _GAP) / len(panels) - _GAP
    made: dict[str, Any] = {"xaxis": axis("epoch") | {"anchor": "y4"} | whole}
    for row, (name, form) in enumerate(panels):
        top = 1 - row * (height + _GAP)
        domain = {"domain": [max(top - height, 0.0), top], "tickformat": form}
        made["yaxis" if row == 0 else f"yaxis{row + 1}"] = (
            axis(name) | domain | {"rangemode": "nonnegative"}
        )
    if most > 0:
        made["yaxis3"]["range"] = [0.0, 1.1 * most]
    return made
