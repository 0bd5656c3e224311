"""Turn finished, already scrubbed SDK records into OTLP protobuf bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as _encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import (
    encode_metrics as _encode_metrics,
)
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as _encode_spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """An OTLP export request.

    Attributes:
        message: The serialized request.
        items: How many spans, data points or log records it holds.
        unencodable: How many more could not be encoded.
    """

    message: bytes
    items: int
    unencodable: int = 0


def encode_spans(spans: Sequence[ReadableSpan]) -> Encoded:
    """Return the export request for spans."""
    return Encoded(message=_encode_spans(spans).SerializeToString(), items=len(spans))


def encode_logs(records: Sequence[ReadableLogRecord]) -> Encoded:
    """Return the export request for log records."""
    return Encoded(message=_encode_logs(records).SerializeToString(), items=len(records))


def encode_metrics(data: MetricsData) -> Encoded:
    """Return the export request for collected metrics.

    Metrics come once a minute, so the official encoder does.
    """
    items = sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
    return Encoded(message=_encode_metrics(data).SerializeToString(), items=items)
