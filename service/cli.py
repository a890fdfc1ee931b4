"""The `resnas` command.

Data go to stdout, messages to stderr. What takes seconds to import (torch, Ray, the web server) is
imported by the command that needs it, so that help and the client's commands answer at once.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from resnas.errors import ResnasError
from service.commands import (
    catalogues,
    doctor,
    estimating,
    jobs,
    keys,
    reproduce,
    searching,
    serving,
)
from service.commands.exits import code_of
from service.console import complain, show_line

app = typer.Typer(
    name="resnas",
    help="At what resolution should each stage of a CNN work? Searches it, within a cost budget.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, "
    "5 no server answers, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    serving.demo,
    serving.serve,
    serving.worker,
    jobs.submit,
    jobs.jobs,
    jobs.show,
    jobs.watch,
    jobs.front,
    jobs.export,
    jobs.cancel,
    jobs.retry,
    searching.search,
    estimating.estimate,
    reproduce.reproduce,
    catalogues.backbones,
    catalogues.datasets,
    catalogues.resizers,
    catalogues.layers,
    doctor.doctor,
):
    app.command()(command)
app.add_typer(keys.app, name="keys")


def _show_version(wanted: bool) -> None:
    if wanted:
        show_line(version("resnas"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show and exit."),
    ] = False,
) -> None:
    """Options before any command."""


def main() -> None:
    """Run the command; an error of the project ends it with a message and its exit code."""
    try:
        app()
    except ResnasError as error:
        complain(error)
        raise SystemExit(code_of(error)) from None


if __name__ == "__main__":
    main()
