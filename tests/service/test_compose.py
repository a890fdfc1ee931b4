"""docker-compose.yml and the Dockerfile name what exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from service.cli import app
from service.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "service" / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SECRETS = {"POSTGRES_PASSWORD", "RAY_AUTH_TOKEN"}


def image_command() -> list[str]:
    (line,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    return ["resnas", *yaml.safe_load(line)]


def commands() -> list[list[str]]:
    """Every call of `resnas`, as words."""
    called = [image_command()]
    for service in SERVICES.values():
        words = service.get("command", [])
        if "entrypoint" not in service and service["image"] == "resnas":
            called.append(["resnas", *words])
        called += [shlex.split(found) for word in words for found in re.findall(r"resnas .*", word)]
    return called


@pytest.mark.parametrize("words", commands(), ids=shlex.join)
def test_every_command_is_one_of_resnas_with_options_that_it_has(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    named = iter(words[1:])
    while hasattr(command, "commands"):
        command = command.commands[next(named)]
    known = {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    assert {word for word in words[2:] if word.startswith("-")} <= known


def test_the_server_and_the_worker_are_started() -> None:
    assert {"serve", "worker"} <= {words[1] for words in commands()}
    assert "--no-worker" in SERVICES["api"]["command"]


def test_every_setting_is_one_that_is_read() -> None:
    known = {f"RESNAS_{field.upper()}" for field in Settings.model_fields}
    named = set(re.findall(r"RESNAS_\w+", DOCKERFILE + yaml.safe_dump(COMPOSE)))
    assert named
    assert named <= known


def set_by(service: str, **host: str) -> dict[str, str]:
    """What the container of a service finds in its environment, as compose sets it."""

    def filled(found: re.Match[str]) -> str:
        rest = found[2]
        return host[found[1]] if rest.startswith(":?") else host.get(found[1], rest[2:])

    return {
        name: host[name] if text is None else re.sub(r"\$\{(\w+)([^}]*)\}", filled, text)
        for name, text in SERVICES[service]["environment"].items()
        if text is not None or name in host
    }


def test_a_bucket_is_known_to_all_that_read_or_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = {"RESNAS_STORAGE_URL": "s3://bucket/resnas", "AWS_SECRET_ACCESS_KEY": "s"}
    secrets = {"POSTGRES_PASSWORD": "p", "RAY_AUTH_TOKEN": "t"}
    for service in ("api", "worker", "ray-worker"):
        assert set_by(service, **secrets, **bucket).items() >= bucket.items()
        assert bucket.keys().isdisjoint(set_by(service, **secrets))


def test_the_server_beyond_loopback_has_a_name_and_a_key_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in set_by("api", POSTGRES_PASSWORD="secret").items():
        monkeypatch.setenv(name, value)
    assert Settings.load(host="0.0.0.0").names
    first = SERVICES["api"]["depends_on"]["first-key"]
    assert first == {"condition": "service_completed_successfully"}
    assert SERVICES["first-key"]["command"][:2] == ["keys", "create"]
    assert "--if-none" in SERVICES["first-key"]["command"]


def test_the_settings_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in set_by("worker", POSTGRES_PASSWORD="secret", RAY_AUTH_TOKEN="t").items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert not settings.on_sqlite
    assert settings.database_url == "postgresql+psycopg://resnas:secret@postgres/resnas"
    assert str(settings.data_dir) == "/data"
    assert settings.ray_address == "ray-head:6379"


def test_what_the_image_copies_is_there() -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    let_in = (ROOT / "service" / "Dockerfile.dockerignore").read_text().splitlines()
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source.removeprefix('./')}" in let_in


def test_only_loopback_is_published() -> None:
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert published["api"] == [f"127.0.0.1:8642:{Settings.model_fields['port'].default}"]
    assert not any(ports for name, ports in published.items() if name != "api")


def test_secrets_have_no_default() -> None:
    used = re.findall(r"\$\{(\w+)([^}]*)\}", (ROOT / "docker-compose.yml").read_text())
    assert {name for name, rest in used if rest.startswith(":?")} == SECRETS
    assert {name for name, rest in used if not rest.startswith(":?")} == {"RESNAS_ALLOWED_HOSTS"}


def test_every_ray_process_wants_the_token() -> None:
    for name in ("worker", "ray-head", "ray-worker"):
        environment = SERVICES[name]["environment"]
        assert environment["RAY_AUTH_MODE"] == "token"
        assert "RAY_AUTH_TOKEN" in environment["RAY_AUTH_TOKEN"]


def test_volumes_and_dependencies_are_defined() -> None:
    for service in SERVICES.values():
        assert {mount.partition(":")[0] for mount in service.get("volumes", [])} <= set(
            COMPOSE["volumes"]
        )
        assert set(service.get("depends_on", {})) <= set(SERVICES)
    shared = [set(SERVICES[name]["volumes"]) for name in ("api", "worker", "ray-worker")]
    assert all("data:/data" in volumes for volumes in shared)
