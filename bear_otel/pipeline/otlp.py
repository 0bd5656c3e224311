"""Turn finished, already scrubbed SDK records into OTLP requests in one pass.

The official encoder builds a protobuf message for each attribute and hashes the resource for each
span; writing the wire format costs a small part of that. `benchmarks/encoder.py` has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bear_otel.pipeline.otlp_logs import encode_log_record
from bear_otel.pipeline.otlp_spans import encode_span
from bear_otel.pipeline.otlp_wire import encode_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
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


def encode_spans(spans: Iterable[ReadableSpan]) -> Encoded:
    """Return the `ExportTraceServiceRequest` for spans."""
    message, items, failed = encode_request(spans, encode_span)
    return Encoded(message=message, items=items, unencodable=failed)


def encode_logs(records: Iterable[ReadableLogRecord | ReadWriteLogRecord]) -> Encoded:
    """Return the `ExportLogsServiceRequest` for log records."""
    message, items, failed = encode_request(records, encode_log_record)
    return Encoded(message=message, items=items, unencodable=failed)


def encode_metrics(data: MetricsData) -> Encoded:
    """Return the `ExportMetricsServiceRequest` for collected metrics.

    The official encoder does it: metrics come once a minute, so a second encoder for five kinds
    of data points would save nothing that can be measured.
    """
    # Only where metrics are exported, since protobuf is slow to import.
    from opentelemetry.exporter.otlp.proto.common import metrics_encoder

    items = sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
    return Encoded(message=metrics_encoder.encode_metrics(data).SerializeToString(), items=items)
