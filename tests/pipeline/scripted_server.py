"""An HTTP server that answers as a test tells it, and remembers what it was asked."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How to answer one request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: bool = False
    """Never answer."""
    hang_up: bool = False
    """Close the connection after the answer, without having said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client sent."""

    target: str
    headers: dict[str, str]
    body: bytes
    connection: tuple[str, int]


class ScriptedServer:
    """Answers with the given replies in turn, then with 200.

    Args:
        replies: The script.
        tls: Serve HTTPS with this context.
    """

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None) -> None:
        self.replies = deque(replies)
        self.requests: list[Request] = []
        self.asked = threading.Semaphore(0)
        self._ended = threading.Event()
        self._scheme = "https" if tls else "http"
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                script.answer(self)

            def do_CONNECT(self) -> None:
                script.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # Clients hang up on purpose.

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len({request.connection for request in self.requests})

    def choose(self, request: Request) -> Reply:
        """Return the answer to a request; not yet in `requests`."""
        return self.replies.popleft() if self.replies else Reply()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        encoding = handler.headers.get("content-encoding")
        if encoding:
            body = gzip.decompress(body) if encoding == "gzip" else zlib.decompress(body)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(
            target=handler.path,
            headers=headers,
            body=body,
            connection=handler.client_address,
        )
        reply = self.choose(request)
        self.requests.append(request)
        self.asked.release()
        if reply.hang:
            self._ended.wait()
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)
        handler.close_connection = reply.hang_up
