"""Every query of SQLAlchemy is one span and one measurement, and stays the application's own."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import textwrap
import weakref
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import event, text
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import create_async_engine

from bear_otel.sources.database import watch_database
from bear_otel.sources.database_errors import say_failure
from tests.sources.database_harness import Watch, scrub_sql, watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.engine import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

VERSION_1_4 = sa.__version__.startswith("1.4")
DURATION = "db.client.operation.duration"


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Watch from before the test's engines are made."""
    with watching() as watch:
        yield watch


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Return an engine on a file below a path that must not be seen, with one table."""
    engine = create_engine(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(watch: Watch, engine: Engine) -> Iterator[Connection]:
    """Return a watched connection whose first, preparing queries are forgotten."""
    with engine.connect() as connection:
        watch.spans()
        yield connection


def create_engine(directory: Path, **options: Any) -> Engine:
    """Make an engine and its table below a directory whose name must not be seen."""
    home = directory / "home-of-alice"
    home.mkdir(exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{home}/shop.db", **options)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS users (id INTEGER UNIQUE, name TEXT)"))
    return engine


def test_a_query_is_one_client_span(watch: Watch, connection: Connection) -> None:
    """Name and attributes are those of the conventions; the text has no values."""
    with watch.tracer.start_as_current_span("request") as request:
        connection.execute(
            text("SELECT name FROM users WHERE id = :id AND name <> 'Ann'"), {"id": 7}
        )
    span, _ = watch.spans()
    assert span.name == "SELECT users"
    assert span.kind is SpanKind.CLIENT
    assert span.parent is not None
    assert span.parent.span_id == request.get_span_context().span_id
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "db.system.name": "sqlite",
        "db.namespace": "shop.db",
        "db.operation.name": "SELECT",
        "db.collection.name": "users",
        "db.query.summary": "SELECT users",
        "db.query.text": "SELECT name FROM users WHERE id = ? AND name <> ?",
    }


def test_durations_are_exact_without_sampling(engine: Engine) -> None:
    """Rates and durations come from the histogram, whatever traces are kept."""
    with watching(sampler=ALWAYS_OFF) as watch, engine.connect() as connection:
        for _ in range(3):
            connection.execute(text("SELECT 1"))
        assert watch.names() == []
        assert watch.points(DURATION) == {"shop.db SELECT sqlite": 3}


def test_neither_values_nor_paths_leave(watch: Watch, engine: Engine) -> None:
    """Bound values, literals, rows in error texts and the file's path stay here."""
    with engine.connect() as connection:
        row = {"id": 4711, "name": "Alice Secret"}
        connection.execute(text("INSERT INTO users VALUES (:id, :name)"), row)
        connection.execute(text("SELECT 'Bob Secret' FROM users"))
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(text("INSERT INTO users VALUES (:id, :name)"), row)
    everything = watch.everything()
    assert "INSERT users" in everything
    assert [word for word in ("Secret", "4711", "home-of-alice") if word in everything] == []


def test_many_parameter_sets_are_one_batch(watch: Watch, connection: Connection) -> None:
    """`executemany` is one call: its size is said; one set alone is no batch."""
    insert = text("INSERT INTO users VALUES (:id, 'x')")
    connection.execute(insert, [{"id": 1}, {"id": 2}, {"id": 3}])
    connection.execute(insert, [{"id": 4}])
    batch, single = watch.spans()
    assert (batch.name, single.name) == ("BATCH INSERT users", "INSERT users")
    assert batch.attributes is not None
    assert batch.attributes["db.operation.batch.size"] == 3
    assert batch.attributes["db.operation.name"] == "BATCH INSERT"
    assert "db.operation.batch.size" not in (single.attributes or {})


@pytest.mark.skipif(VERSION_1_4, reason="SQLAlchemy 2.0 brought it")
def test_one_insert_of_many_rows_is_no_batch(watch: Watch, connection: Connection) -> None:
    """SQLAlchemy's `insertmanyvalues` sends one statement, once for each page of rows."""
    users = sa.table("users", sa.column("id"), sa.column("name"))
    rows = [{"id": i, "name": "x"} for i in range(1500)]
    connection.execute(sa.insert(users).returning(users.c.id), rows)
    assert watch.names() == ["INSERT users"] * 2


def test_an_error_is_said_by_its_code_alone(watch: Watch, connection: Connection) -> None:
    """The span is an error without a text, and the application gets its exception."""
    connection.execute(text("INSERT INTO users VALUES (1, 'x')"))
    with pytest.raises(sa.exc.IntegrityError):
        connection.execute(text("INSERT INTO users VALUES (1, 'x')"))
    good, bad = watch.spans()
    assert good.status.status_code is StatusCode.UNSET
    assert (bad.status.status_code, bad.status.description) == (StatusCode.ERROR, None)
    assert bad.attributes is not None
    assert bad.attributes["error.type"] == "SQLITE_CONSTRAINT_UNIQUE"
    assert bad.attributes["db.response.status_code"] == "SQLITE_CONSTRAINT_UNIQUE"
    assert bad.events == ()
    counts = watch.points(DURATION)
    assert counts["shop.db INSERT sqlite"] == 1
    assert counts["shop.db INSERT sqlite SQLITE_CONSTRAINT_UNIQUE"] == 1


