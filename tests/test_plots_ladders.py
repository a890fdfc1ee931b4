import numpy as np
import pytest

from resnas import plots
from resnas.profiles import MapFacts, Profile


def map_of(name, kind, size, human, macs=1000, channels=8):
    return MapFacts(
        name=name,
        kind=kind,
        channels=channels,
        size=size,
        macs=macs,
        human_size=human,
        human_macs=None if kind == "resizer" else 2 * macs,
    )


def profile_of(*maps):
    return Profile(
        backbone="net",
        input_size=(3, 32, 24),
        gmacs=sum(each.macs for each in maps) / 1e9,
        human_gmacs=sum(each.human_macs or 0 for each in maps) / 1e9,
        counter="resnas.macs/1",
        maps=maps,
    )


PROFILE = profile_of(
    map_of("a.conv", "conv", (32, 24), (32, 24)),
    map_of("a.norm", "norm", (32, 24), (32, 24), macs=0),
    map_of("a.resizer", "resizer", (14, 10), (16, 12)),
    map_of("b.conv1", "conv", (14, 10), (16, 12)),
    map_of("b.act", "activation", (14, 10), (16, 12), macs=0),
    map_of("b.conv2", "conv", (14, 10), (16, 12), channels=16),
    map_of("pool", "pool", (1, 1), (1, 1), macs=0),
    map_of("fc", "linear", None, None),
)


def extents(trace):
    return max(trace.y) - min(trace.y), max(trace.x) - min(trace.x)


def test_the_ladder_draws_every_map_to_scale():
    figure = plots.shape_ladder(PROFILE)
    *rectangles, _human = figure.data
    assert [trace.name for trace in rectangles] == ["input", "conv", "resizer", "conv"]
    np.testing.assert_allclose(
        [extents(trace) for trace in rectangles], [(32, 24), (32, 24), (14, 10), (14, 10)]
    )
    assert figure.layout.yaxis.scaleanchor == "x"
    assert list(rectangles[3].meta) == ["b.conv1", "b.conv2"]
    assert list(figure.layout.xaxis.ticktext) == ["32×24", "32×24", "14×10", "14×10<br>×2"]
    assert "8 to 16 channels" in rectangles[3].text


def test_the_ladder_outlines_the_human_sizes_around_its_own():
    *rectangles, human = plots.shape_ladder(PROFILE).data
    assert (human.name, human.line.dash) == ("human", "dot")
    outline = np.array(human.x[6:11], float)  # five corners and a gap each
    assert np.ptp(outline) == pytest.approx(12)
    middle = (max(rectangles[2].x) + min(rectangles[2].x)) / 2
    assert outline[:4].mean() == pytest.approx(middle)


def test_rectangles_of_a_ladder_do_not_overlap():
    *rectangles, _human = plots.shape_ladder(PROFILE).data
    rights = [max(trace.x) for trace in rectangles]
    lefts = [min(trace.x) for trace in rectangles]
    assert all(right < left for right, left in zip(rights, lefts[1:], strict=False))


def test_two_ladders_have_one_scale_and_one_legend():
    figure = plots.ladders(PROFILE, profile_of(*PROFILE.maps[:3]), ("A", "B"))
    assert figure.layout.xaxis2.matches == "x"
    legend = [trace.name for trace in figure.data if trace.showlegend]
    assert legend == ["input", "conv", "resizer", "human"]
    assert [note.text for note in figure.layout.annotations] == ["A", "B"]


def test_costs_are_bars_beside_the_humans():
    here, human = plots.layer_costs(PROFILE).data
    assert list(here.customdata) == ["a.conv", "a.resizer", "b.conv1", "b.conv2", "fc"]
    np.testing.assert_allclose(here.y, [1e-6] * 5)
    np.testing.assert_allclose(human.y, [2e-6, 0, 2e-6, 2e-6, 2e-6])
    assert human.marker.pattern.shape


def test_costs_of_many_layers_are_folded_to_blocks():
    maps = [map_of(f"stage{i}.conv{j}", "conv", (4, 4), (4, 4)) for i in range(9) for j in range(9)]
    here, _ = plots.layer_costs(profile_of(*maps)).data
    assert list(here.customdata) == [f"stage{i}" for i in range(9)]
    np.testing.assert_allclose(here.y, [9e-6] * 9)
