"""Show each setting with where it came from, and what cannot be used."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from bear_otel.cli.doctor.finding import Finding, note, ok, problem
from bear_otel.configuration import Configuration, iterate_leaves, load_configuration, show
from bear_otel.environment import (
    advise_name,
    find_ignored,
    get_our_part,
    is_disabled,
    load_file,
    load_plan,
)
from bear_otel.pipeline import seams
from bear_otel.pipeline.exporters import load_exporter
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def check_settings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Load the settings as the launcher would."""
    try:
        file = load_file(environ)
        configuration = load_configuration(environ=environ, file=get_our_part(file))
        if file is None:
            yield from _check_exporters(environ, configuration)
    except ConfigurationError as error:
        where = environ.get("OTEL_CONFIG_FILE") or ""
        in_file = error.setting.startswith("distribution.")
        mend = f"correct it in {where}" if in_file else f"correct or unset {error.setting}"
        yield problem("settings", str(error), mend)
        return
    if is_disabled(environ):
        yield problem(
            "settings", "OTEL_SDK_DISABLED switches everything off", "unset OTEL_SDK_DISABLED"
        )
    for text in configuration.unknown_variables:
        yield note("settings", text, f"unset {text.split()[0]}")
    yield from (ok("setting", text) for text in describe(configuration))
    if file is not None:
        yield from _check_file(environ)
    yield from _check_service(environ, file)
    yield from _check_privacy(configuration)


def _check_exporters(environ: Mapping[str, str], configuration: Configuration) -> Iterator[Finding]:
    for signal, names in load_plan(environ, configuration.settings.spool).exporters.items():
        for name in names:
            load_exporter(signal, name)
        if not names:
            mend = f"unset OTEL_{signal.upper()}_EXPORTER"
            yield note("settings", f"{signal} are sent nowhere", mend)


def describe(configuration: Configuration) -> Iterator[str]:
    """Yield each setting that is not a default, with its origin; secrets are masked."""
    for leaf in iterate_leaves():
        origin = configuration.origins.get(leaf.name)
        if origin:
            value = reduce(getattr, leaf.path, configuration.settings)
            yield f"{leaf.name} = {show(leaf, value)} (from {origin})"


def _check_file(environ: Mapping[str, str]) -> Iterator[Finding]:
    topic = "OTEL_CONFIG_FILE"
    if ignored := find_ignored(environ):
        mend = f"write into the file what they say, or unset {' '.join(ignored)}"
        yield note(topic, f"it makes void: {', '.join(ignored)}", mend)
    yield note(topic, "the endpoints that it names are not tried from here")


def _check_service(environ: Mapping[str, str], file: Any) -> Iterator[Finding]:
    if file is None:
        named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
    else:
        name = str(seams.create_file_resource(file).attributes.get("service.name", ""))
        named = name and not name.startswith("unknown_service")
    if not named:
        yield problem("service", "it has no name", advise_name(environ))


def _check_privacy(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings.privacy
    if settings.allow_personal_data:
        text = "personal data leaves in clear"
        yield note("privacy", text, "unset BEAR_OTEL_PERSONAL_DATA_ENABLED")
    for key in settings.allow_keys:
        yield note("privacy", f"{key} leaves in clear", "unset BEAR_OTEL_PRIVACY_ALLOW_KEYS")
