"""A stand-in for a back end, which answers as it is told to and remembers what came."""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from collector_traffic import SIGNALS, metrics_of, spans_of

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Retries and batches fast enough for a test; nothing else of the product is changed.
QUICK = {
    "retry_on_failure": {"initial_interval": "100ms", "max_interval": "500ms"},
    "sending_queue": {"batch": {"flush_timeout": "100ms"}},
}


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
                # One that was kept open would be served on after `stop`.
                self.send_header("connection", "close")
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


def to_sink(name: str, sink: Sink, **more: Any) -> dict[str, Any]:
    """Return an exporter's entry that sends to the sink, readable and quickly."""
    return {name: {"endpoint": sink.url, "compression": "gzip", **QUICK, **more}}
