"""Every CNN module of timm and torchvision: does it convert, train a step, freeze and export?

    python -m tests.e2e.zoo [--only 'timm/res*'] [--smallest] [--jobs 2] [--summary FILE]

Of every module the smallest model and two more, drawn by seed among those of at most `LARGEST`
parameters, each in a process of its own with limits of time and memory. Results are appended to a
state file, from which an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.e2e.zoo_summary import summary

LARGEST = 30_000_000
"""Parameters of a model that is drawn; the smallest of a module may have more."""

SMALL = ([3, 96, 96], [3, 128, 128])
"""Input sizes that every network is tried at; one that takes neither has its own."""


def roster(state: Path, seed: int) -> list[dict[str, Any]]:
    """What is examined, in a fixed order: name, family, sizes to try, whether it is the smallest.

    Counting the parameters of some 1,500 networks takes minutes; it is done once.
    """
    known = state / "parameters.json"
    if not known.exists():
        state.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps({**_timm(), **_torchvision()}))
    families: dict[str, list[tuple[int, str, list[int]]]] = {}
    for name, (family, parameters, own) in json.loads(known.read_text()).items():
        families.setdefault(family, []).append((parameters, name, own))
    chosen = []
    for family, models in sorted(families.items()):
        smallest, *others = sorted(models)
        drawn = [model for model in others if model[0] <= LARGEST]
        more = random.Random(f"{seed} {family}").sample(drawn, min(2, len(drawn)))
        chosen += [
            {
                "name": name,
                "family": family,
                "sizes": [*SMALL, *([own] if own not in SMALL else [])],
                "smallest": name == smallest[1],
            }
            for _, name, own in [smallest, *sorted(more)]
        ]
    return chosen


def _timm() -> dict[str, tuple[str, int, list[int]]]:
    import timm
    from timm.models import model_entrypoint

    found = {}
    for name in timm.list_models():
        module = model_entrypoint(name).__module__.rpartition(".")[2]
        count, model = _count(lambda name=name: timm.create_model(name, num_classes=10))
        own = list(model.pretrained_cfg["input_size"])
        found[f"timm/{name}"] = (f"timm {module}", count, own)
    return found


_NOT_IMAGES = ("detection", "video", "optical_flow", "quantization")


def _torchvision() -> dict[str, tuple[str, int, list[int]]]:
    from torchvision import models

    found = {}
    for name in models.list_models():
        path = models.get_model_builder(name).__module__.split(".")[2:]
        if path[0] in _NOT_IMAGES:
            continue
        family = f"torchvision {' '.join(path)}"
        backbone = {"weights_backbone": None} if path[0] == "segmentation" else {}
        count, _ = _count(
            lambda name=name, more=backbone: models.get_model(name, weights=None, **more)
        )
        found[f"torchvision/{name}"] = (family, count, [3, 224, 224])
    return found


def _count(build: Callable[[], nn.Module]) -> tuple[int, Any]:
    """Parameters of a network, built without memory where that can be."""
    try:
        with torch.device("meta"):
            model = build()
    except Exception:  # noqa: BLE001  it computes while it is built
        model = build()
    return sum(p.numel() for p in model.parameters()), model


def examine(facts: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """What `specimen.py` finds in a process of its own."""
    formats = ["onnx", "pt2"] if facts["smallest"] else ["onnx"]
    asked = {**facts, "seed": options.seed, "memory_gib": options.memory_gib, "formats": formats}
    command = [sys.executable, "-m", "tests.e2e.specimen", json.dumps(asked)]
    known = {"name": facts["name"], "family": facts["family"]}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            out, errors = child.communicate(timeout=options.limit_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            out, errors = child.communicate()
            known |= {"outcome": "time", "reason": f"over {options.limit_seconds} s"}
    lines = [json.loads(line) for line in out.splitlines() if line.startswith('{"name"')]
    found: dict[str, Any] = lines[-1] if lines else {}
    if "outcome" not in found | known:
        last = errors.strip().splitlines()[-1:] or [f"exit status {child.returncode}"]
        known |= {"outcome": "died", "reason": last[0]}
    return found | known


def run(chosen: Sequence[dict[str, Any]], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Results in the order in which they come, each kept before it is told of."""
    results = options.state / "results.jsonl"
    with ThreadPoolExecutor(options.jobs) as pool, results.open("a") as file:
        asked = [pool.submit(examine, facts, options) for facts in chosen]
        for done in as_completed(asked):
            found = done.result()
            file.write(json.dumps(found) + "\n")
            file.flush()
            yield found


def finished(state: Path, retry: str | None) -> dict[str, dict[str, Any]]:
    """What is known by name, without what is to be tried again."""
    results = state / "results.jsonl"
    lines = results.read_text().splitlines() if results.exists() else []
    found = {entry["name"]: entry for entry in map(json.loads, lines)}
    return {
        name: entry
        for name, entry in found.items()
        if retry is None or not fnmatch.fnmatch(f"{entry['outcome']}: {entry.get('reason')}", retry)
    }


def main() -> None:
    """Run what is not finished, then write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="*", help="names, as 'timm/res*'")
    parser.add_argument("--smallest", action="store_true", help="one model a module")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--state", type=Path, default=Path("zoo"))
    parser.add_argument("--limit-seconds", type=int, default=240)
    parser.add_argument("--memory-gib", type=float, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--retry", help="outcomes to try again, as 'foreign: *'")
    parser.add_argument("--summary", type=Path, default=Path("tests/e2e/zoo.md"))
    options = parser.parse_args()
    chosen = roster(options.state, options.seed)
    known = finished(options.state, options.retry)
    todo = [
        facts
        for facts in chosen
        if facts["name"] not in known
        and fnmatch.fnmatch(facts["name"], options.only)
        and (facts["smallest"] or not options.smallest)
    ]
    for number, found in enumerate(run(todo, options), 1):
        known[found["name"]] = found
        reason = found.get("reason", "").splitlines()[:1]
        print(
            f"[{number}/{len(todo)}] {found['name']}: {found['outcome']}"
            f" {found.get('seconds', '')} {''.join(reason)[:160]}",
            file=sys.stderr,
        )
    order = [known[facts["name"]] for facts in chosen if facts["name"] in known]
    options.summary.write_text(summary(order, options.seed, LARGEST))
    print(f"{len(order)} of {len(chosen)} examined; summary in {options.summary}", file=sys.stderr)


if __name__ == "__main__":
    main()
