import logging
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

import search_spaces
from resnas.catalog import exporters
from resnas.exporters._base import relative_error

every_exporter = pytest.mark.parametrize("name", exporters.names())


class Resizing(nn.Module):
    """What a frozen DynOPool is: interpolate to a fixed doubled grid, then max pool."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)
        self.head = nn.Linear(5 * 7 * 5, 4)

    def forward(self, x):
        x = functional.interpolate(self.conv(x), (14, 10), mode="bilinear", align_corners=False)
        return self.head(functional.max_pool2d(x, 2).flatten(1))


def networks():
    torch.manual_seed(0)
    yield Resizing().eval()
    network = search_spaces.build("mobilenet_small", 4, (3, 17, 16))
    network(torch.randn(8, 3, 17, 16))  # so that batch norm has statistics of its own
    yield network.eval()


@pytest.fixture(scope="module", params=[0, 1], ids=["resizing", "mobilenet"])
def network(request):
    return list(networks())[request.param]


@every_exporter
def test_the_file_does_what_the_network_does_at_any_batch_size(name, network, tmp_path, capfd):
    exporter = exporters[name]()
    path = tmp_path / f"model{exporter.suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exporter.write(network, torch.randn(2, 3, 17, 16), path)
        examples = [torch.randn(n, 3, 17, 16) for n in (1, 2, 5)]
        assert exporter.check(path, network, examples) <= 1e-5
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert capfd.readouterr() == ("", "")


@every_exporter
def test_check_notices_another_network(name, network, tmp_path):
    exporter = exporters[name]()
    path = tmp_path / f"model{exporter.suffix}"
    exporter.write(network, torch.randn(2, 3, 17, 16), path)
    weight = next(network.parameters()).detach()
    before = weight.clone()
    weight.mul_(1.5)
    found = exporter.check(path, network, [torch.randn(2, 3, 17, 16)])
    weight.copy_(before)
    # batch norm right behind a scaled convolution in eval mode does not undo the scale
    assert found > 1e-3


@every_exporter
def test_writing_leaves_the_network_alone(name, network, tmp_path):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    exporter = exporters[name]()
    path = tmp_path / f"model{exporter.suffix}"
    exporter.write(network, torch.randn(2, 3, 17, 16), path)
    exporter.check(path, network, [torch.randn(1, 3, 17, 16)])
    after = network.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert not network.training


@every_exporter
def test_channels_last_weights_can_be_written(name, tmp_path):
    network = Resizing().eval().to(memory_format=torch.channels_last)
    exporter = exporters[name]()
    path = tmp_path / f"model{exporter.suffix}"
    exporter.write(network, torch.randn(2, 3, 17, 16), path)
    assert exporter.check(path, network, [torch.randn(1, 3, 17, 16)]) <= 1e-5


@every_exporter
def test_every_exporter_says_what_it_is(name):
    exporter = exporters[name]
    assert exporter.suffix.startswith(".")
    assert exporter.media_type.count("/") == 1
    assert exporter.about


def test_suffixes_differ():
    assert len({exporters[name].suffix for name in exporters}) == len(exporters.names())


def test_the_error_is_relative_to_the_largest_output():
    wanted = torch.tensor([[0.0, 100.0]])
    assert relative_error(torch.tensor([[1.0, 100.0]]), wanted) == pytest.approx(0.01)
    assert relative_error(torch.zeros(1, 3), wanted) == float("inf")
    assert relative_error(torch.tensor([[float("nan"), 1.0]]), wanted) != 0


def test_log_levels_are_as_before():
    from resnas.exporters._base import quiet

    logger = logging.getLogger("torch.onnx")
    before = logger.level
    with quiet():
        assert logger.level == logging.ERROR
    assert logger.level == before
