"""OpenTelemetry for FastAPI, SQLAlchemy and LLM services: private by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "ConfigurationError",
    "Health",
    "UserInteraction",
    "__version__",
    "add_health_check",
    "capture_exception",
    "check_database",
    "check_disk_space",
    "check_model",
    "check_url",
    "health_check",
    "health_routes",
    "inference",
    "record_evaluation",
    "record_metric",
    "record_user_interaction",
    "rum_routes",
    "setup_production_monitoring",
    "start",
    "timer",
    "user_consent",
    "watch_model_memory",
]

if TYPE_CHECKING:
    from bear_otel.distro import start
    from bear_otel.monitoring import setup_production_monitoring
    from bear_otel.settings import ConfigurationError
    from bear_otel.sources.browser import rum_routes
    from bear_otel.sources.custom import record_metric, timer
    from bear_otel.sources.errors import capture_exception
    from bear_otel.sources.genai import inference
    from bear_otel.sources.genai_models import record_evaluation, watch_model_memory
    from bear_otel.sources.health import Health
    from bear_otel.sources.health_checks import (
        check_database,
        check_disk_space,
        check_model,
        check_url,
    )
    from bear_otel.sources.health_declarations import (
        add_health_check,
        health_check,
        health_routes,
    )
    from bear_otel.sources.interactions import UserInteraction
    from bear_otel.sources.users import record_user_interaction, user_consent

# Where each public name lives. Imported on first use: every process below the launcher imports
# this package, and most of them need none of it.
_HOMES = {
    "ConfigurationError": "bear_otel.settings",
    "Health": "bear_otel.sources.health",
    "UserInteraction": "bear_otel.sources.interactions",
    "add_health_check": "bear_otel.sources.health_declarations",
    "capture_exception": "bear_otel.sources.errors",
    "check_database": "bear_otel.sources.health_checks",
    "check_disk_space": "bear_otel.sources.health_checks",
    "check_model": "bear_otel.sources.health_checks",
    "check_url": "bear_otel.sources.health_checks",
    "health_check": "bear_otel.sources.health_declarations",
    "health_routes": "bear_otel.sources.health_declarations",
    "inference": "bear_otel.sources.genai",
    "record_evaluation": "bear_otel.sources.genai_models",
    "record_metric": "bear_otel.sources.custom",
    "record_user_interaction": "bear_otel.sources.users",
    "rum_routes": "bear_otel.sources.browser",
    "setup_production_monitoring": "bear_otel.monitoring",
    "start": "bear_otel.distro",
    "timer": "bear_otel.sources.custom",
    "user_consent": "bear_otel.sources.users",
    "watch_model_memory": "bear_otel.sources.genai_models",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module 'bear_otel' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
