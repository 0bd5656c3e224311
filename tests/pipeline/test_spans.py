"""Every span is cleaned once, before any processor that could send it."""

from __future__ import annotations

import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState
from pipeline_harness import EMAIL, Broken, BrokenScrubber, Keep, create_tracer_provider


def record_everything(provider: TracerProvider) -> None:
    """End a span that has the e-mail address in every text that a span has."""
    tracer = provider.get_tracer("library", "1.0", attributes={"contact": EMAIL})
    state = TraceState([("vendor", EMAIL.replace("@", "_at_"))])
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    span = tracer.start_span(
        f"send to {EMAIL}",
        kind=SpanKind.CLIENT,
        attributes={"contact": EMAIL, "size": 3, "tags": ("a", EMAIL), EMAIL: "key"},
        links=[Link(remote, {"contact": EMAIL})],
    )
    span.add_event(f"sent to {EMAIL}", {"contact": EMAIL})
    span.record_exception(ValueError(f"bad address {EMAIL}"))
    span.set_status(Status(StatusCode.ERROR, f"cannot send to {EMAIL}"))
    span.end()


def test_no_text_of_a_span_leaves_raw() -> None:
    """Name, attributes and their keys, events, links, status and scope pass the scrubber."""
    provider, _ = create_tracer_provider()
    keep = Keep()
    provider.add_span_processor(keep)
    record_everything(provider)
    (span,) = keep.ended
    scope = span.instrumentation_scope
    assert scope is not None
    seen = f"{span.to_json()} {vars(span)['_attributes']} {span.links} {scope.to_json()}"
    assert EMAIL not in seen
    assert span.attributes is not None
    assert span.attributes["contact"] == "[REDACTED:email]"
    assert span.attributes["size"] == 3
    assert span.status.status_code is StatusCode.ERROR
    assert (span.kind, span.name) == (SpanKind.CLIENT, "send to [REDACTED:email]")


def test_what_is_harmless_stays_as_it_is() -> None:
    """Ids, times, kind, status code and harmless attributes come out unchanged."""
    provider, _ = create_tracer_provider()
    keep = Keep()
    provider.add_span_processor(keep)
    with provider.get_tracer("library").start_as_current_span("parent") as parent:
        child = provider.get_tracer("library").start_span("GET /orders/{id}", start_time=10)
        child.set_attribute("http.response.status_code", 200)
        child.end(20)
    span = keep.ended[0]
    assert span.context is not None
    assert span.parent is not None
    assert span.context.trace_id == parent.get_span_context().trace_id
    assert span.parent.span_id == parent.get_span_context().span_id
    assert (span.name, span.start_time, span.end_time) == ("GET /orders/{id}", 10, 20)
    assert dict(span.attributes or {}) == {"http.response.status_code": 200}


def test_a_processor_that_is_added_later_sees_clean_spans_too() -> None:
    """The order in which processors are added does not matter."""
    provider, _ = create_tracer_provider()
    exporters = [InMemorySpanExporter(), InMemorySpanExporter()]
    for exporter in exporters:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    record_everything(provider)
    for exporter in exporters:
        (span,) = exporter.get_finished_spans()
        assert EMAIL not in span.to_json()


def test_an_exception_of_a_processor_reaches_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The application goes on, the other processors get the span, and it is said once."""
    provider, front = create_tracer_provider()
    keep = Keep()
    provider.add_span_processor(Broken())
    provider.add_span_processor(keep)
    with caplog.at_level(logging.ERROR, "bear_otel"):
        record_everything(provider)
        record_everything(provider)
        assert front.force_flush() is False
    assert len(keep.started) == len(keep.ended) == 2
    assert len(caplog.records) == 1
    assert "Broken failed with RuntimeError" in caplog.text
    assert EMAIL not in caplog.text


def test_a_bug_in_the_scrubber_costs_the_text_and_not_the_trace() -> None:
    """What cannot be scrubbed does not leave; ids and times do, and the error is counted."""
    scrubber = BrokenScrubber()
    provider, _ = create_tracer_provider(scrubber)
    keep = Keep()
    provider.add_span_processor(keep)
    record_everything(provider)
    (span,) = keep.ended
    assert EMAIL not in span.to_json()
    assert span.name == "[REDACTED:error]"
    assert span.context is not None
    assert span.context.trace_id
    assert scrubber.errors == 1


def test_dropped_counts_survive_the_clean_copy() -> None:
    """What a limit of the SDK has cut is still counted."""
    provider, _ = create_tracer_provider()
    keep = Keep()
    provider.add_span_processor(keep)
    span = provider.get_tracer("library").start_span("many")
    for number in range(200):
        span.set_attribute(f"attribute.{number}", number)
        span.add_event(str(number))
    span.end()
    assert (keep.ended[0].dropped_attributes, keep.ended[0].dropped_events) == (72, 72)


def test_nothing_is_scrubbed_before_somebody_looks() -> None:
    """On the thread of the request, only what a batching processor asks for is worked out."""
    scrubber = BrokenScrubber()
    provider, _ = create_tracer_provider(scrubber)
    keep = Keep()
    provider.add_span_processor(keep)
    record_everything(provider)
    (span,) = keep.ended
    assert span.context is not None
    assert span.context.trace_flags.sampled
    assert scrubber.errors == 0


def test_a_live_span_may_be_read_in_on_start() -> None:
    """The specification lets a processor change the span that starts."""
    provider, _ = create_tracer_provider()
    keep = Keep()
    provider.add_span_processor(keep)
    span = provider.get_tracer("library").start_span("live")
    assert keep.started == [span]
    assert trace.get_current_span() is not span
    span.end()
