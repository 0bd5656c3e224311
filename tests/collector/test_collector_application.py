"""From the example service to every back end: ids compared, nothing personal anywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from collector_harness import Collector, wait_until
from collector_sink import Sink, to_sink
from collector_traffic import spans_of

from bear_otel.cli.files import find_folder
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.server

PERSONAL = ("ada.lovelace", "4111-1111-1111-1111", "s3cr3t-t0k3n")
ORDERS = 20


@contextmanager
def _shop(endpoint: str, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the example under the launcher; a SIGTERM at the end must flush everything."""
    program = Path(sys.executable).parent / "bear-otel-instrument"
    server = ["-m", "uvicorn", "shop:app", "--port", str(port), "--log-level", "critical"]
    settings = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "600000",
        # A busy machine may need more than the default for all of it.
        "BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS": "30",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, sys.executable, *server],
            cwd=find_folder("examples") / "shop",
            env={**os.environ, **settings},
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: _call(port, "GET", "/openapi.json") == 200, what="the shop")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _call(port: int, method: str, path: str, body: object = None) -> int:
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            headers = {"content-type": "application/json"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
    except ConnectionError:
        return 0


def _server_spans(one: Sink) -> list[str]:
    return sorted(
        span.name for m in one.accepted("traces") for span in spans_of(m) if span.kind == 2
    )


def test_the_example_service_reaches_every_back_end(
    collector: Callable[..., Collector], sink: Callable[[], Sink], tmp_path: Path
) -> None:
    """One span a request, the same ids at all vendors, metrics by their names, no canary."""
    pytest.importorskip("fastapi")
    pytest.importorskip("aiosqlite")
    datadog, newrelic, sentry = sink(), sink(), sink()
    page, port = free_port(), free_port()
    one = collector(
        environment={
            "DD_API_KEY": "k",
            "NEW_RELIC_LICENSE_KEY": "k",
            "SENTRY_DSN": "https://k@sentry.example/1",
            "BEAR_OTEL_COLLECTOR_PROMETHEUS_LISTEN": f"127.0.0.1:{page}",
        },
        config={
            "exporters": {
                **to_sink("otlp_http/datadog", datadog, metrics_endpoint=f"{datadog.url}/metrics"),
                **to_sink("otlp_http/newrelic", newrelic),
                **to_sink("otlp_http/sentry", sentry),
            }
        },
    )
    with _shop(f"http://127.0.0.1:{one.http}", port, tmp_path / "shop.log"):
        for number in range(ORDERS):
            order = {"email": "ada.lovelace@example.com", "item": "Engine", "cents": number}
            assert _call(port, "POST", "/orders", order) == 201
        total = "/customers/ada.lovelace@example.com/total?token=s3cr3t-t0k3n"
        assert _call(port, "GET", total) == 200
        assert _call(port, "POST", "/orders/1/pay?card=4111-1111-1111-1111") == 500
    expected = ["GET /customers/{email}/total", "POST /orders/{order_id}/pay"]
    expected = sorted([*expected, *["POST /orders"] * ORDERS])
    vendors = (datadog, newrelic, sentry)
    for vendor in vendors:
        wait_until(
            lambda vendor=vendor: (
                [name for name in _server_spans(vendor) if "openapi" not in name] == expected
            ),
            what="one span for each request",
        )
    wait_until(lambda: datadog.span_ids() == newrelic.span_ids() == sentry.span_ids())
    wait_until(lambda: len(datadog.log_ids()) == len(newrelic.log_ids()) >= 2, what="logs")
    for vendor in (datadog, newrelic):
        wait_until(lambda vendor=vendor: "http.server.request.duration" in vendor.metric_names())
    wait_until(lambda: datadog.metric_names() >= newrelic.metric_names(), what="all metrics")
    assert sentry.metric_names() == set()

    name = "http_server_request_duration_seconds_count{"
    text = ""

    def find_orders() -> list[str]:
        nonlocal text
        text = one._get(page, "/metrics")[1].decode()
        counts = [line for line in text.splitlines() if line.startswith(name)]
        return [line for line in counts if 'http_route="/orders"' in line]

    wait_until(find_orders, what="the page for Prometheus")
    [orders] = find_orders()
    assert 'job="shop"' in orders
    assert orders.endswith(f" {ORDERS}")

    everything = b"".join(r.body for vendor in vendors for r in vendor.requests) + text.encode()
    assert [secret for secret in PERSONAL if secret.encode() in everything] == []
