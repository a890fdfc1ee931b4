"""What one pixel behind a resizer is made of (Jung et al., Pooling Revisited, figure 5.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from resnas.errors import InvalidSpec
from resnas.plots._style import BLUE, ORANGE
from resnas.resizers._base import AbstractResizer
from resnas.results import Size

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Heatmap, Scatter

_SAMPLES = 2048
_ACROSS = 3
_READABLE = 16
_SHOWN = 0.005
"""Least share that is shown as a number: the others would be 0 percent."""


def contributions(resizer: AbstractResizer, size: Size, cell: Size | None = None) -> Tensor:
    """How much each pixel of a map contributes to one pixel of the resized map.

    It is the gradient of that pixel, with the resizer as it is, averaged over maps of standard
    normal values. For linear operators (averages, interpolation, spectral ones, which also have
    negative shares) these are the very weights; where a maximum decides, it is how often a pixel
    is the one that does, times its weight then. Where a resizer makes more channels of one
    (space to depth), all of them together are the pixel.

    Args:
        resizer: any of the catalogue; its stride is not changed.
        size: (H, W) of the map.
        cell: (row, column) of the pixel behind the resizer; None: the middle one.

    Returns:
        (H, W), on the CPU.

    Raises:
        InvalidSpec: there is no such cell.
        InvalidResizer: the resizer cannot take maps of that size.
    """
    row, column = _cell(resizer, size, cell)
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(_SAMPLES, 1, *size, generator=generator).to(resizer.stride).requires_grad_()
    with torch.enable_grad():
        (found,) = torch.autograd.grad(resizer(maps)[:, :, row, column].sum(), maps)
    result: Tensor = found.mean(dim=(0, 1)).cpu()
    return result


def aggregation_range(
    resizers: Mapping[str, AbstractResizer],
    size: Size,
    cell: Size | None = None,
    title: str = "What one output cell is made of",
) -> Figure:
    """The `contributions` to one cell, one panel a resizer; the output's grid lies over the map.

    Args:
        resizers: by the name that its panel gets.
        size: (H, W) of the map that each of them is given; up to 16 pixels a side the shares stand
            in the pixels, in percent.
        cell: (row, column) in every output; None: the middle one of each.
        title: of the figure.

    Raises:
        InvalidSpec: no resizers, or one of the outputs has no such cell.
        InvalidResizer: one of them cannot take maps of that size.
    """
    from plotly.subplots import make_subplots

    if not resizers:
        raise InvalidSpec("resizers", "there are none", "Pass at least one, by name")
    shares = [contributions(resizer, size, cell) for resizer in resizers.values()]
    down = -(-len(resizers) // _ACROSS)
    across = -(-len(resizers) // down)
    figure = make_subplots(
        rows=down,
        cols=across,
        subplot_titles=[f"{name}: {_arrow(made, size)}" for name, made in resizers.items()],
        horizontal_spacing=0.2 / across,
        vertical_spacing=0.25 / down,
    )
    for index, (resizer, share) in enumerate(zip(resizers.values(), shares, strict=True)):
        where = {"row": index // across + 1, "col": index % across + 1}
        panel = [_heatmap(share), *_grid(resizer, size, cell, first=index == 0)]
        for trace in (*panel, _numbers(share)) if max(size) <= _READABLE else panel:
            figure.add_trace(trace, **where)
        anchor = "x" if index == 0 else f"x{index + 1}"
        figure.update_xaxes(_axis("column (pixels)", size[1]), **where)
        figure.update_yaxes(_axis("row (pixels)", size[0]), scaleanchor=anchor, **where)
        figure.update_yaxes(range=[size[0] - 0.5, -0.5], **where)
    figure.update_layout(
        title=title,
        template="plotly_white",
        plot_bgcolor="#DDDDDD",  # shows between the pixels
        coloraxis=_style(shares),
        legend={"orientation": "h", "y": -0.14 / down, "yanchor": "top"},
        width=420 * across + 140,
        height=400 * down + 160,
    )
    return figure


def _cell(resizer: AbstractResizer, size: Size, cell: Size | None) -> Size:
    height, width = resizer.hard_size(size)
    if cell is None:
        return height // 2, width // 2
    if not (0 <= cell[0] < height and 0 <= cell[1] < width):
        raise InvalidSpec(
            "cell",
            f"{cell} is not on the {height}×{width} pixels that {resizer} makes of {size}",
            f"Choose a row from 0 to {height - 1} and a column from 0 to {width - 1}",
        )
    return cell


def _arrow(resizer: AbstractResizer, size: Size) -> str:
    height, width = resizer.hard_size(size)
    return f"{size[0]}×{size[1]} to {height}×{width}"


def _style(shares: Sequence[Tensor]) -> dict[str, Any]:
    """One scale for all panels, white at 0; with a side for negative shares if there are some."""
    bar = {"title": "contribution", "tickformat": ".0%"}
    most = max(float(share.abs().max()) for share in shares)
    if min(float(share.min()) for share in shares) > -_SHOWN:
        scale = [[0, "#FFFFFF"], [1, BLUE]]
        return {"colorscale": scale, "cmin": 0, "cmax": most, "colorbar": bar}
    scale = [[0, ORANGE], [0.5, "#FFFFFF"], [1, BLUE]]
    return {"colorscale": scale, "cmin": -most, "cmax": most, "colorbar": bar}


def _axis(title: str, pixels: int) -> dict[str, Any]:
    return {
        "title": title,
        "range": [-0.5, pixels - 0.5],
        "constrain": "domain",
        "showgrid": False,
        "zeroline": False,
    }


def _grid(
    resizer: AbstractResizer, size: Size, cell: Size | None, *, first: bool
) -> tuple[Scatter, Scatter]:
    """The output's grid and the cell in it; only the first panel's are in the legend."""
    from plotly import graph_objects as go

    height, width = resizer.hard_size(size)
    row, column = _cell(resizer, size, cell)
    rows = [i * size[0] / height - 0.5 for i in range(height + 1)]
    columns = [j * size[1] / width - 0.5 for j in range(width + 1)]
    top, bottom, left, right = rows[row], rows[row + 1], columns[column], columns[column + 1]
    across = [p for y in rows for p in ((columns[0], y), (columns[-1], y), (None, None))]
    down = [p for x in columns for p in ((x, rows[0]), (x, rows[-1]), (None, None))]
    grid = go.Scatter(
        x=[x for x, _ in (*across, *down)],
        y=[y for _, y in (*across, *down)],
        name="grid of the output",
        mode="lines",
        line={"color": ORANGE, "width": 1.5},
        opacity=0.6,
        hoverinfo="skip",
        showlegend=first,
    )
    chosen = go.Scatter(
        x=[left, right, right, left, left],
        y=[top, top, bottom, bottom, top],
        name="the cell",
        mode="lines",
        line={"color": ORANGE, "width": 4},
        hoverinfo="skip",
        showlegend=first,
    )
    return grid, chosen


def _heatmap(shares: Tensor) -> Heatmap:
    from plotly import graph_objects as go

    return go.Heatmap(
        z=shares.tolist(),
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
        hovertemplate="row %{y}, column %{x}: %{z:.1%}<extra></extra>",
    )


def _numbers(shares: Tensor) -> Scatter:
    """The shares in percent, each in its pixel and above the lines."""
    from plotly import graph_objects as go

    rows, columns = (shares.abs() >= _SHOWN).nonzero().T.tolist()
    return go.Scatter(
        x=columns,
        y=rows,
        text=[f"{100 * share:.0f}" for share in shares[rows, columns].tolist()],
        mode="text",
        textfont={"size": 10, "color": "#000000"},
        hoverinfo="skip",
        showlegend=False,
    )
