"""OTLP messages as plain values: spans, log lines and metric points."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    from bear_otel.cli.otlp_json import (
        ExportLogsServiceRequest,
        ExportMetricsServiceRequest,
        ExportTraceServiceRequest,
    )

KIND_CLIENT = 3
ENTRY_KINDS = (2, 5)
"""Server and consumer: where a service is entered."""

_REMOTE_PARENT = 0x300  # "has is_remote" and "is_remote" of the span flags
_STATUS_ERROR = 2
_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")  # four severity numbers each
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<name>.+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionInfo:
    """What was raised, and the frame of the app it came from."""

    type: str
    message: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One log line, or an event of a span."""

    time_ns: int
    service: str
    level: str
    body: str
    trace_id: str = ""
    span_id: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    exception: ExceptionInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span; ids are hexadecimal, `parent_id` is empty at the start of a trace."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    remote_parent: bool = False
    service: str = ""
    name: str
    kind: int = 0
    start_ns: int
    end_ns: int
    error: bool = False
    status_message: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    exception: ExceptionInfo | None = None
    events: tuple[Log, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of one metric series.

    Args:
        instance: tells processes of one service apart.
        delta: the values count since the last export, not since the start.
        value: of a sum or a gauge.
        count: of a histogram, with its `total` and `buckets` (upper bound to count).
    """

    service: str
    instance: str
    name: str
    unit: str
    kind: str
    attributes: dict[str, Any]
    time_ns: int
    delta: bool = False
    value: float = 0.0
    count: int = 0
    total: float = 0.0
    buckets: dict[float, int] = field(default_factory=dict)


def read_spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """Yield the spans of a request."""
    for group in request.resource_spans:
        service = _service(group.resource)
        for scope in group.scope_spans:
            for span in scope.spans:
                trace_id, span_id = span.trace_id.hex(), span.span_id.hex()
                events = [
                    Log(
                        time_ns=event.time_unix_nano,
                        service=service,
                        level="event",
                        body=event.name,
                        trace_id=trace_id,
                        span_id=span_id,
                        attributes=(attributes := _attributes(event.attributes)),
                        exception=_exception(attributes),
                    )
                    for event in span.events
                ]
                yield Span(
                    trace_id=trace_id,
                    span_id=span_id,
                    parent_id=span.parent_span_id.hex(),
                    remote_parent=span.flags & _REMOTE_PARENT == _REMOTE_PARENT,
                    service=service,
                    name=span.name,
                    kind=span.kind,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    error=span.status.code == _STATUS_ERROR,
                    status_message=span.status.message,
                    attributes=_attributes(span.attributes),
                    exception=next((e.exception for e in reversed(events) if e.exception), None),
                    events=tuple(event for event in events if not event.exception),
                )


def read_logs(request: ExportLogsServiceRequest) -> Iterator[Log]:
    """Yield the log lines of a request."""
    for group in request.resource_logs:
        service = _service(group.resource)
        for scope in group.scope_logs:
            for record in scope.log_records:
                attributes = _attributes(record.attributes)
                level = min(max(record.severity_number - 1, 0) // 4, len(_LEVELS) - 1)
                body = _value(record.body)
                yield Log(
                    time_ns=record.time_unix_nano or record.observed_time_unix_nano,
                    service=service,
                    level=_LEVELS[level] if record.severity_number else "log",
                    body=record.event_name if body in (None, "") else str(body),
                    trace_id=record.trace_id.hex(),
                    span_id=record.span_id.hex(),
                    attributes=attributes,
                    exception=_exception(attributes),
                )


def read_points(request: ExportMetricsServiceRequest) -> Iterator[Point]:
    """Yield the metric points of a request."""
    for group in request.resource_metrics:
        resource = _attributes(group.resource.attributes)
        instance = resource.get("service.instance.id") or resource.get("process.pid") or ""
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                data: Any = getattr(metric, kind)
                for point in data.data_points:
                    yield Point(
                        service=_service(group.resource),
                        instance=str(instance),
                        name=metric.name,
                        unit=metric.unit,
                        kind="gauge" if kind == "sum" and not data.is_monotonic else kind,
                        attributes=_attributes(point.attributes),
                        time_ns=point.time_unix_nano,
                        delta=getattr(data, "aggregation_temporality", 0) == 1,
                        **_numbers(kind, point),
                    )


def _numbers(kind: str, point: Any) -> dict[str, Any]:
    if kind in ("sum", "gauge"):
        return {"value": float(getattr(point, point.WhichOneof("value") or "as_int"))}
    buckets: dict[float, int] = {}
    if kind == "histogram":
        bounds = [*point.explicit_bounds, float("inf")]
        buckets = dict(zip(bounds, point.bucket_counts, strict=False))
    elif kind == "exponential_histogram":
        # https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
        buckets[point.zero_threshold] = point.zero_count
        first = point.positive.offset + 1
        for index, count in enumerate(point.positive.bucket_counts, first):
            exponent = index * 2.0 ** -max(point.scale, -11)
            buckets[2.0**exponent if exponent < 1024 else float("inf")] = count
    return {"count": point.count, "total": point.sum, "buckets": buckets}


def _service(resource: Resource) -> str:
    return str(_attributes(resource.attributes).get("service.name", "unknown"))


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind) if kind else None


def _exception(attributes: dict[str, Any]) -> ExceptionInfo | None:
    if "exception.type" not in attributes and "exception.message" not in attributes:
        return None
    return ExceptionInfo(
        type=str(attributes.get("exception.type", "Exception")),
        message=str(attributes.get("exception.message", "")),
        where=_frame_of_the_app(str(attributes.get("exception.stacktrace", ""))),
    )


def _frame_of_the_app(stacktrace: str) -> str:
    frames = list(_FRAME.finditer(stacktrace))
    own = [frame for frame in frames if not re.search(r"site-packages|/lib/python3", frame["file"])]
    if not frames:
        return ""
    frame = (own or frames)[-1]
    file = "/".join(frame["file"].split("/")[-2:])
    return f"{file}:{frame['line']} in {frame['name'].strip()}"
