"""What a chaos run prints."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from tests.chaos.invariants import Findings
from tests.chaos.monkey import Ordeal


def told(
    title: str,
    ordeal: Ordeal,
    found: Findings,
    again: Sequence[float],
    troubles: Counter[str],
    calm: Ordeal | None = None,
) -> str:
    """The report, line by line.

    Args:
        title: of the run.
        ordeal: what was done.
        found: what was seen afterwards.
        again: seconds until an interrupted job ran again.
        troubles: what clients got instead of an answer, before they asked again.
        calm: such a load, undisturbed.
    """
    kills = ordeal.kills()
    lines = [
        f"== {title}",
        f"blows              {kills.total()}: {_counted(kills)}",
        f"jobs               {found.jobs.total()}: {_counted(found.jobs)}",
        f"trials             {found.trials}, in {found.attempts} attempts",
        f"lost               {len(found.lost)}",
        f"counted twice      {len(found.twice)}",
        f"stale writes       {len(found.stale)}",
        f"otherwise wrong    {len(found.wrong)}",
        f"fronts as computed {found.fronts} of {found.jobs.total()}",
        f"asked again        {_counted(troubles) or 'never'}",
        f"jobs an hour       {ordeal.rate:.0f}, for {ordeal.seconds:.0f} s",
    ]
    if again:
        lines.append(
            f"ran again          {len(again)} interrupted jobs, after a median of "
            f"{statistics.median(again):.1f} s, at worst {max(again):.1f} s"
        )
    if calm is not None:
        lines.append(f"throughput         {ordeal.rate / calm.rate:.1%} of an undisturbed run's")
    return "\n".join([*lines, *found.violations[:20]])


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common())
