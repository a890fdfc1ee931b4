"""Databases of earlier versions: what they hold comes along, whatever happens on the way."""

import json
import subprocess

import optuna
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from resnas.results import TrialResult
from resnas.spec import JobSpec
from service import interpreter
from service.errors import StartRefused
from service.store.migrate import VERSION_TABLE, migrate, migrations
from service.store.models import Base
from service.store.repository import Repository
from service.store.session import open_engine, writing
from service.store.values import State
from service.transitions import Event, moves
from tests.chaos import quick

JOB, ARCHITECTURE, TRIAL, EXPORT = (f"{number:032x}" for number in range(1, 5))
SPEC = {"backbone": "mobilenet_small", "dataset": "digits", "budget_gmacs": 0.01, "trials": 1}
RESULT = {
    "number": 0,
    "state": "complete",
    "resizer": "dynopool",
    "controller": "penalty",
    "lam": 1.5,
    "seed": 0,
    "val_accuracy": 0.9,
    "macs": 5_000_000,
    "weights": "0" * 64,
    "architecture": {
        "backbone": "mobilenet_small",
        "num_classes": 10,
        "input_size": [1, 32, 32],
        "resizer": "dynopool",
        "place": "after",
        "strides": {"g": [2.0, 2.0]},
        "sizes": {"s": [16, 16]},
    },
}
ROWS = (
    (
        "jobs",
        {
            "id": JOB,
            "state": "succeeded",
            "attempt": 1,
            "crashes": 0,
            "not_before": 0,
            "created_at": 1_750_000_000_000,
            "finished_at": 1_750_000_100_000,
            "spec": SPEC,
            "estimate": {"human_gmacs": 0.01},
            "trials_done": 1,
            "trials_total": 1,
        },
    ),
    (
        "architectures",
        {
            "id": ARCHITECTURE,
            "job_id": JOB,
            "document": RESULT["architecture"],
            "created_at": 1_750_000_000_000,
        },
    ),
    (
        "trials",
        {
            "id": TRIAL,
            "job_id": JOB,
            "number": 0,
            "state": "complete",
            "lam": 1.5,
            "resizer": "dynopool",
            "val_accuracy": 0.9,
            "macs": 5_000_000,
            "result": RESULT,
            "architecture_id": ARCHITECTURE,
            "started_at": 1_750_000_000_000,
        },
    ),
    (
        "exports",
        {
            "id": EXPORT,
            "architecture_id": ARCHITECTURE,
            "format": "onnx",
            "file_name": "network.onnx",
            "size": 9,
            "sha256": "1" * 64,
            "state": "succeeded",
            "attempt": 1,
            "crashes": 0,
            "not_before": 0,
            "created_at": 1_750_000_000_000,
        },
    ),
)


def old(url, revision):
    """A database as an earlier version left it, with a job, its trial and an export."""
    engine = writing(open_engine(url, foreign_keys=False))
    with engine.begin() as connection:
        command.upgrade(migrations(connection), revision)
        for table, row in ROWS:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            stored = {n: json.dumps(v) if isinstance(v, dict) else v for n, v in row.items()}
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), stored)
    engine.dispose()


def schema(url):
    """Tables, columns, indexes and constraints, as the database has them."""
    engine = open_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, Base.metadata) == []
        found = inspect(connection)
        made = {
            table: (
                sorted(
                    (c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)
                ),
                sorted((i["name"], tuple(i["column_names"])) for i in found.get_indexes(table)),
                sorted(c["name"] for c in found.get_check_constraints(table)),
                sorted(k["name"] for k in found.get_foreign_keys(table)),
                found.get_pk_constraint(table)["constrained_columns"],
            )
            for table in found.get_table_names()
        }
    engine.dispose()
    return made


