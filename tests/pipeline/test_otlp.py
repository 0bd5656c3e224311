"""The encoder: judged by the official encoder, message against message."""

from __future__ import annotations

import logging
import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as official_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from bear_otel.pipeline.otlp import encode_logs, encode_metrics, encode_spans
from bear_otel.pipeline.otlp_wire import encode_varint

if TYPE_CHECKING:
    from collections.abc import Iterator

INT64 = st.integers(-(2**63), 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)
SCALARS = (
    st.none()
    | st.booleans()
    | INT64
    | st.sampled_from([0, 1, -1, 127, 128, 2**63, -(2**63) - 1, 10**30])
    | st.floats()
    | st.sampled_from([0.0, -0.0, 1.0, math.nan, -math.inf])
    | st.text(max_size=300)
    | st.binary(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.dictionaries(st.integers(), inner, max_size=2).map(MappingProxyType)
    ),
    max_leaves=4,
)
ATTRIBUTES = st.none() | st.dictionaries(st.text(max_size=10), VALUES, max_size=4)
NAMES = st.text(max_size=200)
STATES = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9]{0,4}", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,5}", fullmatch=True),
    max_size=3,
).map(lambda state: TraceState(list(state.items())))
CONTEXTS = st.builds(
    SpanContext,
    st.integers(0, 2**128 - 1),
    UINT64,
    st.booleans(),
    st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(3)]),
    st.none() | STATES,
)
RESOURCES = st.builds(Resource, ATTRIBUTES, st.none() | NAMES)
SCOPES = st.none() | st.builds(
    InstrumentationScope, NAMES, st.none() | NAMES, st.none() | NAMES, ATTRIBUTES
)
STATUSES = st.builds(Status, st.just(StatusCode.ERROR), st.none() | NAMES) | st.builds(
    Status, st.sampled_from([StatusCode.UNSET, StatusCode.OK])
)
SPANS = st.builds(
    ReadableSpan,
    NAMES,
    CONTEXTS,
    st.none() | CONTEXTS,
    RESOURCES,
    ATTRIBUTES,
    st.lists(st.builds(Event, NAMES, ATTRIBUTES, UINT64), max_size=3),
    st.lists(st.builds(Link, CONTEXTS, ATTRIBUTES), max_size=3),
    st.sampled_from(SpanKind),
    status=STATUSES,
    start_time=st.none() | UINT64,
    end_time=st.none() | UINT64,
    instrumentation_scope=SCOPES,
)


def create_log_record(context: SpanContext | None, **fields: Any) -> LogRecord:
    """Return an API log record with the ids of a span context, or with none."""
    record = LogRecord(**fields)
    record.trace_id = context.trace_id if context else 0
    record.span_id = context.span_id if context else 0
    record.trace_flags = context.trace_flags if context else TraceFlags(0)
    return record


# A body without an OTLP form makes the official encoder drop the whole batch.
BODIES = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
LOGS = st.builds(
    ReadableLogRecord,
    st.builds(
        create_log_record,
        st.none() | CONTEXTS,
        timestamp=st.none() | UINT64,
        observed_timestamp=UINT64,
        severity_text=st.none() | NAMES,
        severity_number=st.none() | st.sampled_from(SeverityNumber),
        body=BODIES,
        attributes=ATTRIBUTES,
        event_name=st.none() | NAMES,
    ),
    RESOURCES,
    SCOPES,
)


