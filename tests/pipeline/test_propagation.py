"""Only what is known to be harmless travels to other services."""

from __future__ import annotations

import pytest
from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.span import TraceState
from pipeline_harness import EMAIL

from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.propagation import ScrubbingPropagator
from bear_otel.privacy import Scrubber

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def create_propagator(*baggage_keys: str) -> ScrubbingPropagator:
    """Return our propagator around OpenTelemetry's default ones."""
    inner = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    return ScrubbingPropagator(inner, Cleaner(Scrubber()), frozenset(baggage_keys))


def inject(propagator: ScrubbingPropagator, state: str = "", **items: str) -> dict[str, str]:
    """Return the headers of a request that is made below a span with baggage."""
    trace_state = TraceState.from_header([state]) if state else None
    span_context = SpanContext(
        1, 2, is_remote=False, trace_flags=TraceFlags(1), trace_state=trace_state
    )
    context = trace.set_span_in_context(NonRecordingSpan(span_context), Context())
    for key, value in items.items():
        context = baggage.set_baggage(key, value, context)
    headers: dict[str, str] = {}
    propagator.inject(headers, context)
    return headers


TRACEPARENT = {"traceparent": f"00-{1:032x}-{2:016x}-01"}


def test_the_trace_goes_on() -> None:
    """The header that makes one trace of two services is untouched."""
    assert inject(create_propagator()) == TRACEPARENT


@pytest.mark.parametrize(
    ("allowed", "items", "header"),
    [
        ((), {"user": EMAIL, "plan": "gold"}, None),
        (("plan",), {"user": EMAIL, "plan": "gold"}, "plan=gold"),
        (("plan",), {"user": EMAIL}, None),
    ],
    ids=["none is allowed", "one is allowed", "the allowed one is not there"],
)
def test_baggage_leaves_by_an_allow_list(
    allowed: tuple[str, ...], items: dict[str, str], header: str | None
) -> None:
    """Baggage goes to every host that the service calls."""
    assert inject(create_propagator(*allowed), **items).get("baggage") == header


def test_allowed_baggage_is_scrubbed() -> None:
    """The list allows a key, not whatever stands in it."""
    headers = inject(create_propagator("note"), note=f"from {EMAIL}")
    assert EMAIL not in str(headers)
    assert EMAIL.replace("@", "%40") not in str(headers)


@pytest.mark.parametrize(
    ("state", "expected"),
    [("vendor=1,ot=th:8", "vendor=1,ot=th:8"), (f"vendor={TOKEN}", None)],
    ids=["others' is kept", "a secret goes"],
)
def test_trace_state_is_handed_on_without_secrets(state: str, expected: str | None) -> None:
    """The W3C asks to hand on the trace state of others."""
    header = inject(create_propagator(), state).get("tracestate")
    assert TOKEN not in str(header)
    if expected:
        assert header == expected


def test_reading_is_as_it_was() -> None:
    """Incoming baggage is there for the application."""
    context = create_propagator().extract({"baggage": "plan=gold", **TRACEPARENT})
    assert baggage.get_all(context) == {"plan": "gold"}
    assert trace.get_current_span(context).get_span_context().trace_id == 1
