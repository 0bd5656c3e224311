"""A light span is the one that the SDK would have made, whatever is done with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import (
    Link,
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
from bear_otel.pipeline.light_spans import LightSpan
from bear_otel.pipeline.light_tracers import find_recorder, lighten
from bear_otel.pipeline.sampling import ShareSampler
from bear_otel.pipeline.spans import ScrubbingSpanProcessor
from bear_otel.privacy import Scrubber

REMOTE = SpanContext(7, 8, True, TraceFlags(1), TraceState([("vendor", "value")]))
LOCAL = SpanContext(7, 8, False, TraceFlags(1))
UNSAMPLED = SpanContext(7, 8, True, TraceFlags(0))


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


class Recording(Sampler):
    """Lets spans be recorded, and nobody keep them."""

    @override
    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY)

    @override
    def get_description(self) -> str:
        return "Recording"


class Tagging(Sampler):
    """Adds an attribute of its own, as samplers may."""

    @override
    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_AND_SAMPLE, {"sampler": "tagging", "list": [1]})

    @override
    def get_description(self) -> str:
        return "Tagging"


def create_tracer(light: bool, **options: Any) -> tuple[Tracer, Keep, TracerProvider]:
    """Return a tracer behind our processor, and what keeps the clean spans."""
    processor, keep = ScrubbingSpanProcessor(Cleaner(Scrubber())), Keep()
    processor.add_span_processor(keep)
    provider = TracerProvider(
        active_span_processor=processor,  # pyright: ignore[reportArgumentType] - duck typed
        shutdown_on_exit=False,
        **options,
    )
    if light:
        lighten(provider, processor)
    return provider.get_tracer("scope", "1", attributes={"of": "scope"}), keep, provider


def describe(span: ReadableSpan) -> dict[str, Any]:
    """Return all of a span but its ids and its times."""
    context = span.context
    assert context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time >= span.start_time
    return {
        "name": span.name,
        "flags": (context.is_remote, context.trace_flags, context.trace_state),
        "parent": span.parent if span.parent is None or span.parent.is_remote else "a local one",
        "kind": span.kind,
        "status": (span.status.status_code, span.status.description),
        "attributes": dict(span.attributes or {}),
        "events": [(each.name, dict(each.attributes or {})) for each in span.events],
        "links": [(each.context, dict(each.attributes or {})) for each in span.links],
        "resource": span.resource,
        "scope": span.instrumentation_scope,
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
    }


def above(context: SpanContext | None) -> Context:
    """Return a context with that span in it, or with none."""
    return Context() if context is None else set_span_in_context(NonRecordingSpan(context))


# Each gets the tracer and starts, changes and ends spans; in the end, all that arrived is compared.
def nothing(tracer: Tracer) -> None:
    """Start and end it."""
    tracer.start_span("GET", above(None)).end()


def a_request(tracer: Tracer) -> None:
    """Do what a web framework does."""
    attributes = {"url.path": "/items/3", "user.email": EMAIL}
    span = tracer.start_span("GET", above(REMOTE), SpanKind.SERVER, attributes)
    span.set_attribute("http.route", "/items/{number}")
    span.update_name("GET /items/{number}")
    span.set_attributes({"http.response.status_code": 200, "url.path": "/items/4", "ratio": 0.5})
    span.end()


def a_query_below_it(tracer: Tracer) -> None:
    """Do what a database client does."""
    with tracer.start_as_current_span("GET", above(REMOTE)):
        span = tracer.start_span("SELECT", kind=SpanKind.CLIENT, attributes={"db.system.name": "x"})
        span.set_status(StatusCode.ERROR)
        span.end()


def below_each_kind_of_parent(tracer: Tracer) -> None:
    """Follow other processes, and spans that nobody keeps."""
    for parent in (LOCAL, UNSAMPLED, SpanContext(7, 8, True, TraceFlags(3))):
        span = tracer.start_span("GET", above(parent))
        context = span.get_span_context()
        span.set_attribute("recording", f"{span.is_recording()} {context.trace_flags!r}")
        span.end()


def statuses(tracer: Tracer) -> None:
    """Change the status, in and out of turn."""
    for changes in (
        [(StatusCode.ERROR, f"no answer to {EMAIL}")],
        [(Status(StatusCode.ERROR, "one"),), (StatusCode.UNSET,)],
        [(StatusCode.OK,), (StatusCode.ERROR, "too late")],
        [(Status(StatusCode.ERROR), "ignored"), (Status(StatusCode.OK),)],
        [("nonsense",)],
    ):
        span = tracer.start_span("GET", above(None))
        for change in changes:
            span.set_status(*change)
        span.end()


def values_of_every_type(tracer: Tracer) -> None:
    """Give what is no text and no number, too."""
    values = ["text", 1, 0.5, True, None, b"bytes", [1, 2], ("a", "b"), {"a": {"b": [1]}}, object]
    for value in values:
        at_start = tracer.start_span("GET", above(None), attributes={"first": 1, "value": value})
        at_start.end()
        later = tracer.start_span("GET", above(None), attributes={"first": 1})
        later.set_attribute("value", value)
        later.set_attributes({"more": 2, "value": value})
        later.end()


def keys_of_every_type(tracer: Tracer) -> None:
    """Give keys that are none."""
    span = tracer.start_span("GET", above(None), attributes={"": 1, "good": 2})
    span.set_attributes({"": 1, "better": 2})
    span.set_attribute("", 3)
    span.end()


def very_many_attributes(tracer: Tracer) -> None:
    """Give more than the SDK keeps."""
    span = tracer.start_span("GET", above(None), attributes={f"start.{n}": n for n in range(60)})
    for number in range(100):
        span.set_attribute(f"later.{number}", number)
    span.end()


def events_and_links(tracer: Tracer) -> None:
    """Add what has attributes of its own."""
    linked = Link(REMOTE, {"user.email": EMAIL})
    span = tracer.start_span("GET", above(None), attributes={"first": 1}, links=[linked])
    span.end()
    span = tracer.start_span("GET", above(None), attributes={"first": 1})
    span.add_event("one", {"user.email": EMAIL})
    span.set_attribute("second", 2)
    span.add_link(REMOTE, {"two": 2})
    span.update_name("renamed")
    span.set_status(StatusCode.ERROR, "late")
    span.record_exception(ValueError(EMAIL))
    span.end()


def exceptions(tracer: Tracer) -> None:
    """Leave the block by an exception."""
    for options in ({}, {"record_exception": False}, {"set_status_on_exception": False}):
        for start in (tracer.start_span, tracer.start_as_current_span):
            try:
                with start("GET", above(None), **options):
                    raise ValueError(EMAIL)
            except ValueError:
                pass


def reading(tracer: Tracer) -> None:
    """Look at what the span holds, before and after its end."""
    span: Any = tracer.start_span("GET", above(REMOTE), attributes={"first": 1})
    found = [span.name, dict(span.attributes), span.kind, span.status.status_code, span.events]
    found += [span.parent, span.resource.attributes, span.instrumentation_scope, span.end_time]
    found += [span.is_recording(), "GET" in repr(span), '"first": 1' in span.to_json()]
    span.set_attribute("found", repr(found))
    span.end()
    after = tracer.start_span("after", above(None))
    after.set_attribute("found", repr([span.is_recording(), span.end_time > 0, span.name]))
    after.end()


def after_the_end(tracer: Tracer) -> None:
    """Do everything too late."""
    span = tracer.start_span("GET", above(None), attributes={"first": 1})
    span.end()
    span.set_attribute("late", 1)
    span.update_name("late")
    span.set_status(StatusCode.ERROR)
    span.add_event("late")
    span.end()


DEEDS = [
    nothing,
    a_request,
    a_query_below_it,
    below_each_kind_of_parent,
    statuses,
    values_of_every_type,
    keys_of_every_type,
    very_many_attributes,
    events_and_links,
    exceptions,
    reading,
    after_the_end,
]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(DEFAULT_ON, id="default"),
        pytest.param(DEFAULT_OFF, id="off by default"),
        pytest.param(ALWAYS_ON, id="always"),
        pytest.param(ParentBased(ALWAYS_ON, local_parent_sampled=ALWAYS_OFF), id="no children"),
        pytest.param(ParentBased(Recording()), id="only recorded"),
        pytest.param(ShareSampler(1.0), id="share"),
        pytest.param(ShareSampler(0.0), id="share that only records"),
        pytest.param(Tagging(), id="with attributes"),
    ],
)
def test_whatever_is_done_gives_the_sdks_spans(
    deed: Callable[[Tracer], None], sampler: Sampler, caplog: pytest.LogCaptureFixture
) -> None:
    """But for ids and times; and the SDK warns of the same."""
    found = []
    for light in (False, True):
        caplog.clear()
        tracer, keep, _ = create_tracer(light, sampler=sampler)
        deed(tracer)
        found.append(([describe(span) for span in keep.spans], caplog.messages))
    by_sdk, by_us = found
    assert by_us == by_sdk
    assert EMAIL not in repr(by_us[0])


@pytest.mark.parametrize("sampler", [DEFAULT_ON, ALWAYS_OFF, Tagging(), ShareSampler(0.0)])
@pytest.mark.parametrize("watched", [False, True], ids=["", "watched"])
@pytest.mark.parametrize("parent", [None, LOCAL, REMOTE, "recorded"], ids=str)
def test_a_span_that_is_over_is_the_one_that_was_not_recorded_in_time(
    sampler: Sampler, watched: bool, parent: SpanContext | str | None
) -> None:
    """Whatever is above it, and whoever wants to see what starts."""
    shared = {"db.query.summary": "SELECT items", "user.email": EMAIL}
    found = []
    for light in (False, True):
        tracer, keep, provider = create_tracer(light, sampler=sampler)
        if watched:
            provider.add_span_processor(Watch())
        root = tracer.start_span("GET", above(REMOTE)) if isinstance(parent, str) else None
        context = set_span_in_context(root) if root else above(parent)  # pyright: ignore[reportArgumentType] - no text is left
        if light:
            record = find_recorder(tracer)
            assert record is not None
            record("SELECT", context, SpanKind.CLIENT, shared, 17, 19)
        else:
            tracer.start_span("SELECT", context, SpanKind.CLIENT, shared, start_time=17).end(19)
        if root:
            root.end()
        times = [(each.start_time, each.end_time) for each in keep.spans if each.name == "SELECT"]
        found.append(([describe(span) for span in keep.spans], times))
    by_sdk, by_us = found
    assert by_us == by_sdk
    assert EMAIL in shared.values()


def test_a_span_that_is_over_is_never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what is saved."""
    tracer, keep, _ = create_tracer(light=True)
    record = find_recorder(tracer)
    assert record is not None
    started: list[object] = []
    context = set_span_in_context(tracer.start_span("GET", above(REMOTE)))
    monkeypatch.setattr(LightSpan, "__init__", lambda *arguments: started.append(arguments))
    record("SELECT", context, SpanKind.CLIENT, {}, 17, 19)
    assert [span.name for span in keep.spans] == ["SELECT"]
    assert not started


