"""Start real Collectors through `bear-otel collector`, send to them, receive for the vendors."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ROOT = Path(__file__).resolve().parents[2]
SIGNALS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
# Retries and batches fast enough for a test; nothing else of the product is changed.
QUICK = {
    "retry_on_failure": {"initial_interval": "100ms", "max_interval": "500ms"},
    "sending_queue": {"batch": {"flush_timeout": "100ms"}},
}
_COMMAND = "import sys; from bear_otel.cli.collector import main; sys.exit(main(sys.argv[1:]))"


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], object], seconds: float = 20.0, what: str = "") -> None:
    """Return when `condition` holds.

    Raises:
        AssertionError: It did not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)


def run_cli(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `bear-otel collector` to its end, with this environment alone."""
    return subprocess.run(
        [sys.executable, "-c", _COMMAND, *arguments],
        env={**_base_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _base_environment() -> dict[str, str]:
    names = ("PATH", "HOME", "XDG_CACHE_HOME", "BEAR_OTEL_COLLECTOR")
    return {"PYTHONPATH": str(ROOT)} | {k: os.environ[k] for k in names if k in os.environ}


@dataclass(kw_only=True)
class Collector:
    """One Collector process on free ports, with a state directory of its own."""

    directory: Path
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.grpc, self.http, self.health, self.metrics = (free_port() for _ in range(4))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / "collector.log"

    def start(self) -> Self:
        """Start it and return when it is healthy."""
        extra = self.directory / "extra.yaml"
        extra.write_text(json.dumps(self.config))
        prefix = "BEAR_OTEL_COLLECTOR_"
        environment = {
            **_base_environment(),
            f"{prefix}GRPC_LISTEN": f"127.0.0.1:{self.grpc}",
            f"{prefix}HTTP_LISTEN": f"127.0.0.1:{self.http}",
            f"{prefix}HEALTH_LISTEN": f"127.0.0.1:{self.health}",
            f"{prefix}METRICS_PORT": str(self.metrics),
            f"{prefix}STATE_DIR": str(self.directory / "state"),
            **self.environment,
        }
        command = [sys.executable, "-c", _COMMAND, *self.arguments, "--config", str(extra)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_until(self._is_up, what=f"start of the Collector, see {self.log}")
        return self

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return self._get(self.health, "/")[0] == 200
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait for the end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)

    def send(self, request: Any, headers: Mapping[str, str] = {}) -> int:
        """Post one OTLP request and return the status."""
        path = next(name for name, kind in SIGNALS.items() if isinstance(request, kind))
        headers = {"content-type": "application/x-protobuf", **headers}
        with closing(HTTPConnection("127.0.0.1", self.http, timeout=20)) as connection:
            connection.request("POST", f"/v1/{path}", request.SerializeToString(), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of one of its own metrics over the series with these labels."""
        _, body = self._get(self.metrics, "/metrics")
        total = 0.0
        for line in body.decode().splitlines():
            series, _, value = line.rpartition(" ")
            if re.match(rf"{name}(_total)?({{|$)", series) and all(
                f'{key}="{text}"' in series for key, text in labels.items()
            ):
                total += float(value)
        return total

    @staticmethod
    def _get(port: int, path: str) -> tuple[int, bytes]:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came in."""

    at: float
    path: str
    headers: Mapping[str, str]
    status: int
    body: bytes

    @property
    def signal(self) -> str:
        """`traces`, `metrics` or `logs`, by the end of the path."""
        return "metrics" if self.path.endswith("metrics") else self.path.rpartition("/")[2]

    @property
    def message(self) -> Any:
        """The parsed request."""
        return SIGNALS[self.signal].FromString(self.body)


class Sink:
    """A stand-in for a back end: takes OTLP/HTTP on any path, answers as it is told to."""

    def __init__(self) -> None:
        self.port = free_port()
        self.requests: list[Received] = []
        self.answer: Callable[[str], tuple[int, dict[str, str]]] = lambda path: (200, {})
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen, on the same port as before."""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                status, headers = sink.answer(self.path)
                sink.requests.append(
                    Received(
                        at=time.monotonic(),
                        path=self.path,
                        headers={k.lower(): v for k, v in self.headers.items()},
                        status=status,
                        body=body,
                    )
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A Collector that is killed breaks its connections: that is wanted."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def accepted(self, kind: str) -> list[Any]:
        """Return the parsed requests of one signal that were answered with success."""
        return [r.message for r in list(self.requests) if r.status == 200 and r.signal == kind]

    def span_ids(self) -> Counter[bytes]:
        """Count each span id received."""
        return Counter(span.span_id for m in self.accepted("traces") for span in spans_of(m))

    def log_ids(self) -> Counter[str]:
        """Count each log body received."""
        return Counter(
            record.body.string_value
            for message in self.accepted("logs")
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        )

    def metric_names(self) -> set[str]:
        """Return the name of each metric received."""
        return {metric.name for m in self.accepted("metrics") for metric in metrics_of(m)}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


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


def to_sink(name: str, sink: Sink, **more: Any) -> dict[str, Any]:
    """Return an exporter's entry that sends to the sink, readable and quickly."""
    return {name: {"endpoint": sink.url, "compression": "gzip", **QUICK, **more}}
