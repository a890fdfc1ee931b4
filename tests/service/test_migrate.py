"""The schema: built by migrations alone, on both databases, all of it or nothing."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, text

from service.errors import StartRefused
from service.store.migrate import VERSION_TABLE, migrate
from service.store.models import Base
from service.store.session import Database


def test_migrations_make_exactly_the_models(database_url):
    migrate(database_url)
    database = Database(database_url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, Base.metadata) == []
        for table in Base.metadata.tables.values():
            found = {
                check["name"] for check in inspect(connection).get_check_constraints(table.name)
            }
            wanted = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
            assert found == wanted
    database.close()


def test_several_processes_may_migrate_at_once(database_url):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [database_url] * 4))
    database = Database(database_url)
    with database.read() as session:
        assert session.scalar(text(f"SELECT COUNT(*) FROM {VERSION_TABLE}")) == 1
    database.close()


def test_a_database_from_a_newer_version_is_refused_and_left_alone(database_url):
    migrate(database_url)
    database = Database(database_url)
    with database.write() as session:
        session.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StartRefused, match=r"'9999' is from a newer version") as refusal:
        migrate(database_url)
    assert "Install that version" in refusal.value.next_step
    with database.read() as session:
        assert session.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == "9999"
    database.close()


def test_a_migration_that_breaks_off_leaves_nothing(database_url):
    database = Database(database_url)
    with database.write() as session:  # in the way of the last table
        session.execute(text("CREATE TABLE trials (id INTEGER)"))
    with pytest.raises(StartRefused, match="already exists"):
        migrate(database_url)
    with database.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["trials"]
    database.close()


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://localhost/x",
        "nothing+known://localhost/x",
        "sqlite+unknown:////x.db",
        "postgresql://localhost:many/x",
        "sqlite://",
        "sqlite:////proc/none/x.db",
    ],
)
def test_an_unusable_database_is_refused_with_the_next_step(url):
    with pytest.raises(StartRefused) as refusal:
        migrate(url)
    assert "RESNAS_DATABASE_URL" in str(refusal.value)


def test_postgresql_is_not_waited_for_without_end(postgres):
    database = Database(f"{postgres.get_uri()}&options=-csearch_path%3Dpublic&connect_timeout=3")
    with database.read() as session:
        found = {
            name: session.scalar(text(f"SHOW {name}"))
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "search_path",
            )
        }
    assert found == {
        "statement_timeout": "20s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "15s",
        "search_path": "public",
    }
    assert database.engine.url.query["connect_timeout"] == "3"
    database.close()


def test_sqlite_waits_for_its_lock_and_keeps_foreign_keys(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with database.read() as session:
        found = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert found == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 30_000,
        "synchronous": 1,
    }
    database.close()
