"""Backbones of other libraries, by name."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import search_spaces
from search_spaces import BackboneRefused, UnknownBackbone

ANY_SIZE = (
    "timm/resnet10t",
    "timm/regnetx_002",
    "timm/mobilenetv3_small_050",
    "timm/efficientnet_lite0",
    "timm/convnext_atto",
    "timm/vit_tiny_patch16_224",  # as large as the picture only because timm is told its size
    "timm/levit_128s",
    "torchvision/resnet18",
    "torchvision/alexnet:stem=cifar",
    "torchvision/squeezenet1_1",
    "torchvision/mobilenet_v3_small",
    "torchvision/shufflenet_v2_x0_5",
    "torchvision/googlenet",
    "torchvision/inception_v3:stem=cifar",
)
DENSE = ("torchvision/lraspp_mobilenet_v3_large", "torchvision/fcn_resnet50")
COMPUTED = ("timm/mobilenetv3_small_050", "torchvision/squeezenet1_1", "torchvision/googlenet")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever wants to download something fails."""

    def refuse(*args: object) -> None:
        raise AssertionError("something is downloaded")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def answered(name: str, size: tuple[int, int, int]) -> tuple[int, ...]:
    """The shape of what the backbone answers for two pictures, without weights."""
    with torch.device("meta"):
        model = search_spaces.build(name, 7, size).eval()
        return tuple(model(torch.empty(2, *size)).shape)


@pytest.mark.parametrize("name", ANY_SIZE)
@pytest.mark.parametrize("size", [(1, 32, 32), (3, 64, 64)])
def test_models_take_small_pictures_of_any_channels(name: str, size: tuple[int, int, int]) -> None:
    assert answered(name, size) == (2, 7)


@pytest.mark.parametrize("name", [name.partition(":")[0] for name in ANY_SIZE])
def test_models_take_the_pictures_they_were_made_for(name: str) -> None:
    assert answered(name, (1, 224, 224)) == (2, 7)


@pytest.mark.parametrize("name", DENSE)
def test_segmentation_models_answer_one_map_of_classes(name: str) -> None:
    assert answered(name, (1, 64, 48)) == (2, 7, 64, 48)
    assert search_spaces.recipe(name).dense


@pytest.mark.parametrize("name", [*COMPUTED, "torchvision/regnet_y_400mf"])
def test_models_compute_one_tensor_from_random_weights(name: str) -> None:
    torch.manual_seed(0)
    model = search_spaces.build(name, 7, (1, 64, 64)).train()
    output = model(torch.rand(2, 1, 64, 64))
    assert output.shape == (2, 7)
    assert output.isfinite().all()


@pytest.mark.parametrize("name", [*COMPUTED, "torchvision/fcn_resnet50"])
def test_weights_follow_torchs_seed(name: str) -> None:
    built = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = search_spaces.build(name, 10, (1, 64, 64))
        built.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(built[0], built[1])
    assert not torch.equal(built[0], built[2])


def map_sizes(name: str, size: tuple[int, int, int]) -> list[int]:
    """Heights of the maps on the way through the network, each one once."""
    sizes = [size[1]]

    def note(module: nn.Module, args: object, output: torch.Tensor) -> None:
        if output.shape[2] != sizes[-1]:
            sizes.append(output.shape[2])

    with torch.device("meta"):
        model = search_spaces.build(name, 10, size).eval()
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
                module.register_forward_hook(note)
        model(torch.empty(1, *size))
    return list(dict.fromkeys(sizes))


@pytest.mark.parametrize(
    ("name", "plain", "small"),
    [
        ("timm/resnet18", [32, 16, 8, 4, 2, 1], [32, 16, 8, 4]),
        ("torchvision/resnet18", [32, 16, 8, 4, 2, 1], [32, 16, 8, 4]),
        ("timm/efficientnet_b0", [32, 16, 1, 8, 4, 2], [32, 1, 16, 8, 4]),
        # its shortcuts are strided, too, and have to keep up with the blocks beside them
        ("timm/regnetx_002", [32, 16, 8, 4, 2, 1], [32, 16, 8, 4]),
        ("torchvision/densenet121", [32, 16, 8, 4, 2, 1], [32, 16, 8, 4]),
    ],
)
def test_a_cifar_stem_keeps_the_size_where_the_original_reduces_fourfold(
    name: str, plain: list[int], small: list[int]
) -> None:
    size = (3, 32, 32)
    assert sorted(map_sizes(name, size)) == sorted(plain)
    assert sorted({*map_sizes(f"{name}:stem=cifar", size), 1}) == sorted({*small, 1})
    assert map_sizes(f"{name}:stem=original", size) == map_sizes(name, size)


