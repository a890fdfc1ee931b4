"""Backbones of the program's operator: files in a folder, with settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import search_spaces
from search_spaces import BackboneRefused, UnknownBackbone


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of own backbones, with one in it."""
    monkeypatch.setenv("RESNAS_BACKBONES_DIR", str(tmp_path))
    (tmp_path / "tiny.py").write_text(TINY)
    return tmp_path


TINY = '''"""A net of one convolution."""
from typing import Literal
from torch import nn

def build(
    num_classes, input_size, *, width: int = 4, drop: float = 0.0, bias: bool = True,
    strides: tuple[int, ...] = (2,), pool: tuple[int, float] | None = None,
    act: Literal["relu", "silu"] = "relu",
):
    net = nn.Sequential(
        nn.Conv2d(input_size[0], width, 3, strides[0], 1, bias=bias), nn.Dropout(drop),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes),
    )
    net.given = (width, drop, bias, strides, pool, act)
    return net
'''


def test_an_own_file_is_a_backbone_by_its_name(own: Path) -> None:
    assert "own/tiny" in search_spaces.names()
    assert search_spaces.matching("own/*") == ("own/tiny",)
    assert search_spaces.about("own/tiny") == "A net of one convolution."
    model = search_spaces.build("own/tiny", 7, (2, 32, 32))
    assert model(torch.rand(3, 2, 32, 32)).shape == (3, 7)
    assert not list(own.rglob("__pycache__"))


def test_settings_reach_build_with_their_types(own: Path) -> None:
    name = "own/tiny:width=8,drop=0.25,bias=false,strides=4+2+2,pool=3+0.5,act=silu"
    assert search_spaces.build(name, 10, (1, 32, 32)).given == (
        *(8, 0.25, False, (4, 2, 2), (3, 0.5)),
        "silu",
    )
    assert search_spaces.build("own/tiny:pool=none", 10, (1, 32, 32)).given[4] is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("widht=8", "there is no setting 'widht'. Its settings: width (a whole number), drop"),
        ("width=8.5", "'width' is '8.5', not a whole number. Write it like 'width=2'"),
        ("width=99999999999", "not a whole number"),
        ("width=", "is no setting with a value"),
        ("drop=nan", "not a number"),
        ("bias=yes", "not true or false"),
        ("strides=2+x", "not a whole number+.... Write it like 'strides=2+2+2'"),
        ("pool=3", "not a whole number+a number or none. Write it like 'pool=2+0.5'"),
        ("act=gelu", "not relu or silu"),
        ("num_classes=3", "there is no setting 'num_classes'"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_what_there_is(
    own: Path, settings: str, words: str
) -> None:
    with pytest.raises(BackboneRefused) as refused:
        search_spaces.check(f"own/tiny:{settings}")
    assert words in str(refused.value)


def test_a_setting_that_must_be_given_is_asked_for(own: Path) -> None:
    (own / "deep.py").write_text("def build(num_classes, input_size, *, depth: int): ...\n")
    with pytest.raises(
        BackboneRefused, match=r"'depth' has to be given. Its settings: depth .a wh"
    ):
        search_spaces.check("own/deep")
    (own / "deep.py").write_text("def build(num_classes, input_size, *, depth: list = 3): ...\n")
    with pytest.raises(BackboneRefused, match="'depth' is list, which no text can stand for"):
        search_spaces.check("own/deep:depth=3")


BROKEN = {
    "x = (\n": r"file.py, line 1: SyntaxError",
    "import torch\n\nx = y\n": r"file.py, line 3: NameError: name 'y' is not defined",
    "import nothing_of_that_name\n": r"line 1: ModuleNotFoundError",
    "raise SystemExit(3)\n": r"line 1: SystemExit: 3",
    "build = 3\n": r"states no function 'build'. Write build\(num_classes, input_size\)",
    "RECIPE = 0.1\ndef build(n, s): ...\n": r"RECIPE of file.py is a float",
    "def build(n, s, *, a: Gone = 1): ...\n": r"file.py, line 1: NameError",
    "def build(n, s):\n    return [n]\n": r"build\(\) of file.py answered a list",
    "def build(n, s):\n    n = 1\n    return n / 0\n": r"file.py, line 3: ZeroDivisionError",
    "def build():\n    return 1\n": r"file.py, line 1: TypeError: build\(\) takes 0",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_own_file_names_its_line_and_hides_no_other(own: Path, text: str) -> None:
    (own / "file.py").write_text(text)
    with pytest.raises(BackboneRefused, match=BROKEN[text]):
        search_spaces.build("own/file", 10, (1, 32, 32))
    assert set(search_spaces.matching("own/*")) == {"own/file", "own/tiny"}
    assert search_spaces.about("own/file")
    assert search_spaces.build("own/tiny", 10, (1, 32, 32))


def test_an_own_file_that_changes_is_read_again(own: Path) -> None:
    search_spaces.check("own/tiny")
    (own / "tiny.py").write_text(TINY.replace("width: int = 4", "width: int = 5"))
    assert search_spaces.build("own/tiny", 10, (1, 32, 32)).given[0] == 5
    (own / "tiny.py").unlink()
    with pytest.raises(UnknownBackbone):
        search_spaces.check("own/tiny")


def test_no_name_leads_out_of_the_folder(
    own: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.py"
    outside.write_text("raise AssertionError('it was run')")
    (own / "linked.py").symlink_to(outside)
    (own / "twin.py").symlink_to(own / "tiny.py")
    (own / "sub").mkdir()
    (own / "sub" / "deep.py").write_text("")
    (own / "_shared.py").write_text("")
    (own / "Upper.py").write_text("")
    assert search_spaces.matching("own/*") == ("own/tiny", "own/twin")
    with pytest.raises(BackboneRefused, match="is a link out of the folder"):
        search_spaces.check("own/linked")
    for name in (
        "sub/deep",
        f"../{outside.parent.name}/secret",
        str(outside)[:-3],
        "Upper",
        ".",
        "",
    ):
        with pytest.raises(UnknownBackbone):
            search_spaces.check(f"own/{name}")


def test_without_a_folder_there_are_no_own_backbones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in ("", str(tmp_path / "gone")):
        monkeypatch.setenv("RESNAS_BACKBONES_DIR", folder)
        assert search_spaces.matching("own/*") == ()
        with pytest.raises(BackboneRefused, match="RESNAS_BACKBONES_DIR"):
            search_spaces.check("own/tiny")


def test_a_caller_can_name_another_folder_for_a_while(own: Path, tmp_path_factory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "second.py").write_text(TINY)
    with search_spaces.own_from(other):
        assert search_spaces.matching("own/*") == ("own/second",)
    assert search_spaces.matching("own/*") == ("own/tiny",)


def test_the_program_itself_has_no_folder_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESNAS_BACKBONES_DIR", raising=False)
    assert search_spaces.own_folder() is None


def test_what_is_not_strided_has_no_stem(own: Path) -> None:
    (own / "flat.py").write_text(
        "import torch\nfrom search_spaces._stem import without_stem_strides\n"
        "def build(num_classes, input_size):\n"
        "    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))\n"
        "    return without_stem_strides('flat', net, input_size)\n"
    )
    with pytest.raises(BackboneRefused, match="no strided convolution or pool at its start"):
        search_spaces.build("own/flat", 10, (3, 32, 32))
