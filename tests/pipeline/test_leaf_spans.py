"""A leaf is the span that the SDK would have made, and is made only where that holds."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    ParentBased,
    Sampler,
)
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)
from pipeline_harness import EMAIL
from typing_extensions import override

from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.leaf_spans import LeafSpan, create_leaf_tracer
from bear_otel.pipeline.sampling import ShareSampler
from bear_otel.pipeline.spans import ScrubbingSpanProcessor
from bear_otel.privacy import Scrubber

REMOTE = SpanContext(7, 8, True, TraceFlags(1), TraceState([("vendor", "value")]))


class Keep(SpanProcessor):
    """Keeps what has ended, and does not care what starts."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    @override
    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class Watch(SpanProcessor):
    """Adds an attribute to what starts, as some processors do."""

    @override
    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        span.set_attribute("watched", True)


def create_provider(**options: Any) -> tuple[TracerProvider, Keep]:
    """Return a provider with our processor in front, and what keeps the clean spans."""
    processor, keep = ScrubbingSpanProcessor(Cleaner(Scrubber())), Keep()
    processor.add_span_processor(keep)
    provider = TracerProvider(
        active_span_processor=processor,  # pyright: ignore[reportArgumentType] - duck typed
        shutdown_on_exit=False,
        **options,
    )
    return provider, keep


def create_tracers(provider: TracerProvider) -> tuple[Tracer, Tracer]:
    """Return the SDK's tracer and ours."""
    return provider.get_tracer("leaves", "1"), create_leaf_tracer(provider, "leaves", "1")


def start_parent(provider: TracerProvider, above: SpanContext = REMOTE) -> Span:
    """Return a span of this process whose own parent may be in another one."""
    context = set_span_in_context(NonRecordingSpan(above), Context())
    return provider.get_tracer("parent").start_span("parent", context)


def describe(span: ReadableSpan) -> dict[str, Any]:
    """Return all of a span but its id and its times."""
    context = span.context
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time >= span.start_time
    return {
        "name": span.name,
        "trace": (context.trace_id, context.is_remote, context.trace_flags, context.trace_state),
        "parent": span.parent,
        "kind": span.kind,
        "status": (span.status.status_code, span.status.description),
        "attributes": dict(span.attributes or {}),
        "events": span.events,
        "links": span.links,
        "resource": span.resource,
        "scope": span.instrumentation_scope,
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
    }


@pytest.mark.parametrize(
    ("sampler", "flags"),
    [
        pytest.param(DEFAULT_ON, 1, id="default"),
        pytest.param(DEFAULT_OFF, 1, id="off by default"),
        pytest.param(ShareSampler(1.0), 1, id="share"),
        pytest.param(ShareSampler(0.0), 0, id="share that only records"),
    ],
)
@pytest.mark.parametrize("failed", [False, True], ids=["fine", "failed"])
def test_a_leaf_is_what_the_sdk_would_have_made(sampler: Sampler, flags: int, failed: bool) -> None:
    """But for its id and its times."""
    provider, keep = create_provider(sampler=sampler)
    above = SpanContext(7, 8, True, TraceFlags(flags), TraceState([("vendor", "value")]))
    parent = set_span_in_context(start_parent(provider, above), Context())
    for tracer, ours in zip(create_tracers(provider), (False, True), strict=True):
        attributes = {"db.query.summary": "SELECT items", "user.email": EMAIL}
        span = tracer.start_span("SELECT", parent, SpanKind.CLIENT, attributes)
        assert isinstance(span, LeafSpan) is ours
        assert span.is_recording()
        if failed:
            span.set_attributes({"error.type": "TimeoutError", "server.port": 5433})
            span.set_status(StatusCode.ERROR)
        span.end()
        assert not span.is_recording()
    by_sdk, by_us = (describe(span) for span in keep.spans)
    assert by_us == by_sdk
    assert EMAIL not in repr(by_us)


def test_times_and_texts_that_are_given_are_kept() -> None:
    """As for any span."""
    provider, keep = create_provider()
    parent = set_span_in_context(start_parent(provider), Context())
    for tracer in create_tracers(provider):
        span = tracer.start_span("CONNECT", parent, start_time=17)
        span.set_attribute("key", "value")
        span.set_status(Status(StatusCode.ERROR, f"no answer to {EMAIL}"))
        span.end(19)
        span.end(23)
    by_sdk, by_us = ((describe(span), span.start_time, span.end_time) for span in keep.spans)
    assert by_us == by_sdk
    assert by_us[1:] == (17, 19)


def test_attributes_that_are_shared_are_not_changed() -> None:
    """All calls of one statement have the same mapping."""
    provider, _ = create_provider()
    parent = set_span_in_context(start_parent(provider), Context())
    shared = {"db.query.summary": "SELECT items"}
    span = create_tracers(provider)[1].start_span("SELECT", parent, attributes=shared)
    span.set_attributes({"error.type": "TimeoutError"})
    span.end()
    assert shared == {"db.query.summary": "SELECT items"}


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        pytest.param({"sampler": ALWAYS_ON}, {}, id="a sampler that asks no parent"),
        pytest.param(
            {"sampler": ParentBased(ALWAYS_ON, local_parent_sampled=ALWAYS_OFF)},
            {},
            id="a sampler that drops leaves",
        ),
        pytest.param(
            {"span_limits": SpanLimits(max_span_attribute_length=10)}, {}, id="a limit of length"
        ),
        pytest.param(
            {"span_limits": SpanLimits(max_span_attributes=2)}, {}, id="a limit of number"
        ),
        pytest.param({}, {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"}, id="self-metrics"),
    ],
)
def test_what_makes_a_difference_is_left_to_the_sdk(
    options: dict[str, Any], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It alone knows what to do about it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    provider, _ = create_provider(**options)
    parent = set_span_in_context(start_parent(provider), Context())
    span = create_tracers(provider)[1].start_span("SELECT", parent)
    assert not isinstance(span, LeafSpan)


@pytest.mark.parametrize(
    "parent",
    [
        pytest.param(None, id="no parent"),
        pytest.param(NonRecordingSpan(REMOTE), id="a parent in another process"),
        pytest.param(
            NonRecordingSpan(SpanContext(7, 8, False, TraceFlags(0))), id="a parent that is dropped"
        ),
    ],
)
def test_only_spans_below_recorded_ones_are_leaves(parent: Span | None) -> None:
    """What begins here has to be decided first."""
    provider, _ = create_provider()
    context = Context() if parent is None else set_span_in_context(parent, Context())
    span = create_tracers(provider)[1].start_span("SELECT", context)
    assert not isinstance(span, LeafSpan)


def test_a_processor_that_watches_starts_sees_all_of_them() -> None:
    """Also one that is added later; it may add attributes."""
    provider, keep = create_provider()
    parent = set_span_in_context(start_parent(provider), Context())
    tracer = create_tracers(provider)[1]
    provider.add_span_processor(Watch())
    tracer.start_span("SELECT", parent).end()
    assert dict(keep.spans[-1].attributes or {}) == {"watched": True}


def test_a_provider_without_our_processor_makes_its_own_spans() -> None:
    """Nothing would scrub a leaf there."""
    assert type(create_leaf_tracer(TracerProvider(shutdown_on_exit=False), "x", "1")) is type(
        TracerProvider(shutdown_on_exit=False).get_tracer("x")
    )
