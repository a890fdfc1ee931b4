"""Commands that start something that stays: the server, a worker, the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.commands.options import Json, Output
from service.console import show_datum, show_json
from service.settings import Settings

DataDir = Annotated[
    Path | None, typer.Option(help="Database, files and token; default: RESNAS_DATA_DIR.")
]


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one.")] = None,
    data_dir: DataDir = None,
    worker: Annotated[
        bool | None, typer.Option("--worker/--no-worker", help="Run jobs, too (default).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Serve the dashboard and the HTTP interface and, unless told otherwise, run the jobs.

    Open the address that it prints in a browser: the token in it signs you in. (Where its messages
    go to a log, the token stays in the file 'token' of the data directory.)
    """
    from service.serving import serve as run_server

    settings = Settings.load(host=host, port=port, data_dir=data_dir, worker=worker)

    def announce(url: str) -> None:
        if as_json:
            show_datum({"url": url, "data_dir": str(settings.data_dir)})

    raise typer.Exit(run_server(settings, announce))


def worker(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Run jobs of a server elsewhere: both use one PostgreSQL database (RESNAS_DATABASE_URL)."""
    from service.serving import run_worker

    settings = Settings.load(data_dir=data_dir)

    def announce(database: str) -> None:
        if as_json:
            show_datum({"database": database, "data_dir": str(settings.data_dir)})

    raise typer.Exit(run_worker(settings, announce))


def demo(
    trials: Annotated[int, typer.Option(min=1, help="How many trainings.")] = 10,
    epochs: Annotated[int, typer.Option(min=1, help="Of each training.")] = 12,
    output: Output = Path("demo"),
    as_json: Json = False,
) -> None:
    """From nothing to a Pareto front and an exported network, on handwritten digits."""
    from service.demo import run_demo, show_demo

    shown = run_demo(trials, epochs, output)
    if as_json:
        show_json(shown.document())
    else:
        show_demo(shown)
