"""Show each setting with where it came from, and what cannot be used."""

from __future__ import annotations

import os
from functools import reduce
from typing import TYPE_CHECKING

from bear_otel.cli.doctor.finding import Finding, note, ok, problem
from bear_otel.configuration import Configuration, iterate_leaves, load_configuration, show
from bear_otel.environment import find_ignored, is_disabled, load_plan
from bear_otel.pipeline.exporters import load_exporter
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def check_settings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Load the settings as the launcher would."""
    try:
        configuration = load_configuration(environ=environ)
        plan = load_plan(environ, configuration.settings.spool)
        for signal, names in plan.exporters.items():
            for name in names:
                load_exporter(signal, name)
            if not names:
                mend = f"unset OTEL_{signal.upper()}_EXPORTER"
                yield note("settings", f"{signal} are sent nowhere", mend)
    except ConfigurationError as error:
        yield problem("settings", str(error), f"correct or unset {error.setting}")
        return
    if is_disabled(environ):
        yield problem(
            "settings", "OTEL_SDK_DISABLED switches everything off", "unset OTEL_SDK_DISABLED"
        )
    for text in configuration.unknown_variables:
        yield note("settings", text, f"unset {text.split()[0]}")
    yield from (ok("setting", text) for text in describe(configuration))
    yield from _check_file(environ)
    yield from _check_service(environ)
    yield from _check_privacy(configuration)


def describe(configuration: Configuration) -> Iterator[str]:
    """Yield each setting that is not a default, with its origin; secrets are masked."""
    for leaf in iterate_leaves():
        origin = configuration.origins.get(leaf.name)
        if origin:
            value = reduce(getattr, leaf.path, configuration.settings)
            yield f"{leaf.name} = {show(leaf, value)} (from {origin})"


def _check_file(environ: Mapping[str, str]) -> Iterator[Finding]:
    path = environ.get("OTEL_CONFIG_FILE")
    if not path:
        return
    if not os.access(path, os.R_OK):
        yield problem("OTEL_CONFIG_FILE", f"{path} cannot be read", "unset OTEL_CONFIG_FILE")
    elif ignored := find_ignored(environ):
        text = f"it makes void: {', '.join(ignored)}"
        yield note("OTEL_CONFIG_FILE", text, f"unset {' '.join(ignored)}")


def _check_service(environ: Mapping[str, str]) -> Iterator[Finding]:
    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    if not named and not environ.get("OTEL_CONFIG_FILE"):
        yield problem("service", "it has no name", "export OTEL_SERVICE_NAME=<name>")


def _check_privacy(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings.privacy
    if settings.allow_personal_data:
        text = "personal data leaves in clear"
        yield note("privacy", text, "unset BEAR_OTEL_PERSONAL_DATA_ENABLED")
    for key in settings.allow_keys:
        yield note("privacy", f"{key} leaves in clear", "unset BEAR_OTEL_PRIVACY_ALLOW_KEYS")
