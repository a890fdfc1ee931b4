"""The same work in several processes, begun by all of them at the same moment."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from typing import Any, TypeVar

Done = TypeVar("Done")

_begun: Any = None


def together(
    prepare: Callable[..., Any], work: Callable[[Any], Done], given: list[tuple[Any, ...]]
) -> tuple[list[Done], float]:
    """What `work(prepare(*arguments))` answers in a process for each of `given`, and the seconds.

    `prepare` is over in all of them before `work` begins in one.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(len(given), _meet, (context.Barrier(len(given)),)) as processes:
        calls = [(prepare, work, arguments) for arguments in given]
        found = processes.map(_do, calls, chunksize=1)
    starts, ends = [start for _, start, _ in found], [end for _, _, end in found]
    return [done for done, _, _ in found], max(ends) - min(starts)


def _meet(barrier: Any) -> None:
    global _begun
    _begun = barrier


def _do(call: tuple[Callable[..., Any], Callable[[Any], Done], tuple[Any, ...]]) -> Any:
    prepare, work, arguments = call
    ready = prepare(*arguments)
    _begun.wait(300)
    start = time.time()
    return work(ready), start, time.time()
