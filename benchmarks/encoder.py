"""Compare the cost of encoding spans and logs: ours against the official encoder, as ratios.

Run: python benchmarks/encoder.py
"""

from __future__ import annotations

import gzip
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as official_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_spans
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from bear_otel.pipeline.otlp import encode_logs, encode_spans

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 512
ROUNDS = 15
RESOURCE = Resource({f"resource.attribute.{number}": f"value {number}" for number in range(12)})
SCOPE = InstrumentationScope("benchmark", "1.0", None)


def create_span(number: int) -> ReadableSpan:
    """Return a server span with 11 attributes, two of them new each time."""
    context = SpanContext(2**100 + number, 2**50 + number, False, TraceFlags(1))
    attributes = {
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": f"/items/{number}",
        "http.route": "/items/{item_id}",
        "server.address": "127.0.0.1",
        "server.port": 8000,
        "network.protocol.version": "1.1",
        "client.port": 20_000 + number,
        "http.response.status_code": 200,
        "user_agent.name": "benchmark",
        "bear.cached": True,
    }
    return ReadableSpan(
        "GET /items/{item_id}",
        context,
        context,
        RESOURCE,
        attributes,
        kind=SpanKind.SERVER,
        start_time=1_700_000_000_000_000_000 + number,
        end_time=1_700_000_000_001_000_000 + number,
        instrumentation_scope=SCOPE,
    )


def create_log(number: int) -> ReadableLogRecord:
    """Return a log record with four attributes and a text that is new each time."""
    log = LogRecord(
        timestamp=1_700_000_000_000_000_000 + number,
        severity_text="INFO",
        severity_number=SeverityNumber.INFO,
        body=f"item {number} was sold",
        attributes={
            "code.file.path": "/app/shop/items.py",
            "code.function.name": "sell",
            "code.line.number": 42,
            "logger.name": "shop.items",
        },
    )
    return ReadableLogRecord(log, RESOURCE, SCOPE)


def measure(create: Callable[[int], Any], *encoders: Callable[[list[Any]], bytes]) -> list[float]:
    """Return the median CPU time of each encoder in microseconds a record.

    The encoders take turns on the same batches; each batch is new, so that what occurs once in
    real life is not found in a cache here.
    """
    times: list[list[float]] = [[] for _ in encoders]
    for number in range(ROUNDS):
        records = [create(number * BATCH + index) for index in range(BATCH)]
        for encode, measured in zip(encoders, times, strict=True):
            start = time.thread_time()
            encode(records)
            measured.append((time.thread_time() - start) / BATCH * 1e6)
    return [median(measured) for measured in times]


def main() -> None:
    """Print the comparison."""
    for name, create, ours, official in (
        (
            "span, 11 attributes",
            create_span,
            lambda spans: encode_spans(spans).message,
            lambda spans: official_spans(spans).SerializeToString(),
        ),
        (
            "log record, 4 attributes",
            create_log,
            lambda logs: encode_logs(logs).message,
            lambda logs: official_logs(logs).SerializeToString(),
        ),
    ):
        our_time, official_time = measure(create, ours, official)
        print(
            f"{name}: ours {our_time:.1f} us, official {official_time:.1f} us, "
            f"ratio {our_time / official_time:.2f}"
        )
    message = encode_spans([create_span(number) for number in range(BATCH)]).message
    levels = (1, 6)
    packers = [lambda _, level=level: gzip.compress(message, level, mtime=0) for level in levels]
    for level, pack, cost in zip(levels, packers, measure(lambda _: None, *packers), strict=True):
        size = len(pack([])) / len(message)
        print(f"gzip level {level}: {cost:.1f} us a span, {size:.0%} of the size")


if __name__ == "__main__":
    main()
