"""Commands about jobs on a server: hand them in, list and follow them, end them."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from service.answers import Job
from service.commands.connecting import connect
from service.commands.exits import Exit
from service.commands.finding import find_job
from service.commands.fronts import show_front_of
from service.commands.options import (
    Backbone,
    BatchSize,
    Budget,
    BudgetMs,
    Dataset,
    Epochs,
    FailedJobId,
    JobId,
    Json,
    LayerTexts,
    Parallel,
    PlaceOption,
    Plain,
    Resizers,
    RunningJobId,
    Seed,
    StopEarly,
    Strategy,
    Trials,
    job_spec,
    one_of,
)
from service.console import (
    achieved,
    brief,
    clock,
    gmacs,
    hint,
    say,
    show_facts,
    show_json,
    show_line,
    span,
)
from service.listings import show_jobs, show_trials
from service.progress import follow

if TYPE_CHECKING:
    from service.client import Client

State = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]


def submit(
    backbone: Backbone,
    dataset: Dataset,
    budget_gmacs: Budget,
    resizer: Resizers = None,
    place: PlaceOption = None,
    layer: LayerTexts = None,
    strategy: Strategy = None,
    trials: Trials = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    parallel: Parallel = None,
    seed: Seed = None,
    budget_ms: BudgetMs = None,
    stop_early: StopEarly = False,
    priority: Annotated[
        int, typer.Option(min=-100, max=100, help="Of your own jobs the highest runs first.")
    ] = 0,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="Of a submission whose answer was lost: it makes no second job."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    as_json: Json = False,
) -> None:
    """Hand in a job; prints its id.

    For example: resnas submit vgg_small digits --budget-gmacs 0.004 --trials 8 --watch
    """
    spec = job_spec(
        backbone,
        dataset,
        budget_gmacs,
        resizer=resizer,
        place=place,
        layer=layer,
        strategy=strategy,
        trials=trials,
        epochs=epochs,
        batch_size=batch_size,
        parallel=parallel,
        seed=seed,
        budget_ms=budget_ms,
        stop_early=stop_early,
    )
    with connect() as client:
        job = client.submit(spec, priority=priority, idempotency_key=idempotency_key)
        if watch:
            _follow(client, job, as_json)
        elif as_json:
            show_json(job)
        else:
            show_line(job.id)
            say(f"Follow it with 'resnas watch {job.id}'.")


def jobs(
    state: Annotated[
        State | None, one_of("--state", get_args(State), "Only jobs in this state.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20,
    plain: Plain = False,
    as_json: Json = False,
) -> None:
    """List jobs, newest first.

    For example: resnas jobs --state running
    """
    with connect() as client:
        found = list(islice(client.jobs(state), limit))
    if as_json:
        show_json(found)
    elif found:
        show_jobs(found, plain)
        if not plain:
            hint(f"Look at one with 'resnas show {brief(found[0].id)}'.")
    elif state:
        say(f"No job is {state}.")
    else:
        say("No jobs yet. Hand one in with 'resnas submit'.")


def show(job: JobId, plain: Plain = False, as_json: Json = False) -> None:
    """Show a job and its trials; with --plain the trials only.

    For example: resnas show 01a1fec0d3e6
    """
    with connect() as client:
        found = find_job(client, job)
        trials = list(client.trials(found.id))
    if as_json:
        show_json({**found.model_dump(mode="json"), "trials": trials})
    elif plain:
        show_trials(trials, plain)
    else:
        show_facts((name, value) for name, value in _facts(found).items() if value)
        if trials:
            show_line("")
            show_trials(trials)
        hint(_next_step(found))


def watch(job: JobId, as_json: Json = False) -> None:
    """Follow a job to its end; interrupting this never ends the job.

    For example: resnas watch 01a1fec0d3e6
    """
    with connect() as client:
        _follow(client, find_job(client, job), as_json)


def cancel(job: RunningJobId, as_json: Json = False) -> None:
    """End a job; the trials that have ended are kept.

    For example: resnas cancel 01a1fec0d3e6
    """
    with connect() as client:
        found = client.cancel(find_job(client, job).id)
    if as_json:
        show_json(found)
    else:
        say(f"Job {found.id} is {found.state}.")


def retry(job: FailedJobId, as_json: Json = False) -> None:
    """Queue a failed job once more; the trials that it completed are kept.

    For example: resnas retry 01a1fec0d3e6
    """
    with connect() as client:
        found = client.retry(find_job(client, job).id)
    if as_json:
        show_json(found)
    else:
        say(f"Job {found.id} is {found.state}. Follow it with 'resnas watch {found.id}'.")


def _facts(job: Job) -> dict[str, str]:
    spec = job.spec
    return {
        "job": job.id,
        "state": job.state,
        "handed in": clock(datetime.fromisoformat(job.created_at)) if job.created_at else "",
        "asked for": f"{spec.backbone} on {spec.dataset} under {gmacs(spec.budget_gmacs)} GMACs",
        "layers": ", ".join(spec.layers),
        "trials": f"{job.trials_done} of {job.trials_total}",
        "time left": span(job.seconds_left),
        "best under the budget": achieved(job.best),
        "why": str(job.error or ""),
    }


def _next_step(job: Job) -> str:
    if not job.ended:
        return f"Follow it with 'resnas watch {brief(job.id)}'."
    if job.trials_done:
        return f"See its front with 'resnas front {brief(job.id)}'."
    return "Hand in another one with 'resnas submit'."


def _kept(trials: int) -> str:
    return "1 trial is kept" if trials == 1 else f"{trials or 'no'} trials are kept"


def _follow(client: Client, started: Job, as_json: bool) -> None:
    try:
        say(f"Watching job {started.id}, which is {started.state}.")
        job = follow(client, started)
    except KeyboardInterrupt:
        say(
            f"Stopped watching; job {started.id} goes on. Look again with "
            f"'resnas watch {started.id}', end it with 'resnas cancel {started.id}'."
        )
        raise typer.Exit(Exit.INTERRUPTED) from None
    if as_json:
        show_json(job)
    elif job.state != "cancelled":
        show_front_of(job, client.front(job.id))
    if job.state == "cancelled":
        say(f"Job {job.id} is cancelled; {_kept(job.trials_done)}.")
        hint(_next_step(job))
        raise typer.Exit(Exit.FAILED)
    if failure := job.failure():
        say(f"Job {job.id} is {job.state}. {failure}")
        raise typer.Exit(Exit.FAILED)
