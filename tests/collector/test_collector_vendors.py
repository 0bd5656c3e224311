"""Stand-ins that we did not write: Datadog's test agent, Prometheus, a second Collector."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from collector_harness import Collector, wait_until
from collector_sink import QUICK
from collector_traffic import log_request, spans_of, sum_request, trace_request

from bear_otel.cli.files import find_folder
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.server

P = "BEAR_OTEL_COLLECTOR_"
SENTRY_PATH = "/api/1/integration/otlp"
TEST_AGENT = "ddapm-test-agent==1.69.1"


def _get(port: int, path: str) -> Any:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body) if answer.status == 200 and body else None


def _answers(port: int, path: str) -> bool:
    try:
        _get(port, path)
    except OSError:
        return False
    except json.JSONDecodeError:
        pass
    return True


def _vendor(protocol: dict[str, Any], authenticator: dict[str, Any]) -> dict[str, Any]:
    """Return the extra file of a Collector that takes a vendor's path and key."""
    name = "bearertokenauth/vendor"
    http = {"auth": {"authenticator": name}, **protocol}
    return {
        "extensions": {name: authenticator},
        "receivers": {"otlp": {"protocols": {"http": http}}},
        "service": {"extensions": ["health_check", "file_storage/queue", name]},
    }


def _has(one: Collector, text: str) -> bool:
    file = one.directory / "state" / "debug.jsonl"
    return file.exists() and text in file.read_text()


def _exemplars(port: int, name: str) -> list[str]:
    """Return the trace ids of the exemplars of a series."""
    now = int(time.time())
    query = f"query={name}&start={now - 600}&end={now + 600}"
    answer = _get(port, f"/api/v1/query_exemplars?{query}") or {"data": []}
    return [e["labels"]["trace_id"] for series in answer["data"] for e in series["exemplars"]]


def _new_relic(collector: Callable[..., Collector], key: str) -> tuple[Collector, Collector]:
    """Return a Collector that stands for New Relic, and one that sends to it with this key."""
    token = {"header": "api-key", "scheme": "", "token": "right-key"}
    vendor = collector("--backend=debug", config=_vendor({}, token))
    url = {f"{P}NEW_RELIC_URL": f"http://127.0.0.1:{vendor.http}"}
    config = {"exporters": {"otlp_http/newrelic": QUICK}}
    return vendor, collector(environment={"NEW_RELIC_LICENSE_KEY": key} | url, config=config)


def test_new_relic_as_a_collector_takes_the_right_key(
    collector: Callable[..., Collector],
) -> None:
    """A receiver that is not ours finds header, encoding and compression (zstd) right."""
    vendor, one = _new_relic(collector, "right-key")
    assert one.send(log_request(["hello"])) == 200
    wait_until(lambda: _has(vendor, "hello"), what="the record")


def test_a_wrong_key_is_said_and_counted_without_the_key(
    collector: Callable[..., Collector],
) -> None:
    """The operator finds the status in the log and the loss in a counter that an alert watches."""
    vendor, one = _new_relic(collector, "wrong-key")
    assert one.send(log_request(["hello"])) == 200
    failed = {"exporter": "otlp_http/newrelic", "error_permanent": "true"}
    name = "otelcol_exporter_send_failed_log_records"
    wait_until(lambda: one.metric(name, **failed) == 1.0, what="a counted failure")
    log = one.log.read_text()
    assert not _has(vendor, "hello")
    assert "HTTP Status Code 401" in log
    assert "wrong-key" not in log


