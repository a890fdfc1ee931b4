"""Two architectures beside each other whose backbones differ."""

from __future__ import annotations

from typing import Any

import pytest

from resnas.profiles import MapFacts, Profile
from resnas.results import Architecture, Size, TrialResult
from service.answers import StoredArchitecture
from service.commands.comparing import Side, site_rows, steps


def side(backbone: str, size: Size, human: Size | None) -> Side:
    """A network with one site; its profile is not known without a human size."""
    common: dict[str, Any] = {"backbone": backbone, "input_size": (1, 32, 32)}
    architecture = Architecture(
        **common, num_classes=10, resizer="dynopool", place="after", strides={}, sizes={"p": size}
    )
    trial = TrialResult(number=0, state="complete", resizer="dynopool", seed=0)
    stored = StoredArchitecture(id="a", job_id="j", architecture=architecture, trial=trial)
    if human is None:
        return Side(stored, None)
    layer = MapFacts(
        name="p", kind="pool", channels=8, size=size, macs=0, human_size=human, human_macs=0
    )
    facts: dict[str, Any] = {"gmacs": 0.1, "human_gmacs": 0.1, "counter": "c", "maps": (layer,)}
    return Side(stored, Profile(**common, **facts))


A = side("small", (12, 12), (16, 16))


@pytest.mark.parametrize(
    ("other", "human"),
    [
        (side("small", (10, 10), (16, 16)), "16×16"),
        (side("small", (10, 10), None), "16×16"),
        (side("large", (10, 10), (16, 16)), "16×16"),
        (side("large", (10, 10), (32, 32)), "16×16 / 32×32"),
        (side("large", (10, 10), None), "16×16 / ?"),
    ],
)
def test_the_human_size_of_each_is_told_where_they_differ(other: Side, human: str) -> None:
    assert list(site_rows(A, other)) == [("p", human, "12×12", "10×10", "−2×−2")]


def test_each_map_is_drawn_beside_its_own_human_one() -> None:
    b = side("large", (10, 10), (32, 32))
    assert A.profile is not None
    assert b.profile is not None
    (step,) = steps(A.profile, b.profile)
    assert step.sizes == ((12, 12), (10, 10))
    assert step.humans == ((16, 16), (32, 32))
    assert step.longest == 32
