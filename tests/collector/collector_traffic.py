"""OTLP requests to send, and what is in those that came."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SIGNALS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


def spans_of(message: Any) -> list[Any]:
    """Return the spans of a request."""
    return [s for r in message.resource_spans for scope in r.scope_spans for s in scope.spans]


def metrics_of(message: Any) -> list[Any]:
    """Return the metrics of a request."""
    return [m for r in message.resource_metrics for scope in r.scope_metrics for m in scope.metrics]


def attributes(values: Mapping[str, str]) -> list[KeyValue]:
    """Return OTLP attributes."""
    return [KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in values.items()]


RESOURCE = {
    "service.name": "shop",
    "service.version": "1.4.2",
    "service.instance.id": "instance-1",
    "deployment.environment.name": "test",
    "cloud.region": "eu-central-1",
    "bear.deployment.id": "2026-11-24.1",
}


def trace_request(
    traces: Iterable[bytes], *, spans: int = 5, error: bool = False, milliseconds: int = 5
) -> ExportTraceServiceRequest:
    """Return a request with `spans` spans for each trace id."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(attributes(RESOURCE))
    scope = resource.scope_spans.add()
    scope.scope.name = "test"
    now = time.time_ns()
    for trace_id in traces:
        root = b""
        for _ in range(spans):
            span = scope.spans.add(
                trace_id=trace_id,
                span_id=os.urandom(8),
                parent_span_id=root,
                name="GET /items/{id}",
                kind=2,
                start_time_unix_nano=now - milliseconds * 1_000_000,
                end_time_unix_nano=now,
            )
            span.attributes.extend(attributes({"http.route": "/items/{id}"}))
            span.status.code = 2 if error else 0
            root = root or span.span_id
    return request


def log_request(bodies: Iterable[str], *, severity: int = 13) -> ExportLogsServiceRequest:
    """Return a request with one log record for each body; the severity is WARN by default."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(attributes(RESOURCE))
    scope = resource.scope_logs.add()
    for body in bodies:
        record = scope.log_records.add(time_unix_nano=time.time_ns(), severity_number=severity)
        record.body.string_value = body
    return request


def sum_request(
    name: str, value: int, start: int, *, trace_id: bytes = b""
) -> ExportMetricsServiceRequest:
    """Return a cumulative monotonic sum that began at `start` ns, with an exemplar of a trace."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(attributes(RESOURCE))
    metric = resource.scope_metrics.add().metrics.add(name=name, unit="1")
    metric.sum.is_monotonic = True
    metric.sum.aggregation_temporality = 2
    point = metric.sum.data_points.add(start_time_unix_nano=start, time_unix_nano=time.time_ns())
    point.as_int = value
    if trace_id:
        point.exemplars.add(
            time_unix_nano=point.time_unix_nano,
            as_int=1,
            trace_id=trace_id,
            span_id=trace_id[:8],
        )
    return request
