"""Answer `POST /bear/rum`, where browsers tell what somebody did and how fast the page was."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook, wrap_function_wrapper

from bear_otel.sources.asgi import bind_asgi, find_path, is_mounted
from bear_otel.sources.users import USERS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bear_otel.sources.rate_limits import RateLimiter
    from bear_otel.sources.user_recorder import Outcome
    from bear_otel.sources.users import UserAnalytics

PATH = "/bear/rum"

# `sendBeacon` sends text as `text/plain`, and asks no leave for it at another origin.
_TYPES = ("application/json", "text/plain")

_NO_CONTENT = 204
_BAD_REQUEST = 400
_FORBIDDEN = 403
_REQUEST_TIMEOUT = 408
_CONTENT_TOO_LARGE = 413
_UNSUPPORTED_MEDIA_TYPE = 415
_TOO_MANY_REQUESTS = 429

_READ_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserPolicy:
    """From whom and how much the endpoint takes.

    Args:
        unrouted: Whether to answer where the application has no route of its own.
        origins: Other origins that may tell; the application's own always may.
        max_bytes: Largest body.
        limiter: Refuses who tells too often.
    """

    unrouted: bool
    origins: frozenset[str]
    max_bytes: int
    limiter: RateLimiter


class BrowserEndpoint:
    """What `POST /bear/rum` answers in a process.

    An answer says whether the request was well made, never whether somebody is recorded.

    Args:
        users: Records what is told.
    """

    def __init__(self, users: UserAnalytics) -> None:
        self._users = users
        self._policy: BrowserPolicy | None = None
        self._routed = False

    def open(self, policy: BrowserPolicy) -> None:
        """Begin to listen."""
        self._policy = policy

    def close(self) -> None:
        """Listen no more; a route of the application's own still answers, to no effect."""
        self._policy = None

    def serves(self, scope: Any) -> bool:
        """Return whether a request is for this endpoint, and so not to be measured."""
        return (self._answers_unrouted() or self._routed) and find_path(scope) == PATH

    def create_router(self) -> Any:
        """Return a router with the route: FastAPI's, or Starlette's if that is all there is."""
        try:
            from fastapi import APIRouter as Router
        except ImportError:
            from starlette.routing import Router

        async def endpoint(request: Request) -> Response:
            return await self._answer(request.scope, request.receive)

        router = Router()
        router.add_route(PATH, endpoint, methods=["POST", "OPTIONS"], include_in_schema=False)
        self._routed = True
        return router

    async def not_found(self, wrapped: Any, _: Any, args: Any, kwargs: Any) -> None:
        """Answer a request that has reached the end of Starlette's routes, if it is for us."""
        scope, receive, send = bind_asgi(*args, **kwargs)
        ours = (
            self._answers_unrouted()
            and scope.get("method") in ("POST", "OPTIONS")
            and find_path(scope) == PATH
            and not is_mounted(scope)
        )
        answer = await self._answer(scope, receive) if ours else wrapped
        await answer(scope, receive, send)

    def _answers_unrouted(self) -> bool:
        return self._policy is not None and self._policy.unrouted

    async def _answer(self, scope: Any, receive: Any) -> Response:
        from starlette.responses import Response

        policy = self._policy
        if policy is None:
            return Response(status_code=_NO_CONTENT)
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if origin in policy.origins:
            answer = {"access-control-allow-origin": origin, "vary": "Origin"}
        elif _is_same_host(origin, headers.get(b"host", b"").decode("latin-1")):
            answer = {"vary": "Origin"}
        else:
            self._users.refuse("origin")
            return Response(status_code=_FORBIDDEN, headers={"vary": "Origin"})
        if scope["method"] == "OPTIONS":
            answer["access-control-allow-methods"] = "POST"
            answer["access-control-allow-headers"] = "content-type"
            answer["access-control-max-age"] = "600"
            return Response(status_code=_NO_CONTENT, headers=answer)
        client = scope.get("client") or ("",)
        if not policy.limiter.allows(client[0]):
            self._users.refuse("rate")
            return Response(status_code=_TOO_MANY_REQUESTS, headers={**answer, "retry-after": "60"})
        return Response(
            status_code=await self._take(headers, receive, policy.max_bytes), headers=answer
        )

    async def _take(self, headers: Mapping[bytes, bytes], receive: Any, max_bytes: int) -> int:
        """Record what a request says; return the status of the answer."""
        import anyio

        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type.decode("latin-1") not in _TYPES:
            self._users.refuse("invalid")
            return _UNSUPPORTED_MEDIA_TYPE
        try:
            with anyio.fail_after(_READ_SECONDS):
                body = await _read(receive, max_bytes)
        except TimeoutError:
            self._users.refuse("invalid")
            return _REQUEST_TIMEOUT
        if body is None:
            self._users.refuse("size")
            return _CONTENT_TOO_LARGE
        outcome = self._record(body, headers.get(b"user-agent", b"").decode("latin-1"))
        return _BAD_REQUEST if outcome == "invalid" else _NO_CONTENT

    def _record(self, body: bytes, user_agent: str) -> Outcome | None:
        try:
            told = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            told = None
        device = told.get("device", {}) if isinstance(told, Mapping) else None
        if not isinstance(told, Mapping) or not isinstance(device, Mapping):
            self._users.refuse("invalid")
            return "invalid"
        record = {key: value for key, value in told.items() if key != "consent"}
        seen = dict.fromkeys(("type", "os", "browser"), user_agent[:1024] or None)
        record["device"] = {**device, **seen}
        consent = told.get("consent")
        if not isinstance(consent, bool):
            consent = None
        return self._users.record(record, consent=consent, from_browser=True)


# One in a process, as the users are.
BROWSER_ENDPOINT = BrowserEndpoint(USERS)


def rum_routes() -> Any:
    """Return a router with `POST /bear/rum`, for applications that answer every other path.

    For FastAPI `app.include_router(rum_routes())`, for Starlette `routes=[*rum_routes().routes]`,
    before what is mounted on `/`. While user analytics is off, nothing comes of what is told.
    """
    return BROWSER_ENDPOINT.create_router()


def answer_browsers(endpoint: BrowserEndpoint) -> None:
    """Let applications answer `POST /bear/rum` where they have no route of their own."""
    hook = functools.partial(_wrap_not_found, endpoint=endpoint)
    register_post_import_hook(hook, "starlette.routing")


def _wrap_not_found(routing: Any, *, endpoint: BrowserEndpoint) -> None:
    wrap_function_wrapper(routing, "Router.not_found", endpoint.not_found)


def _is_same_host(origin: str, host: str) -> bool:
    # Not the scheme: behind a proxy that ends TLS, only the browser knows it.
    return bool(host) and origin.partition("://")[2] == host.lower()


async def _read(receive: Any, most: int) -> bytes | None:
    """Return the body, or None if it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
