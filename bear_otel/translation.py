"""Translate what the TypeScript system calls things: settings, interactions, health checks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bear_otel.configuration import MASK, iterate_leaves
from bear_otel.settings import ConfigurationError
from bear_otel.sources.health import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bear_otel.sources.health import Check

# The original's names, and ours.
NAMES = {
    "environment": "resource.environment",
    "version": "resource.version",
    "deploymentId": "resource.deployment_id",
    "region": "resource.region",
    "sampling.metricsInterval": "sampling.metrics_interval_seconds",
    "sampling.errorSampling": "sampling.error_sampling",
    "sampling.performanceSampling": "sampling.performance_sampling",
    "sampling.userSampling": "users.sampling",
    "privacy.enableUserTracking": "users.enabled",
    "privacy.respectDNT": "users.respect_dnt",
    "privacy.dataRetentionDays": "privacy.data_retention_days",
    "privacy.anonymizeData": "privacy.anonymize_data",
    "privacy.allowPersonalData": "privacy.allow_personal_data",
}

_CAPITAL = re.compile(r"(?<=[a-z])[A-Z]")

_LATER = "not part of this version"
# The original's names that are no setting here, and why.
ELSEWHERE = {
    "alerts": _LATER,
    "dashboards": _LATER,
    "integrations": "back ends are the Collector's: set their variables, run `bear-otel collector`",
}

# What the original calls the fields of an interaction, where ours is more than the spelling; all
# but the last are in milliseconds there.
_INTERACTION_NAMES = {
    "duration": "duration_seconds",
    "pageLoadTime": "page_load_seconds",
    "firstContentfulPaint": "first_contentful_paint_seconds",
    "largestContentfulPaint": "largest_contentful_paint_seconds",
    "firstInputDelay": "first_input_delay_seconds",
    "timeOnPage": "time_on_page_seconds",
    "scrollDepth": "scroll_depth_percent",
}


def to_seconds(milliseconds: Any) -> Any:
    """Return a duration in seconds; what is no number stays what it is."""
    try:
        return milliseconds / 1000
    except TypeError:  # no number: left out where it is recorded
        return milliseconds


def translate_config(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield our dotted name and the value of each setting.

    Raises:
        ConfigurationError: A name that is neither the original's nor ours.
    """
    ours = {leaf.name for leaf in iterate_leaves()}
    known = ours | NAMES.keys() | ELSEWHERE.keys()
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if name in ours:
            yield name, value
        elif name in NAMES:
            mapped = NAMES[name]
            yield mapped, to_seconds(value) if mapped.endswith("_seconds") else value
        elif name in ELSEWHERE:
            where = f"custom_config.{name}"
            raise ConfigurationError(where, MASK, ELSEWHERE[name])
        elif isinstance(value, Mapping) and any(each.startswith(f"{name}.") for each in known):
            yield from translate_config(value, f"{name}.")
        else:
            where = f"custom_config.{name}"
            accepted = f"accepted are {', '.join([*NAMES, *sorted(ours)])}"
            raise ConfigurationError(where, MASK, accepted)


def nest(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with dotted names as a tree."""
    tree: dict[str, Any] = {}
    for name, value in settings.items():
        *sections, last = name.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[last] = value
    return tree


def translate_interaction(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the original's record of an interaction as ours; our names are accepted, too."""
    translated: dict[str, Any] = {}
    for name, value in record.items():
        ours = _INTERACTION_NAMES.get(name) or _CAPITAL.sub(_lower, name)
        if isinstance(value, Mapping):
            translated[ours] = translate_interaction(value)
        elif name != ours and ours.endswith("_seconds"):
            translated[ours] = to_seconds(value)
        else:
            translated[ours] = value
    return translated


def _lower(capital: re.Match[str]) -> str:
    return f"_{capital[0].lower()}"


def translate_check(check: Callable[[], Any]) -> Check:
    """Return a check that may answer with the original's health object."""

    async def translate_later(outcome: Any) -> Any:
        return _translate_outcome(await outcome)

    def run() -> Any:
        outcome = check()
        if inspect.isawaitable(outcome):
            return translate_later(outcome)
        return _translate_outcome(outcome)

    return run


def _translate_outcome(outcome: Any) -> Any:
    """Return the original's health object as ours, anything else as it is.

    Its name and timestamp are known here, and the duration is measured.
    """
    if not isinstance(outcome, Mapping):
        return outcome
    details = dict(outcome.get("details") or {})
    if outcome.get("responseTime"):
        details["response_time_seconds"] = outcome["responseTime"] / 1000
    return Health(state=outcome.get("status"), details=details, error=outcome.get("error"))  # pyright: ignore[reportArgumentType] - it checks its state
