"""Export the application's own log records with the trace they belong to, and change no output.

A handler on the root logger would do so at a price: it silences Python's `lastResort` handler, it
makes a later `basicConfig` do nothing, and `dictConfig` takes it away again. Our one handler is
called by `Logger.callHandlers` instead, after the application's own handlers.
"""

from __future__ import annotations

import logging
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import get_current
from typing_extensions import override

from bear_otel.sources.error_groups import name_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry._logs import Logger

# Servers log their own errors through loggers that do not propagate; the application's unhandled
# exceptions are among them. Access logs repeat the spans, with raw query strings.
_SERVER_LOGGERS = frozenset(
    {"uvicorn", "uvicorn.error", "gunicorn.error", "hypercorn.error", "granian", "_granian"}
)
_ACCESS_LOGGERS = frozenset(
    {"uvicorn.access", "gunicorn.access", "hypercorn.access", "granian.access"}
)
# What OpenTelemetry and we say ourselves: exporting it would answer a failed export with another.
_OWN_LOGGERS = ("opentelemetry", "bear_otel")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message", "asctime", "taskName", "color_message",
}  # fmt: skip

_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL, "FATAL"),
    (logging.ERROR, SeverityNumber.ERROR, "ERROR"),
    (logging.WARNING, SeverityNumber.WARN, "WARN"),
    (logging.INFO, SeverityNumber.INFO, "INFO"),
    (logging.DEBUG, SeverityNumber.DEBUG, "DEBUG"),
    (0, SeverityNumber.TRACE, "TRACE"),
)


class _Lowered(int):
    """A level that we set, told from the same level set by the application by its identity."""


class OTelHandler(logging.Handler):
    """Turns log records of the standard library into OpenTelemetry's.

    Args:
        get_logger: Returns the OpenTelemetry logger for a name; asked once a name.
        active: False in a process that has nothing to tell, such as a supervisor.
        suppress_key: Context key under which nothing may be recorded.
    """

    def __init__(
        self,
        get_logger: Callable[[str], Logger],
        *,
        active: Callable[[], bool],
        suppress_key: str,
    ) -> None:
        super().__init__()
        self._get_logger = get_logger
        self._active = active
        self._suppress_key = suppress_key
        self._loggers: dict[str, Logger | None] = {}

    @override
    def handle(self, record: logging.LogRecord) -> bool:
        # Without the lock of `logging.Handler`: nothing here needs one.
        if self.filter(record):
            self.emit(record)
        return True

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            logger = self._find_logger(record.name)
            if logger is None or not self._active():
                return
            context = get_current()
            if context.get(self._suppress_key):
                return
            number, text = _find_severity(record.levelno)
            logger.emit(
                timestamp=int(record.created * 1e9),
                context=context,
                severity_number=number,
                severity_text=text,
                body=_format(record),
                attributes=_collect_attributes(record),
            )
        except Exception:  # noqa: BLE001 - a log line must not break the application
            logging.getLogger("bear_otel").debug("a log record could not be exported")

    def _find_logger(self, name: str) -> Logger | None:
        try:
            return self._loggers[name]
        except KeyError:
            ours = name.split(".", 1)[0] in _OWN_LOGGERS
            exported = not ours and name not in _ACCESS_LOGGERS
            logger = self._loggers[name] = self._get_logger(name) if exported else None
            return logger


def export_logs(handler: OTelHandler, *, level: int) -> Callable[[], None]:
    """Hand every record that the application logs to `handler`, after its own handlers.

    Where the application sets no level, Python's default would keep everything below WARNING
    from us. The root level is then lowered to `level`, and what only this lets through is kept
    from the application's own handlers, so that its output stays what it was.

    Args:
        handler: Exports the records.
        level: Lowest level exported where the application sets none, as in `logging`.

    Returns:
        A function that undoes it.
    """
    original = logging.Logger.callHandlers
    root = logging.getLogger()
    lowered = _Lowered(level)
    if root.level == logging.WARNING and level < logging.WARNING:
        root.setLevel(lowered)

    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        ours_alone = record.levelno < logging.WARNING and _decides_level(self, root, lowered)
        if not ours_alone:
            original(self, record)
        if _reaches_root(self, root):
            handler.handle(record)

    logging.Logger.callHandlers = call_handlers

    def undo() -> None:
        if logging.Logger.callHandlers is call_handlers:
            logging.Logger.callHandlers = original
        if root.level is lowered:
            root.setLevel(logging.WARNING)

    return undo


def _decides_level(logger: logging.Logger, root: logging.Logger, lowered: _Lowered) -> bool:
    """Whether the record exists only because we lowered the level of the root logger."""
    if root.level is not lowered:
        return False
    current: logging.Logger | None = logger
    while current is not None and current is not root:
        if current.level:
            return False
        current = current.parent
    return True


def _reaches_root(logger: logging.Logger, root: logging.Logger) -> bool:
    """Whether a handler on the root logger would get the record, or a server wrote it."""
    current: logging.Logger | None = logger
    while current is not None and current is not root:
        if not current.propagate and current.name not in _SERVER_LOGGERS:
            return False
        current = current.parent
    return True


@lru_cache(maxsize=128)  # of the levels that an application has
def _find_severity(level: int) -> tuple[SeverityNumber, str]:
    return next((number, text) for least, number, text in _SEVERITIES if level >= least)


def _format(record: logging.LogRecord) -> Any:
    """Return the message with its arguments; an object that is no text stays what it is."""
    if not record.args and isinstance(record.msg, dict | list):
        return record.msg
    return record.getMessage()


def _collect_attributes(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return what was passed as `extra`, and the exception by the conventions' names."""
    fields = vars(record)
    attributes = {}
    if not fields.keys() <= _STANDARD:
        attributes = {
            key: value if isinstance(value, str | bool | int | float) else str(value)
            for key, value in fields.items()
            if key not in _STANDARD and value is not None
        }
    if record.exc_info and record.exc_info[0] is not None:
        kind, error, trace = record.exc_info
        attributes["exception.type"] = name_type(kind)
        attributes["exception.message"] = str(error)
        attributes["exception.stacktrace"] = "".join(traceback.format_exception(kind, error, trace))
    return attributes
