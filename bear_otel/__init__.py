"""OpenTelemetry for FastAPI, SQLAlchemy and LLM services: private by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = ["ConfigurationError", "__version__", "start"]

if TYPE_CHECKING:
    from bear_otel.distro import start
    from bear_otel.settings import ConfigurationError

# Where each public name lives. Imported on first use: every process below the launcher imports
# this package, and most of them need none of it.
_HOMES = {
    "ConfigurationError": "bear_otel.settings",
    "start": "bear_otel.distro",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module 'bear_otel' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