def test_a_tracer_of_the_sdk_records_no_span_that_is_over() -> None:
    """Then it starts and ends one."""
    tracer, _, _ = create_tracer(light=False)
    assert find_recorder(tracer) is None


def test_a_span_is_light_until_it_is_asked_for_more() -> None:
    """Else all of this would be for nothing; to the application it is the SDK's span."""
    tracer, keep, _ = create_tracer(light=True)
    span = tracer.start_span("GET", above(REMOTE), SpanKind.SERVER, {"url.path": "/"})
    span.set_attributes({"http.route": "/"})
    span.update_name("GET /")
    span.set_status(StatusCode.ERROR)
    span.end()
    assert isinstance(span, LightSpan)
    assert isinstance(span, ReadableSpan)
    assert "_bear_unfolded" not in vars(span)
    assert len(keep.spans) == 1


def test_times_that_are_given_are_kept() -> None:
    """As for any span, unfolded or not."""
    for add_event in (False, True):
        tracer, keep, _ = create_tracer(light=True)
        span = tracer.start_span("CONNECT", above(None), start_time=17)
        if add_event:
            span.add_event("waited", timestamp=18)
        span.end(19)
        span.end(23)
        assert [(each.start_time, each.end_time) for each in keep.spans] == [(17, 19)]


