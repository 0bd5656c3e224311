"""A small OTLP/HTTP receiver: it answers as the specification asks and hands over parsed messages.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import errno
import json
import socket
import socketserver
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Self

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from bear_otel.cli.otlp_json import (
    ExportLogsServiceRequest,
    ExportMetricsServiceRequest,
    ExportTraceServiceRequest,
    OtlpRequest,
    parse_json,
)
from bear_otel.cli.receiver_body import MAX_BYTES, Refused, decompress, read_body

if TYPE_CHECKING:
    from collections.abc import Callable

_JSON, _PROTOBUF = "application/json", "application/x-protobuf"
_REQUESTS: dict[str, type[OtlpRequest]] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Receiver:
    """Receive OTLP/HTTP (protobuf and JSON; gzip and deflate) while the context is open.

    Callbacks run on the thread of their connection, so several may run at once. Without a callback
    a signal is accepted and dropped.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        on_traces: called with each parsed trace request.
        on_metrics: called with each parsed metric request.
        on_logs: called with each parsed log request.
        on_refused: called with one line for each request that was not accepted.
        max_bytes: the largest body, before and after decompression.
        grace_seconds: how long the end waits for requests that have begun to be answered.

    Raises:
        OSError: on entering the context, when the address cannot be used.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        on_traces: Callable[[ExportTraceServiceRequest], object] | None = None,
        on_metrics: Callable[[ExportMetricsServiceRequest], object] | None = None,
        on_logs: Callable[[ExportLogsServiceRequest], object] | None = None,
        on_refused: Callable[[str], object] | None = None,
        max_bytes: int = MAX_BYTES,
        grace_seconds: float = 1.0,
    ) -> None:
        self._address = (host, port)
        self._callbacks: dict[type[OtlpRequest], Callable[[Any], object] | None] = {
            ExportTraceServiceRequest: on_traces,
            ExportMetricsServiceRequest: on_metrics,
            ExportLogsServiceRequest: on_logs,
        }
        self.on_refused = on_refused
        self.max_bytes = max_bytes
        self._grace_seconds = grace_seconds

    def __enter__(self) -> Self:
        self._server = _Server(self._address, self)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="otlp-receiver",
            daemon=True,
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server.close_connections(self._grace_seconds)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.server_address[1]

    @property
    def endpoint(self) -> str:
        """The value for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        host = self._address[0]
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def accept(self, request: OtlpRequest) -> None:
        """Hand a parsed request to its callback.

        Raises:
            Refused: the callback failed, or refused it.
        """
        callback = self._callbacks[type(request)]
        if callback is None:
            return
        try:
            callback(request)
        except Refused:
            raise
        except Exception as error:  # the client must hear of it, and the connection go on
            raise Refused(500, f"the receiver's callback failed: {error!r}") from error


def explain_refusal(error: OSError | OverflowError, command: str, host: str, port: int) -> str:
    """Return what to do when a receiver cannot listen.

    Args:
        error: What entering its context has raised.
        command: What the user has run, which takes `--port`.
        host: Where it should have listened.
        port: The port there.
    """
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is taken; run `{command} --port {port + 1}` and set "
            f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{host}:{port + 1}"
        )
    return f"cannot listen on {host}:{port}: {error}"


class _Server(socketserver.ThreadingTCPServer):
    # Not `HTTPServer`: its bind looks up the host's name, which may take seconds.
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.receiver = receiver
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()
        super().shutdown_request(request)

    def close_connections(self, grace_seconds: float) -> None:
        # A closed reading side ends idle connections and lets a running request still be answered.
        self._shut(socket.SHUT_RD)
        with self._changed:
            self._changed.wait_for(lambda: not self._connections, grace_seconds)
        self._shut(socket.SHUT_RDWR)

    def _shut(self, how: int) -> None:
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):  # the client may have been faster
                    connection.shutdown(how)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that hangs up is no news
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet at once, or kept-alive clients wait for a delayed ACK.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - the only one it has

    def do_POST(self) -> None:
        try:
            body = read_body(self.rfile, self.headers, self.server.receiver.max_bytes)
            self.server.receiver.accept(self._parse(body))
        except Refused as refused:
            self._refuse(refused)
        else:
            self._answer(200, None)

    def _parse(self, body: bytes) -> OtlpRequest:
        kind = _REQUESTS.get(self.path.partition("?")[0])
        if kind is None:
            raise Refused(404, f"no such path; there are {', '.join(_REQUESTS)}")
        content_type = self.headers.get_content_type()
        if content_type not in (_JSON, _PROTOBUF):
            raise Refused(415, f"Content-Type must be {_PROTOBUF} or {_JSON}")
        body = decompress(body, self.headers, self.server.receiver.max_bytes)
        try:
            return parse_json(kind, body) if content_type == _JSON else kind.FromString(body)
        except (ValueError, DecodeError) as error:
            raise Refused(400, f"not an {kind.__name__}: {error}") from error

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        # The standard library's own refusals: an unknown method, a request line it cannot read.
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code, message = HTTPStatus.METHOD_NOT_ALLOWED, "only POST is accepted"
        elif self.requestline.startswith("PRI * HTTP/2"):
            message = (
                "this looks like OTLP over gRPC, only HTTP is received here: "
                "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
            )
        self._refuse(Refused(code, message or explain or HTTPStatus(code).phrase, close=True))

    def _refuse(self, refused: Refused) -> None:
        if refused.close:
            self.close_connection = True
        on_refused = self.server.receiver.on_refused
        if on_refused is not None:
            line = " ".join(self.requestline.split()[:2])
            on_refused(f"{refused.status} to {line!r}: {refused}")
        self._answer(refused.status, Status(message=str(refused)))
        if self.close_connection:
            self._linger()

    def _answer(self, status: int, content: Message | None) -> None:
        # `headers` is missing when the request line could not be read.
        headers = getattr(self, "headers", None)
        if headers is not None and headers.get_content_type() == _JSON:
            content_type = _JSON
            body = json.dumps(MessageToDict(content) if content else {}).encode()
        else:
            content_type = _PROTOBUF
            body = content.SerializeToString() if content else b""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _linger(self) -> None:
        # Closing on unread bytes resets the connection, and the client would never see the answer.
        remaining = 4 * MAX_BYTES
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(0.5)
            while remaining > 0 and (data := self.rfile.read1(65_536)):
                remaining -= len(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden name
        pass
