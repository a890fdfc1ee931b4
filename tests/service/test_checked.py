"""What was found possible is known the next time, and only that."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from PIL import Image

from resnas.backbones import own_from
from resnas.datasets import _base
from resnas.errors import DatasetUnavailable, InfeasibleBudget
from resnas.planning import prepare
from resnas.spec import JobSpec
from service import checked
from service.checked import check, estimate
from service.principals import Principal, Scope
from service.schemas import EstimateRequest
from service.turnstile import Turnstile
from tests.service.conftest import BODY

KNOWN = JobSpec.model_validate(BODY | {"trials": 1})


def test_a_known_job_comes_to_the_same_and_keeps_its_own_seed(tmp_path):
    for seed in (0, 7):
        spec = KNOWN.model_copy(update={"seed": seed})
        fresh, first, again = prepare(spec, tmp_path), check(spec, tmp_path), check(spec, tmp_path)
        assert first.spec == again.spec == fresh.spec
        assert first.estimate is again.estimate
        timeless = {"convert_seconds": 0.0}
        assert again.estimate.model_copy(update=timeless) == fresh.estimate.model_copy(
            update=timeless
        )


def test_jobs_that_differ_are_different_questions(tmp_path):
    check(KNOWN, tmp_path)
    with pytest.raises(InfeasibleBudget):
        check(KNOWN.model_copy(update={"budget_gmacs": 1e-6}), tmp_path)
    assert check(KNOWN.model_copy(update={"trials": 3}), tmp_path).spec.trials == 3
    other = check(
        KNOWN.model_copy(update={"resizer": ("diffstride",), "budget_gmacs": 0.1}), tmp_path
    )
    assert other.estimate.resizers == ("diffstride",)


def make_pictures(root, classes):
    for name in classes:
        folder = root / "some" / "train" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(10):
            Image.new("L", (32, 32), number).save(folder / f"{number}.png")


def test_pictures_that_changed_or_are_gone_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(checked, "FRESH", 1e-9)
    pictures = {"dataset": "imagefolder:some", "budget_gmacs": 0.02}
    spec = KNOWN.model_copy(update=pictures)
    make_pictures(tmp_path, "ab")
    assert check(spec, tmp_path).estimate.num_classes == 2
    make_pictures(tmp_path, "c")
    assert check(spec, tmp_path).estimate.num_classes == 3
    (tmp_path / "some").rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetUnavailable):
        check(spec, tmp_path)


def test_who_looks_at_pictures_does_so_in_turn_and_once_in_a_while(tmp_path, monkeypatch):
    turnstile, looks = Turnstile(), []
    look = _base.facts

    def watched(name, root):
        looks.append([owner for owner, line in turnstile._lines.items() if line.first.locked()])
        return look(name, root)

    monkeypatch.setattr(checked, "_turnstile", turnstile)
    monkeypatch.setattr(checked, "FRESH", 1e9)
    monkeypatch.setattr(_base, "facts", watched)
    make_pictures(tmp_path, "ab")
    asker = Principal("ann", frozenset({Scope.READ}))
    pictures = {"dataset": "imagefolder:some", "budget_gmacs": 0.02}
    for _ in range(3):
        check(KNOWN.model_copy(update=pictures), tmp_path, asker)
        estimate(EstimateRequest(backbone=KNOWN.backbone, dataset="imagefolder:some"), tmp_path)
    assert looks == [["ann"]]


def test_while_somebody_looks_again_the_others_are_told_what_was_found(tmp_path, monkeypatch):
    asked = EstimateRequest(backbone=KNOWN.backbone, dataset="imagefolder:some")
    make_pictures(tmp_path, "ab")
    known = estimate(asked, tmp_path)
    begun, over, look = Event(), Event(), _base.facts

    def slow(name, root):
        begun.set()
        over.wait()
        return look(name, root)

    monkeypatch.setattr(checked, "FRESH", 1e-9)
    monkeypatch.setattr(_base, "facts", slow)
    make_pictures(tmp_path, "c")
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(estimate, asked, tmp_path)
        begun.wait()
        assert [estimate(asked, tmp_path) for _ in range(5)] == [known] * 5
        over.set()
        assert again.result().num_classes == 3


OWN = """
from torch import nn


def build(num_classes, input_size):
    convolution = nn.Conv2d(input_size[0], {channels}, 3, stride=2, padding=1)
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(convolution, pool, nn.Flatten(), nn.Linear({channels}, num_classes))
"""


def test_an_own_backbone_that_changed_is_a_new_question(tmp_path):
    own = {"backbone": "own/net", "budget_gmacs": 0.001}
    spec = KNOWN.model_copy(update=own)
    found = []
    with own_from(tmp_path):
        for channels in (4, 8):
            (tmp_path / "net.py").write_text(OWN.format(channels=channels))
            found.append(check(spec, tmp_path).estimate.params)
    assert found[0] < found[1]
