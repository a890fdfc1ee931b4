"""What README.md tells people to type works.

Shell, console and Python blocks run in their order, in one empty folder, against a live server.
Blocks that install, `make` or `docker` are parsed, and what they name has to exist.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml

from service.local_server import LocalServer, local_server

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PUBLISHED = "127.0.0.1:8642"
SHELLS = ("bash", "sh", "shell", "console")
SETUP = {"make", "docker", "pip", "git"}
AROUND_SETUP = SETUP | {"cd", "export", "source", ".", "python3"}
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the document that it begins at."""

    language: str
    text: str
    line: int

    @property
    def script(self) -> str:
        """What is to be typed: in a console block the lines behind `$ `."""
        if self.language != "console":
            return self.text
        typed = re.findall(r"^\$ ((?:.*\\\n)*.*)$", self.text, re.MULTILINE)
        return "\n".join(typed) + "\n"

    @property
    def commands(self) -> list[list[str]]:
        """Each command as words, without settings before it and comments behind it."""
        found, begun = [], ""
        for line in self.script.replace("\\\n", " ").splitlines():
            begun += line + "\n"
            with suppress(ValueError):  # a quotation that goes on in the next line
                found.append(shlex.split(begun, comments=True))
                begun = ""
        return [command for words in found if (command := without_settings(words))]

    @property
    def is_setup(self) -> bool:
        """Whether it installs, makes or runs containers, and so is not executed here."""
        programs = {command[0] for command in self.commands}
        assert not programs & SETUP or programs <= AROUND_SETUP, (
            f"line {self.line}: put {programs & SETUP} and {programs - AROUND_SETUP} in two blocks"
        )
        return bool(programs & SETUP)


def without_settings(words: list[str]) -> list[str]:
    count = next((i for i, word in enumerate(words) if not re.match(r"\w+=", word)), len(words))
    return words[count:]


def blocks(text: str) -> list[Block]:
    """The blocks of a document that are to be executed or checked."""
    found = (
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 2)
        for match in FENCE.finditer(text)
    )
    return [block for block in found if block.language in (*SHELLS, "python")]


class Session:
    """Runs blocks one after the other; what one exports or assigns, the next one finds."""

    def __init__(self, folder: Path, environment: dict[str, str], address: str = PUBLISHED) -> None:
        self.folder = folder
        self.environment = environment
        self.address = address
        self.names: dict[str, object] = {"__name__": "__main__"}

    def run(self, block: Block) -> str:
        script = block.script.replace(PUBLISHED, self.address)
        return self._python(script) if block.language == "python" else self._shell(script)

    def _python(self, script: str) -> str:
        with chdir(self.folder), patch.dict(os.environ, self.environment):
            exec(compile(script, "README.md", "exec"), self.names)
        return ""

    def _shell(self, script: str) -> str:
        state = self.folder / ".environment"
        done = subprocess.run(
            ["bash", "-c", f"set -aeuo pipefail\n{script}\nenv -0 > {state}"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        pairs = (item.partition("=") for item in state.read_text().split("\0") if item)
        self.environment = {name: value for name, _, value in pairs}
        return done.stdout


def surroundings(folder: Path, server: LocalServer) -> dict[str, str]:
    """An environment in which `resnas` and `python` are those of this source tree."""
    programs = folder / "bin"
    programs.mkdir()
    for name, words in (("resnas", "-m service.cli "), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
        (programs / name).chmod(0o755)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RESNAS_")}
    return kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RESNAS_DATA_DIR": str(server.data_dir),
        "RESNAS_URL": server.url,
        "RESNAS_EXECUTOR": "inline",
    }


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def unknown_targets(command: list[str]) -> set[str]:
    """What a set-up command names that the project does not have."""
    named = {word for word in command[1:] if not word.startswith("-") and "=" not in word}
    if command[0] == "make":
        return named - make_targets()
    if command[:2] == ["docker", "compose"]:
        services = set(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])
        scaled = {word.partition("=")[0] for word in command[2:] if re.match(r"[\w-]+=\d+$", word)}
        entered = {command[command.index("exec") + 1]} if "exec" in command else set()
        return (scaled | entered) - services
    if command[0] == "pip":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        asked = {extra for word in command for extra in re.findall(r"\[([\w,]+)\]", word)}
        extras = {extra for group in asked for extra in group.split(",")}
        return extras - set(project["optional-dependencies"])
    return set()


SAMPLE = """\
```bash
git clone https://example.org/resnas && cd resnas
DATA_DIR=/data make serve   # a comment
```
```bash
WORD=one
echo "$WORD" > word
```
```console
$ cat word
one
$ echo \\
    "$WORD" two
one two
```
```python
from pathlib import Path
word = Path("word").read_text().strip()
```
```json
{"not": "executed"}
```
```python
assert word == "one"
```
"""


def test_blocks_are_found_with_their_commands() -> None:
    found = blocks(SAMPLE)
    assert [block.language for block in found] == ["bash", "bash", "console", "python", "python"]
    assert [block.is_setup for block in found[:3]] == [True, False, False]
    assert found[0].commands[1] == ["make", "serve"]
    assert SAMPLE.splitlines()[found[2].line - 1] == "$ cat word"
    assert found[2].script == 'cat word\necho \\\n    "$WORD" two\n'


def test_a_block_finds_what_earlier_ones_have_set(tmp_path: Path) -> None:
    session = Session(tmp_path, dict(os.environ))
    outputs = [session.run(block) for block in blocks(SAMPLE) if not block.is_setup]
    assert outputs[1] == "one\none two\n"


@pytest.mark.parametrize("block", [Block("bash", "false\ntrue", 1), Block("python", "1 / 0", 1)])
def test_a_block_that_fails_is_a_failure(tmp_path: Path, block: Block) -> None:
    with pytest.raises((AssertionError, ZeroDivisionError)):
        Session(tmp_path, dict(os.environ)).run(block)


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("make demo", set()),
        ("make dmeo", {"dmeo"}),
        ("docker compose up --scale ray-worker=2", set()),
        ("docker compose up --scale ray-wroker=2", {"ray-wroker"}),
        ("docker compose exec apy cat /data/token", {"apy"}),
        ("pip install -e '.[dev]'", set()),
        ("pip install -e '.[dve]'", {"dve"}),
    ],
)
def test_what_set_up_commands_name_is_looked_up(line: str, unknown: set[str]) -> None:
    assert unknown_targets(shlex.split(line)) == unknown


def readme() -> list[Block]:
    if not README.exists():
        pytest.skip("there is no README.md")
    return blocks(README.read_text())


def test_set_up_commands_of_the_readme_name_what_exists() -> None:
    for block in readme():
        for command in block.commands if block.language != "python" else []:
            assert not unknown_targets(command), f"line {block.line}: {shlex.join(command)}"


@pytest.mark.timeout(900)
def test_every_other_block_of_the_readme_runs(tmp_path: Path) -> None:
    wanted = [block for block in readme() if block.language == "python" or not block.is_setup]
    if shutil.which("curl") is None and any("curl" in block.text for block in wanted):
        pytest.skip("curl is not installed here")
    folder = tmp_path / "here"
    folder.mkdir()
    with local_server(tmp_path / "data") as server:
        address = server.url.removeprefix("http://")
        session = Session(folder, surroundings(tmp_path, server), address)
        for block in wanted:
            try:
                session.run(block)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - any failure is the README's
                pytest.fail(f"README.md, the block at line {block.line}: {error!r}")