def test_a_cifar_stem_leaves_weights_and_mode_alone() -> None:
    built = []
    for name in ("timm/resnet10t", "timm/resnet10t:stem=cifar"):
        torch.manual_seed(0)
        built.append(search_spaces.build(name, 10, (3, 32, 32)))
    plain, small = built
    assert isinstance(plain.maxpool, nn.MaxPool2d)
    assert isinstance(small.maxpool, nn.Identity)
    assert small.training
    for name, weights in plain.state_dict().items():
        assert torch.equal(weights, small.state_dict()[name]), name
    assert small(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm/resnet18:stem=imagenet", "not original or cifar"),
        ("timm/resnet18:width=8", "there is no setting 'width'. Its settings: stem"),
        ("timm/resnet18:stem", "'stem' is no setting with a value. Write it like 'key=value'"),
        ("timm/resnet18:", "is no setting with a value"),
        ("timm/resnet18:stem=cifar,stem=cifar", "'stem' stands there twice"),
        (
            "timm/vit_tiny_patch16_224:stem=cifar",
            "without the strides of patch_embed.proj it fails",
        ),
        ("torchvision/fasterrcnn_resnet50_fpn", "detection: it answers boxes"),
        ("torchvision/r3d_18", "video: it takes clips"),
        ("torchvision/raft_small", "optical_flow: it takes two pictures"),
        ("torchvision/quantized_resnet18", "quantization: its weights are integers"),
        ("torchvision/maxvit_t", "cannot make it for 3×32×32: ValueError: Input size"),
        ("vgg16:depth=3", "there is no setting 'depth'"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(name: str, words: str) -> None:
    with pytest.raises(BackboneRefused) as refused:
        search_spaces.build(name, 10, (3, 32, 32))
    assert words in str(refused.value)
    assert str(refused.value).startswith(f"{name}: ")


def test_a_cifar_stem_is_for_small_pictures() -> None:
    with pytest.raises(BackboneRefused, match=r"up to 64 pixels, not .224, 224.. Leave it out"):
        search_spaces.build("timm/resnet10t:stem=cifar", 10, (3, 224, 224))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("timm/resnet108", "'timm/resnet10"),
        ("timm/resnet50.a1_in1k", "'timm/resnet50'"),
        ("timm/hf_hub:timm/resnet18=x", "lists all"),
        ("timm/local-dir:x=y", "lists all"),
        ("torchvision/resnet19", "'torchvision/resnet18'"),
        ("torchvision/../secret", "lists all"),
        ("timn/resnet18", "timm/*"),
        ("_vgg", "vgg16"),
        ("_sources/timm", "timm/*"),
        ("/resnet18", "resnet18"),
        ("", "resnet18"),
    ],
)
def test_an_unknown_name_is_refused_with_near_ones(name: str, hint: str) -> None:
    with pytest.raises(UnknownBackbone) as refused:
        search_spaces.check(name)
    assert hint in str(refused.value)


def test_models_are_listed_only_where_they_are_asked_for() -> None:
    assert not any(name.startswith(("timm/", "torchvision/")) for name in search_spaces.names())
    assert search_spaces.patterns() == ("timm/*", "torchvision/*")
    assert {"timm/resnet18", "timm/resnet50"} <= set(search_spaces.matching("timm/resnet*"))
    assert search_spaces.matching("t*/resnet18") == ("timm/resnet18", "torchvision/resnet18")
    assert search_spaces.matching("resnet?8") == ("resnet18",)
    assert search_spaces.matching("timm/no_such*") == ()
    found = search_spaces.matching("torchvision/*")
    assert "torchvision/fcn_resnet50" in found
    assert not [name for name in found if "rcnn" in name or "quantized" in name or "raft" in name]


def test_everything_listed_says_what_it_is_and_how_it_is_trained() -> None:
    for name in ("timm/resnet18", "timm/convnext_atto", *search_spaces.matching("torchvision/*")):
        assert search_spaces.about(name)
        assert "<" not in search_spaces.about(name)
        assert search_spaces.recipe(name).weight_decay > 0
    normalised, other = (search_spaces.recipe(f"timm/vgg11{norm}") for norm in ("_bn", ""))
    assert other.lr < normalised.lr


def test_timm_is_loaded_only_for_its_models_and_may_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = (
        "import sys, search_spaces; search_spaces.names(); search_spaces.patterns()\n"
        "search_spaces.build('vgg_small', 10, (1, 32, 32)); assert 'timm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    monkeypatch.setitem(sys.modules, "timm", None)
    for ask in (search_spaces.check, search_spaces.matching):
        with pytest.raises(BackboneRefused, match="Install it: pip install"):
            ask("timm/resnet18")
