"""The places where exceptions come by: the interpreter's hooks, log lines and log records."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk._logs import LogRecordProcessor
from typing_extensions import override

from bear_otel.sources.errors import Occurrence

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from bear_otel.sources.errors import ErrorTracker, Source

# What these log with an exception, nobody has caught; the line says no more than the event does.
_LAST_RESORTS: dict[str, Source] = {
    "asyncio": "task",
    "uvicorn.error": "request",
    "gunicorn.error": "request",
    "hypercorn.error": "request",
}
# Granian logs a stack as text, without the exception. FastAPI's telemetry is in it if it has told.
_GRANIAN = "_granian"
_FASTAPI = f"{os.sep}fastapi{os.sep}telemetry{os.sep}"
_UNHANDLED_EVENTS = frozenset({"http.server.request.exception", "fastapi.websocket.exception"})
# Errors of telemetry are no errors of the application.
_OWN_LOGGERS = frozenset({"opentelemetry", "bear_otel", "sentry_sdk"})


def watch_uncaught(errors: ErrorTracker) -> Callable[[], None]:
    """Tell of exceptions that end the program or a thread, or that a finalizer raises.

    The hooks that are there are called afterwards, so the output stays what it was.

    Returns:
        A function that undoes it, as far as nobody else has set a hook since.
    """
    excepthook, unraisablehook = sys.excepthook, sys.unraisablehook
    thread_excepthook = threading.excepthook

    def tell_program(kind: Any, error: Any, trace: Any) -> None:
        _capture(errors, error, "program", "The program ended with an exception", fatal=True)
        excepthook(kind, error, trace)

    def tell_thread(arguments: Any) -> None:
        _capture(errors, arguments.exc_value, "thread", "A thread ended with an exception")
        thread_excepthook(arguments)

    def tell_finalizer(unraisable: Any) -> None:
        _capture(errors, unraisable.exc_value, "finalizer", "A finalizer raised an exception")
        unraisablehook(unraisable)

    sys.excepthook, sys.unraisablehook = tell_program, tell_finalizer
    threading.excepthook = tell_thread

    def undo() -> None:
        if sys.excepthook is tell_program:
            sys.excepthook = excepthook
        if sys.unraisablehook is tell_finalizer:
            sys.unraisablehook = unraisablehook
        if threading.excepthook is tell_thread:
            threading.excepthook = thread_excepthook

    return undo


def create_log_filter(errors: ErrorTracker) -> Callable[[logging.LogRecord], bool]:
    """Return a filter for the handler that exports log lines; it tells of the errors among them.

    It holds back what a server or asyncio logs about an exception that nobody has caught: the
    event has been or is told instead, once and with the same text.
    """

    def tell(record: logging.LogRecord) -> bool:
        try:
            return _read(errors, record)
        except Exception:  # noqa: BLE001 - a log line, of whatever make, must break nothing
            return True

    return tell


class WatchingLogRecordProcessor(LogRecordProcessor):
    """Looks at each record before it is scrubbed, for exceptions that others emit as events.

    FastAPI does, in the trace of the request, before the server logs the same exception without
    one. It hands everything on as it is, and sends nothing itself.
    """

    def __init__(self, errors: ErrorTracker) -> None:
        self._errors = errors
        # What stood here before; set as soon as this processor has taken its place.
        self.behind: LogRecordProcessor | None = None

    @override
    def enabled(
        self,
        *,
        context: Context | None = None,
        instrumentation_scope: InstrumentationScope | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,
    ) -> bool:
        return self.behind is not None and self.behind.enabled(
            context=context,
            instrumentation_scope=instrumentation_scope,
            severity_number=severity_number,
            event_name=event_name,
        )

    @override
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        raw = log_record.log_record
        if raw.exception is not None and _is_error(raw.severity_number):
            handled = raw.event_name not in _UNHANDLED_EVENTS
            source: Source = "log" if handled else "request"
            self._errors.note(Occurrence(error=raw.exception, handled=handled, source=source))
        if self.behind is not None:
            self.behind.on_emit(log_record)

    @override
    def shutdown(self) -> None:
        if self.behind is not None:
            self.behind.shutdown()

    @override
    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.behind is None or self.behind.force_flush(timeout_millis)


def _read(errors: ErrorTracker, record: logging.LogRecord) -> bool:
    """Tell of the error in a log record; return whether its line is to be exported."""
    if record.levelno < logging.ERROR or record.name.split(".", 1)[0] in _OWN_LOGGERS:
        return True
    if not (errors.tells() and is_instrumentation_enabled()):
        return True
    if record.name.startswith(_GRANIAN) and _FASTAPI in str(record.msg):
        return False
    error = record.exc_info[1] if record.exc_info else None
    source = _LAST_RESORTS.get(record.name)
    if source is None or not isinstance(error, Exception):
        errors.note(Occurrence(error=error, handled=True, source="log", record=record))
        return True
    body = str(record.msg).strip().split("\n", 1)[0]
    errors.capture(error, handled=False, source=source, body=body)
    return False


def _is_error(severity: SeverityNumber | None) -> bool:
    return severity is not None and severity.value >= SeverityNumber.ERROR.value


def _capture(
    errors: ErrorTracker, error: Any, source: Source, body: str, *, fatal: bool = False
) -> None:
    if isinstance(error, BaseException):
        severity = "FATAL" if fatal else "ERROR"
        errors.capture(error, handled=False, source=source, severity=severity, body=body)
