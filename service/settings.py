"""Settings: environment variables that start with RESNAS_, each with a default that works."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import tempfile
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from platformdirs import user_data_dir
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode, SettingsConfigDict

from resnas.errors import ResnasError
from resnas.storage import ArtifactStore, Storage
from service.allowances import Allowances
from service.errors import InvalidSetting, StartRefused

if TYPE_CHECKING:
    from sqlalchemy import URL

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*\.?", re.ASCII)
_log = logging.getLogger("resnas.service")


def _listed(value: Any) -> Any:
    """The words of a text like "a, b"."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    """The same, after a look whether a request could be called by each of them."""
    for name in names:
        if not _NAME.fullmatch(name) and not _is_address(name):
            raise PydanticCustomError(
                "host",
                "'{name}' is no name of a host; write one like search.example.org, "
                "*.example.org or 10.1.2.3, without a scheme, port or path",
                {"name": name},
            )
    return names


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class Settings(Allowances):
    """Where things lie and where to listen.

    Arguments win over environment variables: `Settings.load(data_dir=...)`. Use that rather than
    `model_copy`, which would keep the paths that follow from the old data directory.
    """

    model_config = SettingsConfigDict(env_prefix="RESNAS_", frozen=True, env_ignore_empty=True)

    data_dir: Path = Field(
        default_factory=lambda: Path(user_data_dir("resnas")),
        description="database, artifacts, logs and token",
    )
    database_url: str = Field("", description="default: SQLite in the data directory")
    datasets_dir: Path = Field(Path(), description="default: `datasets` in the data directory")
    backbones_dir: Path | None = Field(
        None, description="of Python files that are backbones 'own/<file>'; default: none"
    )
    storage_url: str = Field(
        "",
        description="of weights, exports and checkpoints: file:///folder or s3://bucket/prefix, "
        "whose endpoint and credentials are the environment's AWS_…; default: the data directory",
    )
    executor: str = Field("ray", description="what runs the trials of a job: ray or inline")
    driver: str = Field(
        "service.driver", description="the Python module that does a job, as a process of its own"
    )
    ray_address: str | None = Field(None, description="of a cluster; default: a private local Ray")
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(8642, ge=0, le=65535, description="0: any free one")
    allowed_hosts: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_plain)
    ] = Field(
        (), description="names beside loopback's that the server answers to, with commas between"
    )
    worker: bool = Field(True, description="whether the server runs jobs, too")
    log_format: Literal["", "json", "text"] = Field(
        "", description="of the log on stderr; default: text where a terminal is, else json"
    )
    durability: Literal["normal", "full"] = Field(
        "normal", description="full: what was accepted survives a loss of power on SQLite, too"
    )
    jobs: int = Field(
        0,
        ge=0,
        le=64,
        description="at the same time, of one worker; default: 4 on a cluster, else 1",
    )

    @model_validator(mode="before")
    @classmethod
    def _follow_data_dir(cls, values: dict[str, object]) -> dict[str, object]:
        data_dir = Path(str(values.get("data_dir") or user_data_dir("resnas"))).absolute()
        own = values.get("backbones_dir")
        absolute = {"backbones_dir": Path(str(own)).absolute()} if own else {}
        followed = {"datasets_dir": data_dir / "datasets"}
        return followed | values | {"data_dir": data_dir} | absolute

    @classmethod
    def load(
        cls,
        *,
        data_dir: Path | None = None,
        host: str | None = None,
        port: int | None = None,
        worker: bool | None = None,
    ) -> Self:
        """The settings; an argument that is given wins over the environment.

        Raises:
            InvalidSetting: a value that cannot be used.
        """
        given = {"data_dir": data_dir, "host": host, "port": port, "worker": worker}
        chosen: dict[str, Any] = {name: v for name, v in given.items() if v is not None}
        try:
            return cls(**chosen)
        except ValidationError as error:
            first = error.errors()[0]
            name = "RESNAS_" + "_".join(str(part) for part in first["loc"]).upper()
            raise InvalidSetting(name, first["msg"], "Correct or unset it") from error

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is a file, which one process writes."""
        return not self.database_url or self.database_url.startswith("sqlite")

    @property
    def database(self) -> str | URL:
        """Where the database is, whatever characters the data directory's name has."""
        from sqlalchemy import URL  # here: the command line's client commands need none of it

        return self.database_url or URL.create("sqlite", database=str(self.own_database))

    @property
    def own_database(self) -> Path:
        """The file that is the database where no other one is named."""
        return self.data_dir / "resnas.sqlite3"

    @property
    def durable(self) -> bool:
        """Whether every commit waits for the disk."""
        return self.durability == "full"

    @property
    def jobs_at_once(self) -> int:
        """How many jobs one worker runs at the same time.

        A cluster's Ray shares its machines among them; on this machine one job's trials already
        take all processors.
        """
        return self.jobs or (4 if self.ray_address else 1)

    @property
    def on_loopback(self) -> bool:
        """Whether only programs of this machine can connect."""
        return self.host in LOOPBACK

    @property
    def names(self) -> tuple[str, ...]:
        """What the server answers to beside loopback's names."""
        everywhere = self.host in ("0.0.0.0", "::")
        return self.allowed_hosts if everywhere else (*self.allowed_hosts, self.host)

    @property
    def token_path(self) -> Path:
        """The file with the token of the first start, one line."""
        return self.data_dir / "token"

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Where weights and exported files are kept."""
        return ArtifactStore(self._kept("artifacts"))

    def log_path(self, name: str) -> Path:
        """Where the output of the job or export with the id `name` goes."""
        return self.data_dir / "logs" / f"{name}.log"

    def work(self, job_id: str) -> Storage:
        """Where a job's trials keep their state while they run, on all machines of a cluster."""
        return Storage(self._kept(f"work/{job_id}"))

    def _kept(self, name: str) -> str:
        return f"{(self.storage_url or str(self.data_dir)).rstrip('/')}/{name}"

    def prepare(self) -> None:
        """Make the data directory, readable by its owner only, and see that all is there.

        Raises:
            StartRefused: it cannot be written, or there is no folder of own backbones where one
                is named.
        """
        if self.backbones_dir is not None and not self.backbones_dir.is_dir():
            raise StartRefused(
                f"RESNAS_BACKBONES_DIR {self.backbones_dir}",
                "it is no folder",
                "Name the folder with your backbones' Python files, or unset it",
            )
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            tighten(self.data_dir, 0o700)
            for name in ("artifacts", "logs", "work"):
                (self.data_dir / name).mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=self.data_dir) as probe:
                probe.write(b"resnas")
        except OSError as error:
            raise StartRefused(
                f"data directory {self.data_dir}",
                f"it cannot be written: {error.strerror}",
                "Pass --data-dir or set RESNAS_DATA_DIR to a folder of yours",
            ) from error
        if self.storage_url:
            self._try_storage()

    def _try_storage(self) -> None:
        """See that the storage keeps what it is given, before a job finds that it does not."""
        name = f"probe-{secrets.token_hex(8)}"
        try:
            storage = Storage(self.storage_url)
            storage.write(name, name.encode())
            storage.read(name)
            storage.delete(name)
        except ResnasError as error:
            raise InvalidSetting("RESNAS_STORAGE_URL", error.found, error.next_step) from error
        except OSError as error:
            raise StartRefused(
                f"RESNAS_STORAGE_URL {self.storage_url}",
                f"nothing can be kept there: {error}",
                "Make the bucket or folder, and give this user the right to write there (AWS_…)",
            ) from error


def tighten(path: Path, mode: int) -> None:
    """Take others' rights from what is the owner's alone, and say so; only its owner can.

    Raises:
        OSError: it is not there.
    """
    found = path.stat().st_mode & 0o777
    if found & ~mode:
        with contextlib.suppress(PermissionError):
            path.chmod(mode)
        now = path.stat().st_mode & 0o777
        _log.warning("%s was open to others (mode %o), now its mode is %o", path, found, now)
