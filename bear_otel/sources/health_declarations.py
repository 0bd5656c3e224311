"""The functions with which an application declares its health checks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from bear_otel.sources.health import HealthCheck
from bear_otel.sources.health_routes import HealthRoutes
from bear_otel.sources.health_runner import HealthRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from bear_otel.sources.health import Check

Function = TypeVar("Function", bound="Check")

# One in a process: checks are declared where modules are imported, before anything runs.
HEALTH_RUNNER = HealthRunner()
HEALTH_ROUTES = HealthRoutes(HEALTH_RUNNER)
os.register_at_fork(after_in_child=HEALTH_RUNNER.restart_in_child)


def add_health_check(
    name: str,
    check: Check,
    *,
    interval_seconds: float = 15.0,
    timeout_seconds: float = 2.0,
    critical: bool = False,
    degraded_after_seconds: float | None = None,
) -> None:
    """Check something from time to time, from when telemetry and the application have started.

    Args:
        name: What is checked; a second check with the name replaces the first.
        check: A function without arguments, asynchronous or not. It returns None or True for
            healthy, False for unhealthy, or `Health`; an exception is unhealthy.
        interval_seconds: Time from one check to the next.
        timeout_seconds: After this time it is unhealthy; an asynchronous check is cancelled, one
            that is not cannot be, and is not made again before it has returned.
        critical: Whether the service is of no use without it: what would be `unhealthy` is
            `critical` then, and `/readyz` answers 503 until the check has passed.
        degraded_after_seconds: A healthy check that takes longer is degraded.

    Raises:
        ConfigurationError: A check that cannot be made.
    """
    HEALTH_RUNNER.add(
        HealthCheck(
            name=name,
            run=check,
            interval_seconds=interval_seconds,
            timeout_seconds=timeout_seconds,
            critical=critical,
            degraded_after_seconds=degraded_after_seconds,
        )
    )


def health_check(name: str, **options: Any) -> Callable[[Function], Function]:
    """Make a function a health check; it stays the function that it is.

    Args:
        name: What is checked.
        options: Those of `add_health_check`.

    Raises:
        ConfigurationError: A check that cannot be made.
    """

    def declare(check: Function) -> Function:
        add_health_check(name, check, **options)
        return check

    return declare


def health_routes(prefix: str = "") -> Any:
    """Return a router with `/livez`, `/readyz` and `/health`.

    For FastAPI `app.include_router(health_routes())`, for Starlette
    `Starlette(routes=health_routes().routes)`. They answer with and without telemetry, and
    requests to them are not measured.

    Args:
        prefix: Goes before the paths. A prefix given to `include_router` instead is not known
            here, and its requests would be measured.
    """
    return HEALTH_ROUTES.create_router(prefix)
