"""What the tests of health checks share: a runner, a served application, and patience."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import uvicorn

from bear_otel.sources.health import CheckResult, HealthCheck, State
from bear_otel.sources.health_runner import HealthRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def wait_until(reached: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition, or fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.005)


async def reach(reached: Callable[[], object], what: str) -> None:
    """Wait for a condition while the event loop goes on."""
    await asyncio.to_thread(wait_until, reached, what)


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, CheckResult, State | None]] = []

    def __call__(self, check: HealthCheck, result: CheckResult, before: State | None) -> None:
        self.told.append((check.name, result, before))

    def states(self, name: str) -> list[State]:
        """Return the states of a check, in their order."""
        return [result.state for told, result, _ in self.told if told == name]


@contextlib.contextmanager
def running(*checks: HealthCheck) -> Iterator[tuple[HealthRunner, Heard]]:
    """Make checks for the length of a block; a clean copy of details is the details."""
    runner, heard = HealthRunner(), Heard()
    for check in checks:
        runner.add(check)
    runner.attach()
    runner.start(listener=heard, scrub=dict)
    try:
        yield runner, heard
    finally:
        runner.stop()


@contextlib.contextmanager
def serving(app: Any, **options: Any) -> Iterator[str]:
    """Serve an application with uvicorn for the length of a block; return its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, **options))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "uvicorn has started")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


def count_threads(check: str) -> int:
    """Return how many threads make a check at this moment."""
    return sum(each.name == f"bear-otel-health-{check}" for each in threading.enumerate())
