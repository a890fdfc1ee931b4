"""A module becomes a graph whose nodes know the shape they have at the given input size."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from resnas.errors import UntraceableBackbone
from resnas.graph.modes import in_eval_mode, quietly
from resnas.layers._base import AbstractLayer
from resnas.results import Size


class _Tracer(fx.Tracer):
    """fx's own tracer; resizers, layers that are one operation and timm's leaves stay whole.

    Args:
        opened: whether those of timm's leaves are traced that change a map's resolution within.
    """

    def __init__(self, opened: bool = False) -> None:
        modules, functions = _timm_leaves()
        super().__init__(autowrap_functions=functions)
        self.record_stack_traces = True
        self._leaves: tuple[type[nn.Module], ...] = modules
        self._opened = opened

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, _WINDOWED) or type(m).__module__.startswith(_OWN):
            return True
        if isinstance(m, self._leaves):
            return not (self._opened and any(map(_strides, m.modules())))
        one = isinstance(m, AbstractLayer) and m.computes_as is not None
        return one or super().is_leaf_module(m, module_qualified_name)


_OWN = ("resnas.graph.", "resnas.resizers.")
"""Where modules are at home that networks contain once they are converted or frozen."""

_WINDOWED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
"""Whole even with a forward of their own: their stride is what is learned."""


def _strides(layer: nn.Module) -> bool:
    """Whether a layer is a convolution or a pool that changes the resolution."""
    return isinstance(layer, _WINDOWED) and layer.stride not in (1, (1, 1), [1, 1])


def _timm_leaves() -> tuple[tuple[type[nn.Module], ...], tuple[Any, ...]]:
    """What timm registers as not to be traced; nothing where the backbone is not timm's."""
    if "timm" not in sys.modules:
        return (), ()
    from timm.models import _features_fx as timm_fx

    return tuple(timm_fx.get_notrace_modules()), tuple(timm_fx.get_notrace_functions())


def trace(model: nn.Module, input_size: tuple[int, int, int]) -> fx.GraphModule:
    """The graph of `model`, every node with the value it has for one sample of `input_size`.

    `node.meta["value"]` is a shape (a `torch.Size`) where the node is a tensor, else the value
    itself; `node.meta["where"]` is the line of the backbone that made it. The model's weights are
    shared with the result, and its mode (train or eval) is left as it is; where the forward
    branches on the mode, the branch of the present mode is taken.

    Raises:
        UntraceableBackbone: fx cannot follow the forward, or it fails at this input size.
    """
    name = type(model).__name__
    _check_precision(model)
    graph = _graph(model, opened=True) or _graph(model, opened=False)
    assert graph is not None
    _drop_defaults(graph)
    inputs = [node.name for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise UntraceableBackbone(
            f"{name}, {_line(model)}",
            f"its forward takes {len(inputs)} inputs ({', '.join(inputs)}), where one is wanted",
            "Wrap it in a module whose forward takes the images alone",
        )
    module = fx.GraphModule(model, graph, class_name=name)
    _follow_mode(module)
    module.train(model.training)
    _measure(module, input_size)
    return module


def _check_precision(model: nn.Module) -> None:
    """Refuse what cannot be trained: weights of half precision, quantised layers."""
    for path, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.dtype in {torch.float16, torch.bfloat16} or tensor.is_quantized:
            raise UntraceableBackbone(
                f"{type(model).__name__}, {path}",
                f"it is {str(tensor.dtype).removeprefix('torch.')}",
                "Convert it in float32 (model.float()); train under torch.autocast, and convert "
                "the space or the frozen network to another precision afterwards",
            )
    for path, module in model.named_modules():
        if ".quantized" in type(module).__module__:
            raise UntraceableBackbone(
                f"{type(model).__name__}, {path or 'the model'}",
                f"{type(module).__name__} is quantised: its weights cannot be trained",
                "Convert the network as it was before quantisation, and quantise the frozen one",
            )


def _defaults(model: nn.Module) -> dict[str, Any]:
    """Inputs of the forward that need not be given, with what they are then."""
    parameters = list(inspect.signature(model.forward).parameters.values())
    return {p.name: p.default for p in parameters[1:] if p.default is not p.empty}


def _drop_defaults(graph: fx.Graph) -> None:
    """Without inputs that are always as by default, and the tracer's checks that they are."""
    first, *others = [node for node in graph.nodes if node.op == "placeholder"]
    del first
    for node in others:
        behind = [user for user in node.users if not _only_checks(user)]
        if behind:
            continue  # a tensor is wanted there
        for user in list(node.users):
            for check in list(user.users):
                graph.erase_node(check)
            graph.erase_node(user)
        graph.erase_node(node)


def _only_checks(node: fx.Node) -> bool:
    """Whether a node says that an input is as by default, or compares it for that."""
    return not node.users or all(user.target is torch._assert for user in node.users)


def _line(model: nn.Module) -> str:
    """Where the forward of a model is written."""
    code = type(model).forward.__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def _graph(model: nn.Module, opened: bool) -> fx.Graph | None:
    """What fx makes of a model; None where it cannot follow what need not be `opened`."""
    try:
        return _Tracer(opened).trace(model, concrete_args=_defaults(model))
    except Exception as error:
        if opened and _timm_leaves()[0]:
            return None
        raise UntraceableBackbone(
            _blame(error, type(model).__name__),
            f"torch.fx cannot follow it: {error}",
            "Its forward must not branch or loop on the values or shapes of tensors; wrap that "
            "part in a module of its own that keeps the map's size, or choose another backbone",
        ) from error


class Randomised(nn.Module):
    """A function that draws random numbers in training and is the identity in eval mode.

    fx writes the mode at tracing into a call like `F.dropout(x, p, self.training)`; as a module it
    follows the mode as it did in the backbone.
    """

    def __init__(self, function: Any, settings: dict[str, Any]) -> None:
        super().__init__()
        self.function = function
        self.settings = settings

    def forward(self, x: Tensor) -> Tensor:
        """`x` changed at random in training, else `x` itself."""
        if not self.training:
            return x
        changed: Tensor = self.function(x, **self.settings, training=True)
        return changed


_RANDOM = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "stochastic_depth"}


