"""Make requests out of an OpenAPI description, with a canary wherever a text may stand."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# One of each kind that shows by its own form, in whatever field a person puts it. Made up, and
# assembled so that no scanner of repositories takes them for real.
CANARIES = {
    "email": "canary.bear@example.com",
    "card": "4111" + "111111111111",
    "phone": "+49 30 901820",
    "iban": "DE89" + "370400440532013000",
    "token": "ghp_" + "c4nary" * 6,
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiJjYW5hcnkifQ" + ".c2lnbmF0dXJlLWNhbmFyeQ",
    "ip": "203.0.113.77",
}

# A password is known by its name alone.
_PASSWORD = "canary-Passw0rd-77"  # noqa: S105 - made up

ALL_CANARIES = {**CANARIES, "password": _PASSWORD}

_HEADERS = {
    "authorization": f"Bearer {CANARIES['jwt']}",
    "cookie": f"session={CANARIES['token']}",
    "x-forwarded-for": CANARIES["ip"],
    "referer": f"https://example.com/?email={CANARIES['email']}",
    "user-agent": f"canary ({CANARIES['email']})",
}

_SAFE_METHODS = ("get",)
_METHODS = ("get", "post", "put", "patch", "delete")

# Query parameters that no description names, as a client may always add them.
_ADDED = {"password": _PASSWORD, "token": CANARIES["token"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, ready to be sent through ASGI."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def create_scope(self) -> dict[str, Any]:
        """Return the scope that an ASGI server would make."""
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": urllib.parse.unquote(self.path),
            "raw_path": self.path.encode(),
            "query_string": self.query.encode(),
            "root_path": "",
            "headers": [(k.encode(), v.encode()) for k, v in self.headers.items()],
            "client": (CANARIES["ip"], 4711),
            "server": ("127.0.0.1", 80),
        }


def create_requests(openapi: Mapping[str, Any], *, all_methods: bool) -> list[Request]:
    """Return one request for each operation and canary.

    Args:
        openapi: The description that FastAPI makes of a service.
        all_methods: Also those that change data.
    """
    methods = _METHODS if all_methods else _SAFE_METHODS
    return [
        _create_request(openapi, method, path, operation, canary)
        for path, operations in openapi.get("paths", {}).items()
        for method, operation in operations.items()
        if method in methods
        for canary in CANARIES.values()
    ]


def _create_request(
    openapi: Mapping[str, Any],
    method: str,
    path: str,
    operation: Mapping[str, Any],
    canary: str,
) -> Request:
    query = dict(_ADDED)
    headers = {"host": "localhost", **_HEADERS}
    for parameter in operation.get("parameters", ()):
        value = str(_fill(openapi, parameter.get("schema", {}), canary))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", urllib.parse.quote(value, safe=""))
        elif parameter["in"] == "query":
            query[parameter["name"]] = value
        elif parameter["in"] == "header":
            headers[parameter["name"].lower()] = value
    body = b""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        headers["content-type"] = "application/json"
        body = json.dumps(_fill(openapi, content["application/json"]["schema"], canary)).encode()
    return Request(
        method=method.upper(),
        path=path,
        query=urllib.parse.urlencode(query),
        headers=headers,
        body=body,
    )


def _fill(
    openapi: Mapping[str, Any], schema: Mapping[str, Any], canary: str, depth: int = 0
) -> Any:
    """Return a value that fits a JSON schema, with the canary for every free text."""
    if depth > 8:
        return None
    if "$ref" in schema:
        return _fill(openapi, _resolve(openapi, schema["$ref"]), canary, depth + 1)
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _fill(openapi, schema[choice][0], canary, depth + 1)
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _fill(openapi, each, canary, depth + 1) for name, each in properties.items()}
    if kind == "array":
        return [_fill(openapi, schema.get("items", {}), canary, depth + 1)]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    return canary


def _resolve(openapi: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    found: Any = openapi
    for part in _parts(reference):
        found = found[part]
    return found


def _parts(reference: str) -> Iterator[str]:
    for part in reference.removeprefix("#/").split("/"):
        yield part.replace("~1", "/").replace("~0", "~")
