"""CPU and memory of the Collector in each role, as ratios to the same binary that drops all.

Run: python benchmarks/collector.py [THOUSANDS_OF_SPANS]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "collector"))

from collector_harness import Collector, wait_until
from collector_traffic import attributes, spans_of, trace_request

if TYPE_CHECKING:
    import subprocess

P = "BEAR_OTEL_COLLECTOR_"
SPANS_A_REQUEST = 500
HTTP = {
    "http.request.method": "GET",
    "http.route": "/items/{id}",
    "url.path": "/items/4711",
    "url.scheme": "https",
    "server.address": "shop.example",
    "http.response.status_code": "200",
    "network.protocol.version": "1.1",
    "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
}
DATABASE = {
    "db.system.name": "postgresql",
    "db.namespace": "shop",
    "db.operation.name": "SELECT",
    "db.query.summary": "SELECT items",
    "db.query.text": "SELECT id, name FROM items WHERE category = $1 ORDER BY price LIMIT $2",
    "server.address": "db.example",
}
# The product's pipelines stay, fed by a receiver that nobody sends to.
IDLE = {f"{signal}/in": {"receivers": ["otlp/idle"]} for signal in ("traces", "metrics", "logs")}
NOP = {
    f"{signal}/nop": {"receivers": ["otlp"], "exporters": ["nop"]}
    for signal in ("traces", "metrics", "logs")
}
BARE = {
    "receivers": {"otlp/idle": {"protocols": {"http": {"endpoint": "127.0.0.1:0"}}}},
    "service": {"pipelines": IDLE | NOP},
}
KEYS = {
    "DD_API_KEY": "k",
    "NEW_RELIC_LICENSE_KEY": "k",
    f"{P}OTLP_URL": "http://127.0.0.1",
}


def _cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mebibytes(process: subprocess.Popen[bytes]) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / 1024


def _requests(count: int) -> list[Any]:
    made = []
    for _ in range(count):
        request = trace_request(os.urandom(16) for _ in range(SPANS_A_REQUEST // 5))
        for number, span in enumerate(spans_of(request)):
            span.attributes.extend(attributes(DATABASE if number % 5 else HTTP))
        made.append(request)
    return made


def _measure(one: Collector, requests: list[Any], repeat: int) -> tuple[float, float, float]:
    """Return CPU microseconds a span, spans a second, and the peak of resident MiB."""
    process = one.process
    assert process is not None
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(one.send, requests)) == {200}
        before, started = _cpu_seconds(process), time.perf_counter()
        statuses = set(pool.map(one.send, requests * repeat))
        elapsed = time.perf_counter() - started
    assert statuses == {200}, statuses
    # What is still queued costs CPU too.
    wait_until(lambda: one.metric("otelcol_exporter_queue_size") == 0, seconds=120, what="queues")
    spans = len(requests) * repeat * SPANS_A_REQUEST
    return (_cpu_seconds(process) - before) / spans * 1e6, spans / elapsed, _peak_mebibytes(process)


def main() -> None:
    """Measure each variant and print a table."""
    thousands = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    requests = _requests(20)
    repeat = max(1, thousands * 1000 // (len(requests) * SPANS_A_REQUEST))
    directory = Path(tempfile.mkdtemp(prefix="bear-otel-benchmark-"))
    sink = Collector(
        directory=directory / "sink", arguments=("--backend=debug",), config=BARE
    ).start()
    url = f"http://127.0.0.1:{sink.http}"
    to_sink = {
        "exporters": {
            "otlp_http/datadog": {"endpoint": url, "metrics_endpoint": f"{url}/v1/metrics"},
            "otlp_http/newrelic": {"endpoint": url},
            "otlp_http/otlp": {"endpoint": url},
        }
    }
    plain = {"service": {"pipelines": {"traces/in": {"processors": ["memory_limiter"]}}}}
    one_back_end = {f"{P}OTLP_URL": url}
    gateway = {f"{P}GATEWAY": f"127.0.0.1:{sink.grpc}", f"{P}GATEWAY_INSECURE_ENABLED": "true"}
    many = gateway | {f"{P}GATEWAYS": f"127.0.0.1:{sink.grpc},localhost:{sink.grpc}"}
    sampled = {"BEAR_OTEL_SAMPLING_DECIDED_BY": "collector", f"{P}SAMPLING_WAIT_SECONDS": "5"}
    room = {f"{P}MEMORY_MIB": "4000"}
    variants: dict[str, tuple[tuple[str, ...], dict[str, str], dict[str, Any]]] = {
        "OTLP in, nop out": (("--backend=debug",), {}, BARE),
        "standalone, one back end, no privacy": ((), one_back_end, plain),
        "standalone, one back end": ((), one_back_end, {}),
        "standalone, one back end, fsync": ((), one_back_end | {f"{P}FSYNC_ENABLED": "true"}, {}),
        "standalone, three back ends": ((), KEYS, to_sink),
        "standalone, three back ends, sampling": ((), KEYS | sampled, to_sink),
        "agent, one gateway": (("--role=agent",), gateway, {}),
        "agent, two gateways by trace id": (("--role=agent",), many, {}),
    }
    print(f"{'variant':40} {'CPU us/span':>12} {'ratio':>6} {'spans/s':>9} {'peak MiB':>9}")
    base = 0.0
    for number, (name, (arguments, environment, config)) in enumerate(variants.items()):
        with Collector(
            directory=directory / str(number),
            arguments=arguments,
            environment=room | environment,
            config=config,
        ) as one:
            cpu, rate, memory = _measure(one, requests, repeat)
        base = base or cpu
        print(f"{name:40} {cpu:12.2f} {cpu / base:6.1f} {rate:9.0f} {memory:9.0f}", flush=True)
    sink.stop()


if __name__ == "__main__":
    main()
