"""API keys: how they are made, kept, found, used and ended; on both databases."""

from __future__ import annotations

import json
import stat
from datetime import timedelta

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from resnas.errors import ResnasError
from service import keys
from service.cli import app
from service.client import Client
from service.client_errors import NotAllowed
from service.errors import InvalidKey, NotFound
from service.local_server import local_server
from service.principals import FIRST, NOBODY, Principal, Scope
from service.store.clock import now_ms
from service.store.models import KeyRow
from service.store.repository import Repository
from tests.service.conftest import refused, wait

BOTH = frozenset({Scope.READ, Scope.WRITE})


def found(repository, text):
    return repository.keys.find(keys.digest_of(text))


def test_a_key_is_found_by_its_text_which_is_kept_nowhere(repository):
    made = keys.create(repository, "ann", BOTH)
    assert keys.is_key(made.text)
    assert len(made.text) == len("rn_") + 8 + len("_") + 256 // 4
    key = found(repository, made.text)
    assert (key.owner, key.scopes, key.usable) == ("ann", BOTH, True)
    assert (key.expires_at, key.revoked_at, key.used_at) == (None, None, None)
    with repository.database.read() as session:
        stored = str(session.execute(KeyRow.__table__.select()).all())
    assert key.prefix in stored
    assert made.text.removeprefix(f"{key.prefix}_") not in stored
    assert found(repository, made.text[:-1] + "x") is None
    assert keys.create(repository, "ann", BOTH).text != made.text


def test_a_key_ends_with_its_time_or_when_it_is_revoked(repository):
    lasting = keys.create(repository, "ann", BOTH, timedelta(days=90))
    key = found(repository, lasting.text)
    assert key.usable
    assert key.expires_at - key.created_at == pytest.approx(
        timedelta(days=90), abs=timedelta(seconds=5)
    )
    over = keys.create(repository, "ann", BOTH, timedelta(0))
    assert found(repository, over.text).expired
    for _ in range(2):
        assert keys.revoke(repository, lasting.key.id).revoked_at is not None
    assert not found(repository, lasting.text).usable
    assert not repository.keys.any_usable()
    assert [key.id for key in repository.keys.all()] == [lasting.key.id, over.key.id]


def test_to_revoke_twice_keeps_the_first_time(repository):
    made = keys.create(repository, "ann", BOTH)
    first = keys.revoke(repository, made.key.id)
    assert keys.revoke(repository, made.key.id) == first
    for unknown in ("0" * 32, "nonsense", "\0"):
        with pytest.raises(NotFound):
            keys.revoke(repository, unknown)


def test_a_use_is_worth_writing_down_once_a_minute(repository):
    made = keys.create(repository, "ann", BOTH)
    assert found(repository, made.text).idle
    repository.keys.used(made.key.id)
    first = found(repository, made.text)
    assert (first.idle, first.used_at is not None) == (False, True)
    with repository.database.write() as session:
        session.execute(update(KeyRow).values(used_at=now_ms() - 59_000))
    before = found(repository, made.text).used_at
    repository.keys.used(made.key.id)
    assert found(repository, made.text).used_at == before
    with repository.database.write() as session:
        session.execute(update(KeyRow).values(used_at=now_ms() - 61_000))
    assert found(repository, made.text).idle
    repository.keys.used(made.key.id)
    assert found(repository, made.text).used_at > before


def test_a_key_is_made_only_once_where_one_opens_as_much(repository):
    def make(owner, *scopes):
        return keys.create(repository, owner, frozenset(scopes), unless_usable=True)

    first = make("ann", Scope.READ)
    assert make("ann", Scope.READ) is None
    assert make("ann", Scope.READ, Scope.WRITE) is not None
    assert make("ann", Scope.WRITE) is None
    assert make("bob", Scope.READ) is not None
    for key in repository.keys.all():
        keys.revoke(repository, key.id)
    assert make("ann", Scope.READ) not in (None, first)


@pytest.mark.parametrize("owner", ["", " ", "a b", "../x", "a" * 65, "a\0", "ä", "-a", "a\n"])
def test_an_owner_is_a_plain_name(repository, owner):
    with pytest.raises(InvalidKey, match="owner"):
        keys.create(repository, owner, BOTH)
    assert repository.keys.all() == []


def test_whose_jobs_come_with_the_token_has_no_key(client, stored):
    problem = refused(client.post("/v1/keys", json={"owner": "local"}), 422)
    assert "'local'" in problem["detail"]
    assert stored.keys.all() == []


def test_a_key_is_good_for_something(repository):
    with pytest.raises(InvalidKey, match="scopes"):
        keys.create(repository, "ann", frozenset())