def test_sentry_as_a_collector_takes_the_address_of_the_dsn(
    collector: Callable[..., Collector],
) -> None:
    """Path and key that were derived from SENTRY_DSN are the ones of Sentry's OTLP intake."""
    paths = {f"{kind}_url_path": f"{SENTRY_PATH}/v1/{kind}" for kind in ("traces", "logs")}
    token = {"header": "x-sentry-auth", "scheme": "sentry", "token": "sentry_key=public"}
    vendor = collector("--backend=debug", config=_vendor(paths, token))
    one = collector(
        environment={"SENTRY_DSN": f"http://public@127.0.0.1:{vendor.http}/1"},
        config={"exporters": {"otlp_http/sentry": QUICK}},
    )
    request = trace_request([os.urandom(16)], spans=1)
    assert [one.send(request), one.send(log_request(["hello"]))] == [200, 200]
    wait_until(lambda: _has(vendor, spans_of(request)[0].span_id.hex()), what="the span")
    wait_until(lambda: _has(vendor, "hello"), what="the record")


@pytest.fixture(scope="session")
def datadog_test_agent() -> Path:
    """Return Datadog's test agent, in a virtual environment of its own: it pins an old protobuf."""
    if found := shutil.which("ddapm-test-agent"):
        return Path(found)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = Path(cache) / "bear-otel" / "ddapm-test-agent-1.69.1"
    program = home / "bin" / "ddapm-test-agent"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([home / "bin" / "pip", "install", "-q", TEST_AGENT], check=True)
    return program


def test_datadog_test_agent_decodes_what_datadog_would(
    collector: Callable[..., Collector], datadog_test_agent: Path, tmp_path: Path
) -> None:
    """Datadog's own software reads our spans, metrics and logs, with the key in the header."""
    http, grpc, main = free_port(), free_port(), free_port()
    ports = {"--port": main, "--otlp-http-port": http, "--otlp-grpc-port": grpc}
    options = [str(word) for pair in ports.items() for word in pair]
    with (tmp_path / "agent.log").open("wb") as log:
        agent = subprocess.Popen(
            [datadog_test_agent, "--host", "127.0.0.1", *options], stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _answers(http, "/test/session/traces"), what="Datadog's test agent")
        intake = f"http://127.0.0.1:{http}"
        exporter = {"endpoint": intake, "metrics_endpoint": f"{intake}/v1/metrics"}
        one = collector(
            environment={"DD_API_KEY": "dd-key"},
            # The test agent reads gzip only.
            config={
                "exporters": {"otlp_http/datadog": {**exporter, "compression": "gzip", **QUICK}}
            },
        )
        request = trace_request(os.urandom(16) for _ in range(20))
        assert one.send(request) == 200
        assert one.send(log_request(["hello"])) == 200
        assert one.send(sum_request("shop.orders", 10, time.time_ns())) == 200

        def decoded(kind: str) -> str:
            return json.dumps(_get(http, f"/test/session/{kind}"))

        ids = {b64encode(span.span_id).decode() for span in spans_of(request)}
        wait_until(lambda: ids <= set(decoded("traces").split('"')), what="all spans")
        wait_until(lambda: "hello" in decoded("logs"), what="the record")
        wait_until(lambda: "shop.orders" in decoded("metrics"), what="the metric")
        requests = _get(http, "/test/session/requests")
        assert {r["headers"]["Dd-Api-Key"] for r in requests} == {"dd-key"}
    finally:
        agent.terminate()
        agent.wait(60)


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Start Prometheus servers that end with the test."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no Prometheus: apt-get install prometheus")
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int, **settings: Any) -> int:
        config = tmp_path / "prometheus.yml"
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config.write_text(json.dumps({"global": every, **settings}))
        with (tmp_path / "prometheus.log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    [
                        program,
                        f"--config.file={config}",
                        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                        f"--web.listen-address=127.0.0.1:{port}",
                        "--web.enable-remote-write-receiver",
                        "--enable-feature=exemplar-storage",
                    ],
                    stdout=log,
                    stderr=log,
                )
            )
        wait_until(lambda: _answers(port, "/api/v1/labels"), what="Prometheus")
        return port

    yield start
    for process in started:
        process.terminate()
        process.wait(60)


