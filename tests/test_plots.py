import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import nn

import resnas
from resnas import plots
from resnas.catalog import resizers
from resnas.errors import InvalidResizer, InvalidSpec
from resnas.layers.cas import ConvAdaptiveStride
from resnas.layers.pas import PoolAdaptiveStride
from resnas.picture import front_svg
from resnas.resizers.average import Average
from resnas.resizers.diffstride import DiffStride
from resnas.resizers.dynopool import DynOPool
from resnas.resizers.shape_adaptor import ShapeAdaptor
from resnas.resizers.strided import Strided
from resnas.results import Architecture, TrialResult

ARCHITECTURE = Architecture(
    input_size=(3, 32, 32),
    resizer="dynopool",
    place="after",
    strides={"pool1": (2.0, 2.0), "pool2": (2.0, 1.6)},
    sizes={"pool1": (16, 16), "pool2": (8, 10)},
)


def trial(number, accuracy, mmacs, state="complete"):
    return TrialResult(
        number=number,
        state=state,
        resizer="dynopool",
        controller="penalty",
        lam=0.5,
        seed=0,
        architecture=ARCHITECTURE,
        val_accuracy=accuracy,
        macs=None if mmacs is None else int(mmacs * 1e6),
    )


RESULTS = [
    trial(0, 0.95, 3),
    trial(1, 0.98, 9),
    trial(2, 0.94, 5),
    trial(3, 0.97, 5),
    trial(4, 0.99, 1, state="stopped"),
    trial(5, None, None, state="failed"),
]


def test_importing_the_library_or_this_module_does_not_import_plotly():
    code = "import sys, resnas, resnas.plots, resnas.picture; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_front_is_a_stair_over_the_dominated_trials():
    dominated, front = plots.front(RESULTS).data
    assert list(front.x) == [0.003, 0.005, 0.009]
    assert list(front.y) == [0.95, 0.97, 0.98]
    assert front.line.shape == "hv"
    assert (list(dominated.x), list(dominated.y)) == ([0.005], [0.94])
    assert dominated.opacity < front.opacity
    assert {dominated.type, front.type} == {"scatter"}


def test_hovering_tells_the_sizes():
    _, front = plots.front(RESULTS).data
    assert "pool2: 8×10" in front.hovertext[0]
    assert "trial 3" in front.hovertext[1]


def test_budget_and_human_network_are_vertical_lines():
    figure = plots.front(RESULTS, budget_gmacs=0.006, human_gmacs=0.01)
    assert [(line.x0, line.x1, line.line.dash) for line in figure.layout.shapes] == [
        (0.006, 0.006, "dash"),
        (0.01, 0.01, "dot"),
    ]
    assert len(plots.front(RESULTS).layout.shapes) == 0


def test_a_search_without_results_gives_an_empty_figure():
    assert [len(trace.x) for trace in plots.front([]).data] == [0, 0]
    ElementTree.fromstring(front_svg([]))


def test_the_ladder_draws_every_map_to_scale():
    figure = plots.shape_ladder(ARCHITECTURE)
    extents = [(max(t.y) - min(t.y), max(t.x) - min(t.x)) for t in figure.data]
    assert extents == [(32, 32), (16, 16), (8, 10)]  # coordinates are sums of binary fractions
    assert figure.layout.yaxis.scaleanchor == "x"
    rights = [max(t.x) for t in figure.data]
    lefts = [min(t.x) for t in figure.data]
    assert all(right < left for right, left in zip(rights, lefts[1:], strict=False))


def test_the_ladder_outlines_the_human_sizes():
    figure = plots.shape_ladder(ARCHITECTURE, {"pool1": (16, 16), "pool2": (8, 8)})
    outlined = [t for t in figure.data if t.fill == "none"]
    assert [max(t.x) - min(t.x) for t in outlined] == [16, 8]
    with pytest.raises(InvalidSpec, match="pool9"):
        plots.shape_ladder(ARCHITECTURE, {"pool9": (1, 1)})


def elements(svg, tag):
    return list(ElementTree.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}"))


def test_the_picture_shows_every_completed_trial_in_its_place():
    circles = elements(front_svg(RESULTS), "circle")
    across = [float(c.get("cx")) for c in circles]
    down = [float(c.get("cy")) for c in circles]
    assert sorted(range(4), key=across.__getitem__)[0] == 0
    assert across[2] == across[3]
    assert sorted(range(4), key=down.__getitem__) == [1, 3, 0, 2]
    assert [c.get("fill") for c in circles] == [plots.BLUE, plots.BLUE, plots.GREY, plots.BLUE]


