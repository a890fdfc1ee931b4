"""What cannot be converted is refused with the place, what was found, and the next step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from resnas.converting import convert, freeze
from resnas.errors import GraphError, NothingToResize, UnknownName, UntraceableBackbone

SIZE = (3, 32, 32)


def test_a_backbone_without_a_site_is_refused():
    with pytest.raises(NothingToResize, match=r"nothing to replace.*add a pool \(nn.MaxPool2d\)"):
        convert(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), SIZE)


class Positions(nn.Module):
    """Tokens with absolute positions, behind two strided convolutions."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, 2, 1)
        self.second = nn.Conv2d(4, 4, 3, 2, 1)
        self.positions = nn.Parameter(torch.randn(1, 64, 4))

    def forward(self, x):
        tokens = self.second(self.first(x)).flatten(2).transpose(1, 2)
        return (tokens + self.positions).mean(1)


def test_absolute_positions_hold_all_before_them():
    with pytest.raises(
        NothingToResize,
        match=r"none of the 2 sites can be resized.*node add.*test_refusals\.py.*takes maps of any",
    ):
        convert(Positions(), SIZE)


class Asserting(nn.Module):
    """Insists on its size, as patch embeddings do."""

    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(x)
        torch._assert(x.shape[2] == 16, "maps of 16 rows only")
        return x


def test_an_asserted_size_is_named_with_its_node():
    with pytest.raises(
        NothingToResize, match=r"pool: node eq.*test_refusals\.py.*depends on the size: False"
    ):
        convert(Asserting(), SIZE)


class Hybrid(nn.Module):
    """A branch whose size is fixed beside one that is free."""

    def __init__(self):
        super().__init__()
        self.fixed, self.free = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(3, 4, 3, 2, 1)
        self.head = nn.Linear(4 * 16 * 16, 5)

    def forward(self, x):
        return self.head(self.fixed(x).view(x.size(0), -1)) + self.free(x).mean((2, 3))[:, :1]


def test_a_hybrid_offers_what_can_be_resized_and_says_why_the_rest_cannot():
    model, x = Hybrid().eval(), torch.randn(2, *SIZE)
    space = convert(model, SIZE).eval()
    assert [group.sites for group in space.groups] == [("free",)]
    assert "node head (head)" in space.fixed_sites["fixed"]
    with torch.no_grad():
        space.groups[0].stride.fill_(3.3)
    torch.testing.assert_close(freeze(space)(x), space(x))


def test_a_flattened_map_may_be_fitted_to_its_size():
    torch.manual_seed(0)
    model, x = Hybrid().eval(), torch.randn(2, *SIZE)
    assert torch.equal(convert(model, SIZE, "strided", fit_flattened=True).eval()(x), model(x))
    space = convert(model, SIZE, fit_flattened=True).eval()
    assert [group.sites for group in space.groups] == [("fixed",), ("free",)]
    assert space.fixed_sites == {}
    with torch.no_grad():
        space.groups[0].stride.copy_(torch.tensor([3.3, 1.3]))
    torch.testing.assert_close(freeze(space)(x), space(x))
    assert space(x).shape == (2, 5)


def test_sites_can_be_held():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 1), nn.MaxPool2d(2))
    space = convert(model, SIZE, freeze_sites=["0"])
    assert [group.sites for group in space.groups] == [("3",)]
    with pytest.raises(UnknownName, match="there is no '1'"):
        convert(model, SIZE, freeze_sites=["1"])
    with pytest.raises(NothingToResize, match="Choose some of 0, 3"):
        convert(model, SIZE, sites=["0"], freeze_sites=["0"])


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, image, mask):
        return self.pool(image) * mask


class Optional(nn.Module):
    """A second input that need not be given."""

    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, image, mask=None, scale: float = 2.0):
        x = self.pool(image) * scale
        return x if mask is None else x * mask


def test_two_inputs_are_refused_but_for_those_that_have_a_default():
    with pytest.raises(
        UntraceableBackbone, match=r"Two, .*test_refusals\.py:\d+: .*2 inputs \(image, mask\).*Wrap"
    ):
        convert(Two(), SIZE)
    model, x = Optional(), torch.randn(2, *SIZE)
    assert torch.equal(convert(model, SIZE, "strided")(x), model(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused_by_the_name_of_a_weight(dtype):
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1)).to(dtype)
    with pytest.raises(
        UntraceableBackbone, match=r"Sequential, 0.weight: it is b?float16.*float32"
    ):
        convert(model, SIZE)


def test_a_quantised_network_is_refused():
    torchvision = pytest.importorskip("torchvision")
    if "fbgemm" not in torch.backends.quantized.supported_engines:
        pytest.skip("no engine for quantised networks here")
    torch.backends.quantized.engine = "fbgemm"
    model = torchvision.models.quantization.resnet18(weights=None, quantize=True)
    with pytest.raises(UntraceableBackbone, match=r"quantised|quint8.*before quantisation|float32"):
        convert(model, SIZE)


def test_pictures_too_small_for_the_strides_are_refused_by_node():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 3, 2), nn.Conv2d(4, 4, 5, 2))
    with pytest.raises(
        UntraceableBackbone, match=r"(?s)node _2 \(2\): it fails.*3×16×16.*Check the"
    ):
        convert(model, (3, 16, 16))


class Looping(nn.Module):
    def forward(self, x):
        while x.shape[2] > 4:
            x = torch.nn.functional.max_pool2d(x, 2)
        return x


def test_control_flow_by_size_is_refused_by_its_line():
    with pytest.raises(GraphError, match=r"Looping, .*test_refusals\.py:\d+.*not branch or loop"):
        convert(Looping(), SIZE)
