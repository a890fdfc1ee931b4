"""What a search found: its front, and the sizes of an architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from resnas import pareto
from resnas.errors import InvalidSpec
from resnas.plots._colours import BLUE, GREEN, GREY, ORANGE
from resnas.results import Architecture, Size, TrialResult

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter


def measured(results: Sequence[TrialResult]) -> list[tuple[TrialResult, float, float]]:
    """The completed trials, each with its validation accuracy and its GMACs."""
    return [
        (result, result.val_accuracy, result.gmacs)
        for result in results
        if result.state == "complete"
        and result.val_accuracy is not None
        and result.gmacs is not None
    ]


def front(
    results: Sequence[TrialResult],
    budget_gmacs: float | None = None,
    human_gmacs: float | None = None,
    title: str = "Accuracy against cost",
) -> Figure:
    """Validation accuracy over GMACs: the front as a stair, dominated trials dimmed.

    Args:
        results: trials; those that did not complete are left out.
        budget_gmacs: drawn as a dashed vertical line.
        human_gmacs: cost of the backbone as people designed it, drawn as a dotted vertical line.
        title: of the figure.
    """
    from plotly import graph_objects as go

    trials = measured(results)
    chosen = pareto.front([(accuracy, gmacs) for _, accuracy, gmacs in trials])
    rest = [trial for index, trial in enumerate(trials) if index not in set(chosen)]
    figure = go.Figure(
        [
            _trials("dominated", rest, mode="markers", colour=GREY, opacity=0.5),
            _trials(
                "front", [trials[i] for i in chosen], mode="lines+markers", colour=BLUE, opacity=1
            ),
        ]
    )
    if budget_gmacs is not None:
        figure.add_vline(
            budget_gmacs, line_dash="dash", line_color=ORANGE, annotation_text="budget"
        )
    if human_gmacs is not None:
        figure.add_vline(human_gmacs, line_dash="dot", line_color=GREEN, annotation_text="human")
    figure.update_layout(
        title=title,
        xaxis_title="cost of one image (GMACs)",
        yaxis_title="validation accuracy",
        yaxis_tickformat=".1%",
        template="plotly_white",
    )
    return figure


def _trials(
    name: str,
    trials: Sequence[tuple[TrialResult, float, float]],
    *,
    mode: str,
    colour: str,
    opacity: float,
) -> Scatter:
    from plotly import graph_objects as go

    return go.Scatter(
        x=[gmacs for _, _, gmacs in trials],
        y=[accuracy for _, accuracy, _ in trials],
        name=name,
        mode=mode,
        opacity=opacity,
        line={"shape": "hv", "color": colour},
        marker={"color": colour, "size": 9},
        hovertext=[_hover(result) for result, _, _ in trials],
        hovertemplate="%{hovertext}<br>%{x:.4g} GMACs, %{y:.2%}<extra></extra>",
    )


def _hover(result: TrialResult) -> str:
    sizes = {} if result.architecture is None else result.architecture.sizes
    shapes = "<br>".join(f"{site}: {height}×{width}" for site, (height, width) in sizes.items())
    return f"trial {result.number}, {result.resizer}, {result.aim}<br>{shapes}"


def shape_ladder(
    architecture: Architecture, human_sizes: Mapping[str, Size] | None = None
) -> Figure:
    """The maps behind the sites, side by side in the order of the network, H × W to scale.

    Args:
        architecture: whose sizes are drawn, after its input.
        human_sizes: the same sites in the backbone as people designed it, drawn as dotted outlines.

    Raises:
        InvalidSpec: `human_sizes` has other sites than the architecture.
    """
    from plotly import graph_objects as go

    if human_sizes is not None and set(human_sizes) != set(architecture.sizes):
        raise InvalidSpec(
            "human_sizes",
            f"its sites are {sorted(human_sizes)}, not {sorted(architecture.sizes)}",
            "Pass the sizes of the same search space",
        )
    whole: Size = (architecture.input_size[1], architecture.input_size[2])
    found = {"input": whole, **architecture.sizes}
    human = {"input": whole, **(human_sizes or architecture.sizes)}
    figure = go.Figure()
    left = 0.0
    for site, size in found.items():
        centre = left + max(size[1], human[site][1]) / 2
        figure.add_trace(_rectangle(site, size, centre, filled=True))
        if human_sizes is not None and site in human_sizes:
            figure.add_trace(_rectangle(f"{site}, human", human[site], centre, filled=False))
        figure.add_annotation(x=centre, y=0, yshift=-14, showarrow=False, text=_label(size))
        left = centre + max(size[1], human[site][1]) / 2 + whole[1] / 8
    figure.update_layout(template="plotly_white", showlegend=False, title="Sizes of the maps")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure


def _label(size: Size) -> str:
    return f"{size[0]}×{size[1]}"


def _rectangle(name: str, size: Size, centre: float, *, filled: bool) -> Scatter:
    from plotly import graph_objects as go

    height, width = size
    left, right = centre - width / 2, centre + width / 2
    return go.Scatter(
        x=[left, right, right, left, left],
        y=[0, 0, height, height, 0],
        name=name,
        mode="lines",
        fill="toself" if filled else "none",
        line={"color": BLUE if filled else ORANGE, "dash": "solid" if filled else "dot"},
        hoveron="fills" if filled else "points",
        text=f"{name}: {_label(size)}",
        hoverinfo="text",
    )