def test_the_pictures_stair_ends_at_the_front_points():
    svg = front_svg(RESULTS)
    (path,) = elements(svg, "path")
    last = elements(svg, "circle")[1]
    assert path.get("d").endswith(f"H{last.get('cx')}V{last.get('cy')}")


def test_the_picture_marks_budget_and_human_within_its_axes():
    svg = front_svg(RESULTS, budget_gmacs=0.02, human_gmacs=0.001, title="a < b & c")
    texts = [t.text for t in elements(svg, "text")]
    assert {"budget", "human", "a < b & c"} <= set(texts)
    dashed = [line for line in elements(svg, "line") if line.get("stroke-dasharray") != "none"]
    assert all(70 <= float(line.get("x1")) <= 700 for line in dashed)


def test_one_result_has_axes_too():
    (circle,) = elements(front_svg([trial(0, 0.95, 3)]), "circle")
    assert 70 < float(circle.get("cx")) < 700
    assert 50 < float(circle.get("cy")) < 365


def test_contributions_are_the_weights_of_a_linear_operator():
    average = plots.contributions(Average((2.0, 3.0)), (6, 9), (1, 2))
    expected = torch.zeros(6, 9)
    expected[2:4, 6:9] = 1 / 6
    torch.testing.assert_close(average, expected)
    strided = plots.contributions(Strided((2.0, 2.0)), (7, 7), (3, 1))
    assert strided.nonzero().tolist() == [[6, 2]]
    diffstride = DiffStride((1.5, 1.5), smoothness=1.0)
    x = torch.randn(1, 1, 12, 12)
    middle = diffstride(x)[0, 0, diffstride.hard_size((12, 12))[0] // 2].detach()
    share = plots.contributions(diffstride, (12, 12))
    found = (share * x[0, 0]).sum()
    torch.testing.assert_close(found, middle[len(middle) // 2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", resizers.names())
def test_contributions_are_of_one_value_whichever_resizer(name):
    made = resizers[name].at((2.0, 2.0))
    share = plots.contributions(made, (8, 8))
    gain = made(torch.ones(1, 1, 8, 8))[0, :, 2, 2].sum()
    assert share.shape == (8, 8)
    assert made.stride.grad is None
    assert float(share.sum()) == pytest.approx(gain.item(), rel=1e-4)


def test_a_shape_adaptor_reaches_beyond_its_cell_where_dynopool_does_not():
    near, far = (
        plots.contributions(made, (8, 8), (2, 2))
        for made in (DynOPool((1.6, 1.6)), ShapeAdaptor((1.6, 1.6)))
    )
    assert (near > 0.005).sum() == 4
    assert (far > 0.005).sum() == 16


def test_ranges_stand_side_by_side_on_one_scale_under_the_outputs_grid():
    figure = plots.aggregation_range(
        {"average": Average((2.0, 2.0)), "dynopool": DynOPool((1.6, 1.6))}, (8, 6), (1, 2)
    )
    maps = [trace for trace in figure.data if trace.type == "heatmap"]
    assert [np.shape(trace.z) for trace in maps] == [(8, 6), (8, 6)]
    assert {trace.coloraxis for trace in maps} == {"coloraxis"}
    assert (figure.layout.coloraxis.cmin, len(figure.layout.coloraxis.colorscale)) == (0, 2)
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["average: 8×6 to 4×3", "dynopool: 8×6 to 5×4"]
    cells = [trace for trace in figure.data if trace.name == "the cell"]
    assert (min(cells[0].x), max(cells[0].x)) == (3.5, 5.5)
    assert (min(cells[0].y), max(cells[0].y)) == (1.5, 3.5)
    assert [trace.showlegend for trace in cells] == [True, False]
    grids = [trace for trace in figure.data if trace.name == "grid of the output"]
    assert [list(trace.y).count(None) for trace in grids] == [5 + 4, 6 + 5]
    assert figure.layout.yaxis.range == (7.5, -0.5)


def test_contributions_stand_in_small_maps_as_numbers():
    def numbers(size):
        figure = plots.aggregation_range({"average": Average((2.0, 2.0))}, size, (0, 1))
        return [trace for trace in figure.data[1:] if trace.mode == "text"]

    (found,) = numbers((4, 16))
    assert list(zip(found.x, found.y, found.text, strict=True)) == [
        (x, y, "25") for y in (0, 1) for x in (2, 3)
    ]
    assert numbers((4, 18)) == []


def test_negative_contributions_have_a_colour_of_their_own():
    figure = plots.aggregation_range({"diffstride": DiffStride(smoothness=1.0)}, (12, 12))
    axis = figure.layout.coloraxis
    assert axis.cmin == -axis.cmax
    assert [colour for _, colour in axis.colorscale] == [plots.ORANGE, "#FFFFFF", plots.BLUE]


def test_a_cell_that_is_not_there_is_refused():
    for cell in ((3, 0), (0, 3), (-1, 0)):
        with pytest.raises(InvalidSpec, match="from 0 to 2"):
            plots.aggregation_range({"average": Average((2.0, 2.0))}, (6, 6), cell)
    with pytest.raises(InvalidSpec, match="at least one"):
        plots.aggregation_range({}, (6, 6))
    with pytest.raises(InvalidResizer):
        plots.contributions(Average((2.0, 2.0)), (0, 6))


IMAGES = torch.rand(2, 3, 12, 16, generator=torch.Generator().manual_seed(0))


def test_masks_lie_beside_their_images_over_the_same_pixels():
    layer = PoolAdaptiveStride(nn.MaxPool2d(2), 3)
    first, mask, *_ = (figure := plots.masks(layer, IMAGES)).data
    assert [trace.type for trace in figure.data] == ["image", "heatmap"] * 2
    assert (first.z.shape, first.z.min(), first.z.max()) == ((12, 16, 3), 0, 255)
    np.testing.assert_allclose(mask.z, layer.mask(IMAGES)[0, 0].detach(), rtol=1e-6)
    assert (mask.x0, mask.dx, mask.y0, mask.dy) == (0.5, 2, 0.5, 2)
    assert (figure.layout.coloraxis.cmin, figure.layout.yaxis2.range) == (0, (11.5, -0.5))
    assert [note.text for note in figure.layout.annotations] == ["image", "mask<br>6×8"]


class Backbone(nn.Sequential):
    def __init__(self):
        conv = ConvAdaptiveStride(nn.Conv2d(3, 6, 3, padding=1), per_channel=True)
        gated = ConvAdaptiveStride(nn.Conv2d(6, 4, 3, padding=1))
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
        super().__init__(conv, nn.BatchNorm2d(6), nn.MaxPool2d(2), gated, head)


def test_masks_of_a_network_are_those_of_its_layers_also_converted_and_frozen():
    torch.manual_seed(0)
    backbone = Backbone()
    space = resnas.convert(backbone, (3, 12, 16))
    shown = []
    for network in (backbone, space, resnas.freeze(space)):
        state = {key: value.clone() for key, value in network.state_dict().items()}
        figure = plots.masks(network, IMAGES)
        shown.append([trace.z for trace in figure.data if trace.type == "heatmap"])
        assert figure.layout.annotations[1].text.endswith("0<br>12×16, mean of 6")
        assert network.training
        assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
    mean = backbone[0].mask(IMAGES).mean(dim=1).detach()
    for found in shown:
        assert [np.shape(z) for z in found] == [(12, 16), (6, 8)] * 2
        np.testing.assert_allclose(found[2], mean[1], rtol=1e-5)
    for of_backbone, of_space, of_frozen in zip(*shown, strict=True):
        np.testing.assert_allclose(of_space, of_backbone, rtol=1e-5)
        np.testing.assert_allclose(of_frozen, of_backbone, rtol=1e-5)


def test_images_of_any_number_of_channels_are_shown():
    layer = ConvAdaptiveStride(nn.Conv2d(5, 6, 3))
    image, *_ = plots.masks(layer, torch.randn(1, 5, 9, 9)).data
    assert image.z.shape == (9, 9, 3)
    assert (image.z[..., 0] == image.z[..., 2]).all()


def test_masks_need_a_layer_that_has_one_and_images():
    with pytest.raises(InvalidSpec, match="no layer with a mask"):
        plots.masks(nn.Conv2d(3, 4, 3), IMAGES)
    with pytest.raises(InvalidSpec, match="shape"):
        plots.masks(PoolAdaptiveStride(nn.MaxPool2d(2), 3), IMAGES[0])
