"""The ready-made checks, against what they check."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import QueuePool

from bear_otel.settings import ConfigurationError
from bear_otel.sources.health import Health, HealthCheck
from bear_otel.sources.health_checks import (
    check_database,
    check_disk_space,
    check_model,
    check_url,
)
from tests.sources.health_harness import running, wait_until


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_database_that_answers_is_healthy(tmp_path: Path, kind: str) -> None:
    """With how much of its pool is in use."""
    path = tmp_path / "shop.db"
    if kind == "sync":
        engine = create_engine(f"sqlite:///{path}", poolclass=QueuePool, pool_size=3)
        result = check_database(engine)()
        engine.dispose()
    else:

        async def ask() -> Any:
            engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=3)
            try:
                return await check_database(engine)()  # pyright: ignore[reportGeneralTypeIssues] - it is the asynchronous one
            finally:
                await engine.dispose()

        result = asyncio.run(ask())
    assert result == Health(details={"connections_used": 0, "pool_size": 3})


def test_a_database_without_a_pool_is_healthy_too() -> None:
    """There is nothing to tell about it."""
    engine = create_engine("sqlite://")
    assert check_database(engine)() == Health()
    engine.dispose()


def test_an_exhausted_pool_is_no_healthy_database(tmp_path: Path) -> None:
    """A request would wait in vain, too."""
    engine = create_engine(
        f"sqlite:///{tmp_path}/shop.db",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.05,
    )
    with engine.connect(), pytest.raises(PoolTimeoutError):
        check_database(engine)()
    engine.dispose()


def test_a_database_that_is_not_there_raises(tmp_path: Path) -> None:
    """Which is unhealthy."""
    engine = create_engine(f"sqlite:///{tmp_path}/nowhere/shop.db")
    with running(HealthCheck(name="x", run=check_database(engine))) as (_, heard):
        wait_until(lambda: heard.told, "it was made")
    _, result, _ = heard.told[0]
    assert (result.state, result.error_type) == ("unhealthy", "OperationalError")
    engine.dispose()


@contextmanager
def page(status: int) -> Iterator[str]:
    """Serve a page that has this status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/health"
        server.shutdown()
        thread.join(60)


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "healthy"), (204, "healthy"), (404, "unhealthy"), (503, "unhealthy")],
)
def test_a_page_is_as_healthy_as_its_status(status: int, state: str) -> None:
    """Which is told."""
    with page(status) as url:
        result = check_url(url)()
    assert (result.state, result.details) == (state, {"http.response.status_code": status})  # pyright: ignore[reportAttributeAccessIssue] - it is no coroutine


def test_a_page_that_nobody_serves_raises() -> None:
    """Which is unhealthy."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        check_url(f"http://127.0.0.1:{port}")()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "host:80", "http://"])
def test_only_http_is_asked(url: str) -> None:
    """An address may come from a variable."""
    with pytest.raises(ConfigurationError, match=r"http://\.\.\. or https://"):
        check_url(url)


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("used", "state"),
    [(0, "healthy"), (79, "healthy"), (80, "degraded"), (90, "unhealthy"), (100, "unhealthy")],
)
def test_a_full_disk_is_unhealthy(monkeypatch: pytest.MonkeyPatch, used: int, state: str) -> None:
    """And one that fills up is degraded."""
    # Five more are kept for root.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(105, used, 100 - used))
    details = {"used": used / 100, "free_bytes": 100 - used}
    assert check_disk_space()() == Health(state=state, details=details)  # pyright: ignore[reportArgumentType] - one of four


def test_a_real_disk_has_a_state(tmp_path: Path) -> None:
    """Whatever it is."""
    result: Any = check_disk_space(str(tmp_path))()
    assert 0 < result.details["used"] <= 1


@pytest.mark.parametrize("shares", [(0.9, 0.8), (0, 0.5), (80, 90)])
def test_shares_that_are_none_are_refused(shares: tuple[float, float]) -> None:
    """Percentages among them."""
    with pytest.raises(ConfigurationError, match="shares above 0 up to 1"):
        check_disk_space(degraded_from=shares[0], unhealthy_from=shares[1])


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("answer", "state"), [("Hello!", "healthy"), ("", "degraded")])
def test_a_model_that_answers_is_healthy(kind: str, answer: str, state: str) -> None:
    """It is asked what it is told to be asked."""
    asked = []

    def infer(prompt: str) -> str:
        asked.append(prompt)
        return answer

    async def infer_later(prompt: str) -> str:
        return infer(prompt)

    outcome: Any = check_model(infer if kind == "sync" else infer_later, prompt="Hi")()
    if kind == "async":
        outcome = asyncio.run(outcome)
    assert (outcome.state, asked) == (state, ["Hi"])
