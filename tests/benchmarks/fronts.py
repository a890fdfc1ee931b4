"""Every strategy beside the others: hypervolume on held-out pictures against training compute.

    python -m tests.benchmarks.fronts [fronts | budgets | toys] [--seeds 3] [--jobs 2] [--report]

`fronts` (the default) compares the strategies, `budgets` says how near to a budget one training
lands, `toys` what sizes are learned where pictures are stretched, tiled or enlarged. Every training
is kept in the folder `--cache`; a run that was cut off goes on there, several runs may share it,
and `--report` only says what is there so far. Pictures come from RESNAS_DATASETS_DIR; the extra
`bench` of this project has to be installed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from resnas.errors import InvalidSpec, ResnasError, UnknownName
from resnas.storage import write_atomic
from tests.benchmarks._fronts import budgets, strategies, toys
from tests.benchmarks._fronts.budgets import Budgets
from tests.benchmarks._fronts.comparison import Comparison
from tests.benchmarks._fronts.report import Report
from tests.benchmarks._fronts.running import run
from tests.benchmarks._fronts.setting import Place, Setting
from tests.benchmarks._fronts.toys import Toys

VARIANTS = ("stretch_v:", "tile:", "large:")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, then print the report and where it lies."""
    given = _parser().parse_args(arguments)
    try:
        if given.seeds < 1:
            raise InvalidSpec("--seeds", f"it is {given.seeds}", "Give at least 1")
        path = _PARTS[given.part](given)
    except ResnasError as error:
        raise SystemExit(str(error)) from None
    print(path.read_text(), f"\nwritten to {path}", sep="")


def _fronts(given: argparse.Namespace) -> Path:
    setting = _setting(given)
    chosen = tuple(given.strategies.split(",")) if given.strategies else strategies.names()
    for name in chosen:
        if name not in strategies.names():
            raise UnknownName.among("--strategies", name, strategies.names())
    place = Place(setting, given.cache)
    place.prepare()
    if not given.report:
        run(Comparison(setting, given.cache, chosen, given.seeds), given.jobs)
    return Report(place, chosen, given.seeds).write()


def _budgets(given: argparse.Namespace) -> Path:
    backbones = (given.backbone,) if given.backbone else budgets.TRAINED
    short = {"train": given.train or 1500, "epochs": given.epochs or 4}
    settings = tuple(
        _setting(given).model_copy(update={**short, "backbone": name}) for name in backbones
    )
    work = Budgets(settings, given.cache, given.seeds)
    _prepare(settings, given)
    if not given.report:
        run(work, given.jobs)
    return _written(given.cache / "budgets.md", budgets.report(work))


def _toys(given: argparse.Namespace) -> Path:
    settings = tuple(
        _setting(given).model_copy(update={"variant": variant}) for variant in VARIANTS
    )
    work = Toys(settings, given.cache, given.seeds)
    _prepare(settings, given)
    if not given.report:
        run(work, given.jobs)
    return _written(given.cache / "toys.md", toys.report(work))


_PARTS = {"fronts": _fronts, "budgets": _budgets, "toys": _toys}


def _prepare(settings: Sequence[Setting], given: argparse.Namespace) -> None:
    for setting in settings:
        Place(setting, given.cache).prepare()


def _written(path: Path, text: str) -> Path:
    write_atomic(path, f"{text}\n".encode())
    return path


def _setting(given: argparse.Namespace) -> Setting:
    """What was given, over the defaults."""
    names = ("dataset", "backbone", "place", "train", "epochs")
    return Setting(**{name: getattr(given, name) for name in names if getattr(given, name)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="?", choices=list(_PARTS), default="fronts")
    parser.add_argument("--cache", type=Path, default=Path("fronts"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="trainings at the same time")
    parser.add_argument("--dataset", help=f"default: {Setting().dataset}")
    parser.add_argument("--backbone", help=f"default: {Setting().backbone}")
    parser.add_argument("--place", help="after, conv or before; default: as the resizer has it")
    parser.add_argument("--strategies", help="names with commas between; default: all")
    parser.add_argument("--train", type=int, help="pictures to train on")
    parser.add_argument("--epochs", type=int, help="of every training")
    parser.add_argument("--report", action="store_true", help="train nothing")
    return parser


if __name__ == "__main__":
    main()
