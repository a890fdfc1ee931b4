"""What a shell completes behind `resnas`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.answers import Job
from tests.service.client.calling import run


def completed(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[set[str], str]:
    """What bash is offered for the last word of `line`, and what is said on stderr."""
    words = line.split(" ")
    variables = {
        "_RESNAS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        _, out, err = run([], capsys)
    return set(out.split()), err


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("resnas exp", {"export"}),
        ("resnas submit vgg_s", {"vgg_small"}),
        ("resnas submit vgg_small fashion", {"fashion_mnist"}),
        ("resnas submit vgg_small digits --resizer dyn", {"dynopool"}),
        ("resnas search vgg_small digits --strategy swe", {"sweep"}),
        ("resnas search vgg_small digits --executor in", {"inline"}),
        ("resnas estimate vgg_small --layer ph", {"phc"}),
        ("resnas estimate vgg_small --place bef", {"before"}),
        ("resnas jobs --state runing --pl", {"--plain"}),
        ("resnas export x --format saf", {"safetensors"}),
        ("resnas jobs --state can", {"cancelling", "cancelled"}),
        ("resnas front --max", {"--max-gmacs"}),
    ],
)
def test_names_are_completed_without_a_server(
    line: str,
    offered: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RESNAS_URL", "http://127.0.0.1:9")
    assert completed(line, capsys) == (offered, "")


def test_own_backbones_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_net.py").write_text("")
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", str(tmp_path))
    assert completed("resnas estimate own/", capsys) == ({"own/my_net"}, "")


def test_ids_are_completed_by_what_the_server_has(
    best: str, finished: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = finished.id[:12]
    assert completed(f"resnas show {begun}", capsys) == ({finished.id}, "")
    assert completed(f"resnas cancel {begun}", capsys) == (set(), "")
    assert completed(f"resnas compare {best} {best[:12]}", capsys) == ({best}, "")
    assert finished.id in completed("resnas export ", capsys)[0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://[::", "nonsense"])
def test_without_a_server_no_id_is_offered_and_nothing_is_said(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESNAS_URL", url)
    for command in ("show", "watch", "front", "export", "compare", "cancel", "retry"):
        assert completed(f"resnas {command} 0", capsys) == (set(), "")
    assert completed("resnas submit timm/resnet1", capsys) == (set(), "")


def test_completing_imports_nothing_that_takes_long() -> None:
    words = "resnas submit vgg_small digits --resizer d"
    script = (
        "import sys; from service import cli; sys.argv = ['resnas']\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    asked = {
        "_RESNAS_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | asked,
    )
    assert "dynopool" in done.stdout
    heavy = {"torch", "numpy", "ray", "optuna", "fastapi", "sqlalchemy", "httpx", "plotly"}
    assert not heavy & set(done.stderr.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_the_script_that_completes(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    with contextlib.suppress(KeyError):
        monkeypatch.delenv("_RESNAS_COMPLETE")
    code, out, _ = run(["--show-completion", shell], capsys)
    assert code == 0
    assert f"_RESNAS_COMPLETE=complete_{shell}" in out
