"""Commands about API keys: they write the database, or ask the server that alone may write it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from resnas.errors import InvalidSpec
from service.commands.options import Json
from service.commands.serving import DataDir
from service.console import say, show_json, show_line, show_table
from service.errors import StartRefused
from service.principals import Scope
from service.settings import Settings

if TYPE_CHECKING:
    from service.key_schemas import KeyAnswer
    from service.keychains import Keychain

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
        typer.Option(
            "--if-none",
            help="Only where the owner has no valid key that opens as much, or none was ever used "
            "and the file of --output is not there.",
        ),
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
    with _keys(data_dir) as known, _kept(output) as file:
        once = if_none and not (output and _is_lost(known, owner, scopes, output))
        made = known.create(owner, scopes, lasts, unless_usable=once)
        if made.text and file:
            file.write(f"{made.text}\n")
    if made.key is None:
        say(f"{owner} has a valid key already; 'resnas keys list' shows it.")
    elif output:
        say(f"The key of {owner} is in {output}.")
    if as_json:
        shown = None if output else made.text
        show_json(made.key and made.key.model_dump(mode="json") | {"key": shown})
    elif made.text and not output:
        show_line(made.text)
        say("Keep it: it cannot be shown again.")


@app.command("list")
def show(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List all keys, oldest first; what they open with is not known."""
    with _keys(data_dir) as known:
        found = known.all()
    if as_json:
        show_json(found)
    elif found:
        columns = ("id", "owner", "key", "scopes", "state", "expires", "last used")
        show_table(columns, map(_cells, found))
    else:
        say("No keys yet. Make one with 'resnas keys create OWNER'.")


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="See 'resnas keys list'.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """End a key at once, for every server."""
    with _keys(data_dir) as known:
        revoked = known.revoke(key)
    if as_json:
        show_json(revoked)
    else:
        say(f"The key {revoked.prefix}… of {revoked.owner} is revoked.")


@contextmanager
def _keys(data_dir: Path | None) -> Iterator[Keychain]:
    """The keys of a server: on SQLite through it, where it runs, because it alone may write."""
    from service.auth import read_or_create_token
    from service.keychains import ServedKeychain, StoredKeychain
    from service.lock import database_file, holder, lock_of
    from service.store.repository import Repository

    settings = Settings.load(data_dir=data_dir)
    settings.prepare()
    if settings.on_sqlite and holder(lock := lock_of(database_file(settings))):
        token = read_or_create_token(settings.token_path)
        with ServedKeychain(_url(lock, settings), token) as served:
            yield served
        return
    repository = Repository.open(settings.database)
    try:
        yield StoredKeychain(repository)
    finally:
        repository.close()


def _url(lock: Path, settings: Settings) -> str:
    """Where the server listens that holds `lock`; the token goes nowhere else."""
    from service.lock import address

    url = address(lock)
    if url is None:
        raise StartRefused(
            f"data directory {settings.data_dir}",
            "a process that is no server uses it, or one that has just begun",
            "Try again in a moment, or when that process has ended",
        )
    return url


def _is_lost(known: Keychain, owner: str, scopes: frozenset[Scope], path: Path) -> bool:
    """Whether a key was made whose text never came to `path`, because the command was ended."""
    if path.exists():
        return False
    equal = [
        key
        for key in known.all()
        if key.owner == owner and key.state == "valid" and scopes <= {*key.scopes}
    ]
    return bool(equal) and not any(key.used_at for key in equal)


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


def _cells(key: KeyAnswer) -> tuple[str, ...]:
    def moment(value: datetime | None) -> str:
        return value.isoformat(timespec="seconds") if value else "never"

    return (
        key.id,
        key.owner,
        f"{key.prefix}…",
        " ".join(key.scopes),
        key.state,
        moment(key.expires_at),
        moment(key.used_at),
    )
