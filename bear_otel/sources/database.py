"""Traces and measures every query that SQLAlchemy sends.

It listens to SQLAlchemy's public events on the class `Engine`, hence engines and connections may
have been made before or after; see docs/decisions/0003-own-sqlalchemy-listener.md.
"""

from __future__ import annotations

import logging
import math
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry._logs import SeverityNumber
from opentelemetry.semconv.attributes.db_attributes import (
    DB_OPERATION_BATCH_SIZE,
    DB_RESPONSE_STATUS_CODE,
)
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from wrapt import register_post_import_hook

from bear_otel.catalogue import (
    DB_CLIENT_OPERATION_DURATION,
    DB_DEADLOCKS,
    DB_LOCK_TIMEOUTS,
    DB_SLOW_QUERY,
    create,
)
from bear_otel.sources.database_errors import error_attributes, lock_problem, say_failure
from bear_otel.sources.database_names import LONGEST_STATEMENT, Databases
from bear_otel.sources.database_pool import ConnectionWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue
    from sqlalchemy.engine import Connection, ExceptionContext

    from bear_otel.sources.database_names import Database, Query

_log = logging.getLogger(__name__)

# SQLAlchemy makes one execution context a call, and means it to carry such things.
_CALL = "_bear_otel_call"
_SUPPRESSED = "suppress_instrumentation"  # set by opentelemetry.instrumentation.utils


class _Call(NamedTuple):
    """What is known of a query before it is sent; the rest of the work is done when it is over.

    Args:
        statement: Its text, without what other listeners add to it.
        size: Number of its parameter sets.
        started: Unix time in nanoseconds.
        clock: The same moment on the clock that measures how long it lasts.
    """

    statement: str
    size: int
    started: int
    clock: int


def watch_database(
    tracer: Tracer,
    meter: Meter,
    logger: Logger | None = None,
    *,
    record_span: Callable[..., None] | None = None,
    scrub_sql: Callable[[str, str], str],
    slow_query_seconds: float | None = None,
) -> Callable[[], None]:
    """Watch SQLAlchemy: now if it is imported, else as soon as it is.

    Args:
        tracer: Makes one CLIENT span a query.
        meter: Makes the instruments of the catalogue's source `database`.
        logger: Emits an event for each slow query; None for no event.
        record_span: Records a span that is over, from name, context, kind, attributes, start and
            end in Unix nanoseconds, cheaper than the tracer; None to let the tracer do it.
        scrub_sql: Takes a statement and its `db.system.name`, returns it without values. What it
            gets may be cut off inside of a literal. It runs once for each statement and database,
            as long as the answer stays cached.
        slow_query_seconds: Time from which a query is slow; None for no event.

    Returns:
        What ends it, and leaves SQLAlchemy as it was.
    """
    listener = _Listener(tracer, meter, logger, record_span, scrub_sql, slow_query_seconds)

    def install(sqlalchemy: ModuleType) -> None:
        try:
            listener.install()
        except Exception:  # noqa: BLE001 - the application's import must not fail
            listener.uninstall()
            _log.warning("SQLAlchemy %s cannot be watched", sqlalchemy.__version__, exc_info=True)

    register_post_import_hook(install, "sqlalchemy")
    return listener.uninstall


