"""Options that several commands share, and the job they describe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import ValidationError

from resnas.errors import InvalidSpec, UnknownName
from resnas.spec import JobSpec, Place, SearchSpec, TrainingSpec
from service.commands import completing


def one_of(option: str, names: Sequence[str], about: str) -> Any:
    """An option that is one of `names`; one that is misspelt is answered with what was meant."""

    def read(text: str) -> str:
        if text not in names:
            raise UnknownName.among(option, text, names)
        return text

    return typer.Option(
        option,
        parser=read,
        metavar=f"[{'|'.join(names)}]",
        help=about,
        autocompletion=lambda: list(names),
    )


Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Plain = Annotated[
    bool,
    typer.Option("--plain", help="A line each, tabs between the values, no headings or drawings."),
]
JobId = Annotated[
    str,
    typer.Argument(
        metavar="JOB", help="Its id, or how the id begins.", autocompletion=completing.jobs
    ),
]
RunningJobId = Annotated[
    str,
    typer.Argument(
        metavar="JOB", help="Its id, or how the id begins.", autocompletion=completing.running_jobs
    ),
]
FailedJobId = Annotated[
    str,
    typer.Argument(
        metavar="JOB", help="Its id, or how the id begins.", autocompletion=completing.failed_jobs
    ),
]
ArchitectureId = Annotated[
    str,
    typer.Argument(
        metavar="ARCHITECTURE",
        help="Its id, or how the id begins; or a job, for its best under the budget.",
        autocompletion=completing.architectures,
    ),
]
Backbone = Annotated[
    str,
    typer.Argument(
        metavar="BACKBONE[:KEY=VALUE,...]",
        help="See 'resnas backbones'; like timm/resnet18:stem=cifar.",
        autocompletion=completing.backbones,
    ),
]
Dataset = Annotated[
    str, typer.Argument(help="See 'resnas datasets'.", autocompletion=completing.datasets)
]
Budget = Annotated[
    float, typer.Option("--budget-gmacs", help="Of one sample, in 1e9 multiply-accumulates.")
]
Resizers = Annotated[
    list[str] | None,
    typer.Option(
        "--resizer",
        help="May be given several times, for sweep and budget.",
        autocompletion=completing.resizers,
    ),
]
PlaceOption = Annotated[
    Place | None,
    one_of("--place", get_args(Place), "Where it stands; default: as the resizer's paper has it."),
]
LayerTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        metavar="LAYER[:KEY=VALUE,...][@STAGE+...]",
        help="See 'resnas layers'; like phc:n=4@stage3+stage4. May be given several times.",
        autocompletion=completing.layers,
    ),
]
Strategy = Annotated[
    str | None,
    typer.Option(help="How trials are chosen.", autocompletion=completing.strategies),
]
Executor = Annotated[
    str,
    typer.Option(help="Where trials run: inline or ray.", autocompletion=completing.executors),
]
Trials = Annotated[int | None, typer.Option(help="How many trainings.")]
Epochs = Annotated[int | None, typer.Option(help="Of each training.")]
BatchSize = Annotated[int | None, typer.Option(help="Of each training.")]
Parallel = Annotated[int | None, typer.Option(help="Trainings at the same time.")]
Seed = Annotated[int | None, typer.Option(help="Of every random choice.")]
BudgetMs = Annotated[
    float | None,
    typer.Option(
        "--budget-ms",
        help="Of one sample, measured here; for --strategy budget. Both budgets hold.",
    ),
]
StopEarly = Annotated[
    bool, typer.Option("--stop-early", help="End trainings that fall behind others of their cost.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder, made where missing.")]


def job_spec(
    backbone: str,
    dataset: str,
    budget_gmacs: float,
    *,
    resizer: list[str] | None,
    place: Place | None,
    layer: list[str] | None,
    strategy: str | None,
    trials: int | None,
    epochs: int | None,
    batch_size: int | None,
    parallel: int | None,
    seed: int | None,
    budget_ms: float | None,
    stop_early: bool,
) -> JobSpec:
    """The job that the options describe; what was not given keeps the default of `JobSpec`.

    Raises:
        InvalidSpec: a number out of its bounds; the message names the option.
    """
    fields = {
        "backbone": backbone,
        "dataset": dataset,
        "budget_gmacs": budget_gmacs,
        "resizer": resizer or None,
        "place": place,
        "layers": layer,
        "strategy": strategy,
        "trials": trials,
        "seed": seed,
        "budget_ms": budget_ms,
    }
    try:
        return JobSpec(
            **_given(fields),
            training=TrainingSpec(**_given({"epochs": epochs, "batch_size": batch_size})),
            search=SearchSpec(**_given({"parallel": parallel, "stop_early": stop_early or None})),
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        option = "--" + str(wrong["loc"][0]).replace("_", "-").replace("layers", "layer")
        raise InvalidSpec(
            option, f"{wrong['input']!r}: {wrong['msg']}", "See 'resnas submit --help'"
        ) from error


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
