"""What has been logged, without the context of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.trace import get_current_span

if TYPE_CHECKING:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.sdk._logs import LogRecordLimits, ReadWriteLogRecord
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, TraceFlags


class RawLogRecord(NamedTuple):
    """What was logged, without the context: it leads to baggage and to the live span.

    As for spans: a record that waits should not keep the garbage collector busy, least of all
    with the request that it belongs to.
    """

    timestamp: int | None
    observed_timestamp: int
    severity_number: SeverityNumber | None
    severity_text: str | None
    body: Any
    attributes: dict[str, Any]
    event_name: str | None
    current: SpanContext
    trace: tuple[int, int, TraceFlags]
    resource: Resource | None
    scope: InstrumentationScope | None
    limits: LogRecordLimits
    dropped_attributes: int


def read_record(record: ReadWriteLogRecord) -> RawLogRecord:
    """Return what a log record of the SDK holds."""
    log = record.log_record
    attributes: Any = log.attributes
    return RawLogRecord(
        log.timestamp,
        log.observed_timestamp,
        log.severity_number,
        log.severity_text,
        log.body,
        # The SDK's own mapping takes a Python call for each key; its copy is a dict.
        {} if attributes is None else attributes.copy(),
        log.event_name,
        get_current_span(log.context).get_span_context(),
        (log.trace_id, log.span_id, log.trace_flags),
        record.resource,
        record.instrumentation_scope,
        record.limits,
        record.dropped_attributes,
    )
