"""Real PostgreSQL and MariaDB: names, codes, deadlocks, and rows that must not leave."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.mariadb import running_mariadb
from tests.ports import free_port
from tests.postgres import running_postgres
from tests.sources.database_harness import Watch, watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Engine

    from tests.postgres import Postgres

pytestmark = pytest.mark.server

for driver in ("psycopg2", "psycopg", "asyncpg", "pymysql"):
    pytest.importorskip(driver, reason="test_database_versions.py installs the drivers")

SYNC = ["psycopg2"] if sa.__version__.startswith("1.4") else ["psycopg2", "psycopg"]
ASYNC = [] if sa.__version__.startswith("1.4") else ["asyncpg", "psycopg"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Run PostgreSQL for this file."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[int]:
    """Run MariaDB for this file."""
    with running_mariadb() as port:
        yield port


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Watch from before the test's engines are made."""
    with watching() as watch:
        yield watch


@pytest.fixture(params=SYNC)
def engine(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Engine]:
    """Return an engine for each driver, with a table of two rows."""
    engine = sa.create_engine(postgres.url(request.param), pool_size=2, max_overflow=0)
    create_accounts(engine)
    yield engine
    engine.dispose()


def create_accounts(engine: Engine) -> None:
    """Make the table `accounts` anew."""
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS accounts"))
        connection.execute(
            text("CREATE TABLE accounts (id INT PRIMARY KEY, email VARCHAR(99) UNIQUE, n INT)")
        )
        connection.execute(text("INSERT INTO accounts VALUES (1, 'a@x.invalid', 0), (2, 'b', 0)"))