class _Listener:
    def __init__(
        self,
        tracer: Tracer,
        meter: Meter,
        logger: Logger | None,
        record_span: Callable[..., None] | None,
        scrub_sql: Callable[[str, str], str],
        slow_query_seconds: float | None,
    ) -> None:
        self._start_span = tracer.start_span
        self._record_span = record_span or self._start_and_end
        self._record_duration = create(meter, DB_CLIENT_OPERATION_DURATION).record
        self._lock_problems = {
            "deadlock": create(meter, DB_DEADLOCKS),
            "lock_timeout": create(meter, DB_LOCK_TIMEOUTS),
        }
        self._logger = logger
        self._slow = math.inf if slow_query_seconds is None else slow_query_seconds
        self._databases = Databases(scrub_sql)
        self._connections = ConnectionWatch(tracer, meter, self._databases)
        self._batch: type | tuple[type, ...] = list
        self._undo: list[Callable[[], None]] = []
        self._closed = False

    def install(self) -> None:
        if self._closed:
            return
        # Never before the application does.
        from sqlalchemy import __version__, event
        from sqlalchemy.engine import Engine

        # `executemany` has a list of parameter sets. One INSERT of many rows is called so, too, but
        # has its parameters in one tuple; 1.4 knows no such INSERT, and has a tuple of sets.
        if __version__.startswith("1."):
            self._batch = (list, tuple)

        for name, listener in (
            ("before_cursor_execute", self.before_execute),
            ("after_cursor_execute", self.after_execute),
            ("handle_error", self.handle_error),
        ):
            # At import, hence ahead of others: texts are without the comments that they add.
            event.listen(Engine, name, listener)
            self._undo.append(lambda name=name, f=listener: event.remove(Engine, name, f))
        self._undo.append(self._connections.install(Engine))

    def uninstall(self) -> None:
        self._closed = True
        while self._undo:
            self._undo.pop()()
        self._databases.forget()

    def before_execute(
        self,
        connection: Connection,  # noqa: ARG002 - SQLAlchemy's signature
        cursor: Any,  # noqa: ARG002
        statement: str,
        parameters: Any,
        context: Any,
        executemany: bool,
    ) -> None:
        try:
            if context is not None:
                batch = executemany and isinstance(parameters, self._batch)
                size = len(parameters) if batch else 1
                setattr(context, _CALL, _Call(statement, size, time_ns(), perf_counter_ns()))
        except Exception as failure:  # noqa: BLE001 - telemetry never fails the application
            say_failure(type(failure))

    def after_execute(
        self,
        connection: Connection,
        cursor: Any,  # noqa: ARG002 - SQLAlchemy's signature
        statement: str,  # noqa: ARG002 - others may have added comments to it
        parameters: Any,  # noqa: ARG002
        context: Any,
        executemany: bool,  # noqa: ARG002
    ) -> None:
        try:
            if call := getattr(context, _CALL, None):
                setattr(context, _CALL, None)
                self._record(connection, call)
        except Exception as failure:  # noqa: BLE001 - telemetry never fails the application
            say_failure(type(failure))

    def handle_error(self, error: ExceptionContext) -> None:
        try:
            connection = error.connection
            if connection is None:  # it could not be opened, which the other watch sees
                return
            outcome = error_attributes(error.original_exception, connection.dialect)
            self._count_lock_problem(self._databases.find(connection.engine), outcome)
            # None for BEGIN, COMMIT and ROLLBACK.
            if call := getattr(error.execution_context, _CALL, None):
                setattr(error.execution_context, _CALL, None)
                self._record(connection, call, outcome)
        except Exception as failure:  # noqa: BLE001 - telemetry never fails the application
            say_failure(type(failure))

    def _record(
        self, connection: Connection, call: _Call, outcome: Mapping[str, str] | None = None
    ) -> None:
        """Record a call that is over; `outcome` says how it failed."""
        lasted = perf_counter_ns() - call.clock
        current = otel_context.get_current()
        if current.get(_SUPPRESSED):
            return
        query = self._find_query(connection, call)
        attributes, labels = query.attributes, query.labels
        if call.size > 1:
            attributes = {**attributes, DB_OPERATION_BATCH_SIZE: call.size}
        if outcome:
            attributes = {**attributes, **outcome}
            labels = {**labels, ERROR_TYPE: outcome[ERROR_TYPE]}
        seconds, ended = lasted / 1e9, call.started + lasted
        self._record_duration(seconds, labels)
        span = query.name, current, SpanKind.CLIENT, attributes
        if not outcome and seconds < self._slow:
            self._record_span(*span, call.started, ended)
            return
        open_span = self._start_span(*span, start_time=call.started)
        if seconds >= self._slow:
            self._emit_slow_query(open_span, attributes, seconds)
        if outcome:
            open_span.set_status(StatusCode.ERROR)  # without its text, which may hold rows
        open_span.end(ended)

    def _start_and_end(self, *span: Any) -> None:
        *rest, started, ended = span
        self._start_span(*rest, start_time=started).end(ended)

    def _find_query(self, connection: Connection, call: _Call) -> Query:
        database = self._databases.get(connection.dialect)
        if database is None:
            database = self._databases.meet(connection.engine)
        statement = call.statement
        if len(statement) > LONGEST_STATEMENT:
            statement = statement[:LONGEST_STATEMENT]
        return database.query(statement, call.size > 1)

    def _count_lock_problem(self, database: Database, outcome: Mapping[str, str]) -> None:
        code = outcome.get(DB_RESPONSE_STATUS_CODE)
        if problem := lock_problem(database.system, code):
            labels = {**database.labels, DB_RESPONSE_STATUS_CODE: code}
            self._lock_problems[problem].add(1, labels)

    def _emit_slow_query(
        self, span: Span, attributes: Mapping[str, AttributeValue], seconds: float
    ) -> None:
        if self._logger is None:
            return
        self._logger.emit(
            context=set_span_in_context(span),
            severity_number=SeverityNumber.WARN,
            severity_text=DB_SLOW_QUERY.severity,
            body="Slow query",
            attributes={**attributes, "bear.db.duration": seconds},
            event_name=DB_SLOW_QUERY.name,
        )
