"""Commands about what jobs have found: see the front, fetch one architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resnas.errors import InvalidSpec
from service.answers import Front, Job
from service.commands import completing
from service.commands.connecting import connect
from service.commands.finding import find_architecture, find_job
from service.commands.options import ArchitectureId, Json, Output, Plain
from service.console import brief, hint, say, show_json, show_line
from service.listings import show_front, show_fronts


def front(
    job: Annotated[
        list[str],
        typer.Argument(
            metavar="JOB",
            help="Its id, or how the id begins; several are drawn over one another.",
            autocompletion=completing.jobs,
        ),
    ],
    max_gmacs: Annotated[
        float | None, typer.Option(min=0, help="Only architectures that cost at most this.")
    ] = None,
    min_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only those at least so accurate, like 0.9.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Dominated architectures, too.")
    ] = False,
    plain: Plain = False,
    as_json: Json = False,
) -> None:
    """Show the Pareto front of a job, or of several.

    For example: resnas front 01a1fec0d3e6 --max-gmacs 0.003 --all
    """
    with connect() as client:
        jobs = [find_job(client, each) for each in job]
        fronts = [
            client.front(
                each.id,
                max_gmacs=max_gmacs,
                min_accuracy=min_accuracy,
                include_dominated=everything,
            )
            for each in jobs
        ]
    if as_json:
        show_json(fronts[0] if len(fronts) == 1 else fronts)
    elif len(jobs) == 1:
        show_front_of(jobs[0], fronts[0], plain)
    elif plain:
        raise InvalidSpec("--plain", "there are several jobs", "Ask for one, or use --json")
    else:
        show_fronts(jobs, fronts)
        hint(f"See one by itself with 'resnas front {brief(jobs[0].id)}'.")


def export(
    architecture: ArchitectureId,
    format: Annotated[
        list[str] | None,
        typer.Option(
            help="onnx (default), pt2, safetensors; repeatable.", autocompletion=completing.formats
        ),
    ] = None,
    output: Output = Path(),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Files of the same names may be replaced.")
    ] = False,
    multiple_of: Annotated[
        int,
        typer.Option(
            min=1, max=256, help="Make learned sizes multiples of this; accuracy is measured again."
        ),
    ] = 1,
    as_json: Json = False,
) -> None:
    """Fetch an architecture as a file; prints where it lies.

    For example: resnas export 01a1fec1024b --format onnx -o networks
    """
    with connect() as client:
        chosen = find_architecture(client, architecture)
        paths = [
            client.export(chosen, each, output, multiple_of, overwrite=overwrite)
            for each in format or ("onnx",)
        ]
    if as_json:
        show_json({"architecture_id": chosen, "files": [str(path) for path in paths]})
    else:
        for path in paths:
            show_line(str(path))


def show_front_of(job: Job, answer: Front, plain: bool = False) -> None:
    """A job's front, and what can be done with it."""
    if not answer.points:
        say(f"Job {job.id} has no such architecture so far ({job.trials_done} trials done).")
        return
    best = answer.best_under_budget
    budget = job.spec.budget_gmacs
    show_front(answer.points, best, budget, knee=answer.knee, plain=plain)
    if not plain:
        hint(_next_step(answer))


def _next_step(answer: Front) -> str:
    best = answer.best_under_budget or answer.knee or answer.points[0]
    others = [p for p in answer.points if p.architecture_id != best.architecture_id]
    others = [p for p in others if not p.dominated] or others
    one = brief(best.architecture_id)
    fetch = f"Fetch one with 'resnas export {one}'"
    if not others:
        return f"{fetch}."
    other = brief(others[-1].architecture_id)
    return f"{fetch}, compare two with 'resnas compare {one} {other}'."
