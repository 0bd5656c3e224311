"""Ready-made health checks for what most services depend on."""

from __future__ import annotations

import inspect
import shutil
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from bear_otel.settings import ConfigurationError
from bear_otel.sources.health import Health

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Check = Callable[[], Health]
    AsyncCheck = Callable[[], Awaitable[Health]]


def check_database(engine: Any) -> Check | AsyncCheck:
    """Return a check that asks a database for the number one.

    Args:
        engine: An `Engine` or `AsyncEngine` of SQLAlchemy. The check takes a connection from its
            pool, as a request would: an exhausted pool is not healthy.
    """
    import sqlalchemy

    query = sqlalchemy.select(sqlalchemy.literal(1))

    if hasattr(engine, "sync_engine"):

        async def ask_async() -> Health:
            async with engine.connect() as connection:
                await connection.execute(query)
            return Health(details=_describe_pool(engine.sync_engine.pool))

        return ask_async

    def ask() -> Health:
        with engine.connect() as connection:
            connection.execute(query)
        return Health(details=_describe_pool(engine.pool))

    return ask


def check_url(url: str, *, timeout_seconds: float = 10.0) -> Check:
    """Return a check that gets a page over HTTP; a status from 400 on is unhealthy.

    Args:
        url: `http://` or `https://`. Redirects are followed.
        timeout_seconds: When to give up on the connection. The timeout of the check itself says
            when it counts as failed, and is usually shorter.

    Raises:
        ConfigurationError: Another kind of address.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("url of a health check", url, "http://... or https://...")

    def get() -> Health:
        # With the standard library alone: it is one request in a thread that may wait.
        try:
            with urllib.request.urlopen(url, timeout=timeout_seconds) as response:  # noqa: S310 - the scheme is checked
                status = response.status
        except urllib.error.HTTPError as error:
            error.close()
            status = error.code
        return Health(
            state="healthy" if status < 400 else "unhealthy",
            details={"http.response.status_code": status},
        )

    return get


def check_disk_space(
    path: str = "/", *, degraded_from: float = 0.8, unhealthy_from: float = 0.9
) -> Check:
    """Return a check of how full a file system is.

    Args:
        path: A file or folder on it.
        degraded_from: Share in use, 0 to 1, from which on it is degraded.
        unhealthy_from: Share in use from which on it is unhealthy.

    Raises:
        ConfigurationError: Shares that are none, or in the wrong order.
    """
    if not 0 < degraded_from <= unhealthy_from <= 1:
        accepted = "shares above 0 up to 1, the first not above the second"
        raise ConfigurationError("check_disk_space", (degraded_from, unhealthy_from), accepted)

    def measure() -> Health:
        usage = shutil.disk_usage(path)
        # As `df` counts: what is kept for root is neither used nor free.
        share = usage.used / max(1, usage.used + usage.free)
        state = "healthy"
        if share >= unhealthy_from:
            state = "unhealthy"
        elif share >= degraded_from:
            state = "degraded"
        return Health(state=state, details={"used": round(share, 3), "free_bytes": usage.free})

    return measure


def check_model(infer: Callable[[str], Any], *, prompt: str = "Hello, world!") -> Check:
    """Return a check that asks a model something; no answer is degraded, an exception unhealthy.

    Args:
        infer: Takes the prompt and returns the answer, or an awaitable of it. Each check is an
            inference, so give it an interval that you can afford.
        prompt: What to ask.
    """

    def ask() -> Any:
        answer = infer(prompt)
        if inspect.isawaitable(answer):
            return _judge_later(answer)
        return _judge_answer(answer)

    return ask


async def _judge_later(answer: Awaitable[Any]) -> Health:
    return _judge_answer(await answer)


def _judge_answer(answer: object) -> Health:
    return Health() if answer else Health(state="degraded", error="the model gave no answer")


def _describe_pool(pool: Any) -> dict[str, int]:
    """Return the numbers of a queue pool; others have none."""
    if not hasattr(pool, "checkedout"):
        return {}
    return {"connections_used": pool.checkedout(), "pool_size": pool.size()}
