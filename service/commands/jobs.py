"""Commands that talk to a server: hand in jobs, follow them, fetch what they found."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from service.answers import Front, Job
from service.client import Client
from service.commands.exits import Exit
from service.commands.options import (
    Backbone,
    BatchSize,
    Budget,
    BudgetMs,
    Dataset,
    Epochs,
    JobId,
    Json,
    LayerTexts,
    Output,
    Parallel,
    PlaceOption,
    Resizers,
    Seed,
    StopEarly,
    Strategy,
    Trials,
    job_spec,
)
from service.console import (
    achieved,
    gmacs,
    say,
    show_facts,
    show_front,
    show_jobs,
    show_json,
    show_line,
    show_trials,
)
from service.errors import NotFound
from service.progress import follow


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
    """Hand in a job; prints its id."""
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
    with Client() as client:
        job = client.submit(spec, priority=priority, idempotency_key=idempotency_key)
        if watch:
            _follow(client, job, as_json)
        elif as_json:
            show_json(job)
        else:
            show_line(job.id)
            say(f"Follow it with 'resnas watch {job.id}'.")


def jobs(
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    with Client() as client:
        found = list(islice(client.jobs(state), limit))
    if as_json:
        show_json(found)
    elif found:
        show_jobs(found)
    else:
        say("No jobs yet. Hand one in with 'resnas submit'.")


def show(job: JobId, as_json: Json = False) -> None:
    """Show a job and its trials."""
    with Client() as client:
        found = find_job(client, job)
        trials = list(client.trials(found.id))
    if as_json:
        show_json({**found.model_dump(mode="json"), "trials": trials})
        return
    spec = found.spec
    facts = {
        "job": found.id,
        "state": found.state,
        "asked for": f"{spec.backbone} on {spec.dataset} under {gmacs(spec.budget_gmacs)} GMACs",
        "layers": ", ".join(spec.layers),
        "trials": f"{found.trials_done} of {found.trials_total}",
        "best under the budget": achieved(found.best),
        "why": str(found.error or ""),
    }
    show_facts((name, value) for name, value in facts.items() if value)
    show_trials(trials)


def watch(job: JobId, as_json: Json = False) -> None:
    """Follow a job to its end; interrupting this never ends the job."""
    with Client() as client:
        _follow(client, find_job(client, job), as_json)


def front(
    job: JobId,
    max_gmacs: Annotated[
        float | None, typer.Option(help="Only architectures that cost at most this.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the Pareto front of a job."""
    with Client() as client:
        found = find_job(client, job)
        answer = client.front(found.id, max_gmacs=max_gmacs)
    if as_json:
        show_json(answer)
    else:
        _show_front(found, answer)


def cancel(job: JobId, as_json: Json = False) -> None:
    """End a job; the trials that have ended are kept."""
    with Client() as client:
        found = client.cancel(find_job(client, job).id)
    if as_json:
        show_json(found)
    else:
        say(f"Job {found.id} is {found.state}.")


def retry(job: JobId, as_json: Json = False) -> None:
    """Queue a failed job once more; the trials that it completed are kept."""
    with Client() as client:
        found = client.retry(find_job(client, job).id)
    if as_json:
        show_json(found)
    else:
        say(f"Job {found.id} is {found.state}. Follow it with 'resnas watch {found.id}'.")


def export(
    architecture: Annotated[
        str, typer.Argument(help="Its id; or a job, for its best under the budget.")
    ],
    format: Annotated[
        list[str] | None, typer.Option(help="onnx (default), pt2, safetensors; repeatable.")
    ] = None,
    output: Output = Path(),
    multiple_of: Annotated[
        int,
        typer.Option(
            min=1, max=256, help="Make learned sizes multiples of this; accuracy is measured again."
        ),
    ] = 1,
    as_json: Json = False,
) -> None:
    """Fetch an architecture as a file; prints where it lies."""
    with Client() as client:
        chosen = _architecture_id(client, architecture)
        paths = [client.export(chosen, each, output, multiple_of) for each in format or ("onnx",)]
    if as_json:
        show_json({"architecture_id": chosen, "files": [str(path) for path in paths]})
    else:
        for path in paths:
            show_line(str(path))


def find_job(client: Client, text: str) -> Job:
    """The job whose id is `text`, or alone begins with it.

    Raises:
        NotFound: none does, or several do.
    """
    try:
        return client.job(text)
    except NotFound:
        begun = [job for job in client.jobs() if text and job.id.startswith(text)]
        if len(begun) == 1:
            return begun[0]
        if begun:
            raise NotFound(
                "job", f"{len(begun)} ids begin with '{text}'", "Give more of the id"
            ) from None
        raise


def _architecture_id(client: Client, text: str) -> str:
    try:
        return client.architecture(text).id
    except NotFound as unknown:
        try:
            job = find_job(client, text)
        except NotFound:
            raise unknown from None
    best = client.front(job.id).best_under_budget
    if best is None:
        raise NotFound(
            f"job {job.id}",
            f"it has no architecture under {gmacs(job.spec.budget_gmacs)} GMACs",
            f"Choose one of 'resnas front {job.id}'",
        )
    return best.architecture_id


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
    else:
        _show_front(job, client.front(job.id))
    if failure := job.failure():
        say(f"Job {job.id} is {job.state}. {failure}")
        raise typer.Exit(Exit.FAILED)


def _show_front(job: Job, answer: Front) -> None:
    if not answer.points:
        say(f"Job {job.id} has no such architecture so far ({job.trials_done} trials done).")
        return
    show_front(answer.points, answer.best_under_budget, job.spec.budget_gmacs)
