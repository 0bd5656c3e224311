"""Find and create the exporters that `OTEL_*_EXPORTER` names."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from bear_otel.pipeline.losses import Signal

DEFAULT = "bear_otlp"

# `otlp` says the protocol, not the implementation: ours speaks http/protobuf.
_BY_PROTOCOL = {"http/protobuf": DEFAULT, "grpc": "otlp_proto_grpc"}
_PACKAGES = {
    "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "otlp_proto_http": "opentelemetry-exporter-otlp-proto-http",
    "prometheus": "opentelemetry-exporter-prometheus",
    "zipkin": "opentelemetry-exporter-zipkin",
    "zipkin_json": "opentelemetry-exporter-zipkin-json",
}


def resolve_names(signal: Signal, names: str | None, protocol: str | None) -> tuple[str, ...]:
    """Return the entry point names of a signal's exporters; empty for `none`.

    Args:
        signal: Which signal; names the variable in errors.
        names: Value of `OTEL_<SIGNAL>_EXPORTER`: a comma separated list, `none`, or nothing.
        protocol: Value of `OTEL_EXPORTER_OTLP_<SIGNAL>_PROTOCOL` or `OTEL_EXPORTER_OTLP_PROTOCOL`.

    Raises:
        ConfigurationError: A protocol that cannot be spoken.
    """
    wanted = [name.strip() for name in (names or "otlp").split(",") if name.strip()]
    if "none" in (name.lower() for name in wanted):
        return ()
    return tuple(_resolve_name(signal, name, (protocol or "").strip()) for name in wanted)


def load_exporter(signal: Signal, name: str) -> type[Any]:
    """Return the class of an exporter, or of a metric reader that needs none.

    Raises:
        ConfigurationError: No such exporter is installed; says which are, and how to get it.
    """
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    found = {point.name: point for point in entry_points(group=f"opentelemetry_{signal}_exporter")}
    if name not in found:
        package = _PACKAGES.get(name)
        install = f"; install it with: pip install {package}" if package else ""
        accepted = f"installed are {', '.join(sorted(found))} or none{install}"
        raise ConfigurationError(variable, name, accepted)
    try:
        return found[name].load()
    except ImportError as error:
        accepted = f"the exporter cannot be imported ({error})"
        raise ConfigurationError(variable, name, accepted) from error


def _resolve_name(signal: Signal, name: str, protocol: str) -> str:
    if name != "otlp":
        return name
    if not protocol:
        return DEFAULT
    if protocol not in _BY_PROTOCOL:
        setting = f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL or OTEL_EXPORTER_OTLP_PROTOCOL"
        raise ConfigurationError(setting, protocol, f"one of {', '.join(_BY_PROTOCOL)}")
    return _BY_PROTOCOL[protocol]
