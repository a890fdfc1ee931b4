import hashlib
import json

import pytest
import torch
from torch import nn

import resnas
import search_spaces
from resnas.errors import ExportFailed, UnknownName
from resnas.manifest import Manifest
from resnas.results import Architecture, TrialResult

SIZE = (1, 16, 16)


@pytest.fixture(scope="module")
def space():
    torch.manual_seed(0)
    return resnas.convert(search_spaces.build("vgg_small", 10, SIZE), input_size=SIZE)


def trained(space):
    return TrialResult(
        number=3,
        state="complete",
        resizer="dynopool",
        controller="penalty",
        lam=1.0,
        seed=7,
        architecture=space.architecture().model_copy(update={"backbone": "vgg_small"}),
        val_accuracy=0.97,
        test_accuracy=0.96,
    )


@pytest.fixture(scope="module")
def exported(space, tmp_path_factory):
    directory = tmp_path_factory.mktemp("exports") / "new"
    return directory, resnas.export(space, directory, result=trained(space))


def test_a_space_becomes_verified_files_and_a_manifest(space, exported):
    directory, manifest = exported
    names = {"model.onnx", "model.pt2", "model.safetensors", "architecture.json"}
    assert {file.name for file in manifest.files} == names
    assert {path.name for path in directory.iterdir()} == names | {"manifest.json"}
    assert [path.name for path in directory.parent.iterdir()] == ["new"]
    for file in manifest.files:
        content = (directory / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)
        assert (file.max_error is None) == (file.format == "architecture")


def test_the_manifest_says_what_was_exported(space, exported):
    directory, manifest = exported
    assert manifest.gmacs == float(space.cost("macs").detach()) / 1e9
    assert manifest.counter
    assert manifest.sizes == space.sizes()
    assert manifest.params == sum(p.numel() for p in space.weight_parameters())
    assert (manifest.val_accuracy, manifest.test_accuracy, manifest.seed) == (0.97, 0.96, 7)
    assert manifest.versions["torch"] == torch.__version__.partition("+")[0]
    assert Manifest.model_validate_json((directory / "manifest.json").read_text()) == manifest
    text = (directory / "architecture.json").read_text()
    assert Architecture.model_validate_json(text) == space.architecture()


def test_a_frozen_module_is_as_good_as_its_space(space, tmp_path):
    manifest = resnas.export(resnas.freeze(space), tmp_path, ("safetensors",))
    assert manifest.sizes == space.sizes()
    assert manifest.gmacs == float(space.cost("macs").detach()) / 1e9


def test_any_module_can_be_exported_when_its_input_size_is_said(tmp_path):
    module = search_spaces.build("vgg_small", 10, SIZE)
    manifest = resnas.export(module, tmp_path, ("safetensors",), input_size=SIZE)
    assert manifest.architecture is None
    assert manifest.gmacs is None
    assert module.training
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "manifest.json"}


def test_a_plain_module_without_input_size_is_refused(tmp_path):
    with pytest.raises(ExportFailed, match="input_size"):
        resnas.export(nn.Conv2d(1, 1, 1), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_an_input_size_that_contradicts_the_network_is_refused(space, tmp_path):
    with pytest.raises(ExportFailed, match="frozen for"):
        resnas.export(resnas.freeze(space), tmp_path, input_size=(1, 20, 20))


def test_an_unknown_format_is_refused_with_a_suggestion(space, tmp_path):
    with pytest.raises(UnknownName, match="onnx"):
        resnas.export(space, tmp_path / "new", ("onx",))
    assert list(tmp_path.iterdir()) == []


def test_the_result_of_another_architecture_is_refused(space, tmp_path):
    result = trained(space)
    other = result.architecture.model_copy(update={"sizes": {"elsewhere": (3, 3)}})
    with pytest.raises(ExportFailed, match="trial 3"):
        resnas.export(space, tmp_path, result=result.model_copy(update={"architecture": other}))


@pytest.mark.parametrize("name", ["onnx", "pt2", "safetensors"])
def test_nan_weights_fail_and_leave_earlier_files_alone(name, tmp_path):
    directory = tmp_path / "here"
    directory.mkdir()
    (directory / "manifest.json").write_text("earlier")
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    module[0].weight.data.fill_(float("nan"))
    with pytest.raises(ExportFailed, match=f"format {name}"):
        resnas.export(module, directory, (name,), input_size=SIZE)
    assert (directory / "manifest.json").read_text() == "earlier"
    assert [path.name for path in tmp_path.rglob("*")] == ["here", "manifest.json"]


class DependsOnData(nn.Module):
    def forward(self, x):
        return x if float(x.detach().sum()) > 0 else -x


def test_what_cannot_be_traced_is_refused_with_the_format_and_the_cause(tmp_path):
    with pytest.raises(ExportFailed, match="format pt2") as refused:
        resnas.export(DependsOnData(), tmp_path / "new", ("pt2",), input_size=SIZE)
    assert refused.value.__cause__ is not None
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    module = nn.Conv2d(1, 2, 3)
    with pytest.raises(ExportFailed, match="cannot be written"):
        resnas.export(module, tmp_path / "file" / "x", ("safetensors",), input_size=SIZE)
    with pytest.raises(ExportFailed, match="cannot be written"):
        resnas.export(module, tmp_path / "file", ("safetensors",), input_size=SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_manifest_is_plain_json(exported):
    directory, _ = exported
    found = json.loads((directory / "manifest.json").read_text())
    assert found["schema_version"] == 1
