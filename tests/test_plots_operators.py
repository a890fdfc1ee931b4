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
from resnas.resizers.average import Average
from resnas.resizers.diffstride import DiffStride
from resnas.resizers.dynopool import DynOPool
from resnas.resizers.shape_adaptor import ShapeAdaptor
from resnas.resizers.strided import Strided


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
