"""An application that nobody here wrote: FastAPI's own tutorial on SQL databases.

It comes out of FastAPI's source distribution, uses SQLModel on SQLAlchemy 2.1, and knows nothing
of OpenTelemetry.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bear_otel.cli.receiver import Receiver
from tests.lifecycle.lifecycle_harness import PATIENT
from tests.ports import free_port
from tests.virtualenvs import python_with

pytestmark = pytest.mark.server

VERSION = "0.165.0"
TUTORIAL = "docs_src/sql_databases/tutorial002.py"


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the tutorial."""
    folder = tmp_path_factory.mktemp("fastapi")
    source = ["--no-deps", "--no-binary", "fastapi", f"fastapi=={VERSION}", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *source], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"fastapi-{VERSION}/{TUTORIAL}")
        assert member is not None
        (folder / "tutorial.py").write_bytes(member.read())
    return folder


def test_the_tutorial_is_seen_whole(tutorial: Path) -> None:
    """One server span a request, its queries below it, metrics and logs, nothing personal."""
    python = python_with(f"fastapi=={VERSION}", "sqlmodel", "sqlalchemy==2.1.*", "uvicorn")
    received: list[object] = []
    keep = received.append
    with Receiver(on_traces=keep, on_metrics=keep, on_logs=keep) as receiver:
        port = free_port()
        environ = {
            "PATH": os.environ["PATH"],
            "OTEL_SERVICE_NAME": "tutorial",
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            **PATIENT,
        }
        launcher = python.with_name("bear-otel-instrument")
        command = [launcher, python, "-m", "uvicorn", "tutorial:app", "--port", str(port)]
        service = subprocess.Popen(
            command, cwd=tutorial, env=environ, stderr=subprocess.PIPE, text=True
        )
        try:
            wait_until_up(service, port)
            use(f"http://127.0.0.1:{port}")
        finally:
            service.send_signal(signal.SIGTERM)
            _, errors = service.communicate(timeout=60)
    assert "sqlalchemy 2.1" in errors
    spans = collect_spans(received)
    requests = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    assert Counter(span.name for span in requests) == {
        "POST /heroes/": 2,
        "GET /heroes/": 1,
        "GET /heroes/{hero_id}": 2,
        "PATCH /heroes/{hero_id}": 1,
        "DELETE /heroes/{hero_id}": 1,
    }
    ids = {span.span_id for span in requests}
    queries = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    below = Counter(span.name for span in queries if span.parent_span_id in ids)
    assert below["INSERT hero"] == 2
    assert below["DELETE hero"] == 1
    assert below["SELECT hero"] >= 5
    text = "\n".join(str(request) for request in received)
    for name in ("http.server.request.duration", "db.client.operation.duration", "process.uptime"):
        assert name in text
    assert "Application startup complete" in text
    # The secret name of a hero is a bound parameter of its INSERT.
    assert "dive.wilson@example.com" not in text


def use(service: str) -> None:
    """Call each route; an unknown hero included."""
    hero = {"name": "Deadpond", "secret_name": "dive.wilson@example.com", "age": 30}
    for method, path, body in (
        ("POST", "/heroes/", hero),
        ("POST", "/heroes/", {**hero, "name": "Rusty"}),
        ("GET", "/heroes/", None),
        ("GET", "/heroes/1", None),
        ("GET", "/heroes/77", None),
        ("PATCH", "/heroes/1", {"age": 31}),
        ("DELETE", "/heroes/2", None),
    ):
        data = json.dumps(body).encode() if body else None
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{service}{path}", data, headers, method=method)
        with contextlib.suppress(urllib.error.HTTPError):  # the unknown one is not found
            urllib.request.urlopen(request, timeout=60).close()


def collect_spans(received: list[object]) -> list[Span]:
    """Return the spans out of all requests."""
    return [
        span
        for request in received
        if isinstance(request, ExportTraceServiceRequest)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def wait_until_up(service: subprocess.Popen[str], port: int) -> None:
    """Wait until the service takes connections."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and service.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the tutorial did not start")
