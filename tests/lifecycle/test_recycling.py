"""Servers replace their workers while they run: what a worker has measured outlives it."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from lifecycle_harness import APPS, Program, Sink, check_received, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.server

_UVICORN = "uvicorn service:app --port {port}"
# uvicorn kills a worker that does not answer within 5 seconds, as one that starts on a machine
# that is busy. It waits as long for one that ends while it asks.
_TWO_WORKERS = "--workers 2 --timeout-worker-healthcheck 20"
_GUNICORN = "gunicorn service:app --bind 127.0.0.1:{port} --no-control-socket"
_HYPERCORN = "hypercorn service:app --bind 127.0.0.1:{port}"
_GRANIAN = "granian service:app --interface asgi --port {port}"

# Each worker serves so few requests that several must follow each other.
AFTER_REQUESTS = {
    "uvicorn-2-workers": f"{_UVICORN} {_TWO_WORKERS} --limit-max-requests 7",
    "gunicorn": f"{_GUNICORN} -k uvicorn_worker.UvicornWorker -w 2 --max-requests 7",
    "gunicorn-preload": (
        f"{_GUNICORN} -k uvicorn_worker.UvicornWorker -w 2 --max-requests 7 --preload"
    ),
    "gunicorn-asgi": f"{_GUNICORN} -k asgi -w 2 --max-requests 7",
    "hypercorn-2-workers": f"{_HYPERCORN} -w 2 --max-requests 7",
}
ON_HANGUP = {
    "uvicorn-2-workers": f"{_UVICORN} {_TWO_WORKERS}",
    "gunicorn": f"{_GUNICORN} -k uvicorn_worker.UvicornWorker -w 2",
    "gunicorn-asgi": f"{_GUNICORN} -k asgi -w 2",
    "granian-2-workers": f"{_GRANIAN} --workers 2",
}


@pytest.mark.parametrize("command", AFTER_REQUESTS.values(), ids=AFTER_REQUESTS)
def test_workers_that_end_after_some_requests_lose_nothing(
    run: Callable[..., Program], sink: Sink, command: str
) -> None:
    """The sums over all workers that ever were are the requests that were made."""
    program = run(command, sink.endpoint)
    first = program.find_workers(2)

    sent = program.order(15)
    wait_until(lambda: program.find_workers(2) - first, "a new worker answers")
    sent |= program.order(15)
    program.signal(signal.SIGTERM)
    program.wait()

    check_received(sink, sent)
    assert len(sink.measured_instances()) > 2


@pytest.mark.parametrize("command", ON_HANGUP.values(), ids=ON_HANGUP)
def test_workers_that_are_replaced_on_hangup_lose_nothing(
    run: Callable[..., Program], sink: Sink, command: str
) -> None:
    """After SIGHUP there are two new workers, and what the old ones have measured has arrived."""
    program = run(command, sink.endpoint)
    old = program.find_workers(2)
    sent = program.order(10)

    program.signal(signal.SIGHUP)
    wait_until(lambda: not old & program.find_workers(2), "new workers answer")
    sent |= program.order(10)
    program.signal(signal.SIGTERM)
    program.wait()

    check_received(sink, sent)
    assert len(sink.measured_instances()) == 4


def test_a_reloader_loses_nothing(run: Callable[..., Program], sink: Sink, tmp_path: Path) -> None:
    """The worker before the change of a file delivers what it has, and so does the one after."""
    app = shutil.copy(APPS / "service.py", tmp_path)
    program = run(f"{_UVICORN} --reload", sink.endpoint, cwd=tmp_path)
    old = program.find_workers(1)
    sent = program.order(5)

    os.utime(app)
    wait_until(lambda: old != program.find_workers(1), "a new worker answers")
    sent |= program.order(5)
    program.signal(signal.SIGTERM)
    program.wait()

    check_received(sink, sent)
    assert len(sink.measured_instances()) == 2


def test_a_server_that_ends_by_itself_loses_nothing(
    run: Callable[..., Program], sink: Sink
) -> None:
    """A single uvicorn ends normally after its last request, with its own exit code."""
    command = f"{_UVICORN} --limit-max-requests 30"
    bare, program = run(command, bare=True), run(command, sink.endpoint)
    for each in (bare, program):
        each.find_workers(1)
    sent = program.order(20)

    for each in (bare, program):
        wait_until(lambda each=each: each.try_pid() is None, "the server ends")

    assert program.wait() == bare.wait()
    check_received(sink, sent)
