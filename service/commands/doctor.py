"""`resnas doctor`: what is wrong here, and what can be done about it."""

from __future__ import annotations

from typing import Annotated

import typer

from service.commands.exits import Exit
from service.commands.options import Json
from service.commands.serving import DataDir
from service.console import say, show_json, show_table
from service.settings import Settings


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Do what is safe: no result is ever deleted.")
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Look at this installation and its data: versions, disk, Ray, database, files."""
    from service.doctor.examination import examine
    from service.doctor.findings import Level

    findings = examine(Settings.load(data_dir=data_dir), repair=repair)
    if as_json:
        show_json([finding.document() for finding in findings])
    else:
        show_table(
            ("check", "", "found", "next step"),
            (
                (
                    each.check,
                    "repaired" if each.repaired else each.level,
                    each.found,
                    each.next_step,
                )
                for each in findings
            ),
        )
    bad = sum(finding.level is Level.BROKEN for finding in findings)
    if bad:
        say(f"{bad} of {len(findings)} checks found something broken.")
        raise typer.Exit(Exit.FAILED)
