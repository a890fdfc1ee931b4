"""The `resnas` command: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import onnx
import pytest

from service import cli
from service.answers import Job
from service.local_server import LocalServer

QUICK = ("--budget-gmacs", "0.1", "--trials", "2", "--epochs", "1", "--batch-size", "256")
SMALL = ("vgg_small", "digits", *QUICK)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Resnas(Protocol):
    def __call__(self, *words: str) -> Ended: ...


@pytest.fixture
def resnas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Resnas:
    """The command in this process; by default no server is where it looks for one."""
    monkeypatch.setenv("RESNAS_URL", "http://127.0.0.1:9")

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["resnas", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def connected(server: LocalServer, monkeypatch: pytest.MonkeyPatch, resnas: Resnas) -> Resnas:
    """The command as the owner of a running server has it."""
    monkeypatch.setenv("RESNAS_URL", server.url)
    monkeypatch.setenv("RESNAS_DATA_DIR", str(server.data_dir))
    return resnas


def test_help_names_every_command_and_the_exit_codes(resnas: Resnas) -> None:
    ended = resnas("--help")
    names = "demo serve worker submit jobs show watch front export cancel search estimate"
    assert ended.code == 0
    assert set(f"{names} backbones datasets resizers".split()) <= set(ended.out.split())
    assert {"RESNAS_URL", "RESNAS_TOKEN_FILE", "RESNAS_TOKEN"} <= set(ended.out.split())
    assert "5 no server" in " ".join(ended.out.split())


def test_help_is_shown_without_loading_what_only_work_needs() -> None:
    script = (
        "import sys; from service import cli; sys.argv = ['resnas', 'submit', '--help']\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "--budget-gmacs" in done.stdout
    assert not {"torch", "ray", "optuna", "fastapi", "sqlalchemy"} & set(done.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        ("jobs",),
        ("show", "x"),
        ("watch", "x"),
        ("front", "x"),
        ("export", "x"),
        ("cancel", "x"),
        ("submit", "vgg_small", "digits", "--budget-gmacs", "1"),
    ],
)
def test_no_server_is_exit_code_5_and_says_how_to_start_one(
    resnas: Resnas, words: tuple[str, ...]
) -> None:
    ended = resnas(*words)
    assert (ended.code, ended.out) == (5, "")
    assert "http://127.0.0.1:9" in ended.err
    assert "resnas serve" in ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nonsense",), "nonsense"),
        (("submit", "vgg_small", "digits"), "--budget-gmacs"),
        (("submit", "vgg_small", "digits", "--budget-gmacs", "nan"), "--budget-gmacs"),
        (("submit", "vgg_small", "digits", "--budget-gmacs", "-1"), "--budget-gmacs"),
        (("submit", *SMALL, "--trials", "0"), "--trials"),
        (("submit", *SMALL, "--epochs", "0"), "--epochs"),
        (("submit", *SMALL, "--place", "under"), "under"),
        (("search", "vgg_smal", "digits", "--budget-gmacs", "1"), "'vgg_small'"),
        (("search", "vgg_small", "digit", "--budget-gmacs", "1"), "'digits'"),
        (("search", "vgg_small", "digits", "--budget-gmacs", "1e-9"), "GMACs"),
        (("search", "vgg_small", "npz:none", "--budget-gmacs", "1"), "none"),
        (("search", *SMALL, "--resizer", "dynopol"), "'dynopool'"),
        (("search", *SMALL, "--executor", "cloud"), "cloud"),
        (("estimate", "vgg_smal"), "'vgg_small'"),
        (("estimate", "vgg_small", "--input", "32"), "3x32x32"),
        (("export", "x", "--format"), "--format"),
        (("front", "x", "--max-gmacs", "-1"), "--max-gmacs"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_names_what_is_wrong(
    resnas: Resnas, words: tuple[str, ...], message: str
) -> None:
    ended = resnas(*words)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


@pytest.mark.parametrize(
    ("command", "entry"),
    [("backbones", "vgg_small"), ("datasets", "digits"), ("resizers", "dynopool")],
)
def test_catalogues_need_no_server(resnas: Resnas, command: str, entry: str) -> None:
    listed = {each["name"]: each["about"] for each in resnas(command, "--json").json}
    assert listed[entry]
    assert entry in resnas(command).out


def test_an_estimate_needs_no_server(resnas: Resnas) -> None:
    found = resnas("estimate", "vgg_small", "--input", "1x32x32", "--json").json
    assert found["min_gmacs"] < found["human_gmacs"] < found["max_gmacs"]
    assert (
        f"{found['human_gmacs']:.4g} GMACs"
        in resnas("estimate", "vgg_small", "--input", "1x32x32").out
    )


def test_a_search_needs_no_server_and_saves_what_it_found(resnas: Resnas, tmp_path: Path) -> None:
    ended = resnas("search", *SMALL, "-o", str(tmp_path / "found"), "--json")
    assert ended.code == 0
    saved = json.loads((tmp_path / "found" / "search.json").read_text())
    assert len(saved["trials"]) == len(ended.json["trials"]) == 2
    assert ended.json["best_under_budget"]["gmacs"] <= 0.1
    assert list((tmp_path / "found" / "weights").iterdir())
    assert {path.name for path in (tmp_path / "found").iterdir()} == {"search.json", "weights"}
    assert "2/2 trials" in ended.err
    assert str(tmp_path / "found") in ended.err


@pytest.mark.parametrize("words", [("serve",), ("worker",), ("jobs",)])
def test_a_setting_that_cannot_be_used_is_exit_code_2(
    resnas: Resnas, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("RESNAS_PORT", "many")
    ended = resnas(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "RESNAS_PORT" in ended.err


def test_a_search_whose_folder_cannot_be_written_does_not_begin(
    resnas: Resnas, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = resnas("search", *SMALL, "-o", str(tmp_path / "file" / "found"))
    assert (ended.code, ended.out) == (2, "")
    assert "--output" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_search_that_is_refused_leaves_no_folder(resnas: Resnas, tmp_path: Path) -> None:
    ended = resnas("search", "vgg_smal", *SMALL[1:], "-o", str(tmp_path / "found"))
    assert ended.code == 2
    assert list(tmp_path.iterdir()) == []


def test_an_export_into_a_folder_that_cannot_be_written_says_so(
    connected: Resnas, finished: Job, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = connected("export", finished.id, "-o", str(tmp_path / "file" / "found"))
    assert (ended.code, ended.out) == (2, "")
    assert "cannot be written" in ended.err


@pytest.mark.chaos
def test_a_job_is_handed_in_and_followed_to_its_end(connected: Resnas) -> None:
    ended = connected("submit", *SMALL, "--seed", "1", "--watch")
    assert ended.code == 0
    assert "best under the budget" in ended.out
    assert "2/2 trials" in ended.err


def test_submitting_prints_nothing_but_the_id(connected: Resnas) -> None:
    ended = connected("submit", *SMALL)
    (job_id,) = ended.out.split()
    assert (ended.code, job_id in ended.err) == (0, True)
    assert connected("cancel", job_id).code == 0


def test_a_finished_job_is_shown_as_a_table_and_as_json(connected: Resnas, finished: Job) -> None:
    assert finished.id in connected("jobs").out
    assert finished.id in [job["id"] for job in connected("jobs", "--json").json]
    shown = connected("show", finished.id, "--json").json
    assert (shown["state"], len(shown["trials"])) == ("succeeded", 2)
    assert shown["trials"][0]["architecture_id"] in connected("show", finished.id).out


def test_a_front_is_shown_as_a_table_and_as_json(connected: Resnas, finished: Job) -> None:
    front = connected("front", finished.id, "--json").json
    table = connected("front", finished.id).out
    assert all(point["architecture_id"] in table for point in front["points"])
    assert "\x1b" not in table
    cheapest = front["points"][0]
    cut = connected("front", finished.id, "--max-gmacs", str(cheapest["gmacs"]), "--json").json
    assert cut["points"] == [cheapest]


def test_an_unambiguous_beginning_of_an_id_is_enough(connected: Resnas, finished: Job) -> None:
    assert connected("show", finished.id[:-1], "--json").json["id"] == finished.id


def test_the_best_of_a_job_is_exported(connected: Resnas, finished: Job, tmp_path: Path) -> None:
    ended = connected("export", finished.id, "--format", "onnx", "-o", str(tmp_path))
    path = Path(ended.out.strip())
    assert (ended.code, path.parent) == (0, tmp_path)
    onnx.checker.check_model(onnx.load(path))


@pytest.mark.parametrize("command", ["show", "watch", "front", "cancel", "export"])
def test_an_unknown_id_is_exit_code_3(connected: Resnas, command: str) -> None:
    ended = connected(command, "0" * 32)
    assert (ended.code, ended.out) == (3, "")
    assert "0" * 32 in ended.err


def test_without_the_token_nothing_is_allowed(
    connected: Resnas, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESNAS_DATA_DIR", str(tmp_path))
    ended = connected("jobs")
    assert (ended.code, ended.out) == (4, "")
    assert "RESNAS_DATA_DIR" in ended.err or "token" in ended.err


def test_an_interrupted_watch_leaves_the_job_alone(connected: Resnas) -> None:
    long = ("vgg_small", "digits", "--budget-gmacs", "0.1", "--epochs", "1000")
    job_id = connected("submit", *long).out.strip()
    watching = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "watch", job_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stderr is not None
    assert "Watching" in watching.stderr.readline()
    watching.send_signal(signal.SIGINT)
    assert "goes on" in watching.stderr.read()
    assert watching.wait() == 130
    assert connected("show", job_id, "--json").json["state"] in ("queued", "running")
    assert connected("cancel", job_id).code == 0
    ended = connected("watch", job_id, "--json")
    assert (ended.code, ended.json["state"]) == (1, "cancelled")
    assert ended.err.endswith(f"Job {job_id} is cancelled; no trials are kept.\n")


def test_a_submission_that_is_sent_again_under_its_key_makes_no_second_job(
    connected: Resnas, finished: Job
) -> None:
    words = ("submit", *SMALL, "--priority", "-7", "--idempotency-key", "mine")
    first, second = connected(*words), connected(*words)
    assert (first.code, second.out) == (0, first.out)
    job = first.out.strip()
    assert connected("show", job, "--json").json["priority"] == -7
    assert connected("cancel", job).code == 0
    refused = connected("retry", job)
    assert (refused.code, refused.out) == (2, "")
    assert "Hand in a new job" in " ".join(refused.err.split())