def _follow_mode(module: fx.GraphModule) -> None:
    """Let calls that were traced with the mode of the moment follow the mode again."""
    for node in list(module.graph.nodes):
        if node.op != "call_function" or getattr(node.target, "__name__", "") not in _RANDOM:
            continue
        names = list(inspect.signature(node.target).parameters)
        given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
        x = given.pop(names[0])
        given.pop("training", None)
        given.pop("inplace", None)  # the map may have other users
        module.add_submodule(f"random_{node.name}", Randomised(node.target, given))
        with module.graph.inserting_after(node):
            call = module.graph.call_module(f"random_{node.name}", (x,))
        call.stack_trace = node.stack_trace
        node.replace_all_uses_with(call)
        module.graph.erase_node(node)
    module.recompile()


def _measure(module: fx.GraphModule, input_size: tuple[int, int, int]) -> None:
    recorder = _Recorder(module)
    try:
        with (
            FakeTensorMode(allow_non_fake_inputs=True),
            torch.no_grad(),
            in_eval_mode(module),
            quietly(),
        ):
            recorder.run(torch.empty((1, *input_size), **_kind(module)))
    except Exception as error:
        node = recorder.current
        raise UntraceableBackbone(
            where(node) if node else type(module).__name__,
            f"it fails for an input of {'×'.join(map(str, input_size))}: {error}",
            "Check the input size (channels, height, width) against what the backbone expects",
        ) from error


class _Recorder(fx.Interpreter):
    """Runs the graph on tensors without data and notes what every node becomes."""

    current: fx.Node | None = None

    def run_node(self, n: fx.Node) -> Any:
        self.current = n
        result = super().run_node(n)
        n.meta["value"] = fx.node.map_aggregate(
            result, lambda value: value.shape if isinstance(value, Tensor) else value
        )
        n.meta["dtype"] = _dtypes(result)
        return result


def _dtypes(result: Any) -> Any:
    """The types of the tensors in a result, None for whatever is no tensor."""
    if isinstance(result, (tuple, list)) and not isinstance(result, torch.Size):
        return tuple(map(_dtypes, result))
    return result.dtype if isinstance(result, Tensor) else None


def _kind(module: nn.Module) -> dict[str, Any]:
    """Where and in which precision the module computes."""
    floats = (p for p in module.parameters() if p.is_floating_point())
    first = next(floats, torch.empty(0))
    return {"device": first.device, "dtype": first.dtype}


def _blame(error: BaseException, name: str) -> str:
    """The backbone's own line that the tracer stopped at."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/torch/" not in f.filename and "/resnas/" not in f.filename]
    return f"{name}, {own[-1].filename}:{own[-1].lineno}" if own else name


def where(node: fx.Node) -> str:
    """A node for a person: its name, its module's path and the line that made it."""
    path = f" ({node.target})" if node.op == "call_module" else ""
    lines = [line.strip() for line in (node.stack_trace or "").splitlines()]
    own = [line for line in lines if line.startswith("File") and "/torch/" not in line]
    line = re.sub(r'"[^"]*/(?:site|dist)-packages/', '"', own[-1]) if own else ""
    return f"node {node.name}{path}" + (f", {line}" if line else "")


def spatial(node: fx.Node) -> Size:
    """Height and width of the map (N, C, H, W) that a traced node is."""
    value = node.meta["value"]
    return (int(value[2]), int(value[3]))
