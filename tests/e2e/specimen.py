"""One network on its whole way: built, converted, stepped at random strides, frozen, exported.

Run by `zoo.py` in a process of its own:

    python -m tests.e2e.specimen '{"name": "timm/resnet18", ...}'
"""

from __future__ import annotations

import copy
import json
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

import resnas
from resnas.costs.macs import Macs
from resnas.errors import ResnasError
from resnas.polynomial import Polynomial
from resnas.resizers._base import AbstractResizer
from resnas.space import SearchSpace

CLASSES = 10
ROWS = {"conv", "linear", "matmul"}
"""fvcore's operators that are matrix products."""


INTERPOLATING = {"Upsample", "ToSize"}
"""Layers whose rows torch's counter does not have."""


class Failed(Exception):
    """Something is not as it has to be."""


def build(name: str) -> nn.Module:
    """The plain network of a name, with random weights."""
    source, _, model = name.partition("/")
    if source == "timm":
        import timm

        made: nn.Module = timm.create_model(model, pretrained=False, num_classes=CLASSES)
        return made
    import torchvision

    settings: dict[str, Any] = {"weights": None, "num_classes": CLASSES}
    if name.rpartition("/")[2].startswith(("deeplab", "fcn", "lraspp")):
        settings["weights_backbone"] = None
    if model in {"googlenet", "inception_v3"}:
        settings |= {"aux_logits": False, "init_weights": False, "transform_input": False}
    found: nn.Module = torchvision.models.get_model(model, **settings)
    return found if "weights_backbone" not in settings else _Out(found)


class _Out(nn.Module):
    """The maps of a segmentation network, which come in a dictionary."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.model(x)["out"]
        return maps


def examine(facts: dict[str, Any]) -> dict[str, Any]:
    """All that is known of one network; "outcome" is "passed", "refused" or what went wrong.

    Args:
        facts: name, seed, sizes to try (the first that the network takes is used), memory_gib,
            formats.
    """
    found: dict[str, Any] = {"name": facts["name"], "family": facts["family"], "stage": "build"}
    started = time.monotonic()
    try:
        _examine(facts, found)
        found["outcome"] = "passed"
    except ResnasError as error:
        refused = found["stage"] in {"identity", "convert"}
        found["outcome"] = "refused" if refused else "failed"
        found["reason"] = f"{type(error).__name__}: {error}"
    except Failed as error:
        found |= {"outcome": "failed", "reason": str(error)}
    except Exception as error:  # noqa: BLE001  it is what is looked for
        last = traceback.format_exc().strip().splitlines()[-6:]
        found |= {"outcome": "foreign", "reason": f"{type(error).__name__}: {error}", "trace": last}
    found["seconds"] = round(time.monotonic() - started, 1)
    return found


def _examine(facts: dict[str, Any], found: dict[str, Any]) -> None:
    torch.manual_seed(facts["seed"])
    model = build(facts["name"]).eval()
    _stir(model)
    found["params"] = sum(p.numel() for p in model.parameters())
    found["takes"] = [size for size in facts["sizes"] if _takes(model, size)]
    if not found["takes"]:
        raise Failed(f"it takes none of {facts['sizes']}")
    size = tuple(found["takes"][0])
    found["size"] = size
    print(json.dumps(found), flush=True)  # known even if the process dies
    x = torch.randn(2, *size)
    with torch.no_grad():
        expected = model(x)

    found["stage"] = "identity"
    human = resnas.convert(copy.deepcopy(model), size, "strided").eval()
    with torch.no_grad():
        found["identity"] = bool(torch.equal(human(x), expected))

    found["stage"] = "convert"
    before = time.monotonic()
    space = resnas.convert(model, size, "dynopool").eval()  # with weights of its own
    space.cost("macs")
    found["convert_seconds"] = round(time.monotonic() - before, 2)
    found["groups"] = len(space.groups)
    found["sites"] = sum(len(group.sites) for group in space.groups)
    found["fixed"] = dict(space.fixed_sites)
    if not found["identity"]:
        raise Failed("the untouched space's outputs differ from the network's")
    if {k: v for k, v in human.sizes().items() if k in space.sizes()} != space.sizes():
        raise Failed(f"it starts at {space.sizes()}, the backbone is {human.sizes()}")

    found["stage"] = "cost"
    found["macs"] = human.human_cost("macs")
    found["torch_macs"] = _products(model, x[:1])
    found["fvcore_macs"] = _fvcore(model, size)
    found["other_rows"] = _other_rows(human, human.freeze(), x[:1])

    found["stage"] = "step"
    _scatter(space, facts["seed"])
    _step(space, model, x)

    found["stage"] = "freeze"
    space.eval()
    frozen = resnas.freeze(space)
    with torch.no_grad():
        wanted = space(x)
        error = (frozen(x) - wanted).abs().max() / wanted.abs().max()
    found["freeze_error"] = float(error)
    if not error <= 1e-5:
        raise Failed(f"the frozen network's outputs differ by {float(error):.1e} of their scale")
    _other_rows(space, frozen, x[:1])

    found["stage"] = "export"
    with tempfile.TemporaryDirectory() as directory:
        manifest = resnas.export(frozen, directory, tuple(facts["formats"]))
    found["export_error"] = {file.format: file.max_error for file in manifest.files}


def _stir(model: nn.Module) -> None:
    """Statistics and scales that are not what they start at, so that being equal means much."""
    with torch.no_grad():
        for module in model.modules():
            if (
                isinstance(module, nn.modules.batchnorm._BatchNorm)
                and module.running_mean is not None
            ):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        for name, parameter in model.named_parameters():
            scale = parameter.dim() <= 1 and "bias" not in name
            if scale and parameter.abs().max() < 0.01:  # a branch that starts at almost nothing
                parameter.fill_(0.5)


def _takes(model: nn.Module, size: list[int]) -> bool:
    try:
        with torch.no_grad():
            model(torch.zeros(2, *size))
    except Exception:  # noqa: BLE001  whatever it does to say no
        return False
    return True


def _products(model: nn.Module, x: Tensor) -> int:
    """Matrix products by torch's own counter."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), _without_gradients(model):
        model(x)
    return int(counter.get_total_flops()) // 2


