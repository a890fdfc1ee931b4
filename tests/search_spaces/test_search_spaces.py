import logging

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import fx, nn

import search_spaces

DENSE = tuple(name for name in search_spaces.names() if search_spaces.recipe(name).dense)
CLASSIFIERS = tuple(name for name in search_spaces.names() if name not in DENSE)
every_backbone = pytest.mark.parametrize("name", search_spaces.names())
every_classifier = pytest.mark.parametrize("name", CLASSIFIERS)

# GMACs of convolutions and linear layers at 32 pixels with 100 classes, at 224 with 1000
HUMAN_GMACS = {
    "vgg16": (0.313, 15.35),
    "resnet18": (0.555, 1.81),
    "resnet50": (1.298, 4.09),
    "mobilenet_v2": (0.088, 0.30),
    "preact_resnet18": (0.555, 1.81),
    "mobilenet_v1": (0.176, 0.569),
    "efficientnet_b0": (0.116, 0.386),
    "alexnet": (0.226, 0.714),
}
# millions of parameters with 100 classes at 32 pixels, with 1000 at 224
HUMAN_PARAMS = {
    "vgg16": (14.77, 15.24),
    "resnet18": (11.22, 11.69),
    "resnet50": (23.71, 25.56),
    "mobilenet_v2": (2.35, 3.50),
    "preact_resnet18": (11.22, 11.69),
    "mobilenet_v1": (3.31, 4.23),
    "efficientnet_b0": (4.14, 5.29),
    "alexnet": (7.80, 61.10),
}
SMALL = ("mobilenet_small", "resnet_small", "vgg_small")


def gmacs(model, input_size):
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    counted = FlopCountAnalysis(model.eval(), torch.zeros(1, *input_size)).by_operator()
    return (counted["conv"] + counted["linear"]) / 1e9


def map_sizes(model, input_size):
    """Heights of the maps on the way through the network, each one once."""
    sizes = [input_size[1]]

    def note(module, args, output):
        if isinstance(module, nn.Conv2d | nn.MaxPool2d) and output.shape[2] not in (1, sizes[-1]):
            sizes.append(output.shape[2])

    for module in model.modules():
        module.register_forward_hook(note)
    model.eval()(torch.zeros(1, *input_size))
    return tuple(dict.fromkeys(sizes))


def test_the_backbones_are_the_files():
    assert set(search_spaces.names()) == {*HUMAN_GMACS, *SMALL, "hrnet_w48", "unet"}
    assert DENSE == ("hrnet_w48", "unet")


@pytest.mark.parametrize("name", HUMAN_GMACS)
def test_human_networks_cost_what_the_thesis_counts(name):
    small, large = (3, 32, 32), (3, 224, 224)
    at_32 = search_spaces.build(name, 100, small)
    at_224 = search_spaces.build(name, 1000, large)
    found = (gmacs(at_32, small), gmacs(at_224, large))
    assert found == pytest.approx(HUMAN_GMACS[name], rel=0.005)
    params = tuple(sum(p.numel() for p in m.parameters()) / 1e6 for m in (at_32, at_224))
    assert params == pytest.approx(HUMAN_PARAMS[name], abs=0.006)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("channels", [1, 3])
def test_small_networks_cost_about_10_mmacs(name, channels):
    size = (channels, 32, 32)
    assert 0.008 < gmacs(search_spaces.build(name, 10, size), size) < 0.012


@every_classifier
def test_maps_at_32_pixels(name):
    size = (3, 32, 32)
    expected = (32, 16, 8, 4, 2) if name == "vgg16" else (32, 16, 8, 4)
    assert map_sizes(search_spaces.build(name, 10, size), size) == expected


@pytest.mark.parametrize("name", HUMAN_GMACS)
def test_maps_at_224_pixels(name):
    size = (3, 224, 224)
    sizes = map_sizes(search_spaces.build(name, 10, size), size)
    assert sizes == ((224, 55, 27, 13, 6) if name == "alexnet" else (224, 112, 56, 28, 14, 7))


def test_the_resnet50_strides_in_its_3x3():
    model = search_spaces.build("resnet50", 10, (3, 32, 32))
    strided = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)]
    assert sorted(m.kernel_size for m in strided) == [(1, 1)] * 3 + [(3, 3)] * 3


@every_backbone
@pytest.mark.parametrize("input_size", [(1, 32, 32), (3, 65, 71), (2, 16, 33)])
def test_plain_tracing_follows_every_backbone_at_any_size(name, input_size):
    model = search_spaces.build(name, 7, input_size).eval()
    traced = fx.symbolic_trace(model)
    images = torch.randn(2, *input_size)
    assert traced(images).shape == ((2, 7, *input_size[1:]) if name in DENSE else (2, 7))
    assert torch.equal(traced(images), model(images))


@every_backbone
def test_new_weights_keep_signals_and_gradients_alive(name):
    torch.manual_seed(0)
    model = search_spaces.build(name, 10, (3, 32, 32))
    logits = model(torch.randn(8, 3, 32, 32))
    assert 0.01 < logits.std() < 3
    classes = torch.arange(8).view(-1, *[1] * (logits.dim() - 2)).expand(8, *logits.shape[2:])
    nn.functional.cross_entropy(logits, classes).backward()
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.weight.grad.abs().max() > 0 for m in convs)


@every_classifier
def test_depthwise_weights_start_as_large_as_their_fan_asks(name):
    model = search_spaces.build(name, 10, (3, 32, 32))
    for conv in (m for m in model.modules() if isinstance(m, nn.Conv2d)):
        fan_out = conv.weight[:, 0].numel() // conv.groups
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.25)


@every_backbone
def test_weights_follow_torchs_seed(name):
    built = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = search_spaces.build(name, 10, (3, 32, 32))
        built.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(built[0], built[1])
    assert not torch.equal(built[0], built[2])


@every_backbone
def test_every_backbone_brings_a_usable_recipe(name):
    recipe = search_spaces.recipe(name)
    assert 0 < recipe.lr <= 1
    assert 0 <= recipe.weight_decay < 0.01
    assert recipe.about


def test_an_unknown_backbone_is_refused_with_the_names():
    with pytest.raises(search_spaces.UnknownBackbone, match="vgg99") as refused:
        search_spaces.build("vgg99", 10, (3, 32, 32))
    assert refused.value.names == search_spaces.names()
    with pytest.raises(LookupError):
        search_spaces.recipe("_vgg")


@pytest.mark.parametrize(
    ("num_classes", "input_size"), [(0, (3, 32, 32)), (10, (0, 32, 32)), (10, (3, 8, 32))]
)
def test_what_cannot_be_built_is_refused(num_classes, input_size):
    with pytest.raises(ValueError, match="Pass"):
        search_spaces.build("vgg16", num_classes, input_size)
