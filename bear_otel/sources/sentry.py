"""Send errors, and nothing else, to Sentry through its own SDK.

None of the SDK's integrations is used: they would report what `sources/errors.py` sees as well,
record requests and breadcrumbs, and measure what OpenTelemetry measures.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import sentry_sdk
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sentry_sdk.transport import HttpTransport
from sentry_sdk.utils import BadDsn, Dsn, event_from_exception
from typing_extensions import override

from bear_otel.sources.sentry_gate import SENTRY_GATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry_sdk.envelope import Envelope

    from bear_otel.sources.errors import ErrorTracker, Occurrence

__all__ = ["BadDsn", "SentryErrors", "is_taken"]

logger = logging.getLogger("bear_otel")

# Marks the events that come from us.
_OURS = "bear_otel"

# `send_default_pii` is not set: it is off, and setting it at all is deprecated.
_OPTIONS: dict[str, Any] = {
    "default_integrations": False,
    "auto_enabling_integrations": False,
    "auto_session_tracking": False,
    "enable_backpressure_handling": False,  # a thread
    "include_local_variables": False,
    "include_source_context": False,
    "max_breadcrumbs": 0,
    "max_request_body_size": "never",
    "propagate_traces": False,
    "server_name": "",
    "shutdown_timeout": 0,  # we flush, with all the others
    "spotlight": False,
}


def is_taken() -> bool:
    """Return whether the application has set up Sentry already."""
    return sentry_sdk.get_client().is_active()


class SentryErrors:
    """Hands to Sentry what the error tracker tells.

    An application that calls `sentry_sdk.init` itself takes over: its client reports then, in its
    own way, and this is silent.

    Args:
        dsn: Sentry's address of the project.
        environment: Environment of the errors.
        release: Release of the errors.
        errors: Tells of errors, and learns of those that the application captures through Sentry.

    Raises:
        BadDsn: The address is none.
    """

    def __init__(self, dsn: str, *, environment: str, release: str, errors: ErrorTracker) -> None:
        Dsn(dsn)
        self._errors = errors
        # An empty release keeps the SDK from asking git for one.
        self._options = {
            **_OPTIONS,
            "dsn": dsn,
            "environment": environment,
            "release": release,
            "transport": _QuietTransport,
            "before_send": self._check,
        }
        self._client = self._create_client()
        self._used = False

    def start(self) -> Callable[[], None]:
        """Begin to report; return a function that ends it, after which there is only to flush."""
        scope = sentry_sdk.get_global_scope()
        scope.set_client(self._client)
        os.register_at_fork(after_in_child=self._restart_in_child)
        stop_listening = self._errors.listen(self._report)

        def stop() -> None:
            stop_listening()
            if self._reports():
                scope.set_client(None)

        return stop

    def flush(self, timeout_seconds: float) -> None:
        """Send what waits, within the time."""
        if self._used and timeout_seconds > 0:
            self._client.flush(timeout=timeout_seconds)

    def _create_client(self) -> sentry_sdk.Client:
        client = sentry_sdk.Client(**self._options)
        SENTRY_GATE.guard(client)  # it is already, if the import hook has done its work
        return client

    def _reports(self) -> bool:
        return sentry_sdk.get_client() is self._client

    def _restart_in_child(self) -> None:
        """Leave queue and connection to the parent: both would be used twice."""
        if self._reports():
            self._used = False
            self._client = self._create_client()
            sentry_sdk.get_global_scope().set_client(self._client)

    def _report(self, occurrence: Occurrence) -> None:
        if not self._reports():
            return
        self._used = True
        event: Any = {}
        hint: dict[str, Any] = {}
        if occurrence.error is not None:
            event, hint = event_from_exception(
                occurrence.error,
                client_options=self._client.options,
                mechanism={"type": occurrence.source, "handled": occurrence.handled},
            )
        if occurrence.attributes:
            event["extra"] = dict(occurrence.attributes)
        event["level"] = occurrence.severity.lower()
        if record := occurrence.record:
            event["logger"] = record.name
            # Sentry groups by the text without its arguments.
            event["logentry"] = {"message": str(record.msg), "formatted": record.getMessage()}
        sentry_sdk.capture_event(event, {**hint, _OURS: True})

    def _check(self, event: Any, hint: dict[str, Any]) -> Any:
        """Let an event pass once: the application may have captured what we have reported."""
        self._used = True
        error = (hint.get("exc_info") or (None, None))[1]
        if _OURS not in hint and isinstance(error, Exception) and self._errors.tells():
            news = self._errors.capture(
                error, handled=True, source="captured", except_for=self._report
            )
            if not news:
                return None
        return SENTRY_GATE.scrub_event(event)


class _QuietTransport(HttpTransport):
    """Sends without a span of its own requests, and says once if that fails."""

    _failed = False

    @override
    def on_dropped_event(self, _reason: str) -> None:
        if not self._failed:
            self._failed = True
            logger.warning("Sentry has not taken an error (%s); this is said once", _reason)

    @override
    def _send_envelope(self, envelope: Envelope) -> None:
        with suppress_instrumentation():
            super()._send_envelope(envelope)