def test_engines_and_connections_may_be_older(engine: Engine) -> None:
    """It does not matter what was made before the watch."""
    with engine.connect() as connection, watching() as watch:
        connection.execute(text("SELECT 1 FROM users"))
        assert watch.names() == ["SELECT users"]


def test_a_transaction_adds_no_span(watch: Watch, engine: Engine) -> None:
    """BEGIN, COMMIT and ROLLBACK are no queries; a savepoint is sent as one."""
    watch.spans()
    with engine.begin():
        pass
    with engine.connect() as connection:
        connection.begin().rollback()
    assert watch.names() == []
    with engine.begin() as connection, connection.begin_nested():
        pass
    assert watch.names() == ["SAVEPOINT", "RELEASE"]


def test_a_nested_query_has_its_own_span(watch: Watch, connection: Connection) -> None:
    """A listener of the application may query on the same connection, before each query."""

    @event.listens_for(connection, "before_cursor_execute")
    def audit(connection: Connection, _c: Any, statement: str, *_: Any) -> None:
        if "audit" not in statement:
            connection.execute(text("SELECT 1 AS audit"))

    connection.execute(text("SELECT 1 FROM users"))
    assert watch.names() == ["SELECT", "SELECT users"]


def test_texts_are_the_applications(watch: Watch, connection: Connection) -> None:
    """A comment that another listener adds to each query is not in the span."""

    @event.listens_for(Engine, "before_cursor_execute", retval=True)
    def comment(_con: Any, _cur: Any, statement: str, parameters: Any, *_: Any) -> Any:
        return f"{statement} /*traceparent='00-1'*/", parameters

    try:
        connection.execute(text("SELECT id FROM users"))
    finally:
        event.remove(Engine, "before_cursor_execute", comment)
    (span,) = watch.spans()
    assert span.attributes is not None
    assert span.attributes["db.query.text"] == "SELECT id FROM users"


def test_a_streamed_result_is_one_span(watch: Watch, connection: Connection) -> None:
    """The span ends with the execution, however long the rows are read."""
    result = connection.execution_options(stream_results=True).execute(text("SELECT 1 AS a"))
    assert watch.names() == ["SELECT"]
    assert len(list(result)) == 1
    assert watch.names() == []


def test_suppressed_queries_are_not_recorded(watch: Watch, connection: Connection) -> None:
    """OpenTelemetry's own switch works."""
    with suppress_instrumentation():
        connection.execute(text("SELECT 1"))
    assert watch.names() == []
    connection.execute(text("SELECT 1"))
    assert watch.names() == ["SELECT"]


def test_stop_leaves_sqlalchemy_as_it_was(tmp_path: Path) -> None:
    """No listener, no wrapper and no changed engine stay."""
    raw_connection = Engine.raw_connection
    with watching() as watch:
        engine = create_engine(tmp_path)
        assert engine.hide_parameters
        assert Engine.raw_connection is not raw_connection
        assert watch.names() == ["CREATE TABLE users"]
    assert Engine.raw_connection is raw_connection
    assert not engine.hide_parameters
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert watch.names() == []
    engine.dispose()


def test_sqlalchemy_is_not_imported_for_it() -> None:
    """A service without SQLAlchemy does not pay for it; one that imports it late is watched."""
    program = """
        import sys
        sys.path.insert(0, sys.argv[1])
        from tests.sources.database_harness import watching
        with watching() as watch:
            assert not [name for name in sys.modules if name.startswith("sqlalchemy")]
            import sqlalchemy
            with sqlalchemy.create_engine("sqlite://").connect() as connection:
                connection.execute(sqlalchemy.text("SELECT 1"))
            assert watch.names() == ["SELECT"], watch.names()
        with watching() as watch:
            watch.stop()
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(Path(__file__).parents[2])]
    subprocess.run(command, check=True)


def test_bound_values_are_hidden(
    watch: Watch, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """They stand neither in the exception's text nor in the echo log, also of derived engines."""
    derived = engine.execution_options(isolation_level="AUTOCOMMIT")
    for each in (engine, derived):
        with (
            caplog.at_level(logging.INFO, "sqlalchemy.engine"),
            each.connect() as connection,
            pytest.raises(sa.exc.OperationalError) as caught,
        ):
            connection.execute(text("SELECT :name FROM nowhere"), {"name": "Alice Secret"})
        assert "Secret" not in str(caught.value)
    assert "SELECT ? FROM nowhere" in caplog.text
    assert "Secret" not in caplog.text


def test_a_slow_query_is_an_event(engine: Engine) -> None:
    """It says which, how long and in which trace, and survives any sampling."""
    with (
        watching(sampler=ALWAYS_OFF, slow_query_seconds=0.0) as watch,
        watch.tracer.start_as_current_span("request") as request,
        engine.connect() as connection,
    ):
        connection.execute(text("SELECT 'Alice' FROM users"))
        (record,) = watch.events()
    attributes = dict(record.attributes)
    assert record.event_name == "bear.db.slow_query"
    assert record.severity_text == "WARN"
    assert record.trace_id == request.get_span_context().trace_id
    assert 0 < attributes.pop("bear.db.duration") < 10
    assert attributes == {
        "db.system.name": "sqlite",
        "db.namespace": "shop.db",
        "db.operation.name": "SELECT",
        "db.collection.name": "users",
        "db.query.summary": "SELECT users",
        "db.query.text": "SELECT ? FROM users",
    }


