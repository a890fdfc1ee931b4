"""Where layers with adaptive stride (CAS, PAS) look: their masks beside the images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from resnas.errors import InvalidSpec
from resnas.plots._style import BLUE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Heatmap, Image


def masks(network: nn.Module, images: Tensor, title: str = "Masks of adaptive stride") -> Figure:
    """Images on the left, beside each the mask that every CAS or PAS layer makes of it.

    The network runs once, in eval mode, and is not changed. Masks are drawn over the extent of the
    image, whatever their size; one with several channels as their mean.

    Args:
        network: one such layer, or a backbone, search space or frozen network that holds some.
        images: (N, C, H, W) as the network takes them; those of 1 or 3 channels are shown as they
            are, others by the mean of theirs. Each one's values are stretched to the full range.
        title: of the figure.

    Raises:
        InvalidSpec: the network holds no such layer, or `images` are none.
    """
    from plotly.subplots import make_subplots

    if images.dim() != 4 or 0 in images.shape:
        raise InvalidSpec("images", f"their shape is {tuple(images.shape)}", "Pass (N, C, H, W)")
    found = _run(network, images)
    count = len(images)
    figure = make_subplots(
        rows=count,
        cols=1 + len(found),
        column_titles=["image", *(_label(name, mask) for name, mask in found.items())],
        horizontal_spacing=0.12 / (1 + len(found)),
        vertical_spacing=0.15 / count,
    )
    for n, image in enumerate(images):
        figure.add_trace(_image(image), row=n + 1, col=1)
        for column, mask in enumerate(found.values()):
            figure.add_trace(_mask(mask[n], image.shape[1:]), row=n + 1, col=column + 2)
    _lay_out(figure, images.shape[2:], rows=count)
    figure.update_layout(
        title=title,
        template="plotly_white",
        coloraxis={
            "colorscale": [[0, "#FFFFFF"], [1, BLUE]],
            "cmin": 0,  # white: stepped over
            "cmax": max(float(mask.mean(dim=1).max()) for mask in found.values()),
            "colorbar": {"title": "mask"},
        },
        width=220 * (1 + len(found)) + 140,
        height=210 * count + 140,
    )
    return figure


def _run(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Every mask (N, 1 or C, H', W') that is made of `images`, by the layer's path."""
    network = copy.deepcopy(network).eval()
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda _module, _inputs, mask: found.update({name: mask.cpu()})

    gates = [(path, m) for path, m in network.named_modules() if path.split(".")[-1] == "gate"]
    for path, gate in gates:
        # Tracing takes such a layer apart, but not its gate, whose last step puts out the mask.
        *_, last = gate.children()
        last.register_forward_hook(keep(path.removesuffix("gate").rstrip(".")))
    if not gates:
        raise InvalidSpec(
            "network",
            f"{type(network).__name__} holds no layer with a mask",
            "Convert a backbone with layers=['cas'] or ['pas'], or pass such a layer",
        )
    with torch.no_grad():
        network(images)
    return found


def _label(name: str, mask: Tensor) -> str:
    _, channels, height, width = mask.shape
    mean = "" if channels == 1 else f", mean of {channels}"
    return f"{name or 'mask'}<br>{height}×{width}{mean}"


def _image(image: Tensor) -> Image:
    from plotly import graph_objects as go

    shown = image.detach().float().cpu()
    shown = shown if len(shown) in (1, 3) else shown.mean(dim=0, keepdim=True)
    low, high = shown.min(), shown.max()
    shown = (shown - low) / (high - low).clamp(min=1e-12) * 255
    pixels = shown.expand(3, -1, -1).permute(1, 2, 0).round().to(torch.uint8)
    return go.Image(z=pixels.numpy(), hoverinfo="skip")


def _mask(mask: Tensor, size: Sequence[int]) -> Heatmap:
    """The mask (1 or C, H', W') over the pixels of an image of `size`."""
    from plotly import graph_objects as go

    dy, dx = (n / m for n, m in zip(size, mask.shape[1:], strict=True))
    return go.Heatmap(
        z=mask.float().mean(dim=0).numpy(),
        x0=dx / 2 - 0.5,
        dx=dx,
        y0=dy / 2 - 0.5,
        dy=dy,
        coloraxis="coloraxis",
        hovertemplate="%{z:.3f}<extra></extra>",
    )


def _lay_out(figure: Figure, size: Sequence[int], *, rows: int) -> None:
    """All panels cover the image's pixels, first row on top; titles at the outer ones only."""
    height, width = size
    figure.update_xaxes(range=[-0.5, width - 0.5], constrain="domain", showgrid=False)
    figure.update_yaxes(range=[height - 0.5, -0.5], constrain="domain", showgrid=False)
    for axis in figure.select_yaxes():
        axis.scaleanchor = axis.anchor
    figure.update_xaxes(title="column (pixels)", row=rows)
    figure.update_yaxes(title="row (pixels)", col=1)