def provoke_deadlock(engine: Engine) -> list[Exception]:
    """Let two transactions take the same two rows in opposite order; return what they raised."""
    update = text("UPDATE accounts SET n = n + 1 WHERE id = :id")
    both_hold_one = threading.Barrier(2, timeout=60)
    errors: list[Exception] = []

    def transfer(first: int, second: int) -> None:
        try:
            with engine.begin() as connection:
                connection.execute(update, {"id": first})
                both_hold_one.wait()
                connection.execute(update, {"id": second})
        except sa.exc.DBAPIError as error:
            errors.append(error)

    threads = [threading.Thread(target=transfer, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_postgres_has_its_names(watch: Watch, engine: Engine, postgres: Postgres) -> None:
    """Neither user nor password is among them; a port that is not the usual one is said."""
    with engine.connect() as connection:
        watch.spans()
        connection.execute(text("SELECT n FROM accounts WHERE email = :email"), {"email": "b"})
    (span,) = watch.spans()
    attributes = dict(span.attributes or {})
    assert "'b'" not in str(attributes.pop("db.query.text"))
    assert attributes == {
        "db.system.name": "postgresql",
        "db.namespace": "postgres",
        "db.operation.name": "SELECT",
        "db.collection.name": "accounts",
        "db.query.summary": "SELECT accounts",
        "server.address": "127.0.0.1",
        "server.port": postgres.port,
    }
    assert watch.points("db.client.connection.max") == {f"127.0.0.1:{postgres.port}/postgres": 2}
    assert "bear" not in watch.everything().replace("bear.", "")


def test_a_deadlock_is_counted(watch: Watch, engine: Engine, postgres: Postgres) -> None:
    """The database ends one of two; it is one deadlock and no lock timeout."""
    assert len(provoke_deadlock(engine)) == 1
    key = f"postgres 40P01 postgresql 127.0.0.1 {postgres.port}"
    assert watch.points("bear.db.deadlocks") == {key: 1}
    assert watch.points("bear.db.lock_timeouts") == {}
    assert [span.attributes["error.type"] for span in failed(watch)] == ["40P01"]


def test_a_lock_timeout_is_counted(watch: Watch, engine: Engine, postgres: Postgres) -> None:
    """Who gives up waiting for a lock is no deadlock."""
    lock = text("SELECT n FROM accounts WHERE id = 1 FOR UPDATE")
    with engine.begin() as holder, engine.begin() as late:
        holder.execute(lock)
        late.execute(text("SET LOCAL lock_timeout = '50ms'"))
        with pytest.raises(sa.exc.DBAPIError):
            late.execute(lock)
    key = f"postgres 55P03 postgresql 127.0.0.1 {postgres.port}"
    assert watch.points("bear.db.lock_timeouts") == {key: 1}
    assert watch.points("bear.db.deadlocks") == {}


def test_a_duplicate_key_keeps_its_row(watch: Watch, engine: Engine) -> None:
    """PostgreSQL says the row's values in its error; none of them is recorded."""
    with engine.begin() as connection, pytest.raises(sa.exc.IntegrityError) as caught:
        connection.execute(
            text("INSERT INTO accounts VALUES (3, :email, 0)"), {"email": "a@x.invalid"}
        )
    assert "a@x.invalid" in str(caught.value.orig)
    assert "a@x.invalid" not in str(caught.value).partition("[SQL:")[2]
    everything = watch.everything()
    assert "23505" in everything
    assert "a@x.invalid" not in everything


def test_an_error_at_commit_is_the_applications(watch: Watch, engine: Engine) -> None:
    """A deferred constraint fails at COMMIT, which has no span: nothing breaks."""
    with engine.begin() as connection:
        column = "k INT UNIQUE DEFERRABLE INITIALLY DEFERRED"
        connection.execute(text(f"ALTER TABLE accounts ADD COLUMN {column}"))
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET k = 1"))
    assert failed(watch) == []


def test_a_refused_connection_is_counted(watch: Watch, postgres: Postgres) -> None:
    """A database that is down is seen, although no query ever starts."""
    port = free_port()
    engine = sa.create_engine(postgres.url("psycopg2").replace(str(postgres.port), str(port)))
    with pytest.raises(sa.exc.OperationalError):
        engine.connect()
    key = f"postgres postgresql OperationalError 127.0.0.1 {port}"
    assert watch.points("bear.db.connect_errors") == {key: 1}
    assert watch.names() == ["CONNECT"]


def test_a_wrong_password_stays_here(watch: Watch, postgres: Postgres) -> None:
    """Neither the address with its password nor the server's answer is recorded."""
    url = postgres.url("psycopg2").replace("/postgres", "/no-such-database")
    with pytest.raises(sa.exc.OperationalError):
        sa.create_engine(url).connect()
    everything = watch.everything()
    assert "no-such-database" in everything
    assert "s3cr3t" not in everything
    assert "does not exist" not in everything


@pytest.mark.parametrize("driver", ASYNC)
def test_an_async_driver_is_watched(watch: Watch, postgres: Postgres, driver: str) -> None:
    """Queries, errors, cancellation and pools are those of the sync engine below."""

    async def scenario() -> None:
        engine = create_async_engine(postgres.url(driver), pool_size=2)
        try:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
                with pytest.raises(sa.exc.DBAPIError):
                    await connection.execute(text("SELECT 1 FROM missing"))
                await connection.rollback()
                used = watch.points("db.client.connection.count")
                assert used[f"127.0.0.1:{postgres.port}/postgres used"] == 1
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(connection.execute(text("SELECT pg_sleep(60)")), 0.1)
        finally:
            await engine.dispose()

    asyncio.run(scenario())
    assert [span.attributes["error.type"] for span in failed(watch)] == ["42P01", "CancelledError"]


@pytest.mark.parametrize("driver", ASYNC)
def test_a_refused_async_connection_is_counted(
    watch: Watch, postgres: Postgres, driver: str
) -> None:
    """Also where the driver raises an error of the system, which SQLAlchemy has no event for."""
    url = postgres.url(driver).replace(str(postgres.port), str(free_port()))

    async def scenario() -> None:
        async with create_async_engine(url).connect():
            pass

    with pytest.raises((OSError, sa.exc.OperationalError)):
        asyncio.run(scenario())
    assert list(watch.points("bear.db.connect_errors").values()) == [1]


def test_mariadb_has_its_name_and_its_codes(watch: Watch, mariadb: int) -> None:
    """It is told from MySQL, though the address says `mysql`."""
    url = f"mysql+pymysql://bear:s3cr3t@127.0.0.1:{mariadb}/test"
    engine = sa.create_engine(url, connect_args={"init_command": "SET innodb_lock_wait_timeout=1"})
    create_accounts(engine)
    assert len(provoke_deadlock(engine)) == 1
    lock = text("SELECT n FROM accounts WHERE id = 1 FOR UPDATE")
    with engine.begin() as holder, engine.begin() as late:
        holder.execute(lock)
        with pytest.raises(sa.exc.OperationalError):
            late.execute(lock)
    engine.dispose()
    server = f"mariadb 127.0.0.1 {mariadb}"
    assert watch.points("bear.db.deadlocks") == {f"test 1213 {server}": 1}
    assert watch.points("bear.db.lock_timeouts") == {f"test 1205 {server}": 1}
    assert {span.attributes["db.system.name"] for span in watch.spans()} == {"mariadb"}


def failed(watch: Watch) -> list[Any]:
    """Return the spans that are errors."""
    return [span for span in watch.spans() if not span.status.is_ok]