def test_a_fast_query_is_no_event(engine: Engine) -> None:
    """Only what reaches the threshold is slow, and without one nothing is."""
    for seconds in (60.0, None):
        with watching(slow_query_seconds=seconds) as watch, engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            assert watch.events() == []


def test_a_statement_is_scrubbed_once(engine: Engine) -> None:
    """The request path looks up; engines derived for one request share what is known."""
    seen: list[tuple[str, str]] = []

    def scrub(sql: str, system: str) -> str:
        seen.append((sql, system))
        return sql

    with watching(scrub_sql=scrub):
        for _ in range(3):
            with engine.execution_options(logging_token="x").connect() as connection:
                connection.execute(text("SELECT :a"), {"a": 1})
    assert seen == [("SELECT ?", "sqlite")]


def test_a_failing_scrubber_withholds_the_text(engine: Engine) -> None:
    """It fails closed: the query runs and is measured, nothing of it is said."""

    def scrub(sql: str, system: str) -> str:
        raise ValueError(sql)

    with watching(scrub_sql=scrub) as watch, engine.connect() as connection:
        connection.execute(text("SELECT 'Alice' FROM users"))
        (span,) = watch.spans()
    assert span.name == "sqlite"
    assert dict(span.attributes or {}) == {"db.system.name": "sqlite", "db.namespace": "shop.db"}


def test_a_long_statement_is_read_in_part(engine: Engine) -> None:
    """Neither scrubbing nor the cache grows with what an application sends."""
    lengths: list[int] = []

    def scrub(sql: str, system: str) -> str:
        lengths.append(len(sql))
        return scrub_sql(sql, system)

    with watching(scrub_sql=scrub) as watch, engine.connect() as connection:
        connection.execute(text("SELECT id FROM users WHERE id IN (" + "1, " * 10_000 + "1)"))
        assert watch.names() == ["SELECT users"]
    assert lengths == [4096]


def test_our_failure_is_not_the_applications(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """A tracer that raises costs a warning, not a query."""

    class BrokenTracer:
        def start_span(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("Alice Secret")

    say_failure.cache_clear()
    tracer: Any = BrokenTracer()
    stop = watch_database(tracer, NoOpMeter("test"), scrub_sql=scrub_sql)
    try:
        with engine.connect() as connection:
            for _ in range(2):
                assert connection.execute(text("SELECT 1")).scalar() == 1
    finally:
        stop()
    assert [record.getMessage() for record in caplog.records] == [
        "Database calls are not fully recorded: RuntimeError in bear-otel"
    ]


def test_engines_are_not_kept_alive(watch: Watch, tmp_path: Path) -> None:
    """An application may make engines as it likes; what we know of one ends with it."""
    engine = create_engine(tmp_path, poolclass=sa.pool.QueuePool)
    references = [weakref.ref(thing) for thing in (engine, engine.pool, engine.dialect)]
    assert watch.points("db.client.connection.max") != {}
    engine.dispose()
    del engine
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert watch.points("db.client.connection.max") == {}


# --- asyncio ------------------------------------------------------------------------------------


@asynccontextmanager
async def async_connection() -> AsyncIterator[AsyncConnection]:
    """Connect through an engine of its own."""
    engine = create_async_engine("sqlite+aiosqlite://")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


def test_an_async_query_is_one_span_of_its_task(watch: Watch) -> None:
    """Tasks at once do not mix their traces."""

    async def request(name: str) -> None:
        async with async_connection() as connection:
            with watch.tracer.start_as_current_span(name):
                await connection.execute(text("SELECT 1"))

    async def requests() -> None:
        await asyncio.gather(request("a"), request("b"))

    asyncio.run(requests())
    spans = watch.spans()
    names = {span.context.span_id: span.name for span in spans}
    parents = [(span.name, names[span.parent.span_id]) for span in spans if span.parent]
    assert sorted(parents) == [("SELECT", "a"), ("SELECT", "b")]


def test_a_cancelled_query_ends_its_span(watch: Watch) -> None:
    """A time limit of the application is an error of its kind."""
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n"
    slow = text(f"{count} LIMIT 1 OFFSET 3000000")

    async def request() -> None:
        async with async_connection() as connection:
            await asyncio.wait_for(connection.execute(slow), 0.05)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(request())
    (span,) = watch.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "CancelledError"


def test_an_async_stream_is_one_span(watch: Watch) -> None:
    """Reading its rows adds nothing."""

    async def request() -> None:
        async with async_connection() as connection:
            result = await connection.stream(text("VALUES (1), (2)"))
            assert len([row async for row in result]) == 2

    asyncio.run(request())
    assert watch.names() == ["VALUES"]
