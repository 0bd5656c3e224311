"""A service under the launcher hands its errors to a real Sentry server, whatever ends it."""

from __future__ import annotations

import http.client
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bugsink import Bugsink, running_bugsink
from tests.lifecycle.lifecycle_harness import (
    HASTY,
    LONGEST_EXIT_SECONDS,
    Program,
    Sink,
    dead_collector,
    wait_until,
)
from tests.sources.test_sentry import Ingest
from tests.virtualenvs import ROOT

pytestmark = pytest.mark.server

ADA = "ada.lovelace@example.com"
CARD = "4111111111111111"


@pytest.fixture(scope="module")
def bugsink() -> Iterator[Bugsink]:
    """A server that keeps errors."""
    with running_bugsink() as bugsink:
        yield bugsink


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A collector that remembers what it gets."""
    with Sink() as sink:
        yield sink


def start(directory: Path, command: Any, endpoint: str, cwd: Path = ROOT, **more: str) -> Program:
    """Start a program under the launcher."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **more}
    return Program(command, directory, environment=environment, cwd=cwd)


def opens(port: int) -> bool:
    """Return whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def post(port: int, path: str, body: str = "") -> int:
    """Make a request; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body, {"Content-Type": "application/json", "User-Agent": ADA})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_an_error_of_the_example_is_an_issue_with_its_trace(
    tmp_path: Path, sink: Sink, bugsink: Bugsink
) -> None:
    """One issue with the ids of the span, and no byte of a person in all that the server keeps."""
    command = "uvicorn shop:app --port {port}"
    cwd = ROOT / "examples" / "shop"
    program = start(tmp_path, command, sink.endpoint, cwd, SENTRY_DSN=bugsink.dsn)
    try:
        wait_until(lambda: opens(program.port), "the shop is open")
        order = f'{{"email": "{ADA}", "item": "book", "cents": 5}}'
        assert post(program.port, "/orders", order) == 201
        assert post(program.port, f"/orders/1/pay?card={CARD}") == 500
        wait_until(bugsink.events, "the error has arrived")
        program.signal(signal.SIGINT)
        program.wait()
    finally:
        program.close()
    (event,) = bugsink.events()
    assert bugsink.issues() == [("RuntimeError", "the bank refused card [REDACTED:card]")]
    (span,) = [span for span in sink.spans if span.name == "POST /orders/{order_id}/pay"]
    assert event["contexts"]["trace"] == {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
    }
    (told,) = [log for log in sink.logs if log.event_name.endswith("exception")]
    assert told.trace_id == span.trace_id
    assert sink.total("bear.exceptions") == 1
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert (frame["module"], frame["function"]) == ("shop", "pay")
    stored = bugsink.stored()
    for secret in (ADA, CARD):
        assert secret.encode() not in stored


_GUNICORN = "gunicorn shop:app --bind 127.0.0.1:{port} --no-control-socket --preload"
SERVERS = {
    "uvicorn": "uvicorn shop:app --port {port}",
    "gunicorn": f"{_GUNICORN} -k uvicorn_worker.UvicornWorker -w 2",
    "hypercorn": "hypercorn shop:app --bind 127.0.0.1:{port}",
    "granian": "granian shop:app --interface asgi --port {port} --workers 2",
}


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_an_error_is_told_once_under_every_server(tmp_path: Path, sink: Sink, command: str) -> None:
    """Each logs it in its own way; in forked workers, too."""
    with Ingest() as ingest:
        cwd = ROOT / "examples" / "shop"
        program = start(tmp_path, command, sink.endpoint, cwd, SENTRY_DSN=ingest.dsn)
        try:
            wait_until(lambda: opens(program.port), "the shop is open")
            for _ in range(10):
                assert post(program.port, f"/orders/1/pay?card={CARD}") == 500
            program.signal(signal.SIGTERM)
            program.wait()
        finally:
            program.close()
    told = [log for log in sink.logs if log.severity_text in ("ERROR", "FATAL")]
    assert [log.event_name for log in told] == ["http.server.request.exception"] * 10
    assert sink.total("bear.exceptions") == 10
    spans = {span.span_id.hex() for span in sink.spans if span.name.endswith("/pay")}
    linked = [event["contexts"]["trace"]["span_id"] for event in ingest.events()]
    assert (len(linked), set(linked)) == (10, spans)
    assert CARD not in str(sink.logs) + str(ingest.envelopes)


# How a program without a server ends, and the errors that Sentry then has.
FAIL = "import logging; logging.getLogger('shop').error('first'); raise ValueError('last')"
FINE = "import logging; logging.getLogger('shop').error('first')"


@pytest.mark.parametrize(
    ("program", "count"), [(FAIL, 2), (FINE, 1)], ids=["exception", "normal end"]
)
def test_errors_of_a_program_that_ends_arrive(
    tmp_path: Path, sink: Sink, program: str, count: int
) -> None:
    """Also the one that ends it; Sentry prints nothing about it."""
    with Ingest() as ingest:
        running = start(tmp_path, ["python", "-c", program], sink.endpoint, SENTRY_DSN=ingest.dsn)
        running.wait()
        assert len(ingest.events()) == count
    assert "errors only" in running.stderr
    assert "pending" not in running.stderr


@pytest.mark.parametrize("kind", ["refused", "hanging"])
def test_a_sentry_that_does_not_answer_holds_up_no_exit(
    tmp_path: Path, sink: Sink, kind: str
) -> None:
    """It shares the one budget of all that is flushed at the end, and one that refuses is done."""
    patience = HASTY if kind == "hanging" else {}
    program = "import logging, time; logging.getLogger('shop').error('x'); print(time.time())"

    def time_exit(name: str, dsn: str) -> float:
        more = {"SENTRY_DSN": dsn, **patience}
        running = start(tmp_path / name, ["python", "-c", program], sink.endpoint, **more)
        running.wait()
        return time.time() - float(running.stdout)

    with Ingest() as ingest, dead_collector(kind) as dead:
        quick = time_exit("quick", ingest.dsn)
        slow = time_exit("slow", dead.replace("://", "://0123456789abcdef@") + "/1")
    assert slow - quick <= LONGEST_EXIT_SECONDS
    said = (tmp_path / "slow" / "stderr").read_text().count("Sentry has not taken an error")
    assert said == (kind == "refused")


def test_a_missing_sdk_is_said_in_one_line_with_the_remedy(tmp_path: Path, sink: Sink) -> None:
    """And the rest of telemetry runs."""
    (tmp_path / "sentry_sdk.py").write_text("raise ModuleNotFoundError('No sentry_sdk')")
    environment = {"PYTHONPATH": str(tmp_path), "SENTRY_DSN": "https://hunter2@example.com/1"}
    running = start(tmp_path, ["python", "-c", FINE], sink.endpoint, **environment)
    running.wait()
    (line,) = [line for line in running.stderr.splitlines() if "sentry" in line.lower()]
    assert line.split(maxsplit=1)[1] == (
        "sentry-sdk: SENTRY_DSN is set, sending errors needs: pip install 'bear-otel[sentry]'"
    )
    assert "hunter2" not in running.stderr
    assert [log.body.string_value for log in sink.logs] == ["first"]
