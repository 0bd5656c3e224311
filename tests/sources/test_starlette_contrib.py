"""A Starlette application, measured by OpenTelemetry's own instrumentation of it."""

from __future__ import annotations

import http.client
import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.lifecycle.lifecycle_harness import LATE, Program, Sink, wait_until
from tests.virtualenvs import python_with_contrib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.server

APP = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route


async def get_pid(request):
    return JSONResponse(1)


async def get_order(request):
    return JSONResponse(int(request.path_params["number"]))


async def stream(request):
    async def chunks():
        for _ in range(20):
            yield b"1"
    return StreamingResponse(chunks())


async def fail(request):
    raise RuntimeError("no order of ada@example.com")


app = Starlette(
    routes=[
        Route("/pid", get_pid),
        Route("/orders/{number:int}", get_order),
        Route("/stream", stream),
        Route("/fail", fail),
    ]
)
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A collector that remembers what it gets."""
    with Sink() as sink:
        yield sink


@pytest.fixture
def program(sink: Sink, tmp_path: Path) -> Iterator[Program]:
    """The service, when it answers."""
    contrib = python_with_contrib()
    (tmp_path / "app.py").write_text(APP)
    program = Program(
        "uvicorn --port {port} app:app",
        tmp_path,
        environment={
            **LATE,
            "PATH": f"{contrib.parent}{os.pathsep}{os.environ['PATH']}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint,
            "OTEL_PYTHON_EXCLUDED_URLS": "/pid",
            "BEAR_OTEL_HEALTH_ENABLED": "true",
        },
        cwd=tmp_path,
    )
    try:
        wait_until(lambda: program.try_pid() == 1, "the service answers")
        yield program
    finally:
        program.close()


def ask(program: Program, path: str) -> int:
    """Return the status of the answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)) as client:
        client.request("GET", path)
        answer = client.getresponse()
        answer.read()
        return answer.status


def test_each_request_is_measured_once(program: Program, sink: Sink) -> None:
    """One span and one count, also for a stream and an error; health checks are left out."""
    paths = {"/orders/7": 200, "/stream": 200, "/fail": 500, "/nowhere": 404, "/livez": 200}
    assert {path: ask(program, path) for path in paths} == paths
    program.process.terminate()
    program.wait()
    assert sorted((span.name, span.kind) for span in sink.spans) == [
        ("GET", 2),
        ("GET /fail", 2),
        ("GET /orders/{number:int}", 2),
        ("GET /stream", 2),
    ], program.stderr
    assert sink.total("http.server.request.duration") == 4
    assert sink.total("http.server.request.duration", http_route="/orders/{number:int}") == 1
    assert sink.total("http.server.active_requests") == 0
    assert "starlette" in program.stderr
    assert "ada@example.com" not in f"{sink.spans}{sink.logs}"