def _query(port: int, expression: str) -> list[tuple[dict[str, str], str]]:
    answer = _get(port, f"/api/v1/query?query={quote(expression)}")
    result = answer["data"]["result"] if answer else []
    return [(series["metric"], series["value"][1]) for series in result]


def test_prometheus_scrapes_what_was_sent(
    collector: Callable[..., Collector], prometheus: Callable[..., int]
) -> None:
    """A real server holds the value under the name, job and resource that the docs promise."""
    page = free_port()
    one = collector(environment={f"{P}PROMETHEUS_LISTEN": f"127.0.0.1:{page}"})
    trace_id = os.urandom(16)
    assert one.send(sum_request("shop.orders", 25, time.time_ns(), trace_id=trace_id)) == 200
    scrape = {
        "job_name": "bear-otel",
        "honor_labels": True,
        "static_configs": [{"targets": [f"127.0.0.1:{page}"]}],
    }
    port = prometheus(free_port(), scrape_configs=[scrape])
    wait_until(lambda: _query(port, "shop_orders_total"), what="the series")
    wait_until(lambda: _query(port, "target_info"), what="the resource")
    wait_until(lambda: _exemplars(port, "shop_orders_total"), what="the exemplar")
    [(labels, value)] = _query(port, "shop_orders_total")
    assert (labels["job"], labels["instance"], value) == ("shop", "instance-1", "25")
    [(info, _)] = _query(port, "target_info")
    assert info["deployment_environment_name"] == "test"
    assert info["bear_deployment_id"] == "2026-11-24.1"
    assert _exemplars(port, "shop_orders_total") == [trace_id.hex()]


def test_a_loss_raises_its_alert(
    collector: Callable[..., Collector], prometheus: Callable[..., int]
) -> None:
    """From the first record that a wrong key costs, in a real Prometheus with the shipped rules."""
    _, one = _new_relic(collector, "wrong-key")
    targets = {
        "job_name": "collector",
        "static_configs": [{"targets": [f"127.0.0.1:{one.metrics}"]}],
    }
    rules = find_folder("collector-config") / "deploy" / "prometheus" / "collector-alerts.yml"
    port = prometheus(free_port(), scrape_configs=[targets], rule_files=[str(rules)])

    def firing() -> set[str]:
        alerts = (_get(port, "/api/v1/alerts") or {"data": {"alerts": []}})["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    wait_until(lambda: _query(port, 'up{job="collector"} == 1'), what="a scrape")
    assert firing() == set()
    assert one.send(log_request(["hello"])) == 200
    wait_until(lambda: firing() == {"CollectorLosesData"}, what="the alert")


def test_remote_write_survives_an_outage_and_a_kill(
    collector: Callable[..., Collector], prometheus: Callable[..., int]
) -> None:
    """Samples of the outage are there after it, though the Collector was killed in between."""
    port = free_port()
    one = collector(environment={f"{P}REMOTE_WRITE_URL": f"http://127.0.0.1:{port}/api/v1/write"})
    trace_id = os.urandom(16)
    assert one.send(sum_request("shop.orders", 7, time.time_ns(), trace_id=trace_id)) == 200
    wait_until(lambda: one.metric("otelcol_exporter_sent_metric_points") == 1)
    one.stop(signal.SIGKILL)
    one.start()
    prometheus(port)
    wait_until(lambda: _query(port, "shop_orders_total"), what="the series")
    wait_until(lambda: _query(port, "target_info"), what="the resource")
    wait_until(lambda: _exemplars(port, "shop_orders_total"), what="the exemplar")
    [(labels, value)] = _query(port, "shop_orders_total")
    assert (labels["job"], labels["instance"], value) == ("shop", "instance-1", "7")
    [(info, _)] = _query(port, "target_info")
    assert info["cloud_region"] == "eu-central-1"
    assert _exemplars(port, "shop_orders_total") == [trace_id.hex()]
