"""Say at start what is instrumented, what is not and why, where data goes and what stays here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING

from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts

from bear_otel import __version__
from bear_otel.environment import SIGNALS, advise_name, find_ignored, load_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bear_otel.running import Running
    from bear_otel.settings import PrivacySettings

_INDENT = "  "


def describe_start(
    running: Running, instrumentors: Mapping[str, str], environ: Mapping[str, str]
) -> list[str]:
    """Return the lines that a person reads when the service starts.

    Args:
        running: What has been started.
        instrumentors: What happened to each instrumentor that OpenTelemetry has offered: name ->
            problem, empty if it was loaded.
        environ: Environment variables.
    """
    disabled = load_list(environ, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    measured = [_name_version(*source) for source in running.sources.items()]
    measured += [_name_version(name, "") for name, problem in instrumentors.items() if not problem]
    missing = {name: problem for name, problem in instrumentors.items() if problem}
    missing |= running.problems | dict.fromkeys(disabled, "switched off")
    missing |= _find_conflicts(instrumentors, running.sources, disabled)

    service = running.providers.tracer.resource.attributes.get("service.name", "")
    lines = [f"bear-otel {__version__}: {service} -> {describe_destinations(running)}"]
    lines.append(f"{_INDENT}measured  {', '.join(measured)}")
    lines += [f"{_INDENT}not       {name}: {problem}" for name, problem in sorted(missing.items())]
    if sampled := describe_sampling(running):
        lines.append(f"{_INDENT}sampled   {sampled}")
    lines.append(f"{_INDENT}private   {describe_privacy(running.configuration.settings.privacy)}")
    lines += [f"{_INDENT}warning   {text}" for text in find_warnings(running, environ)]
    lines.append(f"{_INDENT}quiet     BEAR_OTEL_BANNER_ENABLED=false")
    return lines


def describe_destinations(running: Running) -> str:
    """Return where each signal goes, signals with the same destination together."""
    by_place: dict[str, list[str]] = {}
    for signal in SIGNALS:
        by_place.setdefault(running.providers.destinations[signal], []).append(signal)
    return "; ".join(f"{', '.join(signals)} to {place}" for place, signals in by_place.items())


def describe_privacy(settings: PrivacySettings) -> str:
    """Return what leaves and what does not."""
    personal = "personal data and secrets are redacted"
    if settings.allow_personal_data:
        personal = "PERSONAL DATA LEAVES IN CLEAR (privacy.allow_personal_data); secrets redacted"
    elif settings.anonymize_data:
        personal = "personal data becomes pseudonyms, secrets are redacted"
    opened = f"; in clear: {', '.join(settings.allow_keys)}" if settings.allow_keys else ""
    return personal + opened


def describe_sampling(running: Running) -> str:
    """Return which traces are kept, or nothing where all are."""
    settings = running.configuration.settings.sampling
    if settings.decided_by == "collector":
        return "by the Collector; everything is sent there"
    if running.providers.spans.tail is None:
        return ""
    share = settings.performance_sampling
    errors = max(settings.error_sampling, share)
    return (
        f"{share * 100:g} % of all traces, {errors * 100:g} % of those with an error, "
        f"100 % of those from {settings.slow_seconds:g} s on"
    )


def find_warnings(running: Running, environ: Mapping[str, str]) -> list[str]:
    """Return what works, but most likely not as meant."""
    warnings = list(running.configuration.unknown_variables)
    if environ.get("OTEL_CONFIG_FILE") and (ignored := find_ignored(environ)):
        warnings.append(
            f"OTEL_CONFIG_FILE is set, so these are ignored: {', '.join(ignored)}; write into the "
            f"file what they say, or unset {' '.join(ignored)}"
        )
    sampling = running.configuration.settings.sampling
    wanted = sampling.decided_by == "app" and sampling.performance_sampling < 1
    if wanted and running.providers.spans.tail is None:
        winner = "OTEL_CONFIG_FILE" if environ.get("OTEL_CONFIG_FILE") else "OTEL_TRACES_SAMPLER"
        warnings.append(
            f"{winner} names a sampler, which decides alone: the settings of sampling are not "
            "used, and what it drops is lost, errors included"
        )
    if environ.get("OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK"):
        warnings.append(
            "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK uploads prompts and answers as they are: "
            "the scrubber does not see them"
        )
    service = running.providers.tracer.resource.attributes.get("service.name", "")
    if str(service).startswith("unknown_service"):
        warnings.append(f"the service has no name; {advise_name(environ)}")
    return warnings


def _name_version(name: str, detail: str) -> str:
    try:
        found = f" {version(name)}"
    except PackageNotFoundError:  # `process` and others that are no package
        found = ""
    return f"{name}{found}" + (f" ({detail})" if detail else "")


def _find_conflicts(
    instrumentors: Mapping[str, str], sources: Mapping[str, str], disabled: Sequence[str]
) -> dict[str, str]:
    """Return the instrumentors that OpenTelemetry has passed over, with its reason.

    It says so only in its debug log: the library is missing, or of a version that the
    instrumentor does not know. A missing library is no news.
    """
    conflicts = {}
    for point in entry_points(group="opentelemetry_instrumentor"):
        if point.name in instrumentors or point.name in sources or point.name in disabled:
            continue
        conflict = get_dist_dependency_conflicts(point.dist) if point.dist else None
        if conflict and conflict.found:
            conflicts[point.name] = f"wants {conflict.required}, found {conflict.found}"
    return conflicts
