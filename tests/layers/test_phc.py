"""PHConv2d against its definition, and what it promises beside it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import resnas
from resnas.errors import InvalidLayer
from resnas.layers.phc import PHConv2d
from tests.reference import phc as reference


def numbers(tensor: Tensor | None) -> np.ndarray:
    assert tensor is not None
    return tensor.detach().numpy()


@pytest.mark.parametrize(
    ("channels", "kernel", "n", "stride", "padding"),
    [((4, 6), 3, 2, 1, 1), ((3, 9), 3, 3, 2, 1), ((4, 4), 1, 4, 2, 0), ((2, 5), 2, 1, 3, 2)],
)
def test_values_and_gradients_are_those_of_the_definition(
    channels: tuple[int, int], kernel: int, n: int, stride: int, padding: int
) -> None:
    torch.manual_seed(0)
    layer = PHConv2d(*channels, kernel, n, stride, padding).double()
    x = torch.randn(2, channels[0], 7, 5, dtype=torch.float64, requires_grad=True)
    out = layer(x)
    w = torch.randn_like(out)
    (out * w).sum().backward()
    assert layer.bias is not None
    truth = reference.convolve(
        *(numbers(t) for t in (x, layer.A, layer.F, layer.bias)), stride, padding, numbers(w)
    )
    np.testing.assert_allclose(
        numbers(layer.weight), reference.weight_of(numbers(layer.A), numbers(layer.F)), atol=1e-14
    )
    np.testing.assert_allclose(numbers(out), truth.out, atol=1e-12)
    np.testing.assert_allclose(numbers(x.grad), truth.grad_x, atol=1e-12)
    np.testing.assert_allclose(numbers(layer.A.grad), truth.grad_A, atol=1e-12)
    np.testing.assert_allclose(numbers(layer.F.grad), truth.grad_F, atol=1e-12)
    np.testing.assert_allclose(numbers(layer.bias.grad), truth.grad_bias, atol=1e-12)


def test_the_weight_is_a_sum_of_kronecker_products() -> None:
    layer = PHConv2d(6, 9, 3, n=3)
    for v, h in np.ndindex(3, 3):
        products = (torch.kron(layer.A[s], layer.F[s, :, :, v, h]) for s in range(3))
        torch.testing.assert_close(layer.weight[:, :, v, h], sum(products))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_parameters_start_within_the_published_bounds_and_fill_them(n: int) -> None:
    torch.manual_seed(0)
    layer = PHConv2d(64, 32, 3, n)
    outer, inner = 32 // n, 64 // n
    bounds = {
        layer.F: math.sqrt(6 / ((outer * inner + n * inner) * 9)),
        layer.bias: 1 / math.sqrt(64),
    }
    for parameter, bound in bounds.items():
        assert parameter is not None
        assert 0.9 * bound < float(parameter.detach().abs().max()) <= bound
    largest = max(float(PHConv2d(n, n, 1, n).A.detach().abs().max()) for _ in range(50))
    assert 0.9 * math.sqrt(3) / n < largest <= math.sqrt(3) / n


def test_compat_creates_a_bias_and_never_adds_it() -> None:
    torch.manual_seed(0)
    layer = PHConv2d(4, 4, 3, n=2, compat=True)
    out = layer(torch.zeros(1, 4, 5, 5))
    assert not out.any()
    out.sum().backward()
    assert layer.bias is not None
    assert layer.bias.any()
    assert layer.bias.grad is None
    assert PHConv2d(4, 4, 3, n=2)(torch.zeros(1, 4, 5, 5)).any()


def test_one_group_is_an_ordinary_convolution() -> None:
    layer, conv = PHConv2d(5, 7, 3, n=1, stride=2, padding=1), nn.Conv2d(5, 7, 3, 2, 1)
    conv.weight.data, conv.bias.data = layer.weight.detach(), layer.bias.detach()
    x = torch.randn(2, 5, 9, 8)
    torch.testing.assert_close(layer(x), conv(x))


@pytest.mark.parametrize(
    "geometry",
    [
        {"stride": (2, 1), "padding": (0, 2)},
        {"padding": "same", "dilation": 2},
        {"padding": "valid"},
        {"dilation": (1, 3), "padding": 1, "bias": False},
    ],
)
def test_its_geometry_is_that_of_torch(geometry: dict[str, object]) -> None:
    layer = PHConv2d(4, 6, (3, 5), 2, **geometry)
    conv = nn.Conv2d(4, 6, (3, 5), **geometry)
    x = torch.randn(2, 4, 17, 19)
    assert layer(x).shape == conv(x).shape
    for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation"):
        assert getattr(layer, name) == getattr(conv, name)
    assert (layer.bias is None) == (conv.bias is None)


@pytest.mark.parametrize(
    ("channels", "n", "found"),
    [((3, 64), 4, "3 input and 64 output"), ((64, 10), 4, "10 output"), ((4, 4), 0, "n is 0")],
)
def test_groups_that_do_not_divide_the_channels_are_refused(
    channels: tuple[int, int], n: int, found: str
) -> None:
    with pytest.raises(InvalidLayer, match=f"{found}.*(It may be 1|Pass n = 1)"):
        PHConv2d(*channels, 3, n)


def test_a_channels_last_model_keeps_its_values_and_gradients() -> None:
    torch.manual_seed(0)
    layer = PHConv2d(8, 8, 3, n=4, padding=1)
    x = torch.randn(2, 8, 6, 6)
    before = layer(x)
    before.sum().backward()
    grads = [p.grad.clone() for p in layer.parameters() if p.grad is not None]
    last = nn.Sequential(layer).to(memory_format=torch.channels_last)
    last.zero_grad()
    after = last(x.to(memory_format=torch.channels_last))
    after.sum().backward()
    torch.testing.assert_close(after, before)
    torch.testing.assert_close([p.grad for p in layer.parameters()], grads)
    assert all(p.is_contiguous() for p in layer.parameters())
    assert layer.F.shape == (4, 2, 2, 3, 3)


@pytest.mark.parametrize("channels", [16, 128])
def test_onnx_runtime_makes_the_weight_once(channels: int, tmp_path: Path) -> None:
    network = nn.Sequential(PHConv2d(channels, channels, 3, n=4, padding=1), nn.ReLU()).eval()
    resnas.export(network, tmp_path, ("onnx",), input_size=(channels, 8, 8))
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    settings.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    onnxruntime.InferenceSession(tmp_path / "model.onnx", settings, ["CPUExecutionProvider"])
    nodes = onnx.load(tmp_path / "loaded.onnx").graph.node
    assert {node.op_type for node in nodes} == {"Conv", "Relu"}


def test_a_large_file_holds_no_more_weights_than_the_layer(tmp_path: Path) -> None:
    layer = PHConv2d(128, 128, 3, n=4)
    manifest = resnas.export(layer, tmp_path, ("onnx", "pt2"), input_size=(128, 8, 8))
    stored = 4 * sum(p.numel() for p in layer.parameters())
    assert all(file.bytes < 2 * stored for file in manifest.files)
