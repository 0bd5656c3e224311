"""The service with FastAPI's own instrumentation, set up as ours does, and nobody who records.

What this costs is below whatever an SDK could do.
"""

from __future__ import annotations

import functools
from typing import Any

from fastapi import FastAPI
from opentelemetry import _logs, metrics, trace

# Each is a class of its own, since FastAPI switches itself off for those of OpenTelemetry's API.
_SPAN = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))


class Tracer(trace.NoOpTracer):
    """Starts the same span again and again."""

    def start_span(self, *_: Any, **__: Any) -> trace.Span:
        """Return a span that records nothing."""
        return _SPAN


class TracerProvider(trace.TracerProvider):
    """Has one tracer."""

    _tracer = Tracer()

    def get_tracer(self, *_: Any, **__: Any) -> trace.Tracer:
        """Return it."""
        return self._tracer


class MeterProvider(metrics.MeterProvider):
    """Has one meter."""

    _meter = metrics.NoOpMeter("floor")

    def get_meter(self, *_: Any, **__: Any) -> metrics.Meter:
        """Return it."""
        return self._meter


class LoggerProvider(_logs.LoggerProvider):
    """Has one logger."""

    _logger = _logs.NoOpLogger("floor")

    def get_logger(self, *_: Any, **__: Any) -> _logs.Logger:
        """Return it."""
        return self._logger


trace.set_tracer_provider(TracerProvider())
metrics.set_meter_provider(MeterProvider())
_logs.set_logger_provider(LoggerProvider())
FastAPI.__init__ = functools.partialmethod(FastAPI.__init__, telemetry={"operation_spans": False})

from service import app  # noqa: E402 - made only now

__all__ = ["app"]
