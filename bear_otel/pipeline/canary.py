"""Send a known personal value through each provider before it may send anything else.

The seams stand on how the SDK is built. Should an upgrade move them, the value comes out here, at
start, and no telemetry is set up at all: silence with an explanation instead of a leak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.metrics import CallbackOptions, MeterProvider
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.trace import TracerProvider

    from bear_otel.pipeline.logs import ScrubbingLogRecordProcessor
    from bear_otel.pipeline.spans import ScrubbingSpanProcessor

# A secret and not personal data, so that it is redacted whatever may leave in clear.
CANARY = "AKIA" + "CANARY0BEAR0OTEL"
_TEXT = f"aws_access_key_id={CANARY}"
_ATTRIBUTES = {"bear.canary": _TEXT}
_SCOPE = "bear_otel.canary"


class CanaryError(RuntimeError):
    """A planted secret came out of a provider, or the probe record did not arrive."""

    def __init__(self, signal: str, problem: str) -> None:
        super().__init__(
            f"the privacy check of {signal} failed at start ({problem}), so no telemetry is sent: "
            "this version of OpenTelemetry is not supported; "
            "install one that is with: pip install 'opentelemetry-sdk~=1.45'"
        )


def check_spans(provider: TracerProvider, front: ScrubbingSpanProcessor) -> None:
    """Send the canary in every text of a span, and once more in a span without the rarer parts.

    The two may be recorded by different code.

    Raises:
        CanaryError: The canary came out, or nothing did.
    """
    tracer = provider.get_tracer(_SCOPE, attributes=_ATTRIBUTES)
    state = TraceState([("bear", CANARY)])
    linked = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    for links in ([Link(linked, _ATTRIBUTES)], []):
        probe = _SpanProbe()
        front.add_span_processor(probe)
        try:
            span = tracer.start_span(_TEXT, attributes=_ATTRIBUTES, links=links, context=_empty())
            recording = span.is_recording()
            if links:
                span.add_event(_TEXT, _ATTRIBUTES)
            span.set_status(Status(StatusCode.ERROR, _TEXT))
            span.end()
        finally:
            front.remove_span_processor(probe)
        # A sampler may drop what we send; then nothing of it can have come out either.
        if probe.seen is not None or recording:
            _expect_clean("traces", probe.seen)


def check_logs(provider: LoggerProvider, front: ScrubbingLogRecordProcessor) -> None:
    """Send the canary in every text of a log record, and once more without an exception.

    Raises:
        CanaryError: The canary came out, or nothing did.
    """
    logger = provider.get_logger(_SCOPE, attributes=_ATTRIBUTES)
    for exception in (ValueError(_TEXT), None):
        probe = _LogProbe()
        front.add_log_record_processor(probe)
        try:
            logger.emit(
                severity_number=SeverityNumber.INFO,
                severity_text=_TEXT,
                body={"text": _TEXT},
                attributes=_ATTRIBUTES,
                event_name=_TEXT,
                exception=exception,
            )
        finally:
            front.remove_log_record_processor(probe)
        _expect_clean("logs", probe.seen)


class MetricProbe:
    """A reader for a provider that exists for the check alone."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()


def check_metrics(provider: MeterProvider, probe: MetricProbe) -> None:
    """Record the canary through each kind of instrument.

    Raises:
        CanaryError: The canary came out, or nothing did.
    """

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(1, _ATTRIBUTES)]

    meter = provider.get_meter(_SCOPE, attributes=_ATTRIBUTES)
    meter.create_counter("bear.canary.counter", description=_TEXT).add(1, _ATTRIBUTES)
    meter.create_up_down_counter("bear.canary.up_down", unit=CANARY).add(1, _ATTRIBUTES)
    meter.create_histogram("bear.canary.histogram").record(1, _ATTRIBUTES)
    meter.create_gauge("bear.canary.gauge").set(1, _ATTRIBUTES)
    meter.create_observable_counter("bear.canary.o1", [observe])
    meter.create_observable_up_down_counter("bear.canary.o2", [observe])
    meter.create_observable_gauge("bear.canary.o3", [observe])
    data = probe.reader.get_metrics_data()
    _expect_clean("metrics", data.to_json() if data else None)


class _SpanProbe(SpanProcessor):
    seen: str | None = None

    def on_end(self, span: ReadableSpan) -> None:
        scope = span.instrumentation_scope
        self.seen = f"{span.to_json()} {scope and scope.to_json()} {_dump(span.links)}"


class _LogProbe(LogRecordProcessor):
    seen: str | None = None

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        scope, record = log_record.instrumentation_scope, log_record.log_record
        self.seen = f"{vars(record)} {dict(record.attributes or {})} {scope and scope.to_json()}"

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's
        return True


def _dump(links: Iterable[Link]) -> list[Any]:
    return [(link.context.trace_state.to_header(), dict(link.attributes or {})) for link in links]


def _empty() -> Any:
    return trace.set_span_in_context(trace.INVALID_SPAN)


def _expect_clean(signal: str, seen: str | None) -> None:
    if seen is None:
        raise CanaryError(signal, "the probe record did not arrive")
    if CANARY in seen:
        raise CanaryError(signal, "a planted secret came out")