@contextmanager
def _without_gradients(model: nn.Module) -> Iterator[None]:
    """torch's counter follows tensors that ask for gradients, and not all of them have a past."""
    learning = [p for p in model.parameters() if p.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def _fvcore(model: nn.Module, size: tuple[int, ...]) -> int | None:
    from resnas.costs._fvcore import fvcore_counts

    try:
        counts = fvcore_counts(model, (size[0], size[1], size[2]))
    except Exception:  # noqa: BLE001
        return None  # it traces by torch.jit, which does not follow every network
    return sum(count for name, count in counts.items() if name in ROWS)


class _Watched(fx.Interpreter):
    """Runs a graph and holds every node against what the space says of it."""

    def __init__(self, space: SearchSpace, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.values = space._integers()
        self.operations = iter(space._operations)
        self.other: dict[str, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        """One node: its shape has to be as said; a row that torch counts otherwise is noted."""
        if n.op in {"placeholder", "output"}:
            return super().run_node(n)
        operation = next(self.operations)
        counter = FlopCounterMode(display=False)
        with counter:
            result = super().run_node(n)
        if isinstance(result, Tensor):
            shape = tuple(Polynomial.of(dim).value(self.values) for dim in operation.output or ())
            if shape != tuple(result.shape):
                raise Failed(f"{operation.place} is {tuple(result.shape)}, not {shape}")
        ours = Polynomial.of(Macs().total([operation])).value(self.values)
        more = ours - int(counter.get_total_flops()) // 2
        kind = type(operation.target).__name__
        if more and kind in INTERPOLATING:
            self.other[kind] = self.other.get(kind, 0) + more
        elif more and not isinstance(operation.target, AbstractResizer):
            raise Failed(f"{operation.place} counts {more:+d} beyond torch's counter")
        return result


def _other_rows(space: SearchSpace, frozen: fx.GraphModule, x: Tensor) -> dict[str, int]:
    """What our rows have beyond torch's counter, by kind of layer; resizers apart."""
    watched = _Watched(space, frozen)
    with torch.no_grad(), _without_gradients(frozen):
        watched.run(x)
    return watched.other


def _scatter(space: SearchSpace, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for stride in space.arch_parameters():
            stride.mul_(0.75 + 0.85 * torch.rand(2, generator=draw))
    space.clip_strides()


def _step(space: SearchSpace, model: nn.Module, x: Tensor) -> None:
    """One training step; strides, and weights that learn in the backbone, have finite gradients."""
    _loss(model.train()(x)).backward()
    learning = {name for name, p in model.named_parameters() if p.grad is not None}
    space.train()
    optimizer = torch.optim.SGD(space.parameters(), lr=0.01)
    (_loss(space(x)) + space.cost("macs") / 1e9).backward()
    for group in space.groups:
        slope = group.stride.grad
        if group.learnable and (slope is None or not slope.isfinite().all()):
            raise Failed(f"the stride of {group.name} has the gradient {slope}")
    weights = dict(space.model.named_parameters())
    for name in sorted(learning & weights.keys()):
        slope = weights[name].grad
        if slope is None or not slope.isfinite().all():
            raise Failed(f"the weight {name} has no finite gradient")
    nn.utils.clip_grad_norm_(space.parameters(), 1.0)  # random weights, no warm-up
    optimizer.step()
    space.clip_strides()


def _loss(out: Tensor) -> Tensor:
    """Cross-entropy, of every pixel where that is told."""
    labels = torch.arange(len(out)).view(-1, *[1] * (out.dim() - 2)).expand(-1, *out.shape[2:])
    return nn.functional.cross_entropy(out.float(), labels)


def main() -> None:
    """Examine the network that the first argument describes; one line of JSON on stdout."""
    warnings.simplefilter("ignore")
    facts = json.loads(sys.argv[1])
    limit = int(facts["memory_gib"] * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    torch.set_num_threads(1)
    print(json.dumps(examine(facts)))


if __name__ == "__main__":
    main()
