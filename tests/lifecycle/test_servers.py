"""Every server, however it ends: what was measured arrives, and the end is quick."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from lifecycle_harness import (
    HASTY,
    LONGEST_EXIT_SECONDS,
    Program,
    Sink,
    check_received,
    dead_collector,
    normalize,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.server

ORDERS = 20

# uvicorn kills a worker that does not answer within 5 seconds, as one that starts on a machine
# that is busy. It waits as long for one that ends while it asks.
_TWO_WORKERS = "--workers 2 --timeout-worker-healthcheck 20"
_GUNICORN = "gunicorn service:app --bind 127.0.0.1:{port} --no-control-socket"
_HYPERCORN = "hypercorn service:app --bind 127.0.0.1:{port}"
_GRANIAN = "granian service:app --interface asgi --port {port}"
# Command and number of workers.
SERVERS = {
    "uvicorn": ("uvicorn service:app --port {port}", 1),
    "uvicorn-2-workers": (f"uvicorn service:app --port {{port}} {_TWO_WORKERS}", 2),
    "uvicorn-reload": ("uvicorn service:app --port {port} --reload", 1),
    "uvicorn-no-lifespan": ("uvicorn service:app --port {port} --lifespan off", 1),
    "gunicorn": (f"{_GUNICORN} -k uvicorn_worker.UvicornWorker -w 2", 2),
    "gunicorn-preload": (f"{_GUNICORN} -k uvicorn_worker.UvicornWorker -w 2 --preload", 2),
    "gunicorn-asgi": (f"{_GUNICORN} -k asgi -w 2", 2),
    "gunicorn-asgi-preload": (f"{_GUNICORN} -k asgi -w 2 --preload", 2),
    "hypercorn-0-workers": (f"{_HYPERCORN} -w 0", 1),
    "hypercorn": (f"{_HYPERCORN} -w 1", 1),
    "hypercorn-2-workers": (f"{_HYPERCORN} -w 2", 2),
    "granian": (_GRANIAN, 1),
    "granian-2-workers": (f"{_GRANIAN} --workers 2", 2),
}
servers = pytest.mark.parametrize(("command", "workers"), SERVERS.values(), ids=SERVERS)

# As a service manager does, to the first process; as a terminal does, to all of them.
ENDS = {"SIGTERM": (signal.SIGTERM, False), "SIGINT": (signal.SIGINT, True)}
ends = pytest.mark.parametrize(("how", "group"), ENDS.values(), ids=ENDS)


@servers
@ends
def test_what_was_measured_arrives(
    run: Callable[..., Program],
    sink: Sink,
    command: str,
    workers: int,
    how: signal.Signals,
    group: bool,
) -> None:
    """All spans, log lines and sums arrive; exit code and stdout are those of the bare command."""
    bare = run(command, bare=True)
    program = run(command, sink.endpoint)
    for each in (bare, program):
        each.find_workers(workers)
    bare.order(1)
    sent = program.order(ORDERS)
    assert not sink.spans, "the end alone delivers"

    for each in (bare, program):
        each.signal(how, group=group)

    assert program.wait() == bare.wait()
    check_received(sink, sent)
    assert len(sink.measured_instances()) == workers
    # A supervisor may have logged before it became one.
    assert sink.instances["metrics"] | sink.instances["traces"] == sink.measured_instances()
    assert normalize(program.stdout) == normalize(bare.stdout)
    assert program.stderr.count("bear-otel 0.") == 1, program.stderr


@servers
def test_the_exit_does_not_wait_for_a_dead_collector(
    run: Callable[..., Program], command: str, workers: int
) -> None:
    """Nor for the timeout of a request, whether it refuses or never answers."""
    with dead_collector("refused") as refused, dead_collector("hanging") as hanging:
        programs = {
            "bare": run(command, bare=True),
            "refused": run(command, refused, environment=HASTY),
            "hanging": run(command, hanging, environment=HASTY),
        }
        for program in programs.values():
            program.find_workers(workers)
            program.order(ORDERS)
        seconds = {}
        for kind, program in programs.items():
            started = time.monotonic()
            program.signal(signal.SIGTERM)
            program.wait()
            seconds[kind] = time.monotonic() - started
    # Some servers take more than a second for themselves.
    assert max(seconds.values()) <= LONGEST_EXIT_SECONDS + seconds["bare"], seconds
