"""Answer `/livez`, `/readyz` and `/health` in FastAPI and Starlette applications."""

from __future__ import annotations

import functools
import hmac
import ipaddress
import json
import time
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook, wrap_function_wrapper

from bear_otel.sources.asgi import bind_asgi, find_path, is_mounted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from bear_otel.sources.health import CheckResult, HealthCheck
    from bear_otel.sources.health_runner import HealthRunner

LIVEZ = "/livez"
PATHS = (LIVEZ, "/readyz", "/health")

_OK = 200
_UNAVAILABLE = 503

# A proxy on this host connects from a loopback address, too, but says for whom.
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")


class HealthRoutes:
    """What the health routes of a process answer, and on which paths.

    Args:
        runner: Makes the checks.
    """

    def __init__(self, runner: HealthRunner) -> None:
        self._runner = runner
        self._token = ""
        self._answers_unrouted = False
        self._paths: set[str] = set()

    def open(self, *, token: str | None, unrouted: bool) -> None:
        """Set who gets details, and whether to answer where the application has no route.

        Args:
            token: What `Authorization: Bearer` must say for details; None for loopback alone.
            unrouted: Whether to answer the three paths where nothing else does.
        """
        self._token = token or ""
        self._answers_unrouted = unrouted

    def close(self) -> None:
        """Answer on the routes only that the application has asked for, details to loopback."""
        self.open(token=None, unrouted=False)

    def serves(self, scope: Any) -> bool:
        """Return whether a request is for a health path, and so not to be measured."""
        path = find_path(scope)
        return path in self._paths or (self._answers_unrouted and path in PATHS)

    def create_router(self, prefix: str) -> Any:
        """Return a router with the three routes: FastAPI's, or Starlette's if that is all there is.

        Args:
            prefix: Goes before the paths.
        """
        try:
            from fastapi import APIRouter as Router
        except ImportError:
            from starlette.routing import Router

        router = Router()
        for name in PATHS:
            router.add_route(prefix + name, self._create_endpoint(name), include_in_schema=False)
            self._paths.add(prefix + name)
        return router

    async def not_found(self, wrapped: Any, _: Any, args: Any, kwargs: Any) -> None:
        """Answer a request that has reached the end of Starlette's routes, if it is a check."""
        scope, receive, send = bind_asgi(*args, **kwargs)
        path = find_path(scope)
        ours = path in PATHS and scope.get("method") in ("GET", "HEAD") and not is_mounted(scope)
        answer = self._answer(path, scope) if self._answers_unrouted and ours else wrapped
        return await answer(scope, receive, send)

    def _create_endpoint(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return self._answer(name, request.scope)

        return endpoint

    def _answer(self, name: str, scope: Any) -> Response:
        from starlette.responses import Response

        # Perhaps the first sign of an application, and of its event loop.
        self._runner.start()
        self._runner.attach()
        ready = self._runner.is_ready()
        body: dict[str, Any] = {"status": self._runner.state(), "ready": ready}
        if name == LIVEZ:
            body = {"status": "alive"}
        elif self._may_see_details(scope):
            results = self._runner.results().items()
            body["checks"] = {check: _describe(*last) for check, last in results}
        return Response(
            json.dumps(body, default=str),
            status_code=_OK if ready or name == LIVEZ else _UNAVAILABLE,
            headers={"cache-control": "no-store"},
            media_type="application/json",
        )

    def _may_see_details(self, scope: Any) -> bool:
        headers = dict(scope["headers"])
        given = headers.get(b"authorization", b"")
        if self._token and hmac.compare_digest(given, b"Bearer " + self._token.encode()):
            return True
        client = scope.get("client")
        return bool(client) and _is_loopback(client[0]) and headers.keys().isdisjoint(_FORWARDED)


def answer_unrouted(routes: HealthRoutes) -> None:
    """Let applications answer the health paths where they have no route of their own.

    Their own routes are asked first, whenever they were added; what is mounted on `/` or catches
    all paths is such a route, too.
    """
    hook = functools.partial(_wrap_not_found, routes=routes)
    register_post_import_hook(hook, "starlette.routing")


def _wrap_not_found(routing: Any, *, routes: HealthRoutes) -> None:
    wrap_function_wrapper(routing, "Router.not_found", routes.not_found)


def _describe(check: HealthCheck, result: CheckResult | None) -> dict[str, Any]:
    if result is None:
        return {"status": None, "critical": check.critical}
    described = {
        "status": result.state,
        "critical": check.critical,
        "seconds_ago": round(time.time() - result.checked_at, 1),
        "duration_seconds": round(result.duration_seconds, 4),
        "details": result.details or None,
        "error": result.error,
        "error_type": result.error_type,
    }
    return {key: value for key, value in described.items() if value is not None}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
