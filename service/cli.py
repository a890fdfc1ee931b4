"""The `resnas` command.

Data go to stdout, messages to stderr. What takes seconds to import (torch, Ray, the web server) is
imported by the command that needs it, so that help, completion and the client's commands answer at
once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from resnas.errors import ResnasError
from service.commands import (
    catalogues,
    comparing,
    doctor,
    estimating,
    fronts,
    jobs,
    keys,
    reproduce,
    searching,
    serving,
)
from service.commands.exits import code_of
from service.console import allow_any_text, complain, show_line

_HELP = """At what resolution should each stage of a CNN work? Searches it, within a cost budget.

[bold]From nothing to a network[/bold] ('resnas demo' does all of it on handwritten digits):

  resnas serve                                the server, in another terminal
  resnas submit vgg_small digits --budget-gmacs 0.004 --watch
  resnas front JOB                            what it found
  resnas compare ARCHITECTURE ARCHITECTURE    two of them beside each other
  resnas export JOB --format onnx             its best under the budget

Ids may be cut to how they begin; 'resnas --install-completion' completes them by the Tab key.

The server of this machine is found by itself. Another one is named in the environment:

  RESNAS_URL           its address
  RESNAS_TOKEN_FILE    a file with your API key, which only you can read
  RESNAS_TOKEN         or the key itself
"""

app = typer.Typer(
    name="resnas",
    help=_HELP,
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, "
    "5 no server answers, 130 interrupted. 'resnas COMMAND --help' tells more.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_PANELS = {
    "Begin": (serving.demo, serving.serve, serving.worker, doctor.doctor),
    "Jobs on a server": (
        jobs.submit,
        jobs.jobs,
        jobs.show,
        jobs.watch,
        jobs.cancel,
        jobs.retry,
    ),
    "What they found": (fronts.front, comparing.compare, fronts.export),
    "Without a server": (searching.search, estimating.estimate, reproduce.reproduce),
    "What there is to choose from": (
        catalogues.backbones,
        catalogues.datasets,
        catalogues.resizers,
        catalogues.layers,
    ),
}
for panel, commands in _PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(keys.app, name="keys", rich_help_panel="Begin")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            show_line(version("resnas"))
        except PackageNotFoundError:  # run from a source tree
            show_line("not installed")
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
    allow_any_text()
    try:
        app(prog_name="resnas")  # by whatever name it was called: completion goes by it
    except ResnasError as error:
        complain(error)
        raise SystemExit(code_of(error)) from None


if __name__ == "__main__":
    main()