def test_attributes_that_are_shared_are_not_changed() -> None:
    """All calls of one statement have the same mapping."""
    tracer, _, _ = create_tracer(light=True)
    shared = {"db.query.summary": "SELECT items"}
    span = tracer.start_span("SELECT", above(None), attributes=shared)
    span.set_attributes({"error.type": "TimeoutError"})
    span.end()
    assert shared == {"db.query.summary": "SELECT items"}


@pytest.mark.parametrize(
    ("options", "variables"),
    [
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
    tracer, _, _ = create_tracer(light=True, **options)
    assert not isinstance(tracer.start_span("SELECT", above(None)), LightSpan)


def test_a_processor_that_watches_starts_sees_the_sdks_spans() -> None:
    """Also one that is added later; it may add attributes."""
    tracer, keep, provider = create_tracer(light=True)
    provider.add_span_processor(Watch())
    span = tracer.start_span("SELECT", above(None))
    span.end()
    assert not isinstance(span, LightSpan)
    assert dict(keep.spans[-1].attributes or {}) == {"watched": True}


def test_a_child_process_speaks_for_itself() -> None:
    """What a fork changes in the resource is in the spans that begin before and end after it."""
    tracer, keep, provider = create_tracer(light=True)
    span = tracer.start_span("SELECT", above(None))
    changed = provider.resource.merge(type(provider.resource)({"process.pid": 17}))
    tracer.resource = changed  # pyright: ignore[reportAttributeAccessIssue] - as the SDK does after a fork
    span.end()
    assert keep.spans[0].resource.attributes["process.pid"] == 17


def test_threads_that_unfold_a_span_at_once_lose_nothing() -> None:
    """Each adds an event and an attribute."""
    for _ in range(50):
        tracer, keep, _ = create_tracer(light=True)
        span: Span = tracer.start_span("GET", above(None))
        ready = threading.Barrier(4)

        def change(number: int, span: Span = span, ready: threading.Barrier = ready) -> None:
            ready.wait()
            span.set_attribute(f"plain.{number}", number)
            span.add_event(f"event.{number}")

        threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        span.end()
        (kept,) = keep.spans
        assert {event.name for event in kept.events} == {f"event.{n}" for n in range(4)}
        assert set(kept.attributes or {}) == {f"plain.{n}" for n in range(4)}