@pytest.fixture(autouse=True, scope="module")
def _quiet_official_encoder() -> Iterator[None]:
    """Keep the official encoder from logging each attribute that it drops."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def read_meaning(request: Any) -> dict[bytes, dict[bytes, list[bytes]]]:
    """Return the records of a request by resource and scope.

    As deterministic bytes, since NaN is not equal to itself. Two groups with the same resource
    mean the same as one.
    """
    meaning: dict[bytes, dict[bytes, list[bytes]]] = {}
    for group in getattr(request, request.DESCRIPTOR.fields[0].name):
        resource = freeze(group.resource) + group.schema_url.encode()
        scopes = meaning.setdefault(resource, {})
        for part in getattr(group, group.DESCRIPTOR.fields_by_number[2].name):
            records = scopes.setdefault(freeze(part.scope) + part.schema_url.encode(), [])
            records += map(freeze, getattr(part, part.DESCRIPTOR.fields_by_number[2].name))
    for scopes in meaning.values():
        for records in scopes.values():
            records.sort()
    return meaning


def freeze(message: Any) -> bytes:
    """Return a message as bytes that are the same for the same content."""
    return message.SerializeToString(deterministic=True)


def assert_equal_spans(spans: list[ReadableSpan]) -> None:
    """Fail unless both encoders say the same."""
    ours = encode_spans(spans)
    assert (ours.items, ours.unencodable) == (len(spans), 0)
    parsed = ExportTraceServiceRequest.FromString(ours.message)
    assert read_meaning(parsed) == read_meaning(official_spans(spans))


@settings(deadline=None, max_examples=60)
@given(st.lists(SPANS, max_size=3))
def test_spans_mean_what_the_official_encoder_says(spans: list[ReadableSpan]) -> None:
    """Every field of a span reaches the wire as the official encoder writes it."""
    assert_equal_spans(spans)
    assert_equal_spans(spans)  # Now from the cache.


@settings(deadline=None, max_examples=60)
@given(st.lists(LOGS, max_size=3))
def test_logs_mean_what_the_official_encoder_says(records: list[ReadableLogRecord]) -> None:
    """Every field of a log record reaches the wire as the official encoder writes it."""
    ours = encode_logs(records)
    assert (ours.items, ours.unencodable) == (len(records), 0)
    parsed = ExportLogsServiceRequest.FromString(ours.message)
    assert read_meaning(parsed) == read_meaning(official_logs(records))


def test_a_span_of_the_sdk_with_limits_is_equal() -> None:
    """Real spans, with the counts of what their limits dropped, are encoded alike."""
    exporter = InMemorySpanExporter()
    limits = SpanLimits(max_span_attributes=1, max_events=1, max_links=1, max_event_attributes=1)
    provider = TracerProvider(span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    link = Link(SpanContext(1, 2, is_remote=True), {"a": 1})
    with provider.get_tracer("tests", "1").start_as_current_span(
        "root", links=[link, link], attributes={"a": (1, 2), "b": 1.5}
    ) as span:
        span.add_event("first", {"a": True, "b": "c"})
        span.add_event("second", {"a": True, "b": "c"})
    (finished,) = exporter.get_finished_spans()
    assert (finished.dropped_attributes, finished.dropped_events, finished.dropped_links) == (
        1,
    ) * 3
    assert_equal_spans([finished])


def test_equal_keys_of_different_types_stay_apart() -> None:
    """1, True and 1.0 are equal in Python and different in OTLP; so are 0.0 and -0.0."""
    values = [1, True, 1.0, "1", 0, False, 0.0, -0.0, b"1", (1,), (True,)]
    assert_equal_spans([create_span({"key": value}) for value in values + values[::-1]])


def test_groups_are_made_by_meaning() -> None:
    """Equal resources and scopes share a group, whatever their identity."""
    spans = [
        create_span({}, Resource({"a": 1}), InstrumentationScope(scope))
        for scope in ("x", "y", "x")
    ]
    (group,) = ExportTraceServiceRequest.FromString(encode_spans(spans).message).resource_spans
    assert [(scope.scope.name, len(scope.spans)) for scope in group.scope_spans] == [
        ("x", 2),
        ("y", 1),
    ]


def test_values_without_a_form_are_left_out_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    """One odd attribute costs neither the others nor its own secrecy."""
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    odd = {"object": object(), "huge": 2**64, "inside": [1, object()], "cyclic": cyclic, 5: 6}
    encoded = encode_spans([create_span({"before": 1, **odd, "after": 2})])
    (span,) = get_spans(encoded.message)
    assert [attribute.key for attribute in span.attributes] == ["before", "after"]
    assert caplog.records == []


def test_lone_surrogates_become_question_marks() -> None:
    """Text that UTF-8 cannot say costs a character, not the batch as in the official encoder."""
    encoded = encode_spans([create_span({"a\ud800": "b\udfff"}, name="c\ud800")])
    (span,) = get_spans(encoded.message)
    assert span.name == "c?"
    assert [(a.key, a.value.string_value) for a in span.attributes] == [("a?", "b?")]


def test_one_broken_record_does_not_cost_the_others() -> None:
    """A span without a context is counted; its neighbours arrive."""
    encoded = encode_spans([create_span({}), ReadableSpan("broken"), create_span({})])
    assert (encoded.items, encoded.unencodable, len(get_spans(encoded.message))) == (2, 1, 2)


def test_a_body_without_a_form_leaves_an_empty_body() -> None:
    """The rest of the log record still arrives."""
    record = ReadableLogRecord(LogRecord(body=object(), event_name="kept"), Resource({}))
    request = ExportLogsServiceRequest.FromString(encode_logs([record]).message)
    (log,) = request.resource_logs[0].scope_logs[0].log_records
    assert (log.body.WhichOneof("value"), log.event_name) == (None, "kept")


def test_a_writable_log_record_is_equal_to_its_readable_copy() -> None:
    """Queued records need no conversion before they are encoded."""
    record = ReadWriteLogRecord(LogRecord(body="text", attributes={"a": 1}), Resource({"r": 1}))
    readable = ReadableLogRecord(record.log_record, Resource({"r": 1}))
    assert encode_logs([record]) == encode_logs([readable])


def test_nothing_is_an_empty_request() -> None:
    """An empty batch is a valid request."""
    assert encode_spans([]).message == encode_logs([]).message == b""


def test_metrics_are_counted_by_data_point() -> None:
    """Losses of metrics are counted in data points, so the encoder counts them."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    counter = provider.get_meter("tests").create_counter("c")
    counter.add(1, {"a": 1})
    counter.add(1, {"a": 2})
    data = reader.get_metrics_data()
    assert data is not None
    encoded = encode_metrics(data)
    request = ExportMetricsServiceRequest.FromString(encoded.message)
    (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
    assert encoded.items == len(metric.sum.data_points) == 2


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (-1, "ff" * 9 + "01")],
)
def test_varint(number: int, expected: str) -> None:
    """Seven bits a byte, the lowest first; negative numbers take ten bytes."""
    assert encode_varint(number).hex() == expected


def create_span(
    attributes: dict[Any, Any],
    resource: Resource | None = None,
    scope: InstrumentationScope | None = None,
    name: str = "span",
) -> ReadableSpan:
    """Return a span with these attributes."""
    return ReadableSpan(
        name,
        SpanContext(1, 2, is_remote=False),
        resource=resource or Resource({"service.name": "tests"}),
        attributes=attributes,
        instrumentation_scope=scope,
    )


def get_spans(message: bytes) -> list[Any]:
    """Return the spans of an encoded request."""
    request = ExportTraceServiceRequest.FromString(message)
    return [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
