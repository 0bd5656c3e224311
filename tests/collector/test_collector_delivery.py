"""What is sent to the Collector arrives at each back end that takes it, and nowhere else."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from collector_harness import Collector, wait_until
from collector_sink import Sink, to_sink
from collector_traffic import (
    RESOURCE,
    log_request,
    metrics_of,
    spans_of,
    sum_request,
    trace_request,
)
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.server

P = "BEAR_OTEL_COLLECTOR_"
KEYS = {
    "DD_API_KEY": "dd-key",
    "NEW_RELIC_LICENSE_KEY": "nr-key",
    "SENTRY_DSN": "https://sentry-key@sentry.example/1",
}
SENTRY_PATH = "/api/1/integration/otlp"


def _three_vendors(datadog: Sink, newrelic: Sink, sentry: Sink) -> dict[str, Any]:
    """Return the extra file that turns the vendors' addresses into the stand-ins'."""
    url = f"{datadog.url}/api/v2/otlpmetrics"
    exporters = {
        **to_sink("otlp_http/datadog", datadog, metrics_endpoint=url),
        **to_sink("otlp_http/newrelic", newrelic),
        **to_sink("otlp_http/sentry", sentry, endpoint=sentry.url + SENTRY_PATH),
    }
    flush = {"span_metrics/datadog": {"metrics_flush_interval": "500ms"}}
    return {"exporters": exporters, "connectors": flush}


def _points(sink: Sink, name: str) -> list[tuple[str, int, Any]]:
    """Return (type, temporality, point) of each data point of a metric."""
    found = []
    for message in sink.accepted("metrics"):
        for metric in metrics_of(message):
            if metric.name == name:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                temporality = getattr(data, "aggregation_temporality", 0)
                found += [(kind, temporality, point) for point in data.data_points]
    return found


def test_three_vendors_and_a_scrape(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """Ids are compared one by one; path, key, temporality and limits are each vendor's own."""
    datadog, newrelic, sentry = sink(), sink(), sink()
    page = free_port()
    one = collector(
        environment=KEYS | {f"{P}PROMETHEUS_LISTEN": f"127.0.0.1:{page}"},
        config=_three_vendors(datadog, newrelic, sentry),
    )
    start = time.time_ns()
    sent: Counter[bytes] = Counter()
    for _ in range(4):
        request = trace_request(os.urandom(16) for _ in range(50))
        long = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="long")
        long.value.string_value = "x" * 9000
        sent.update(span.span_id for span in spans_of(request))
        assert one.send(request) == 200
    warnings = {f"warning {n}": 1 for n in range(200)}
    notes = {f"note {n}": 1 for n in range(50)}
    assert one.send(log_request(warnings)) == one.send(log_request(notes, severity=9)) == 200
    for value in (10, 25):
        assert one.send(sum_request("shop.orders", value, start)) == 200

    def statistics() -> int:
        return sum(point.as_int for _, _, point in _points(datadog, "traces.span.metrics.calls"))

    wait_until(lambda: statistics() >= 1000, what="Datadog's APM statistics")
    for back_end in (datadog, newrelic, sentry):
        wait_until(lambda back_end=back_end: back_end.span_ids() == sent, what="all spans")
    for back_end in (datadog, newrelic):
        wait_until(lambda back_end=back_end: back_end.log_ids() == warnings | notes, what="logs")
        wait_until(
            lambda back_end=back_end: len(_points(back_end, "shop.orders")) == 2, what="metrics"
        )
        # Cumulative 10, 25 arrive as delta 10, 15.
        assert [(k, t, p.as_int) for k, t, p in _points(back_end, "shop.orders")] == [
            ("sum", 1, 10),
            ("sum", 1, 15),
        ]
    wait_until(lambda: sentry.log_ids() == warnings, what="warnings")
    assert statistics() == 1000

    paths = [{r.path for r in s.requests} for s in (datadog, newrelic, sentry)]
    assert paths == [
        {"/v1/traces", "/api/v2/otlpmetrics", "/v1/logs"},
        {"/v1/traces", "/v1/metrics", "/v1/logs"},
        {f"{SENTRY_PATH}/v1/traces", f"{SENTRY_PATH}/v1/logs"},
    ]
    assert {r.headers["dd-api-key"] for r in datadog.requests} == {"dd-key"}
    assert {r.headers["api-key"] for r in newrelic.requests} == {"nr-key"}
    assert {r.headers["x-sentry-auth"] for r in sentry.requests} == {"sentry sentry_key=sentry-key"}

    longest = [
        max(
            len(a.value.string_value)
            for m in s.accepted("traces")
            for x in spans_of(m)
            for a in x.attributes
        )
        for s in (datadog, newrelic)
    ]
    assert longest == [9000, 4095]
    assert max(len(request.body) for request in newrelic.requests) < 1_000_000
    for back_end in (datadog, newrelic, sentry):
        for message in back_end.accepted("traces"):
            kept = message.resource_spans[0].resource.attributes
            assert {a.key: a.value.string_value for a in kept} == RESOURCE

    lines: list[str] = []

    def is_on_the_page() -> bool:
        lines[:] = one._get(page, "/metrics")[1].decode().splitlines()
        counts = [line.split(" ")[1] for line in lines if line.startswith("shop_orders_total")]
        return counts == ["25"]

    wait_until(is_on_the_page, what="the page for Prometheus")
    info = next(line for line in lines if line.startswith("target_info{"))
    names = RESOURCE | {"job": "shop", "instance": "instance-1"}
    del names["service.name"], names["service.instance.id"]
    missing = {k: v for k, v in names.items() if f'{k.replace(".", "_")}="{v}"' not in info}
    assert missing == {}


