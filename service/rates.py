"""How often somebody may ask: token buckets, in the memory of one server process.

Several servers behind one name each keep their own, so together they allow that many times as much.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_BURST_SECONDS = 2.0
_MOST = 10_000


class Rates:
    """A bucket for each name: it holds two seconds' worth of requests, and fills steadily.

    The names that were not seen for longest are forgotten, so that many of them take no memory;
    whoever is forgotten starts with a full bucket.

    Args:
        per_second: requests of one name; 0: any number.
        clock: seconds that only grow.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second = per_second
        self.burst = max(1.0, per_second * _BURST_SECONDS)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, name: str) -> float:
        """Count a request: 0 where it may pass, else the seconds until the next one may."""
        if not self.per_second:
            return 0.0
        now = self._clock()
        left, then = self._buckets.pop(name, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.per_second)
        passes = left >= 1
        self._buckets[name] = (left - passes, now)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - left) / self.per_second