def kept(url):
    """Whether all that the old version had stored is what the new one reads."""
    repository = Repository.connect(url)
    job = repository.jobs.get(JOB)
    (trial,) = repository.trials.page(JOB, 9)
    export = repository.exports.get(EXPORT)
    with repository.database.read() as session:  # what a front across jobs looks for
        found = session.execute(text("SELECT backbone, dataset FROM jobs")).one()
    assert tuple(found) == (SPEC["backbone"], SPEC["dataset"])
    (result,) = repository.trials.finished(JOB)
    repository.close()
    assert (job.state, job.owner, job.spec, job.trials_done) == (State.SUCCEEDED, "local", SPEC, 1)
    assert job.asked().backbone == "mobilenet_small"
    assert result == TrialResult.model_validate(RESULT)
    assert (trial.architecture_id, trial.number) == (ARCHITECTURE, 0)
    return (export.sha256, export.multiple_of, export.state) == ("1" * 64, 1, State.SUCCEEDED)


@pytest.fixture
def fresh(database_url):
    """The schema that an empty database gets; the database is empty again afterwards."""
    migrate(database_url)
    made = schema(database_url)
    engine = writing(open_engine(database_url, foreign_keys=False))
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            table.drop(connection)
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
    engine.dispose()
    return made


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_what_an_older_version_stored_is_there_after_the_migration(database_url, revision, fresh):
    old(database_url, revision)
    migrate(database_url)
    assert kept(database_url)
    assert schema(database_url) == fresh


@pytest.mark.parametrize("revision", ["base", "0001"])
def test_a_migration_that_is_killed_at_any_statement_is_as_if_it_had_not_begun(
    database_url, revision, fresh
):
    if revision != "base":
        old(database_url, revision)
    done = subprocess.run(
        interpreter.command("tests.service.killing", database_url),
        env=interpreter.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) >= 3
    assert set(found) == {None if revision == "base" else revision}
    assert schema(database_url) == fresh
    assert revision == "base" or kept(database_url)


def test_epochs_that_were_told_before_are_found_by_their_trial(database_url):
    migrate(database_url)
    repository = Repository.connect(database_url)
    job = repository.jobs.add(JobSpec.model_validate(SPEC), {})
    _, lease = repository.jobs.claim("one", 60, moves(Event.CLAIM))
    for number in (0, 1):
        repository.trials.progress(lease, quick.epoch(job.asked(), number, 1, writer=0))
    told = repository.events.epochs(job.id, [1], 9)
    engine = writing(open_engine(database_url, foreign_keys=False))
    with engine.begin() as connection:
        command.downgrade(migrations(connection), "0003")
    engine.dispose()
    migrate(database_url)
    assert repository.events.epochs(job.id, [1], 9) == told
    assert [epoch["trial"] for epoch in told] == [1]
    repository.close()


def test_every_migration_can_be_taken_back_and_done_again(database_url, fresh):
    old(database_url, "0002")
    migrate(database_url)
    engine = writing(open_engine(database_url, foreign_keys=False))
    with engine.begin() as connection:
        command.downgrade(migrations(connection), "0002")
    migrate(database_url)
    assert kept(database_url)
    with engine.begin() as connection:
        command.downgrade(migrations(connection), "base")
        assert inspect(connection).get_table_names() == [VERSION_TABLE]
    engine.dispose()
    migrate(database_url)
    assert schema(database_url) == fresh


def test_two_processes_that_start_at_once_migrate_once(database_url, fresh):
    old(database_url, "0001")
    script = "import sys; from service.store.migrate import migrate; migrate(sys.argv[1])"
    both = [
        subprocess.Popen(
            [*interpreter.command("x")[:2], "-c", script, database_url],
            env=interpreter.environment(),
        )
        for _ in range(2)
    ]
    assert [each.wait() for each in both] == [0, 0]
    assert kept(database_url)
    assert schema(database_url) == fresh


def test_the_row_of_another_program_in_its_own_table_is_left_alone(database_url):
    engine = writing(open_engine(database_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('v3.2.0.a')"))
    migrate(database_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "v3.2.0.a"
    engine.dispose()


def test_a_database_of_optuna_is_refused_and_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path / 'theirs.sqlite3'}"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(storage=url, study_name="theirs")
    with pytest.raises(StartRefused, match="another program's table 'trials'") as refusal:
        migrate(url)
    assert "of its own" in refusal.value.next_step
    assert optuna.load_study(storage=url, study_name="theirs").trials == []
