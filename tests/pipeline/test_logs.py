"""Every log record is cleaned once, before any processor that could send it."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from pipeline_harness import EMAIL, BrokenScrubber

from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.logs import ScrubbingLogRecordProcessor
from bear_otel.privacy import Scrubber


class Keep(LogRecordProcessor):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[ReadWriteLogRecord] = []

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self.records.append(log_record)

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def create_logger_provider(scrubber: Scrubber | None = None) -> tuple[LoggerProvider, Keep]:
    """Return a provider with the scrubbing processor, and what comes out of it."""
    front = ScrubbingLogRecordProcessor(Cleaner(scrubber or Scrubber()))
    keep = Keep()
    front.add_log_record_processor(keep)
    resource = Resource({"service.name": "shop", "owner.email": EMAIL})
    provider = LoggerProvider(
        resource=resource,
        shutdown_on_exit=False,
        multi_log_record_processor=front,  # type: ignore[arg-type]
    )
    return provider, keep


def emit_everything(provider: LoggerProvider, **more: Any) -> None:
    """Emit a record that has the e-mail address in every text that a record has."""
    provider.get_logger("library", attributes={"contact": EMAIL}).emit(
        severity_number=SeverityNumber.INFO,
        severity_text=f"INFO {EMAIL}",
        body={"to": EMAIL, "nested": [{"cc": EMAIL}]},
        attributes={"contact": EMAIL, "size": 3, EMAIL: "key"},
        event_name=f"mail.{EMAIL}",
        exception=ValueError(EMAIL),
        **more,
    )


def test_no_text_of_a_record_leaves_raw() -> None:
    """Body, attributes and keys, event name, severity, exception, resource and scope."""
    provider, keep = create_logger_provider()
    emit_everything(provider)
    (record,) = keep.records
    scope = record.instrumentation_scope
    assert scope is not None
    seen = f"{vars(record.log_record)} {dict(record.log_record.attributes or {})}"
    seen += f"{record.resource.to_json() if record.resource else ''} {scope.to_json()}"
    assert EMAIL not in seen
    assert record.log_record.severity_number is SeverityNumber.INFO
    assert (record.log_record.attributes or {})["size"] == 3


def test_a_bug_in_the_scrubber_costs_the_text_and_not_the_record() -> None:
    """What cannot be scrubbed does not leave; severity and times do, and the error is counted."""
    scrubber = BrokenScrubber()
    provider, keep = create_logger_provider(scrubber)
    emit_everything(provider)
    record = keep.records[0].log_record
    assert EMAIL not in str(vars(record))
    assert (record.body, record.severity_number) == ("[REDACTED:error]", SeverityNumber.INFO)
    assert scrubber.errors == 1


def test_the_clean_record_leads_to_no_baggage() -> None:
    """A processor behind the scrubber finds the trace in the context, and nothing else."""
    provider, keep = create_logger_provider()
    span_context = SpanContext(5, 6, is_remote=False, trace_flags=TraceFlags(1))
    context = trace.set_span_in_context(NonRecordingSpan(span_context), Context())
    emit_everything(provider, context=baggage.set_baggage("user", EMAIL, context))
    record = keep.records[0].log_record
    assert (record.trace_id, record.span_id) == (5, 6)
    assert record.context is not None
    assert baggage.get_all(record.context) == {}


def test_a_record_without_a_trace_takes_none_from_who_cleans_it() -> None:
    """Cleaning happens later and elsewhere, perhaps below a span that has nothing to do with it."""
    provider, keep = create_logger_provider()
    emit_everything(provider)
    other = NonRecordingSpan(SpanContext(7, 8, is_remote=False))
    with trace.use_span(other):
        assert keep.records[0].log_record.trace_id == 0


@pytest.mark.parametrize("processors", [0, 1], ids=["nobody listens", "somebody listens"])
def test_a_logger_is_enabled_if_a_processor_is(processors: int) -> None:
    """Instrumentations ask before they build a record."""
    front = ScrubbingLogRecordProcessor(Cleaner(Scrubber()))
    for _ in range(processors):
        front.add_log_record_processor(SimpleLogRecordProcessor(InMemoryLogRecordExporter()))
    provider = LoggerProvider(
        shutdown_on_exit=False,
        multi_log_record_processor=front,  # type: ignore[arg-type]
    )
    assert provider.get_logger("library").enabled() is bool(processors)
