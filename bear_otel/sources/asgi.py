"""Read the few things of an ASGI call that our routes need."""

from __future__ import annotations

from typing import Any


def bind_asgi(scope: Any, receive: Any, send: Any) -> tuple[Any, Any, Any]:
    """Return the arguments of an ASGI application, however they were passed."""
    return scope, receive, send


def find_path(scope: Any) -> str:
    """Return the path that the application sees."""
    return scope.get("path", "").removeprefix(scope.get("root_path", ""))


def is_mounted(scope: Any) -> bool:
    """Return whether a request has reached an application inside of another."""
    root_path = scope.get("root_path", "")
    return scope.get("app_root_path", root_path) != root_path
