"""Whoever measures requests, the same ones are left out: health checks and what the user excludes.

FastAPI measures itself since 0.142; an older version is in a virtual environment with
OpenTelemetry's contrib instrumentation.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lifecycle.lifecycle_harness import LATE, Program, Sink, wait_until
from tests.virtualenvs import python_with

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.server

APP = """
import bear_otel
from fastapi import FastAPI

app = FastAPI()
app.include_router(bear_otel.health_routes(prefix="/internal"))


@app.get("/pid")
async def pid() -> int:
    return 1


@app.get("/ping")
async def ping() -> str:
    return "pong"
"""


@pytest.fixture(scope="module")
def contrib() -> Path:
    """Return the interpreter of an environment with the contrib instrumentation."""
    return python_with("fastapi<0.142", "opentelemetry-instrumentation-fastapi", "uvicorn")


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A collector that remembers what it gets."""
    with Sink() as sink:
        yield sink


@pytest.mark.parametrize("measured_by", ["native", "contrib"])
def test_excluded_requests_are_not_measured(
    measured_by: str, sink: Sink, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Neither the health paths, wherever they are, nor the user's; all others are."""
    native = measured_by == "native"
    python = Path(sys.executable) if native else request.getfixturevalue("contrib")
    (tmp_path / "app.py").write_text(APP)
    program = Program(
        "uvicorn --port {port} app:app",
        tmp_path,
        environment={
            **LATE,
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint,
            "OTEL_PYTHON_EXCLUDED_URLS": "ping",
            "BEAR_OTEL_HEALTH_ENABLED": "true",
        },
        cwd=tmp_path,
    )
    try:
        wait_until(lambda: program.try_pid() == 1, "the service answers")
        for path in ("/ping", "/livez", "/readyz", "/internal/livez", "/internal/health"):
            program.get(path)
        program.process.terminate()
        program.wait()
    finally:
        program.close()
    assert [span.name for span in sink.spans] == ["GET /pid"], program.stderr
    assert sink.total("http.server.request.duration") == 1