def test_the_stock_sdk_and_exporter_reach_a_back_end(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """No part of bear-otel is needed on the sending side."""
    back_end = sink()
    one = collector(
        environment={f"{P}OTLP_URL": "https://otlp.example", f"{P}OTLP_AUTHORIZATION": "Basic abc"},
        config={"exporters": to_sink("otlp_http/otlp", back_end)},
    )
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{one.http}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = trace.get_tracer("test", tracer_provider=provider)
    sent = []
    for _ in range(50):
        with tracer.start_as_current_span("outer") as outer:
            sent.append(outer.get_span_context().span_id.to_bytes(8, "big"))
    provider.shutdown()
    wait_until(lambda: back_end.span_ids() == Counter(sent), what="all spans")
    assert {r.headers["authorization"] for r in back_end.requests} == {"Basic abc"}


def test_host_metrics_reach_the_back_ends(collector: Callable[..., Collector]) -> None:
    """A source is one file more: its metrics take the same way as all others."""
    page = free_port()
    one = collector(
        environment={
            f"{P}PROMETHEUS_LISTEN": f"127.0.0.1:{page}",
            f"{P}HOST_METRICS_SECONDS": "1",
        }
    )
    wanted = (b"\nsystem_cpu_time_seconds_total{", b"\nsystem_memory_utilization_ratio{")
    wait_until(lambda: all(n in one._get(page, "/metrics")[1] for n in wanted), what="the metrics")


def test_debug_writes_to_a_file_and_nowhere_else(collector: Callable[..., Collector]) -> None:
    """What would be sent can be seen without an account anywhere."""
    one = collector("--backend=debug", environment=KEYS)
    assert one.send(log_request(["hello"])) == 200
    file = one.directory / "state" / "debug.jsonl"
    wait_until(lambda: file.exists() and "hello" in file.read_text(), what="the record")
    assert one.metric("otelcol_exporter_sent_log_records") == 2.0  # debug and file


def test_a_gateway_with_tokens_refuses_strangers(
    collector: Callable[..., Collector], tmp_path: Path, sink: Callable[[], Sink]
) -> None:
    """The right token passes, a wrong one and none are refused."""
    (tmp_path / "tokens").write_text("right\n")
    back_end = sink()
    one = collector(
        "--role=gateway",
        environment={
            f"{P}OTLP_URL": "https://otlp.example",
            f"{P}TOKENS_FILE": str(tmp_path / "tokens"),
        },
        config={"exporters": to_sink("otlp_http/otlp", back_end)},
    )
    request = log_request(["hello"])
    tries = ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer right"})
    assert [one.send(request, headers) for headers in tries] == [401, 401, 200]
    wait_until(lambda: back_end.log_ids() == {"hello": 1}, what="the record")
