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
from typing import Any

import torch
from torch import Tensor, nn

import resnas
from resnas.errors import ResnasError
from resnas.space import SearchSpace
from tests.e2e.rows import Failed, fvcore_misses, fvcore_products, other_rows, products

CLASSES = 10


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
        facts: name, family, seed, sizes to try (the first that the network takes is used),
            formats; memory_gib, for what is told of an end of memory.
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
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            return found | {"outcome": "memory", "reason": f"over {facts.get('memory_gib')} GiB"}
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
    found["torch_macs"] = products(model, x[:1])
    found["fvcore_macs"] = fvcore_products(model, size)
    found["fvcore_misses"] = fvcore_misses(model, x[:1])
    found["other_rows"] = other_rows(human, human.freeze(), x[:1])
    if found["macs"] - sum(found["other_rows"].values()) != found["torch_macs"]:
        raise Failed(f"it counts {found['macs']}, torch {found['torch_macs']}")

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
    other_rows(space, frozen, x[:1])

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
