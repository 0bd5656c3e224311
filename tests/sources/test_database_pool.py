"""Connection pools are read as they are, when somebody looks."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from opentelemetry.trace import StatusCode
from sqlalchemy import pool, text

from tests.sources.database_harness import Watch, watching

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Engine

COUNT = "db.client.connection.count"
MAX = "db.client.connection.max"
IDLE_MAX = "db.client.connection.idle.max"
PENDING = "db.client.connection.pending_requests"
TIMEOUTS = "db.client.connection.timeouts"
CONNECT_ERRORS = "bear.db.connect_errors"


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Watch from before the test's engines are made."""
    with watching() as watch:
        yield watch


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[Any]:
    """Make engines with small pools; their pools are emptied in the end."""
    with ExitStack() as stack:

        def create(name: str = "shop.db", **options: Any) -> Engine:
            small = {"poolclass": pool.QueuePool, "pool_size": 2, "max_overflow": 1}
            options = {**small, "connect_args": {"check_same_thread": False}, **options}
            if options["poolclass"] is not pool.QueuePool:
                options = {key: options[key] for key in ("poolclass", "connect_args")}
            engine = sa.create_engine(f"sqlite:///{tmp_path}/{name}", **options)
            stack.callback(engine.dispose)
            return engine

        yield create


def test_used_and_idle_connections_are_counted(watch: Watch, engines: Any) -> None:
    """An overflow counts as used, and is closed when it comes back."""
    engine = engines()
    with engine.connect(), engine.connect(), engine.connect():
        assert watch.points(COUNT) == {"shop.db used": 3, "shop.db idle": 0}
    assert watch.points(COUNT) == {"shop.db used": 0, "shop.db idle": 2}
    assert watch.points(MAX) == {"shop.db": 3}
    assert watch.points(IDLE_MAX) == {"shop.db": 2}
    assert watch.points(PENDING) == {"shop.db": 0}


def test_no_limit_is_no_number(watch: Watch, engines: Any) -> None:
    """Where the pool has no greatest size, none is claimed."""
    with engines(max_overflow=-1).connect():
        assert watch.points(MAX) == {}
        assert watch.points(IDLE_MAX) == {"shop.db": 2}
        assert watch.points(COUNT) == {"shop.db used": 1, "shop.db idle": 0}


@pytest.mark.parametrize("kind", [pool.NullPool, pool.StaticPool, pool.SingletonThreadPool])
def test_other_pools_have_no_numbers(watch: Watch, engines: Any, kind: type[pool.Pool]) -> None:
    """They hold no connections to share; their queries are recorded all the same."""
    with engines(poolclass=kind).connect() as connection:
        connection.execute(text("SELECT 1"))
    assert (watch.points(COUNT), watch.points(MAX), watch.points(PENDING)) == ({}, {}, {})
    assert watch.names() == ["SELECT"]


def test_an_exhausted_pool_shows_who_waits_and_who_gives_up(watch: Watch, engines: Any) -> None:
    """Waiting is seen while it lasts; giving up is counted and is no failure to connect."""
    engine = engines(pool_timeout=2)

    def wait() -> None:
        with pytest.raises(sa.exc.TimeoutError):
            engine.connect()

    waiting = threading.Thread(target=wait)
    with engine.connect(), engine.connect(), engine.connect():
        waiting.start()
        seen = set()
        while waiting.is_alive():
            seen.add(watch.points(PENDING)["shop.db"])
        assert 1 in seen
        assert watch.points(PENDING) == {"shop.db": 0}
        assert watch.points(TIMEOUTS) == {"shop.db": 1}
    assert watch.points(CONNECT_ERRORS) == {}
    assert watch.names() == []


def test_pools_of_one_name_are_summed(watch: Watch, engines: Any) -> None:
    """Several engines for a database share its name; others do not."""
    first, second, other = engines(), engines(), engines("stock.db")
    with first.connect(), second.connect(), other.connect():
        counts = watch.points(COUNT)
    assert (counts["shop.db used"], counts["stock.db used"]) == (2, 1)
    assert watch.points(MAX) == {"shop.db": 6, "stock.db": 3}


def test_a_pool_has_the_name_that_the_application_gave(watch: Watch, engines: Any) -> None:
    """SQLAlchemy's `pool_logging_name` is the pool's name."""
    with engines(pool_logging_name="reports").connect():
        assert watch.points(MAX) == {"reports": 3}


def test_a_disposed_engine_has_its_new_pool_only(watch: Watch, engines: Any) -> None:
    """`dispose()` puts an empty pool in the place of the old one."""
    engine = engines()
    engine.connect().close()
    engine.dispose()
    with engine.connect():
        assert watch.points(COUNT) == {"shop.db used": 1, "shop.db idle": 0}
        assert watch.points(MAX) == {"shop.db": 3}


def test_a_failure_to_connect_is_counted(watch: Watch, engines: Any) -> None:
    """It has a span with the time it took, also before any connection was ever made."""
    engine = engines("missing/shop.db")
    with pytest.raises(sa.exc.OperationalError):
        engine.connect()
    (span,) = watch.spans()
    assert (span.name, span.status.status_code) == ("CONNECT", StatusCode.ERROR)
    assert span.status.description is None
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time < span.end_time
    assert dict(span.attributes or {}) == {
        "db.system.name": "sqlite",
        "db.namespace": "shop.db",
        "error.type": "SQLITE_CANTOPEN",
        "db.response.status_code": "SQLITE_CANTOPEN",
    }
    assert watch.points(CONNECT_ERRORS) == {"shop.db sqlite SQLITE_CANTOPEN": 1}


def test_a_lock_timeout_is_counted(watch: Watch, engines: Any) -> None:
    """SQLite has no lock manager: who waits too long for a writer is told that it is busy."""
    engine = engines(connect_args={"timeout": 0.01, "check_same_thread": False})
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a INT)"))
    with engine.begin() as writer, engine.connect() as late:
        writer.execute(text("INSERT INTO t VALUES (1)"))
        with pytest.raises(sa.exc.OperationalError):
            late.execute(text("INSERT INTO t VALUES (2)"))
    assert watch.points("bear.db.lock_timeouts") == {"shop.db SQLITE_BUSY sqlite": 1}
    assert watch.points("bear.db.deadlocks") == {}
