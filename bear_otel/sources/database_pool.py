"""Watches connections being opened, waited for and held."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from opentelemetry.metrics import Observation
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import SpanKind, StatusCode

from bear_otel.catalogue import (
    DB_CLIENT_CONNECTION_COUNT,
    DB_CLIENT_CONNECTION_IDLE_MAX,
    DB_CLIENT_CONNECTION_MAX,
    DB_CLIENT_CONNECTION_PENDING_REQUESTS,
    DB_CLIENT_CONNECTION_TIMEOUTS,
    DB_CONNECT_ERRORS,
    create,
)
from bear_otel.sources.database_errors import error_attributes, say_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.metrics import CallbackOptions, Meter
    from opentelemetry.trace import Tracer
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool, QueuePool

    from bear_otel.sources.database_names import Databases

# Conventions in development have no constants to import.
_POOL_NAME = "db.client.connection.pool.name"
_STATE = "db.client.connection.state"


@dataclass(slots=True, kw_only=True)
class _Watched:
    name: str
    connected: bool = False
    # One token each, so that no count can drift between threads.
    waiting: set[object] = field(default_factory=set)


class ConnectionWatch:
    """Watches each engine's way to its connections.

    Pools are read when metrics are collected, which costs a request nothing. Waiting, giving up
    and failing to connect have no event in SQLAlchemy; they are seen in `Engine.raw_connection()`,
    which every connection of every pool comes through.

    Pools of one name are summed: those of several engines for a database, and the old beside the
    new one after `Engine.dispose()`.
    """

    def __init__(self, tracer: Tracer, meter: Meter, databases: Databases) -> None:
        self._tracer = tracer
        self._databases = databases
        self._installed = False
        self._timeouts = create(meter, DB_CLIENT_CONNECTION_TIMEOUTS)
        self._connect_errors = create(meter, DB_CONNECT_ERRORS)
        self._pools: WeakKeyDictionary[Pool, _Watched] = WeakKeyDictionary()
        for row, read in (
            (DB_CLIENT_CONNECTION_COUNT, _count),
            (DB_CLIENT_CONNECTION_MAX, _max),
            (DB_CLIENT_CONNECTION_IDLE_MAX, _idle_max),
            (DB_CLIENT_CONNECTION_PENDING_REQUESTS, _pending),
        ):
            create(meter, row, self._callback(read))

    def install(self, engine_class: type[Engine]) -> Callable[[], None]:
        """Wrap `raw_connection`, and return what unwraps it."""
        original = engine_class.raw_connection

        @functools.wraps(original)
        def raw_connection(engine: Engine, *args: Any, **kwargs: Any) -> Any:
            watched = self._meet(engine)
            if watched is None:
                return original(engine, *args, **kwargs)
            token = object()
            watched.waiting.add(token)
            started = perf_counter_ns()
            try:
                connection = original(engine, *args, **kwargs)
            except Exception as error:
                self._fail(engine, watched, error, perf_counter_ns() - started)
                raise
            finally:
                watched.waiting.discard(token)
            if not watched.connected:
                self._meet_again(engine, watched)
            return connection

        def unwrap() -> None:
            self._installed = False
            self._pools.clear()
            # Where another library has wrapped ours, it stays and only passes on.
            if engine_class.raw_connection is raw_connection:
                engine_class.raw_connection = original

        engine_class.raw_connection = raw_connection  # pyright: ignore[reportAttributeAccessIssue] - any version's signature
        self._installed = True
        return unwrap

    def _meet(self, engine: Engine) -> _Watched | None:
        try:
            if not self._installed:
                return None
            self._databases.hide_parameters(engine)
            watched = self._pools.get(engine.pool)
            if watched is None:
                database = self._databases.find(engine)
                name = getattr(engine.pool, "logging_name", None) or database.name
                watched = self._pools.setdefault(engine.pool, _Watched(name=name))
            return watched
        except Exception as failure:  # noqa: BLE001 - telemetry never fails the application
            say_failure(type(failure))
            return None

    def _meet_again(self, engine: Engine, watched: _Watched) -> None:
        try:
            watched.connected = True
            self._databases.meet(engine)  # only now its dialect knows MariaDB from MySQL
        except Exception as failure:  # noqa: BLE001 - telemetry never fails the application
            say_failure(type(failure))

    def _fail(self, engine: Engine, watched: _Watched, error: Exception, waited_ns: int) -> None:
        from sqlalchemy.exc import TimeoutError as PoolTimeoutError

        try:
            if isinstance(error, PoolTimeoutError):
                self._timeouts.add(1, {_POOL_NAME: watched.name})
                return
            database = self._databases.find(engine)
            # SQLAlchemy 1.4 wraps the driver's exception already here.
            attributes = error_attributes(getattr(error, "orig", None) or error, engine.dialect)
            self._connect_errors.add(1, {**database.labels, ERROR_TYPE: attributes[ERROR_TYPE]})
            now = time_ns()
            span = self._tracer.start_span(
                "CONNECT",
                kind=SpanKind.CLIENT,
                attributes={**database.labels, **attributes},
                start_time=now - waited_ns,
            )
            span.set_status(StatusCode.ERROR)
            span.end(now)
        except Exception as failure:  # noqa: BLE001 - telemetry never fails the application
            say_failure(type(failure))

    def _callback(
        self, read: Callable[[QueuePool, _Watched], Iterator[tuple[str, int]]]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            values: Counter[tuple[str, str]] = Counter()
            for pool, watched in self._queue_pools():
                for state, value in read(pool, watched):
                    values[watched.name, state] += value
            for (name, state), value in values.items():
                attributes = {_POOL_NAME: name, _STATE: state} if state else {_POOL_NAME: name}
                yield Observation(value, attributes)

        return observe

    def _queue_pools(self) -> Iterator[tuple[QueuePool, _Watched]]:
        # A copy of the references, as threads add pools meanwhile.
        for reference in self._pools.keyrefs():
            pool = reference()
            watched = self._pools.get(pool) if pool is not None else None
            # The others have no size to tell: no pool at all, or one connection a thread.
            if watched is not None and hasattr(pool, "checkedout"):
                yield pool, watched  # pyright: ignore[reportReturnType] - a QueuePool by its methods


def _count(pool: QueuePool, _: _Watched) -> Iterator[tuple[str, int]]:
    # Below zero for an instant, while SQLAlchemy counts an overflow it does not open after all.
    yield "used", max(pool.checkedout(), 0)
    yield "idle", pool.checkedin()


def _max(pool: QueuePool, _: _Watched) -> Iterator[tuple[str, int]]:
    overflow = getattr(pool, "_max_overflow", -1)  # no public name; -1 is no limit
    if overflow >= 0:
        yield "", pool.size() + overflow


def _idle_max(pool: QueuePool, _: _Watched) -> Iterator[tuple[str, int]]:
    if pool.size() > 0:  # 0 is no limit
        yield "", pool.size()


def _pending(_: QueuePool, watched: _Watched) -> Iterator[tuple[str, int]]:
    yield "", len(watched.waiting)
