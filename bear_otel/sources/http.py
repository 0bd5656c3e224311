"""One server span and exact request metrics for every request to FastAPI.

FastAPI measures itself since 0.142, cheaper and by the stable conventions; this file only turns
its telemetry to our taste. Older versions are left to the contrib instrumentation.
"""

from __future__ import annotations

import functools
import re
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook, wrap_function_wrapper

from bear_otel.sources.asgi import bind_asgi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_NATIVE_SINCE = (0, 142)

# The ASGI scope of the request that is being served; None outside of one, and as long as nobody
# has called `watch_requests`.
CURRENT_REQUEST: ContextVar[Any] = ContextVar("bear_otel_current_request", default=None)


def find_fastapi() -> str | None:
    """Return the version of the FastAPI that is installed, or None."""
    try:
        return version("fastapi")
    except PackageNotFoundError:
        return None


def measures_itself(fastapi_version: str) -> bool:
    """Return whether this FastAPI has its own OpenTelemetry instrumentation."""
    numbers = re.findall(r"\d+", fastapi_version)
    return tuple(int(number) for number in numbers[:2]) >= _NATIVE_SINCE


def watch_fastapi(*, excluded: Callable[[Any], bool] | None = None) -> None:
    """Set up FastAPI's own telemetry for every application made from now on.

    Without the spans for each dependency and each response (`operation_spans`), which cost more
    than the rest together; without the requests that are excluded, in traces, metrics and logs.
    What the application passes as `FastAPI(telemetry=...)` wins.

    Args:
        excluded: Whether a request, an ASGI scope, is not to be measured.
    """
    register_post_import_hook(
        functools.partial(_wrap_init, excluded=excluded), "fastapi.applications"
    )


def exclude_from_contrib(excluded: Callable[[Any], bool]) -> None:
    """Keep requests from the contrib instrumentations of FastAPI and Starlette.

    They know patterns of addresses, which cannot say what is answered by us.

    Args:
        excluded: Whether a request, an ASGI scope, is not to be measured.
    """
    hook = functools.partial(_wrap_contrib, excluded=excluded)
    register_post_import_hook(hook, "opentelemetry.instrumentation.asgi")


def create_exclusion(patterns: Sequence[str]) -> Callable[[str], bool] | None:
    """Return a test for paths, from the regular expressions of `OTEL_PYTHON_EXCLUDED_URLS`."""
    if not patterns:
        return None
    # Found anywhere in the path, as OpenTelemetry's own instrumentations do.
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)).search  # pyright: ignore[reportReturnType] - a match is true


def watch_application_start(started: Callable[[], object]) -> None:
    """Call `started` on the event loop of each FastAPI or Starlette application that has started.

    That is when its own start-up code has run, just before the server takes requests.

    Args:
        started: Must not raise, nor wait.
    """
    hook = functools.partial(_wrap_lifespan, started=started)
    register_post_import_hook(hook, "starlette.routing")


def watch_requests() -> None:
    """Let `CURRENT_REQUEST` know the request in FastAPI and Starlette applications."""
    register_post_import_hook(_wrap_call, "starlette.applications")


def _wrap_call(applications: Any) -> None:
    # Not a coroutine function itself: servers call an application without arguments, to see
    # whether it is a factory, and expect a TypeError at once.
    def call(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        return _serve(wrapped, *bind_asgi(*args, **kwargs))

    wrap_function_wrapper(applications, "Starlette.__call__", call)


async def _serve(application: Any, scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await application(scope, receive, send)
        return
    token = CURRENT_REQUEST.set(scope)
    try:
        await application(scope, receive, send)
    finally:
        CURRENT_REQUEST.reset(token)


def _wrap_lifespan(routing: Any, *, started: Callable[[], object]) -> None:
    async def lifespan(wrapped: Any, _: Any, args: Any, kwargs: Any) -> None:
        scope, receive, send = bind_asgi(*args, **kwargs)

        async def send_and_tell(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                started()

        await wrapped(scope, receive, send_and_tell)

    wrap_function_wrapper(routing, "Router.lifespan", lifespan)


def _wrap_contrib(asgi: Any, *, excluded: Callable[[Any], bool]) -> None:
    # No coroutine function itself, as above.
    def call(wrapped: Any, middleware: Any, args: Any, kwargs: Any) -> Any:
        scope, receive, send = bind_asgi(*args, **kwargs)
        serve = middleware.app if excluded(scope) else wrapped
        return serve(scope, receive, send)

    wrap_function_wrapper(asgi, "OpenTelemetryMiddleware.__call__", call)


def _wrap_init(module: Any, *, excluded: Callable[[Any], bool] | None) -> None:
    def init(wrapped: Any, _: Any, args: Any, kwargs: Any) -> None:
        wrapped(*args, **{**kwargs, "telemetry": _merge(kwargs.get("telemetry"), excluded)})

    wrap_function_wrapper(module, "FastAPI.__init__", init)


def _merge(
    chosen: Mapping[str, Any] | None, excluded: Callable[[Any], bool] | None
) -> dict[str, Any]:
    telemetry = {"operation_spans": False, **(chosen or {})}
    theirs = telemetry.get("exclude")
    if excluded is not None:

        def exclude(scope: Any) -> bool:
            return bool(excluded(scope)) or bool(theirs and theirs(scope))

        telemetry["exclude"] = exclude
    return telemetry
