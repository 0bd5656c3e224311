"""Let OpenTelemetry's HTTP instrumentors blank the query parameters that we know to be secret."""

from __future__ import annotations

import sys

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


def extend_instrumentors() -> None:
    """Let the HTTP instrumentors that are loaded blank more query parameters on live spans.

    What leaves is scrubbed in any case; a foreign processor may look at a span before. Nothing is
    imported: without such an instrumentor there is nothing to extend.
    """
    known = getattr(sys.modules.get("opentelemetry.util.http"), "PARAMS_TO_REDACT", None)
    if isinstance(known, list):
        known.extend(name for name in _SECRET_PARAMETERS if name not in known)
