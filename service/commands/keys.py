"""Commands about API keys. They work on the database itself, beside a server that runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from resnas.errors import InvalidSpec
from service.commands.options import Json
from service.commands.serving import DataDir
from service.console import say, show_json, show_line, show_table
from service.principals import Scope
from service.settings import Settings

if TYPE_CHECKING:
    from service.store.keys import Key
    from service.store.repository import Repository

app = typer.Typer(
    help="Make, list and revoke API keys: who else may use the server, and for what.",
    no_args_is_help=True,
)


@app.command()
def create(
    owner: Annotated[str, typer.Argument(help="Whose jobs it is for: a name that you choose.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="May be given several times; default: read, write.")
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option(metavar="TIME", help="Like 90d, 12h or 30m; default: never.")
    ] = None,
    if_none: Annotated[
        bool,
        typer.Option("--if-none", help="Only where the owner has no valid key that opens as much."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the key, readable by you only."),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it; it cannot be shown again."""
    from service import keys

    scopes = frozenset(scope or (Scope.READ, Scope.WRITE))
    lasts = keys.span(expires_in) if expires_in else None
    with _repository(data_dir) as repository, _kept(output) as file:
        made = keys.create(repository, owner, scopes, lasts, unless_usable=if_none)
        if made and file:
            file.write(f"{made.text}\n")
    if made is None:
        say(f"{owner} has a valid key already; 'resnas keys list' shows it.")
    elif output:
        say(f"The key of {owner} is in {output}.")
    if as_json:
        show_json(_document(made.key) | {"key": None if output else made.text} if made else None)
    elif made and not output:
        show_line(made.text)
        say("Keep it: it cannot be shown again.")


@app.command("list")
def show(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List all keys, oldest first; what they open with is not known."""
    with _repository(data_dir) as repository:
        found = repository.keys.all()
    if as_json:
        show_json([_document(key) for key in found])
    elif found:
        columns = ("id", "owner", "key", "scopes", "state", "expires", "last used")
        show_table(columns, (_cells(_document(key)) for key in found))
    else:
        say("No keys yet. Make one with 'resnas keys create OWNER'.")


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="See 'resnas keys list'.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """End a key at once, for every server."""
    from service import keys

    with _repository(data_dir) as repository:
        revoked = keys.revoke(repository, key)
    if as_json:
        show_json(_document(revoked))
    else:
        say(f"The key {revoked.prefix}… of {revoked.owner} is revoked.")


@contextmanager
def _repository(data_dir: Path | None) -> Iterator[Repository]:
    from service.store.repository import Repository

    settings = Settings.load(data_dir=data_dir)
    settings.prepare()
    repository = Repository.open(settings.database)
    try:
        yield repository
    finally:
        repository.close()


@contextmanager
def _kept(path: Path | None) -> Iterator[IO[str] | None]:
    """A file that becomes `path` at the end, if something was written; others cannot read it."""
    if path is None:
        yield None
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")
        part = Path(name)
        try:
            with os.fdopen(handle, "w") as file:
                yield file
                file.flush()
                os.fsync(handle)
            if part.stat().st_size:
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidSpec(
            "--output", f"{path} cannot be written: {error.strerror}", "Name another file"
        ) from error


def _document(key: Key) -> dict[str, Any]:
    def moment(value: Any) -> str | None:
        return value.isoformat(timespec="seconds") if value else None

    return {
        "id": key.id,
        "owner": key.owner,
        "prefix": key.prefix,
        "scopes": sorted(key.scopes),
        "state": "revoked" if key.revoked_at else "expired" if key.expired else "valid",
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "revoked_at": moment(key.revoked_at),
        "used_at": moment(key.used_at),
    }


def _cells(key: dict[str, Any]) -> tuple[str, ...]:
    return (
        key["id"],
        key["owner"],
        f"{key['prefix']}…",
        " ".join(key["scopes"]),
        key["state"],
        key["expires_at"] or "never",
        key["used_at"] or "never",
    )
