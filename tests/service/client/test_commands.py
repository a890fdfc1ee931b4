"""Every command: its JSON, its plain rows, what it shows at a terminal, what it suggests."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer.main

from service import cli
from service.answers import Job
from service.local_server import LocalServer
from tests.service.client.calling import run

LASTING = {"serve", "worker"}  # they announce where they are, and go on
TRAINING = {"demo", "search", "submit", "reproduce", "retry"}  # tests of their own run them
GROUP = typer.main.get_command(cli.app)


def commands(group: Any = GROUP, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that can be called, with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *above, name)
        else:
            yield (*above, name), command


NAMES = [" ".join(words) for words, _ in commands()]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_prints_json_where_it_is_asked_to(name: str) -> None:
    command = dict(commands())[tuple(name.split())]
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options


def test_the_json_of_every_command_is_one_document_on_stdout(
    best: str, finished: Job, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = {
        "jobs": [],
        "show": [finished.id],
        "watch": [finished.id],
        "front": [finished.id],
        "compare": [best, finished.id],
        "export": [best, "-o", str(tmp_path)],
        "cancel": None,  # of a job that has ended it is refused
        "estimate": ["vgg_small", "--input", "1x32x32"],
        "backbones": [],
        "datasets": [],
        "resizers": [],
        "layers": [],
        "doctor": [],
        "keys create": ["somebody"],
        "keys list": [],
        "keys revoke": None,  # of the key that was made
    }
    assert {*asked, *LASTING, *TRAINING} == set(NAMES)
    found = {}
    for name, more in asked.items():
        if more is not None:
            code, out, _ = run([*name.split(), *more, "--json"], capsys)
            assert code in (0, 1), name  # the doctor may find something
            found[name] = json.loads(out)
    code, out, _ = run(["keys", "revoke", found["keys create"]["id"], "--json"], capsys)
    assert json.loads(out)["state"] == "revoked"


def test_plain_rows_have_one_whole_record_a_line(
    best: str, finished: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(*words: str) -> list[list[str]]:
        code, out, _ = run([*words, "--plain"], capsys)
        assert code == 0
        return list(csv.reader(io.StringIO(out), delimiter="\t"))

    assert finished.id in [row[0] for row in rows("jobs")]
    assert [row[1] for row in rows("show", finished.id)] == ["complete", "complete"]
    assert best in [row[0] for row in rows("front", finished.id)]
    compared = {row[0]: row[1:3] for row in rows("compare", best, best)}
    assert len(set(compared["GMACs"])) == 1


def test_two_architectures_are_put_beside_each_other(
    server: LocalServer, best: str, finished: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    with server.client() as client:
        trained = [trial.architecture_id for trial in client.trials(finished.id)]
        stored, profile = client.architecture(best), client.profile(best)
    (other,) = (each for each in trained if each and each != best)
    code, out, err = run(["compare", finished.id, other[:14]], capsys)
    assert code == 0, err
    first, *_ = out.splitlines()
    assert first.split() == [best, other, "difference"]
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    for site, (height, width) in stored.architecture.sizes.items():
        assert rows[site][1] == f"{height}×{width}"
    human = {each.name: each.human_size for each in profile.maps}
    assert rows["pool1"][0] == "{}×{}".format(*human["pool1.resizer"])
    assert "█" in out
    assert "±" in out


def test_dominated_architectures_and_several_fronts_are_shown(
    best: str, finished: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    *_, everything = run(["front", finished.id, "--all", "--json"], capsys)[:2]
    assert len(json.loads(everything)["points"]) == 2
    code, out, _ = run(["front", finished.id, finished.id], capsys)
    assert (code, out.count("●") > 0, out.count("■") > 0) == (0, True, True)
    assert run(["front", finished.id, finished.id, "--plain"], capsys)[0] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["submti"], "Did you mean 'submit'?"),
        (["keys", "lsit"], "Did you mean 'list'?"),
        (["front", "x", "--max-gmac", "1"], "--max-gmacs"),
        (["jobs", "--state", "runing"], "Did you mean 'running'?"),
        (["estimate", "vgg_small", "--place", "befor"], "Did you mean 'before'?"),
        (["estimate", "vgg_smal"], "Did you mean 'vgg_small'"),
        (["search", "vgg_small", "digits", "--budget-gmacs", "1", "--strategy", "swep"], "'sweep'"),
    ],
)
def test_what_is_misspelt_is_answered_with_what_was_meant(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(words, capsys)
    assert (code, out) == (2, "")
    assert message in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize("url", ["http://[::", "nonsense", "ftp://127.0.0.1"])
def test_an_address_that_is_none_is_wrong_usage(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESNAS_URL", url)
    code, out, err = run(["jobs"], capsys)
    assert (code, out) == (2, "")
    assert "RESNAS_URL" in err


@pytest.mark.parametrize("command", ["show", "watch", "front", "export", "cancel", "retry"])
def test_an_id_that_is_empty_is_not_found(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESNAS_URL", "http://127.0.0.1:9")
    code, out, err = run([command, ""], capsys)
    assert (code, out) == (3, "")
    assert "the id is empty" in err


def test_the_version_is_said_where_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = tmp_path / "resnas-9.8.7.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: resnas\nVersion: 9.8.7\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["--version"], capsys)[:2] == (0, "9.8.7\n")
    monkeypatch.setattr(metadata.Distribution, "discover", lambda **_: iter(()))
    assert run(["--version"], capsys)[:2] == (0, "not installed\n")


def test_what_is_there_is_replaced_by_an_export_only_where_that_is_asked_for(
    best: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def export(*more: str) -> tuple[int, str, str]:
        return run(["export", best, "-o", str(tmp_path), *more], capsys)

    code, out, _ = export()
    path = Path(out.strip())
    whole = path.read_bytes()
    assert (code, export()[:2]) == (0, (0, out))
    path.write_bytes(b"another")
    code, out, err = export()
    assert (code, out, path.read_bytes()) == (2, "", b"another")
    assert "--overwrite" in err
    assert export("--overwrite")[0] == 0
    assert path.read_bytes() == whole


def at_terminal(words: list[str], columns: int) -> str:
    """What a person sees who calls the command at a terminal."""
    here, there = pty.openpty()
    termios.tcsetwinsize(there, (40, columns))
    command = [sys.executable, "-m", "service.cli", *words]
    with subprocess.Popen(
        command, stdin=there, stdout=there, stderr=there, env=os.environ | {"TERM": "xterm"}
    ):
        os.close(there)
        seen = b""
        with contextlib.suppress(OSError):  # so it ends on Linux
            while part := os.read(here, 65536):
                seen += part
    os.close(here)
    return seen.decode()


def test_at_a_terminal_ids_are_short_and_the_next_command_is_told(
    best: str, finished: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    seen = at_terminal(["front", finished.id], 80)
    assert f"resnas export {best[:12]}'" in seen
    assert best not in seen
    assert "\x1b[" in seen
    assert all(len(line) <= 80 for line in re.sub(r"\x1b\[[\d;]*m", "", seen).splitlines())


def test_no_color_is_respected(best: str, finished: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    seen = at_terminal(["front", finished.id], 80)
    assert best[:12] in seen
    assert not re.search(r"\x1b\[[\d;]*3\d", seen)
