"""Tell each exception once, whoever sees it first: as an event, as a count, to whoever listens.

A server logs an exception that FastAPI has reported already, and an application one that it raises
again afterwards. So all who see exceptions come here, and an exception that has been told is not
told again.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary

from opentelemetry._logs import SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from bear_otel import catalogue
from bear_otel.sources.error_groups import ErrorGroup, ErrorGroups, name_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import CallbackOptions, Meter

    Listener = Callable[["Occurrence"], object]

Source = Literal["captured", "log", "request", "program", "thread", "task", "finalizer"]

_HANDLED = "bear.exception.handled"
_SOURCE = "bear.exception.source"
_TOLD = "__bear_otel_told__"

_debug_logger = logging.getLogger("bear_otel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """Something that went wrong, as a listener hears of it while it happens.

    Args:
        error: The exception; None where an error was logged without one.
        handled: Whether the application caught it.
        source: Who saw it.
        severity: `FATAL` where it ends the program.
        attributes: What the application said about it.
        record: The log record that told it, if one did.
    """

    error: BaseException | None
    handled: bool
    source: Source
    severity: Literal["ERROR", "FATAL"] = "ERROR"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    record: logging.LogRecord | None = None


class ErrorTracker:
    """Knows which exceptions have been told. Never raises into the application."""

    def __init__(self) -> None:
        self._logger: Logger | None = None
        self._active: Callable[[], bool] = bool
        self._listeners: tuple[Listener, ...] = ()
        self._groups = ErrorGroups()
        # By identity: exceptions may have an equality of their own, or no hash.
        self._told: WeakValueDictionary[int, BaseException] = WeakValueDictionary()

    def open(
        self, meter: Meter, logger: Logger, *, active: Callable[[], bool]
    ) -> Callable[[], None]:
        """Begin to count and to emit.

        Args:
            meter: Meter that observes `bear.exceptions`.
            logger: Logger that emits the event `exception`.
            active: Whether this process works; a supervisor tells nothing.

        Returns:
            A function that ends it; what has been counted is still observed.
        """
        self._groups = ErrorGroups()

        # Observed and not added: a finalizer that fails may interrupt the very lock of a counter.
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            for (kind, handled), count in self._groups.counts().items():
                yield Observation(count, {ERROR_TYPE: kind, _HANDLED: handled})

        catalogue.create(meter, catalogue.EXCEPTIONS, observe)
        self._logger, self._active = logger, active
        return self._close

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` for all that is told, where it happens; return a function to end that."""
        self._listeners += (listener,)

        def stop() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return stop

    def capture(
        self,
        error: BaseException,
        *,
        handled: bool,
        source: Source,
        severity: Literal["ERROR", "FATAL"] = "ERROR",
        body: str = "",
        attributes: Mapping[str, Any] | None = None,
        except_for: Listener | None = None,
    ) -> bool:
        """Emit the event `exception`, unless the exception has been told.

        Args:
            error: The exception.
            handled: As in `Occurrence`.
            source: As in `Occurrence`.
            severity: As in `Occurrence`.
            body: What happened, for people.
            attributes: More about it.
            except_for: The listener that has brought it.

        Returns:
            Whether it was news.
        """
        occurrence = Occurrence(
            error=error,
            handled=handled,
            source=source,
            severity=severity,
            attributes=attributes or {},
        )
        news = self.note(occurrence, except_for=except_for)
        if news and self._logger is not None:
            try:
                _emit(self._logger, error, occurrence, body)
            except Exception:  # noqa: BLE001 - its `__str__` may raise whatever it likes
                _debug_logger.debug("an exception could not be told")
        return news

    def tells(self) -> bool:
        """Return whether anything is told at all."""
        return self._logger is not None and self._active()

    def note(self, occurrence: Occurrence, *, except_for: Listener | None = None) -> bool:
        """Count an exception that somebody else emits, and tell the listeners.

        Returns:
            Whether it was news.
        """
        error = occurrence.error
        if not self.tells():
            return False
        try:
            if error is not None:
                # Not the others: they end a program, a task or a generator as they should.
                if not isinstance(error, Exception) or not self._is_first(error):
                    return False
                self._groups.add(error, handled=occurrence.handled)
        except Exception:  # noqa: BLE001 - a class may have any `__module__`, an instance any `__dict__`
            _debug_logger.debug("an exception could not be counted")
            return False
        for listener in self._listeners:
            if listener != except_for:
                _call(listener, occurrence)
        return True

    def top(self, limit: int = 10) -> tuple[ErrorGroup, ...]:
        """Return the most frequent exceptions of this process by type and place."""
        return self._groups.top(limit)

    def restart_in_child(self) -> None:
        """Forget what the parent has counted."""
        self._groups = ErrorGroups()
        self._told = WeakValueDictionary()

    def _close(self) -> None:
        self._logger = None

    def _is_first(self, error: Exception) -> bool:
        try:
            first = self._told.get(id(error)) is not error
            self._told[id(error)] = error
        except TypeError:
            # Built-in exceptions take no weak reference, and a strong one would keep alive all
            # that their frames hold.
            first = _TOLD not in vars(error)
            vars(error)[_TOLD] = True
        return first


# One in a process: exceptions come before and after telemetry, and from anywhere.
ERRORS = ErrorTracker()
os.register_at_fork(after_in_child=ERRORS.restart_in_child)


def capture_exception(error: BaseException | None = None, **attributes: Any) -> None:
    """Tell of an exception that the application has dealt with.

    It becomes the event `exception` in the current trace, a count in `bear.exceptions` and, with
    `SENTRY_DSN`, an error in Sentry. An exception is told once: what has been told or logged as an
    error already is passed over, and so is what happens while telemetry does not run.

    Args:
        error: The exception; the one that is being handled if left out.
        attributes: More about it; scrubbed as everything is.
    """
    error = error or sys.exception()
    if error is not None:
        ERRORS.capture(error, handled=True, source="captured", attributes=attributes)


def _emit(logger: Logger, error: BaseException, occurrence: Occurrence, body: str) -> None:
    attributes: dict[str, Any] = {
        key: value if isinstance(value, str | bool | int | float) else str(value)
        for key, value in occurrence.attributes.items()
    }
    attributes |= {_HANDLED: occurrence.handled, _SOURCE: occurrence.source}
    logger.emit(
        event_name=catalogue.EXCEPTION.name,
        severity_number=SeverityNumber[occurrence.severity],
        severity_text=occurrence.severity,
        body=body or f"{name_type(type(error))} ({occurrence.source})",
        attributes=attributes,
        exception=error,
    )


def _call(listener: Listener, occurrence: Occurrence) -> None:
    try:
        listener(occurrence)
    except Exception:  # noqa: BLE001 - foreign code behind it
        _debug_logger.debug("a listener failed on an exception")
