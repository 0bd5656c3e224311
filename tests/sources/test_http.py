"""One server span and exact metrics for every request, whatever becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import uvicorn
import websockets.sync.client
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from starlette.applications import Starlette

from bear_otel.sources.http import create_exclusion, measures_itself, watch_requests
from bear_otel.testing import Captured, capture

CHUNKS = 200


def create_app(**options: Any) -> FastAPI:
    """Return a service with every kind of answer."""
    app = FastAPI(**options)

    @app.get("/items/{item_id}")
    async def get_item(item_id: int) -> dict[str, int]:
        return {"id": item_id}

    @app.get("/healthz")
    async def health() -> str:
        return "ok"

    @app.get("/broken")
    async def broken() -> None:
        message = "no such luck, ada@example.com"
        raise RuntimeError(message)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[str]:
            for number in range(CHUNKS):
                yield f"data: {number}\n\n"

        return StreamingResponse(chunks(), media_type="text/event-stream")

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def chunks() -> AsyncIterator[str]:
            while True:
                yield "data: x\n\n"
                await asyncio.sleep(0.01)

        return StreamingResponse(chunks(), media_type="text/event-stream")

    @app.websocket("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    return app


@contextlib.contextmanager
def serve(app: FastAPI) -> Iterator[int]:
    """Run a real server in a thread; yield its port."""
    config = uvicorn.Config(app, port=0, log_level="critical", ws="websockets-sansio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=60)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something holds, ten seconds at the most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """Capture telemetry, with health checks excluded by OpenTelemetry's own variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "healthz")
        with capture() as captured:
            yield captured


def server_spans(captured: Captured) -> list[ReadableSpan]:
    """Return the spans of requests."""
    return [span for span in captured.spans if span.kind is SpanKind.SERVER]


def get(port: int, path: str) -> int:
    """Make a request; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@pytest.mark.parametrize(
    ("path", "name", "status"),
    [
        ("/items/7", "GET /items/{item_id}", 200),
        ("/items/x", "GET /items/{item_id}", 422),
        ("/nowhere", "GET", 404),
        ("/broken", "GET /broken", 500),
        ("/stream", "GET /stream", 200),
    ],
)
def test_one_span_and_one_count_a_request(
    telemetry: Captured, path: str, name: str, status: int
) -> None:
    """Also for a streamed answer, an error, and a path that does not exist."""
    with serve(create_app()) as port:
        assert get(port, path) == status
        wait_for(lambda: telemetry.spans)
    (span,) = telemetry.spans
    assert (span.name, span.kind) == (name, SpanKind.SERVER)
    assert (span.attributes or {})["http.response.status_code"] == status
    assert (span.status.status_code is StatusCode.ERROR) == (status >= 500)
    metrics = telemetry.metrics()
    (point,) = metrics["http.server.request.duration"]
    assert (point.count, point.attributes["http.response.status_code"]) == (1, status)
    assert [point.value for point in metrics["http.server.active_requests"]] == [0]


def test_an_unhandled_exception_is_an_event_without_personal_data(telemetry: Captured) -> None:
    """It has type and stack, survives any sampling, and belongs to the trace."""
    with serve(create_app()) as port:
        get(port, "/broken")
        wait_for(lambda: telemetry.logs)
    events = {log.log_record.event_name: log.log_record for log in telemetry.logs}
    event = events["http.server.request.exception"]
    assert (event.attributes or {})["exception.type"] == "RuntimeError"
    assert event.trace_id == server_spans(telemetry)[0].context.trace_id  # type: ignore[union-attr]
    telemetry.assert_nothing_of("ada@example.com")


def test_excluded_paths_are_in_no_signal(telemetry: Captured) -> None:
    """Probes come every few seconds and say nothing."""
    with serve(create_app()) as port:
        assert get(port, "/healthz") == 200
        assert get(port, "/items/1") == 200
        wait_for(lambda: telemetry.spans)
    assert [span.name for span in telemetry.spans] == ["GET /items/{item_id}"]
    (point,) = telemetry.metrics()["http.server.request.duration"]
    assert point.count == 1


def test_an_application_may_exclude_more(telemetry: Captured) -> None:
    """What it passes itself is joined with ours, not lost."""
    app = create_app(telemetry={"exclude": lambda scope: scope["path"] == "/items/1"})
    with serve(app) as port:
        for path in ("/items/1", "/healthz", "/items/2"):
            assert get(port, path) == 200
        wait_for(lambda: telemetry.spans)
    assert [(span.attributes or {})["url.path"] for span in telemetry.spans] == ["/items/2"]


def test_a_client_that_goes_away_leaves_one_span(telemetry: Captured) -> None:
    """In the middle of an answer without an end."""
    with serve(create_app()) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(1000)
        wait_for(lambda: telemetry.spans)
    assert [span.name for span in server_spans(telemetry)] == ["GET /endless"]
    assert [p.value for p in telemetry.metrics()["http.server.active_requests"]] == [0]


def test_a_websocket_is_one_span(telemetry: Captured) -> None:
    """However many messages."""
    with serve(create_app()) as port:
        with websockets.sync.client.connect(f"ws://127.0.0.1:{port}/ws") as client:
            client.send("hello")
            assert client.recv() == "hello"
        wait_for(lambda: telemetry.spans)
    assert len(server_spans(telemetry)) == 1


def test_metrics_are_exact_whatever_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is computed from spans."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with capture() as telemetry, serve(create_app()) as port:
        for _ in range(20):
            get(port, "/items/7")
        wait_for(lambda: telemetry.metrics()["http.server.request.duration"][0].count == 20)
        assert telemetry.spans == ()


@pytest.mark.parametrize(
    ("version", "native"),
    [("0.165.0", True), ("0.142.0", True), ("0.141.3", False), ("0.99.0", False), ("1.0.0", True)],
)
def test_which_versions_measure_themselves(version: str, native: bool) -> None:
    """FastAPI has its own telemetry since 0.142."""
    assert measures_itself(version) is native


@pytest.mark.parametrize(
    ("patterns", "path", "excluded"),
    [
        (("healthz", "metrics$"), "/healthz", True),
        (("healthz", "metrics$"), "/app/metrics", True),
        (("healthz", "metrics$"), "/metrics/7", False),
        ((), "/healthz", None),
    ],
)
def test_exclusion_works_as_in_opentelemetry(
    patterns: tuple[str, ...], path: str, excluded: bool | None
) -> None:
    """Regular expressions, found anywhere in the path."""
    exclude = create_exclusion(patterns)
    assert (bool(exclude(path)) if exclude else None) is excluded


def test_a_server_does_not_take_an_application_for_a_factory() -> None:
    """It calls what it has got without arguments, and takes an answer for the application."""
    watch_requests()
    with pytest.raises(TypeError, match="argument"):
        Starlette()()  # pyright: ignore[reportCallIssue] - as uvicorn does
    config = uvicorn.Config(Starlette())
    config.load()
    assert config.interface == "asgi3"
