"""Let OpenTelemetry's HTTP instrumentors tell less: of secrets, and of the protocol's messages."""

from __future__ import annotations

import sys
from typing import Any

from wrapt import register_post_import_hook, wrap_function_wrapper

# Query parameters that OpenTelemetry's HTTP instrumentors do not blank by themselves. They compare
# whole names: https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/ lists the first.
_SECRET_PARAMETERS = (
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "access_token",
    "refresh_token",
    "id_token",
    "token",
    "api_key",
    "apikey",
    "key",
    "password",
    "passwd",
    "pwd",
    "secret",
    "client_secret",
    "code",
    "jwt",
    "session",
    "sessionid",
    "email",
)


def blank_more_parameters() -> None:
    """Let the HTTP instrumentors that are loaded blank more query parameters on live spans.

    What leaves is scrubbed in any case; a foreign processor may look at a span before. Nothing is
    imported: without such an instrumentor there is nothing to extend.
    """
    known = getattr(sys.modules.get("opentelemetry.util.http"), "PARAMS_TO_REDACT", None)
    if isinstance(known, list):
        known.extend(name for name in _SECRET_PARAMETERS if name not in known)


def leave_out_messages() -> None:
    """Let ASGI instrumentors make one span a request, and not another one for each message.

    A streamed answer has a message for each chunk. FastAPI's instrumentor has an option for it,
    Starlette's has none; both use this middleware. Who asks for such spans gets them.
    """
    register_post_import_hook(_wrap_middleware, "opentelemetry.instrumentation.asgi")


def _wrap_middleware(asgi: Any) -> None:
    def init(wrapped: Any, _: Any, args: Any, kwargs: Any) -> None:
        if kwargs.get("exclude_spans") is None:
            kwargs = {**kwargs, "exclude_spans": ["receive", "send"]}
        wrapped(*args, **kwargs)

    wrap_function_wrapper(asgi, "OpenTelemetryMiddleware.__init__", init)
