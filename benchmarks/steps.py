"""Measure each step of a request by itself, in one process and without a server.

Run: python benchmarks/steps.py

The loops are hot, so each step costs more in a server, where other work is between two of them.
"""

from __future__ import annotations

import gzip
import logging
import os
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, propagate, trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind
from typing_extensions import override

import bear_otel
from bear_otel.pipeline.otlp import encode_metrics, encode_spans

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Tracer

BATCH = 512
ROUNDS = 25

SERVER_AT_START = {
    "url.scheme": "http",
    "http.request.method": "GET",
    "network.protocol.version": "1.1",
    "server.address": "localhost",
    "server.port": 8000,
}
SERVER_AT_END = {
    "url.scheme": "http",
    "http.request.method": "GET",
    "network.protocol.version": "1.1",
    "http.route": "/items/{number}",
    "http.response.status_code": 200,
}
DATABASE = {
    "db.system.name": "postgresql",
    "db.namespace": "shop",
    "db.operation.name": "SELECT",
    "db.query.summary": "SELECT items",
    "db.query.text": "SELECT items.id, items.name FROM items WHERE items.id = ?",
    "server.address": "db",
}
DATABASE_LABELS = {key: DATABASE[key] for key in ("db.system.name", "db.query.summary")}
HEADERS = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


class Keep(SpanProcessor):
    """Keeps the last spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    @override
    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def record_request(tracer: Tracer, number: int) -> None:
    """Record what FastAPI and our database source do of a request with one query."""
    at_start = {**SERVER_AT_START, "url.path": f"/items/{number}"}
    server = tracer.start_span("GET", kind=SpanKind.SERVER, attributes=at_start)
    parent = trace.set_span_in_context(server)
    tracer.start_span("SELECT items", parent, SpanKind.CLIENT, DATABASE).end()
    server.set_attributes(SERVER_AT_END)
    server.end()


def measure(name: str, step: Callable[[Any], object], prepare: Callable[[], Any] = list) -> None:
    """Print the microseconds that a step takes; the best of all rounds.

    Args:
        name: What it is.
        step: Does it `BATCH` times with what was prepared.
        prepare: Runs before each round, outside of the measurement.
    """
    best = float("inf")
    for _ in range(ROUNDS):
        prepared = prepare()
        start = time.thread_time()
        step(prepared)
        best = min(best, time.thread_time() - start)
    print(f"| {name} | {best / BATCH * 1e6:.1f} |")


def repeat(step: Callable[[], object]) -> Callable[[Any], None]:
    """Return a function that does a step `BATCH` times."""

    def run(_: Any) -> None:
        for _ in range(BATCH):
            step()

    return run


def measure_spans() -> None:
    """Measure spans: two a request, of a server and of a database."""
    keep, plain_keep = Keep(), Keep()
    provider: Any = trace.get_tracer_provider()
    provider.add_span_processor(keep)
    tracer = provider.get_tracer("benchmark")
    plain = TracerProvider(shutdown_on_exit=False)
    plain.add_span_processor(plain_keep)
    plain_tracer = plain.get_tracer("benchmark")
    numbers = iter(range(10**9))

    def record(tracer: Tracer, keep: Keep) -> list[ReadableSpan]:
        keep.spans.clear()
        for _ in range(BATCH):
            # A path that was not seen before, as in real life.
            record_request(tracer, next(numbers))
        return list(keep.spans)

    def scrub(spans: list[ReadableSpan]) -> list[ReadableSpan]:
        for span in spans:
            assert span.name  # whoever looks first scrubs
        return spans

    def record_clean() -> list[ReadableSpan]:
        return scrub(record(tracer, keep))

    measure("2 spans, the SDK alone", lambda _: record(plain_tracer, plain_keep))
    measure("2 spans, behind the scrubber", lambda _: record(tracer, keep))
    measure("export thread: scrub 2 spans", scrub, lambda: record(tracer, keep))

    measure("export thread: encode 2 spans", encode_spans, record_clean)
    measure(
        "official encoder: 2 spans",
        lambda spans: official_spans(spans).SerializeToString(),
        record_clean,
    )
    message = encode_spans(record_clean()).message
    measure("export thread: compress 2 spans", lambda _: gzip.compress(message, 1, mtime=0))


def measure_metrics() -> None:
    """Measure instruments."""
    ours: Any = metrics.get_meter_provider()
    reader = InMemoryMetricReader()
    ours.add_metric_reader(reader)
    plain = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    for name, provider in (("the SDK alone", plain), ("behind the scrubber", ours)):
        meter = provider.get_meter("benchmark")
        duration = meter.create_histogram("benchmark.duration")
        active = meter.create_up_down_counter("benchmark.active")
        counter = meter.create_counter("benchmark.count")
        measure(
            f"1 histogram record, 5 attributes, {name}",
            repeat(lambda h=duration: h.record(0.01, SERVER_AT_END)),
        )
        measure(
            f"2 up-down additions, 2 attributes, {name}",
            repeat(lambda a=active: (a.add(1, DATABASE_LABELS), a.add(-1, DATABASE_LABELS))),
        )
        measure(
            f"1 counter addition, 2 attributes, {name}",
            repeat(lambda c=counter: c.add(1, DATABASE_LABELS)),
        )
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        if data := reader.get_metrics_data():
            encode_metrics(data)
        times.append(time.thread_time() - start)
    # The first one imports, and asks the system for what is remembered.
    print(f"| the first time: collect and encode all metrics | {times[0] * 1e6:.0f} |")
    print(f"| once a minute: collect and encode all metrics | {min(times) * 1e6:.0f} |")


def measure_logs() -> None:
    """Measure a log line, from the application's call to the queue."""
    logger = logging.getLogger("benchmark.application")
    numbers = iter(range(10**9))

    def log() -> None:
        logger.info("item %d was sold", next(numbers))

    measure("1 log line", repeat(log))
    logger.disabled = True
    measure("1 log line that nobody wants", repeat(log))


def main() -> None:
    """Print the table."""
    os.environ.update(
        {
            "OTEL_SERVICE_NAME": "benchmark",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            # Nobody listens there, so the queue is full; to whoever fills it, that is the same.
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "BEAR_OTEL_BANNER_ENABLED": "false",
        }
    )
    logging.getLogger("bear_otel").setLevel(logging.CRITICAL)
    bear_otel.start()
    print("| step | us |\n|---|---|")
    measure("read the trace context of a request", repeat(lambda: propagate.extract(HEADERS)))
    measure_spans()
    measure_metrics()
    measure_logs()


if __name__ == "__main__":
    main()
