"""Headers that OpenTelemetry's instrumentors are told to capture leave without what is secret."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.lifecycle.lifecycle_harness import LATE, Program, Sink, wait_until
from tests.virtualenvs import python_with_contrib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.server

SECRET = "q8Zr2LxW9vKp4TnB7"
REQUEST = {
    "authorization": f"Bearer {SECRET}",
    "proxy-authorization": f"Basic {SECRET}",
    "cookie": f"sid={SECRET}; theme=dark",
    "x-api-key": SECRET,
    "x-auth-token": SECRET,
    "x-honeycomb-team": SECRET,
    "x-forwarded-for": "203.0.113.77",
    "x-shop-tier": "gold",
}
RESPONSE = {
    "set-cookie": f"sid={SECRET}; HttpOnly",
    "x-access-token": SECRET,
    "x-shop-stock": "plenty",
}

# The same for both frameworks: one is asked, and asks itself with httpx.
APP = f"""
import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from fastapi import FastAPI


async def answer(request):
    return JSONResponse(1, headers={RESPONSE})


async def pass_on(request):
    async with httpx.AsyncClient() as client:
        url = str(request.url_for("answer"))
        found = await client.get(url, headers={REQUEST})
        return JSONResponse(found.json())


routes = [Route("/answer", answer), Route("/pass-on", pass_on), Route("/pid", answer)]
starlette = Starlette(routes=routes)
fastapi = FastAPI(routes=routes)
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A collector that remembers what it gets."""
    with Sink() as sink:
        yield sink


@pytest.mark.parametrize("sanitized", ["", "nothing-of-this"])
@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_captured_headers_are_scrubbed(
    framework: str, sanitized: str, sink: Sink, tmp_path: Path
) -> None:
    """Incoming and outgoing, request and answer, whatever OpenTelemetry is told to sanitize."""
    contrib = python_with_contrib()
    (tmp_path / "app.py").write_text(APP)
    sides = ("SERVER_REQUEST", "SERVER_RESPONSE", "CLIENT_REQUEST", "CLIENT_RESPONSE")
    capture = {f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_{side}": ".*" for side in sides}
    program = Program(
        f"uvicorn --port {{port}} app:{framework}",
        tmp_path,
        environment={
            **LATE,
            **capture,
            "PATH": f"{contrib.parent}{os.pathsep}{os.environ['PATH']}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint,
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS": sanitized,
            "OTEL_PYTHON_EXCLUDED_URLS": "/pid",
        },
        cwd=tmp_path,
    )
    try:
        wait_until(lambda: program.try_pid() == 1, "the service answers")
        assert program.get("/pass-on") == 1
        program.process.terminate()
        program.wait()
    finally:
        program.close()

    sent = str([*sink.spans, *sink.logs])
    assert SECRET not in sent
    assert "203.0.113.77" not in sent
    found = [
        {each.key: each.value for each in span.attributes if ".header." in each.key}
        for span in sorted(sink.spans, key=lambda span: span.start_time_unix_nano)
    ]
    # Asked, asks, is asked.
    assert len(found) == 3, program.stderr
    for headers in found[1:]:
        texts = {key: each.array_value.values[0].string_value for key, each in headers.items()}
        request = {
            key.rpartition(".")[2]: value for key, value in texts.items() if ".request." in key
        }
        response = {
            key.rpartition(".")[2]: value for key, value in texts.items() if ".response." in key
        }
        assert {key: request[key.replace("-", "_")] for key in REQUEST} == {
            "authorization": "[REDACTED:token]",
            "proxy-authorization": "[REDACTED:token]",
            "cookie": "[REDACTED:cookie]",
            "x-api-key": "[REDACTED:token]",
            "x-auth-token": "[REDACTED:token]",
            "x-honeycomb-team": "[REDACTED:token]",
            "x-forwarded-for": "203.0.113.0",
            "x-shop-tier": "gold",
        }
        assert {key: response[key.replace("-", "_")] for key in RESPONSE} == {
            "set-cookie": "[REDACTED:cookie]",
            "x-access-token": "[REDACTED:token]",
            "x-shop-stock": "plenty",
        }
