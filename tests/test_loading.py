"""An exported network is built again elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import resnas
from resnas.errors import ArchitectureMismatch, ExportUnreadable, ResnasError
from resnas.trial import build_space

SIZE = (3, 32, 32)
FORMATS = ("safetensors",)

ELSEWHERE = """
import sys
import torch
import resnas

network = resnas.load(sys.argv[1])
torch.save(network(torch.load(sys.argv[1] + "/x.pt")), sys.argv[1] + "/y.pt")
"""


def moved(space: resnas.SearchSpace) -> resnas.SearchSpace:
    with torch.no_grad():
        for group in space.groups:
            group.stride.copy_(torch.tensor([1.7, 2.6]))
        for module in space.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
    return space.eval()


@pytest.mark.parametrize(
    ("resizer", "multiple_of"),
    [
        ("dynopool", 1),
        ("diffstride", 4),
        pytest.param("dynopool", 4, marks=pytest.mark.chaos),
        pytest.param("diffstride", 1, marks=pytest.mark.chaos),
    ],
)
def test_a_fresh_process_gives_the_outputs_of_the_network_that_was_frozen(
    resizer, multiple_of, tmp_path
):
    space = moved(build_space("resnet_small", 10, SIZE, resizer))
    frozen = resnas.freeze(space, multiple_of)
    resnas.export(frozen, tmp_path, FORMATS)
    x = torch.randn(3, *SIZE)
    torch.save(x, tmp_path / "x.pt")
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(tmp_path)], check=True)
    found = torch.load(tmp_path / "y.pt")
    torch.testing.assert_close(found, frozen(x), rtol=1e-5, atol=1e-5)


class OwnNetwork(nn.Module):
    """A user's own network, with a flattened map at its end."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8 * 8 * 8, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.second(self.first(x))))
        return self.head(x.flatten(1))


def test_a_users_own_network_is_loaded_into_a_new_one(tmp_path):
    space = resnas.convert(OwnNetwork(), SIZE, fit_flattened=True)
    frozen = resnas.freeze(moved(space))
    resnas.export(frozen, tmp_path, FORMATS)
    x = torch.randn(2, *SIZE)
    torch.testing.assert_close(resnas.load(tmp_path, OwnNetwork())(x), frozen(x))


def test_some_of_its_sites_are_enough(tmp_path):
    space = resnas.convert(OwnNetwork(), SIZE, sites=["first"], fit_flattened=True)
    frozen = resnas.freeze(moved(space))
    resnas.export(frozen, tmp_path, FORMATS)
    x = torch.randn(2, *SIZE)
    torch.testing.assert_close(resnas.load(tmp_path, OwnNetwork())(x), frozen(x))


def test_what_cannot_be_loaded_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(ExportUnreadable, match=r"model\.safetensors.*No such file.*include safet"):
        resnas.load(tmp_path)
    space = resnas.convert(OwnNetwork(), SIZE, fit_flattened=True)
    resnas.export(space, tmp_path, FORMATS)
    with pytest.raises(ResnasError, match="without a name"):
        resnas.load(tmp_path)
    other = OwnNetwork()
    other.second = nn.Conv2d(8, 8, 5, padding=2)
    with pytest.raises(ArchitectureMismatch, match="weights: they are not those"):
        resnas.load(tmp_path, other)
    (tmp_path / "architecture.json").write_text("{}")
    with pytest.raises(ExportUnreadable, match=r"architecture\.json: it describes no architecture"):
        resnas.load(tmp_path)
