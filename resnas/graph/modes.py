"""Running networks without data, such that nothing of it remains."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """All of a module in eval mode, and afterwards as it was.

    Batch norm refuses one sample in training mode; and layers that keep what they have computed (a
    table of positions) must not keep what was computed without data.
    """
    before = [(part, _kept(part)) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, kept in before:
            part.__dict__.clear()
            part.__dict__.update(kept)


@contextmanager
def quietly() -> Iterator[None]:
    """Without torch's log of what cannot run: here that is an answer, and becomes an error."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _kept(module: nn.Module) -> dict[str, Any]:
    return {k: v.copy() if type(v) in (dict, list) else v for k, v in vars(module).items()}


def on_meta(module: nn.Module) -> nn.Module:
    """A copy of a module whose weights have no numbers."""
    tensors = (*module.parameters(), *module.buffers())
    memo: dict[int, Any] = {id(t): t.detach().to("meta") for t in tensors}
    for parameter in module.parameters():
        memo[id(parameter)] = nn.Parameter(memo[id(parameter)], requires_grad=False)
    return copy.deepcopy(module, memo)
