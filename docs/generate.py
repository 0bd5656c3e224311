"""Write the reference pages from the code; `--check` fails if a page is stale.

python docs/generate.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from bear_otel.catalogue import EVENTS, METRICS, Event, Metric
from bear_otel.configuration import Leaf, iterate_leaves

DOCS = Path(__file__).parent
GENERATED = "<!-- Written by docs/generate.py; edit the code instead. -->"


def create_configuration_page() -> str:
    """Return the page of all settings."""
    lines = [
        "# Configuration",
        GENERATED,
        "",
        "A setting has three doors: code (`bear_otel.start({...})`), a variable, and the",
        "`distribution: bear_otel:` part of an OpenTelemetry configuration file. The nearest wins:",
        "code, then variable, then file, then the default. A bad value is named in one line on",
        "stderr, with what is accepted; the application then runs without telemetry.",
        "",
        "What OpenTelemetry has a variable for is set through it: `OTEL_SERVICE_NAME`,",
        "`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, `OTEL_SDK_DISABLED`,",
        "`OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` and the others work as everywhere. With",
        "`OTEL_CONFIG_FILE` set, OpenTelemetry takes its part from the file alone; the first lines",
        "at start name the variables that this makes void.",
        "",
        "| setting | variable | default | what it does |",
        "|---|---|---|---|",
    ]
    return "\n".join([*lines, *(describe_leaf(leaf) for leaf in iterate_leaves())]) + "\n"


def describe_leaf(leaf: Leaf) -> str:
    """Return the row of a setting."""
    default = ", ".join(leaf.default) if isinstance(leaf.default, tuple) else leaf.default
    shown = "-" if default in (None, "") else f"`{default}`"
    variable = f"`{leaf.env}`" if leaf.env else "-"
    return f"| `{leaf.name}` | {variable} | {shown} | {leaf.doc} |"


def create_catalogue_page() -> str:
    """Return the page of all metrics and events."""
    lines = ["# What is collected", GENERATED, ""]
    lines += [
        "Names, units and attributes are those of OpenTelemetry's semantic conventions; what they",
        "do not know starts with `bear.`. Every value has passed the scrubber.",
        "",
        "## Metrics",
        "",
        "| metric | kind | unit | attributes | what it says | source |",
        "|---|---|---|---|---|---|",
    ]
    lines += [describe_metric(row) for row in METRICS]
    lines += ["", "## Events", "", "Log records with an event name.", ""]
    lines += ["| event | severity | attributes | what it says | source |", "|---|---|---|---|---|"]
    lines += [describe_event(row) for row in EVENTS]
    return "\n".join(lines) + "\n"


def describe_metric(row: Metric) -> str:
    """Return the row of a metric."""
    kind = row.kind.removeprefix("observable_").replace("_", " ")
    cells = (f"`{row.name}`", kind, f"`{row.unit}`", _list(row.attributes), row.description)
    return f"| {' | '.join(cells)} | {row.source} |"


def describe_event(row: Event) -> str:
    """Return the row of an event."""
    cells = (f"`{row.name}`", row.severity, _list(row.attributes), row.description, row.source)
    return f"| {' | '.join(cells)} |"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


PAGES = {
    "configuration.md": create_configuration_page,
    "catalogue.md": create_catalogue_page,
}


def main() -> int:
    """Write the pages, or say which are stale."""
    stale = []
    for name, create in PAGES.items():
        path, text = DOCS / name, create()
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(text)
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
