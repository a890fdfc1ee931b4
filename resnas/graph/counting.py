"""What an operation computes, as torch sees it pass."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Uncounted(Exception):
    """An operation is neither a matrix product nor free."""


_NEITHER = ("fft", "grid_sampler", "rnn", "lstm", "gru", "cdist", "linalg_inv", "linalg_solve")
_RESIZING = ("upsample",)
"""Parts of the names of what computes a lot without being a matrix product of torch's."""


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the matrix products within it.

    Args:
        strict: whether interpolation is refused; a layer that fits its own map to its windows
            is counted without that.

    Attributes:
        macs: multiply-accumulates of each convolution, matrix product or attention, in order.
        elements: that each of these puts out.

    Raises:
        Uncounted: where something else computes as much: a Fourier transform, say.
    """

    def __init__(self, strict: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs: list[int] = []
        self.elements: list[int] = []
        self._refused = (*_NEITHER, *_RESIZING) if strict else _NEITHER

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """One operation of torch passes."""
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet not in flop_registry and func.namespace == "aten":
            with self:
                whole = func.decompose(*args, **kwargs)
            if whole is not NotImplemented:
                return whole
        result = func(*args, **kwargs)
        if packet in flop_registry:
            self.macs.append(int(flop_registry[packet](*args, **kwargs, out_val=result)) // 2)
            first = result[0] if isinstance(result, (tuple, list)) else result
            self.elements.append(math.prod(first.shape) if isinstance(first, Tensor) else 0)
        elif any(part in packet.__name__ for part in self._refused):
            raise Uncounted(packet.__name__)
        return result
