"""A new resizer is one new file: everything that lists or takes resizers finds it there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import resnas.resizers
import search_spaces
from resnas.catalog import resizers
from service import cli
from tests.service.conftest import BODY

FILE = '''"""Every pixel of one phase."""

from resnas.resizers.strided import Strided


class Phase(Strided):
    """Strided slicing, as a site's own operator."""

    @classmethod
    def from_site(cls, site):
        return cls((float(site.stride[0]), float(site.stride[1])))
'''


@pytest.fixture
def phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The folder of the resizers with one file more."""
    (tmp_path / "phase.py").write_text(FILE)
    monkeypatch.setattr(resnas.resizers, "__path__", [*resnas.resizers.__path__, str(tmp_path)])
    yield "phase"
    sys.modules.pop("resnas.resizers.phase", None)


def test_the_library_takes_it(phase):
    assert phase in resizers.names()
    space = resnas.convert(search_spaces.build("vgg_small", 10, (1, 16, 16)), (1, 16, 16), phase)
    assert space(torch.zeros(2, 1, 16, 16)).shape == (2, 10)
    assert space.freeze()(torch.zeros(2, 1, 16, 16)).shape == (2, 10)


def test_the_api_takes_it(phase, client):
    listed = client.get("/v1/resizers").json()["items"]
    assert {"name": "phase", "about": "Every pixel of one phase."} in listed
    body = {**BODY, "resizer": ["dynopool", phase]}
    assert client.post("/v1/jobs", json=body).is_success


def test_the_command_line_lists_it(phase, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["resnas", "resizers"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "phase" in capsys.readouterr().out
