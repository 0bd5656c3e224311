"""Read those of OpenTelemetry's own variables that its SDK does not read for us."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bear_otel.pipeline.exporters import resolve_names
from bear_otel.pipeline.providers import Plan
from bear_otel.pipeline.spool import SpoolOptions
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bear_otel.pipeline.losses import Signal
    from bear_otel.settings import SpoolSettings

SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")

# OpenTelemetry's names of the queue settings, ours, and how many of theirs make one of ours.
_QUEUE_VARIABLES = (
    ("SCHEDULE_DELAY", "schedule_delay_seconds", 1000),
    ("MAX_QUEUE_SIZE", "max_queue_size", 1),
    ("MAX_EXPORT_BATCH_SIZE", "max_export_batch_size", 1),
)
_QUEUE_PREFIXES: dict[Signal, str] = {"traces": "OTEL_BSP", "logs": "OTEL_BLRP"}

# What a configuration file describes. The variables of OTLP are not among them: the exporter
# `bear_otlp` reads them for what the file leaves out.
_IN_FILE = (
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_PROPAGATORS",
    "OTEL_TRACES_",
    "OTEL_METRICS_",
    "OTEL_METRIC_",
    "OTEL_LOGS_",
    "OTEL_BSP_",
    "OTEL_BLRP_",
    "OTEL_SPAN_",
    "OTEL_LINK_",
    "OTEL_EVENT_",
    "OTEL_ATTRIBUTE_",
    "OTEL_LOGRECORD_",
)

# https://opentelemetry.io/docs/specs/otel/configuration/data-model/#environment-variable-substitution
_SUBSTITUTION = re.compile(r"\$\{(?:env:)?(\w+)")


def load_file(environ: Mapping[str, str]) -> Any:
    """Return the parsed file that `OTEL_CONFIG_FILE` names, or None.

    Raises:
        ConfigurationError: It cannot be read.
    """
    path = environ.get("OTEL_CONFIG_FILE")
    if not path:
        return None
    try:
        from opentelemetry.configuration import load_config_file
    except ImportError:
        accepted = "reading it needs: pip install 'bear-otel[file]'"
        raise ConfigurationError("OTEL_CONFIG_FILE", path, accepted) from None
    try:
        with silence("opentelemetry.configuration"):
            return load_config_file(path)
    except Exception as error:
        # The library raises its own, jsonschema's and YAML's errors, some over several lines.
        problem = " ".join(str(error).split())
        raise ConfigurationError("OTEL_CONFIG_FILE", path, problem) from error


@contextlib.contextmanager
def silence(logger_name: str) -> Iterator[None]:
    """Keep a logger, and those below it, from saying what its caller says."""
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def get_our_part(file_config: Any) -> Mapping[str, Any] | None:
    """Return what stands under `distribution: bear_otel:` of a parsed file."""
    return (getattr(file_config, "distribution", None) or {}).get("bear_otel")


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Return whether `OTEL_SDK_DISABLED` switches everything off."""
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def find_ignored(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that are set in vain beside an `OTEL_CONFIG_FILE`.

    The specification wants it so: with a file, what it can describe comes from the file alone,
    and from the variables that it names.
    """
    named = _find_named(environ["OTEL_CONFIG_FILE"])
    return sorted(n for n in environ if n.startswith(_IN_FILE) and environ[n] and n not in named)


def _find_named(path: str) -> frozenset[str]:
    try:
        return frozenset(_SUBSTITUTION.findall(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # which `load_file` reports
        return frozenset()


def advise_name(environ: Mapping[str, str]) -> str:
    """Return what to do about a service that has no name."""
    if path := environ.get("OTEL_CONFIG_FILE"):
        return (
            f"write into {path}: resource: {{attributes: [{{name: service.name, value: <name>}}]}}"
        )
    return "export OTEL_SERVICE_NAME=<name>"


def load_plan(environ: Mapping[str, str], spool: SpoolSettings) -> Plan:
    """Return the exporters of each signal, the size of their queues, and what waits on disk.

    Args:
        environ: Environment variables.
        spool: Our settings of the spool.

    Raises:
        ConfigurationError: A protocol that cannot be spoken, or a size that is no number.
    """
    return Plan(
        exporters={signal: _load_exporters(signal, environ) for signal in SIGNALS},
        queues={signal: _load_queue(prefix, environ) for signal, prefix in _QUEUE_PREFIXES.items()},
        spool=_load_spool(environ, spool) if spool.enabled else None,
    )


def load_list(environ: Mapping[str, str], *names: str) -> tuple[str, ...]:
    """Return the parts of the first of several comma separated variables that is set."""
    text = next((environ[name] for name in names if environ.get(name)), "")
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _load_exporters(signal: Signal, environ: Mapping[str, str]) -> tuple[str, ...]:
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL"
    )
    return resolve_names(signal, environ.get(f"OTEL_{signal.upper()}_EXPORTER"), protocol)


def _load_spool(environ: Mapping[str, str], settings: SpoolSettings) -> SpoolOptions:
    # systemd lists several, separated by colons; it makes them for the user of the service.
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    state = state or environ.get("XDG_STATE_HOME") or "~/.local/state"
    directory = os.path.expanduser(settings.directory or f"{state}/bear-otel/spool")
    if directory.startswith("~"):  # A user without a home.
        directory = f"{tempfile.gettempdir()}/bear-otel-{os.getuid()}"
    return SpoolOptions(
        directory=Path(directory).absolute(),
        max_bytes=settings.max_bytes,
        max_age_seconds=settings.max_age_hours * 3600,
    )


def _load_queue(prefix: str, environ: Mapping[str, str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for suffix, name, divisor in _QUEUE_VARIABLES:
        variable = f"{prefix}_{suffix}"
        raw = environ.get(variable, "").strip()
        if not raw:
            continue
        if not raw.isdecimal() or int(raw) == 0:
            raise ConfigurationError(variable, raw, "a whole number above 0")
        arguments[name] = int(raw) if divisor == 1 else int(raw) / divisor
    return arguments
