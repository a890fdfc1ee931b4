"""Times are taken once, kept in a file where one is named, and shared through it."""

from __future__ import annotations

import json

import pytest
import torch

from resnas.costs._measurements import VARIABLE, Measurements, usual
from resnas.costs._timing import Call
from resnas.errors import ResnasError
from tests.costs.clocks import Told, pixels

CPU = torch.device("cpu")


def _call(layer, *sizes):
    return Call(layer, sizes, prepare=lambda: pytest.fail("a told time needs no run"))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "kept" / "latency.json"


def test_each_layer_is_measured_once_at_each_size_whoever_asks_how_often():
    clock = Told(pixels)
    measurements = Measurements(clock)
    calls = [_call("a", 2, 3), _call("b", 5), _call("a", 2, 3)]
    assert measurements.milliseconds(calls, CPU) == [7, 6, 7]
    assert measurements.milliseconds([*calls, _call("a", 3, 3)], CPU) == [7, 6, 7, 10]
    assert [(call.layer, call.sizes) for call in clock.asked] == [
        *(("a", (2, 3)), ("b", (5,))),
        ("a", (3, 3)),
    ]


def test_other_threads_are_another_machine():
    clock = Told(pixels)
    measurements, threads = Measurements(clock), torch.get_num_threads()
    measurements.milliseconds([_call("a", 2)], CPU)
    try:
        torch.set_num_threads(threads + 1)
        measurements.milliseconds([_call("a", 2)], CPU)
    finally:
        torch.set_num_threads(threads)
    assert len(clock.asked) == 2


def test_a_file_lets_the_next_process_measure_nothing(file):
    assert Measurements(Told(pixels), file).milliseconds([_call("a", 2, 3)], CPU) == [7]
    silent = Told(lambda call: pytest.fail(f"{call} is known"))
    assert Measurements(silent, file).milliseconds([_call("a", 2, 3)], CPU) == [7]


def test_two_processes_that_share_a_file_lose_nothing(file):
    one, other = Measurements(Told(pixels), file), Measurements(Told(pixels), file)
    one.milliseconds([_call("a", 1)], CPU)
    other.milliseconds([_call("b", 1)], CPU)
    one.milliseconds([_call("c", 1)], CPU)
    other.milliseconds([_call("d", 1)], CPU)
    (times,) = json.loads(file.read_text())["machines"].values()
    assert set(times) == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"format": "resnas.latency/99", "machines": {}}',
        b'{"format": "resnas.latency/1", "machines": {"m": {"a": {"2": "soon"}}}}',
        b'{"format": "resnas.latency/1", "machines": {"m": {"a": {"2": -1.0}}}}',
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(file, content):
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(ResnasError, match=r"latency file .*Delete it") as caught:
        Measurements(Told(pixels), file).milliseconds([_call("a", 2)], CPU)
    assert str(file) in str(caught.value)
    assert file.read_bytes() == content


def test_the_environment_names_the_file(file, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(file))
    assert usual().file == file
    assert usual() is usual()
    monkeypatch.delenv(VARIABLE)
    assert usual().file is None
