"""A search space: a backbone whose resolutions are learnable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, fx, nn

from resnas.catalog import costs
from resnas.costs._base import Operation, Total, closed_form
from resnas.errors import ArchitectureMismatch, ResnasError
from resnas.graph.freeze import Facts, describe, fix
from resnas.graph.program import Evaluation, evaluate, integers, reach
from resnas.graph.sizes import Propagation
from resnas.groups import Group, giving, keep_within, multiples
from resnas.polynomial import Dim, Polynomial
from resnas.resizers._base import AbstractResizer
from resnas.resizers._base import Place as Placing
from resnas.results import Architecture, Size


class SearchSpace(nn.Module):
    """A converted backbone: `space(x)` is its output at the present sizes.

    Made by `convert`. The strides of its groups are ordinary parameters; everything else about
    sizes and costs follows from them.

    Attributes:
        groups: what can be sized, in the order of the graph.
        fixed_sites: sites that were left alone, each with the reason.
        input_size: (C, H, W) of one sample.
        resizer, place: what stands at the sites, and where.
        layers: replacements of other layers, as they were asked for.
        fit_flattened: whether maps are brought to their size before they are flattened.
    """

    def __init__(
        self,
        model: fx.GraphModule,
        propagation: Propagation,
        groups: Sequence[Group],
        *,
        input_size: tuple[int, int, int],
        resizer: str,
        place: Placing,
        layers: tuple[str, ...],
        fit_flattened: bool,
        site_nodes: Mapping[str, fx.Node],
        fixed_sites: Mapping[str, str],
        human: Sequence[Operation],
    ) -> None:
        super().__init__()
        self.model = model
        self.groups = tuple(groups)
        self.input_size = input_size
        self.resizer = resizer
        self.place = place
        self.layers = layers
        self.fit_flattened = fit_flattened
        self.fixed_sites = dict(fixed_sites)
        self.backbone: str | None = None
        self.num_classes: int | None = None
        self._program = propagation.program
        self._operations = propagation.operations()
        self._human = list(human)
        self._totals: dict[str, Total] = {}
        self._site_dims = {name: propagation.shape(node)[2:] for name, node in site_nodes.items()}
        self._resized = {
            node.name: tuple(propagation.shape(source)[2:] for source in node.all_input_nodes)
            for node in model.graph.nodes
            if node.op == "call_module"
            and isinstance(model.get_submodule(str(node.target)), AbstractResizer)
        }

    def forward(self, x: Tensor) -> Tensor:
        """The backbone's output for `x` (N, C, H, W), at the present integer sizes."""
        result: Tensor = self.model(x)
        return result

    def arch_parameters(self) -> list[nn.Parameter]:
        """α: the learnable strides, one (2,) a group."""
        return [g.stride for g in self.groups if g.learnable]

    def weight_parameters(self) -> list[nn.Parameter]:
        """w: every parameter that is no stride."""
        strides = {id(g.stride) for g in self.groups}
        return [p for p in self.model.parameters() if id(p) not in strides]

    def cost(self, name: str = "macs") -> Tensor:
        """Cost of one sample at the present integer sizes, differentiable in every stride.

        Counts are exact. The gradient goes straight through every rounding and is chained: a stride
        is charged for all that its size changes further on (eq. 4.7 of the thesis, real sizes).

        Returns:
            0-dim float64 tensor in units of the cost (multiply-accumulates, milliseconds, ...).

        Raises:
            UnknownName: there is no cost of that name.
            UnsupportedLayer: a layer of the backbone has no rule.
        """
        return self._compiled(name).at(self._evaluate().tensors)

    def human_cost(self, name: str = "macs") -> float:
        """The same for the backbone itself, as it was before the conversion; counts are whole."""
        total: Total = costs[name]().total(self._human)
        return total.value([])

    def range(self, name: str = "macs") -> tuple[float, float]:
        """(smallest, largest) cost of all from 2 pixels to 4 × human, as the resizer can."""
        ends = [self._compiled(name).value(self.integers_at(extreme)) for extreme in (1e6, 1e-6)]
        return min(ends), max(ends)

    def sizes(self) -> dict[str, Size]:
        """(H, W) behind every site, as they are now."""
        values = self._integers()
        return {name: _size(dims, values) for name, dims in self._site_dims.items()}

    def architecture(self) -> Architecture:
        """The present resolutions, as a value that can be stored."""
        return Architecture(
            backbone=self.backbone,
            num_classes=self.num_classes,
            input_size=self.input_size,
            resizer=self.resizer,
            place=self.place,
            layers=self.layers,
            fit_flattened=self.fit_flattened,
            strides={g.name: _pair(g.stride) for g in self.groups},
            sizes=self.sizes(),
        )

    def load_architecture(self, architecture: Architecture) -> None:
        """Take over the strides of a stored architecture.

        Raises:
            ArchitectureMismatch: it belongs to another space, or has other sizes here.
        """
        mine = _identity(self, {g.name for g in self.groups})
        theirs = _identity(architecture, set(architecture.strides))
        if self.backbone is not None and architecture.backbone is not None:
            mine = (*mine, self.backbone, self.num_classes)
            theirs = (*theirs, architecture.backbone, architecture.num_classes)
        if mine != theirs:
            raise ArchitectureMismatch(
                "architecture", f"it describes {theirs}", f"This space is {mine}: convert alike"
            )
        before = [g.stride.detach().clone() for g in self.groups]
        self._set_strides(
            [torch.tensor(architecture.strides[g.name], dtype=torch.float64) for g in self.groups]
        )
        if self.sizes() != architecture.sizes:
            found = self.sizes()
            self._set_strides(before)
            raise ArchitectureMismatch(
                "architecture",
                f"its strides give the sizes {found} here, not its own {architecture.sizes}",
                "It was made by another backbone or version; train it again",
            )

    @torch.no_grad()
    def clip_strides(self) -> None:
        """Bring every stride back to where its soft size is just within its bounds.

        The gradient is zero beyond a bound, so a stride that an optimiser has pushed past one
        would never come back.
        """
        learnable = {id(stride) for stride in self.arch_parameters()}

        def clip(leader: AbstractResizer, size: Size) -> None:
            if id(leader.stride) in learnable:
                leader.clip_stride(size)

        # in order: a clipped size is the next one's input
        integers(self._program, self.model, clip)

    def set_sizes(self, sizes: Mapping[str, Size]) -> None:
        """Set strides such that groups have exactly these sizes behind their sites.

        Args:
            sizes: (H, W) by name of the group; others keep their strides.

        Raises:
            UnknownName: there is no such group.
            ArchitectureMismatch: a group cannot have its size; nothing is changed then.
        """
        before = [g.stride.detach().clone() for g in self.groups]
        try:
            # in order: one size is the next one's input
            integers(self._program, self.model, giving(self.groups, sizes))
        except ResnasError:
            self._set_strides(before)
            raise

    def set_bounds(self, bounds: Mapping[str, tuple[Size, Size]]) -> None:
        """Keep the sizes of groups between others than 2 pixels and 4 times the human size.

        Args:
            bounds: smallest and largest (H, W) by name of the group.

        Raises:
            UnknownName: there is no such group.
            InvalidSpec: a window behind needs more than the smallest, the resizer cannot make the
                largest, or one is not below the other; nothing is changed then.
        """
        keep_within(self.groups, bounds, self.model)

    def freeze(self, multiple_of: int = 1) -> fx.GraphModule:
        """A plain module at the present integer sizes; weights, statistics and mode are copied.

        Args:
            multiple_of: every learnable size becomes the nearest multiple of this, at least one
                (hardware likes multiples of 8); the space keeps its own. Other sizes are another
                network: its accuracy has to be measured again.

        Shape:
            (N, *input_size), the same outputs as the space in eval mode.

        Raises:
            ArchitectureMismatch: a group cannot have such a size.
            InvalidSpec: no such multiple.
        """
        if multiple_of == 1:
            return self._freeze()
        before = [g.stride.detach().clone() for g in self.groups]
        try:
            self.set_sizes(multiples(self.groups, self.sizes(), multiple_of))
            return self._freeze()
        finally:
            self._set_strides(before)

    def _freeze(self) -> fx.GraphModule:
        values = self._integers()
        sizes = {}
        for node in self.model.graph.nodes:
            if node.name in self._resized:
                own, *lead = (_size(dims, values) for dims in self._resized[node.name])
                sizes[node] = (own, lead[0] if lead else None)
        fixed = fix(self.model, sizes)
        macs = self._total("macs").value(values)
        describe(fixed, Facts(self.input_size, self.architecture(), macs))
        return fixed

    def extra_repr(self) -> str:
        """The present sizes, in the module's repr."""
        return f"resizer={self.resizer}, place={self.place}, sizes={self.sizes()}"

    def integers_at(self, stride: float) -> list[int]:
        """The variables of the program with every learnable stride at one value."""
        before = [g.stride.detach().clone() for g in self.groups]
        self._set_strides(
            [
                torch.full_like(s, stride) if g.learnable else s
                for g, s in zip(self.groups, before, strict=True)
            ]
        )
        found = self._integers()
        self._set_strides(before)
        return found

    def _resizer(self, name: str) -> AbstractResizer:
        found = self.model.get_submodule(name)
        assert isinstance(found, AbstractResizer)
        return found

    def _integers(self) -> list[int]:
        return integers(self._program, self.model)

    def _evaluate(self) -> Evaluation:
        return evaluate(self._program, self.model)

    def _total(self, name: str) -> Polynomial:
        return closed_form(name, self._compiled(name))

    def _compiled(self, name: str) -> Total:
        if name not in self._totals:
            ends = reach(self._program, self.model, self.arch_parameters())
            self._totals[name] = costs[name]().total(self._operations, ends)
        return self._totals[name]

    def _set_strides(self, strides: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for g, stride in zip(self.groups, strides, strict=True):
                g.stride.copy_(stride)


def _identity(of: SearchSpace | Architecture, groups: set[str]) -> tuple[object, ...]:
    """What an architecture and its space agree on."""
    return of.resizer, of.place, of.layers, of.fit_flattened, of.input_size, groups


def _size(dims: Sequence[Dim], integers: Sequence[int]) -> Size:
    height, width = (Polynomial.of(dim).value(integers) for dim in dims)
    return (height, width)


def _pair(stride: Tensor) -> tuple[float, float]:
    v, h = stride.detach().double().expand(2).tolist()
    return (v, h)
