"""What the command line shows, at a terminal and elsewhere."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import datetime, timedelta

import pytest

from service.answers import Front, FrontPoint, Job, Spec
from service.console import (
    clock,
    say,
    share,
    shortened,
    show_entries,
    show_facts,
    show_json,
    show_rows,
    span,
)
from service.listings import show_front, show_fronts, show_jobs

IDS = ("01a1fec0d3e677b087f6bfa5180942c3", "01a1fec0d3e67bbbbbbbbbbbbbbbbbbb")


def point(name: str, gmacs: float, accuracy: float, **more: object) -> FrontPoint:
    return FrontPoint(architecture_id=name, gmacs=gmacs, val_accuracy=accuracy, **more)


def job(name: str, budget: float, **more: object) -> Job:
    spec = Spec(backbone="vgg_small", dataset="digits", budget_gmacs=budget)
    return Job(id=name, state="running", spec=spec, trials_done=1, trials_total=8, **more)


class Terminal(io.StringIO):
    """Where a person looks."""

    def isatty(self) -> bool:
        return True


def test_a_front_of_one_point_is_a_table_only(capsys: pytest.CaptureFixture[str]) -> None:
    only = point("a", 0.1, 0.9)
    show_front([only], only, 0.3)
    out = capsys.readouterr().out
    assert "best under the budget" in out
    assert len(out.splitlines()) == 2


def test_a_front_says_what_its_points_are(capsys: pytest.CaptureFixture[str]) -> None:
    best, knee = point("b", 0.4, 0.95, spread=0.0123), point("k", 0.2, 0.94)
    worse = point("w", 0.3, 0.5, dominated=True)
    show_front([knee, worse, best], best, 0.5, knee=knee)
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "95.00 ± 1.23 %" in lines["b"]
    assert "best under the budget" in lines["b"]
    assert lines["k"].rstrip().endswith("knee")
    assert lines["w"].rstrip().endswith("dominated")
    assert "◆ knee" in lines["●"]
    assert "budget 0.5 GMACs" in lines["●"]


def test_the_fronts_of_several_jobs_are_drawn_with_a_sign_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fronts = [Front(points=[point("a", 0.1, 0.9)]), Front(points=[point("b", 0.2, 0.8)])]
    show_fronts([job("one", 0.3), job("two", 0.3)], fronts)
    out = capsys.readouterr().out
    assert out.count("●") == out.count("■") == 2


def test_the_fronts_of_several_jobs_have_a_legend_and_count_what_is_on_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = Front(points=[point("a", 0.1, 0.9), point("w", 0.2, 0.7, dominated=True)])
    show_fronts([job("one", 0.3), job("two", 0.3)], [one, Front(points=[point("b", 0.2, 0.8)])])
    *table, legend = capsys.readouterr().out.splitlines()
    assert [line.split()[4] for line in table[1:3]] == ["1", "1"]
    assert legend.split("   ") == ["· dominated", "┊ budget 0.3 GMACs"]


def test_json_loses_nothing_where_stdout_lacks_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii", errors="replace"))
    show_json({"aim": "λ = 0.5"})
    sys.stdout.flush()
    assert json.loads(written.getvalue()) == {"aim": "λ = 0.5"}


def test_names_between_colons_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    say("npz::dog: is unknown")
    show_facts([("[b]data", ":dog: [/b] \\")])
    show_rows((":cat:",), [[":dog:"]])
    out, err = capsys.readouterr()
    assert err == "npz::dog: is unknown\n"
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines == ["[b]data  :dog: [/b] \\", ":cat:", ":dog:"]


@pytest.mark.parametrize("width", [40, 50, 60])
def test_a_narrow_terminal_shows_whole_ids_and_fewer_columns(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Terminal()
    monkeypatch.setattr(sys, "stdout", seen)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    best = point(IDS[0], 0.003123, 0.95, spread=0.01, test_accuracy=0.9, resizer="dynopool")
    show_jobs([job(each, 0.25, best=best, seconds_left=4000) for each in IDS])
    show_front([best], best, 0.25)
    shown = re.sub(r"\x1b\[\d*m", "", seen.getvalue())
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width
    assert [any(each[:14] in line for line in lines) for each in IDS] == [True, True]
    assert "running" in shown
    assert "backbone" not in shown


def test_plain_rows_are_tabs_between_whole_values(capsys: pytest.CaptureFixture[str]) -> None:
    show_jobs([job(IDS[0], 0.25, seconds_left=90.0)], plain=True)
    row = f"{IDS[0]}\trunning\tvgg_small\tdigits\t0.25\t1/8\t\t2 min\n"
    assert capsys.readouterr().out == row


def test_no_name_is_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show_entries([("[red]name[/red]", "a [bold]word")])
    show_rows(("x",), [["a\tb\nc"]], plain=True)
    out = capsys.readouterr().out
    assert "[red]name[/red]" in out
    assert "a [bold]word" in out
    assert out.endswith("a b c\n")


def test_columns_in_which_nothing_stands_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(("one", "two"), [("a", ""), ("b", "")])
    assert capsys.readouterr().out.split() == ["one", "a", "b"]


def test_ids_are_whole_where_no_terminal_is() -> None:
    assert shortened(IDS) == dict(zip(IDS, IDS, strict=True))


def test_ids_are_shortened_at_a_terminal_as_far_as_they_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert shortened(IDS[:1]) == {IDS[0]: "01a1fec0d3e6"}
    assert shortened(IDS) == {IDS[0]: "01a1fec0d3e677", IDS[1]: "01a1fec0d3e67b"}
    assert shortened(IDS, plain=True) == dict(zip(IDS, IDS, strict=True))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.2, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "1 h 00 min"),
        (4000, "1 h 07 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_times_are_told_in_words(seconds: float | None, words: str) -> None:
    assert span(seconds) == words


def test_a_moment_of_another_day_is_told_with_its_day() -> None:
    now = datetime.now().astimezone()
    before = now - timedelta(days=2)
    assert clock(now) == f"{now:%H:%M}"
    assert clock(before) == f"{before:%Y-%m-%d %H:%M}"


def test_an_accuracy_is_told_with_its_spread_where_it_is_known() -> None:
    assert (share(0.95), share(0.95, 0.01), share(None)) == ("95.00 %", "95.00 ± 1.00 %", "")
