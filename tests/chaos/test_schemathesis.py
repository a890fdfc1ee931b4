"""The running server beside its own description: whatever is sent, the answer is a documented one.

Every check of schemathesis, on requests that follow the OpenAPI document and on such as do not.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.harness import Setup, on_sqlite

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("phases", "examples", "least"),
    [
        ("fuzzing", 8, 120),
        pytest.param("examples,coverage,fuzzing,stateful", 400, 10_000, marks=pytest.mark.chaos),
    ],
)
def test_every_answer_is_a_documented_one(phases, examples, least, tmp_path):
    with on_sqlite(tmp_path, Setup(jobs=1)) as system:
        (url,) = system.servers
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                f"--config-file={CONFIG}",
                "run",
                f"{url}/openapi.json",
                f"--header=Authorization: Bearer {system.token}",
                "--checks=all",
                f"--phases={phases}",
                f"--max-examples={examples}",
                "--generation-deterministic",
                "--continue-on-failure",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    print(done.stdout[done.stdout.rfind("= SUMMARY =") :])
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
    (cases,) = re.findall(r"(\d+) generated", done.stdout)
    assert int(cases) >= least
