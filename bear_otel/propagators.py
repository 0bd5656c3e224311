"""Find a bad `OTEL_PROPAGATORS` before it keeps the application from starting.

OpenTelemetry's API reads the variable when `opentelemetry.propagate` is imported, and raises in
whatever imports it first: that may be FastAPI. So this has to run before any import of it.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import MutableMapping


def check_propagators(environ: MutableMapping[str, str]) -> None:
    """Take the variable back if it names a propagator that is not installed.

    Raises:
        ConfigurationError: Says which are.
    """
    wanted = environ["OTEL_PROPAGATORS"]
    names = {name.strip() for name in wanted.split(",")} - {"", "none"}
    known = {point.name for point in entry_points(group="opentelemetry_propagator")}
    if not names <= known:
        del environ["OTEL_PROPAGATORS"]
        accepted = f"installed are {', '.join(sorted(known))} and none"
        raise ConfigurationError("OTEL_PROPAGATORS", wanted, accepted)