def test_a_key_that_ends_does_so_within_ten_years(repository):
    assert keys.create(repository, "ann", BOTH, keys.LONGEST).key.usable
    for longer in (keys.LONGEST + timedelta(minutes=1), keys.span("99999d")):
        with pytest.raises(InvalidKey, match="expires-in"):
            keys.create(repository, "ann", BOTH, longer)


@pytest.mark.parametrize(
    ("text", "hours"), [("90d", 90 * 24), ("12h", 12), ("30m", 0.5), ("1d", 24)]
)
def test_a_time_is_days_hours_or_minutes(text, hours):
    assert keys.span(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "d", "0d", "-1d", "1.5d", "1", "1w", "999999d", "1d "])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(InvalidKey, match="expires-in"):
        keys.span(text)


def test_scopes_say_what_somebody_may_and_sees():
    reader = Principal("ann", frozenset({Scope.READ}))
    assert [reader.may(scope) for scope in Scope] == [True, False, False]
    assert (reader.sees, FIRST.sees, NOBODY.sees) == ("ann", None, "")
    assert all(Principal("root", frozenset({Scope.ADMIN})).may(scope) for scope in Scope)
    assert not any(NOBODY.may(scope) for scope in Scope)


@pytest.fixture
def command(settings, monkeypatch):
    """Runs `resnas keys`, and answers what it printed as JSON."""
    monkeypatch.setenv("RESNAS_DATA_DIR", str(settings.data_dir))

    def run(*words):
        done = CliRunner().invoke(app, ["keys", *words, "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


def test_the_commands_make_list_and_revoke_a_key(command):
    made = command("create", "ann", "--scope", "read", "--expires-in", "90d")
    assert keys.is_key(made["key"])
    assert (made["scopes"], made["state"]) == (["read"], "valid")
    assert command("create", "ann")["scopes"] == ["read", "write"]
    assert command("create", "root", "--scope", "admin")["scopes"] == ["admin"]
    listed = command("list")
    assert [key["owner"] for key in listed] == ["ann", "ann", "root"]
    assert made["key"] not in json.dumps(listed)
    assert command("revoke", made["id"])["state"] == "revoked"
    assert [key["state"] for key in command("list")] == ["revoked", "valid", "valid"]


def test_a_key_can_go_to_a_file_that_its_owner_alone_reads(command, tmp_path):
    path = tmp_path / "key"
    words = ("create", "root", "--scope", "admin", "--if-none", "--output", str(path))
    assert command(*words)["key"] is None
    assert keys.is_key(path.read_text().removesuffix("\n"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_text()
    assert command(*words) is None
    assert path.read_text() == before
    assert [entry.name for entry in tmp_path.iterdir() if "key" in entry.name] == ["key"]


def test_a_key_whose_file_never_came_is_made_anew_unless_somebody_has_it(
    command, tmp_path, settings
):
    path = tmp_path / "key"
    words = ("create", "root", "--scope", "admin", "--if-none", "--output", str(path))
    command(*words)
    path.unlink()  # as after an end between the two writes
    command(*words)
    store = Repository.open(settings.database)
    key = found(store, path.read_text().strip())
    assert key.usable
    store.keys.used(key.id)
    store.close()
    path.unlink()
    assert command(*words) is None
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_refused_and_makes_no_key(command, tmp_path):
    with pytest.raises(ResnasError, match="--output"):
        command("create", "ann", "--output", str(tmp_path / "missing" / "key"))
    assert command("list") == []


def refusal(client):
    """Why a client is not let in; nothing where it is."""
    try:
        list(client.jobs())
    except NotAllowed as error:
        return str(error)
    return ""


def test_beside_a_server_on_sqlite_the_commands_go_through_it(tmp_path, monkeypatch):
    with local_server(tmp_path / "data", worker=False) as server, server.client() as client:
        monkeypatch.setenv("RESNAS_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("RESNAS_URL", "http://127.0.0.1:9")  # it goes by the data, not by this

        def run(*words):
            done = CliRunner().invoke(app, ["keys", *words, "--json"], catch_exceptions=False)
            assert done.exit_code == 0, done.output
            return json.loads(done.stdout)

        made = run("create", "ann", "--expires-in", "12h")
        assert run("create", "ann", "--if-none") is None
        with Client(server.url, made["key"]) as ann:
            assert list(ann.jobs()) == []
            assert [key["state"] for key in run("list")] == ["valid"]
            assert run("revoke", made["id"])["state"] == "revoked"
            assert "revoked" in wait(lambda: refusal(ann))  # which the server learns in a second
        with pytest.raises(NotFound):
            run("revoke", "0" * 32)
        assert client.ready()
