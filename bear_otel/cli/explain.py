"""`bear-otel explain`: why a setting holds, why a trace was kept, why nothing arrives."""

from __future__ import annotations

import argparse
import os
import re
import sys
from functools import reduce
from typing import TYPE_CHECKING

from bear_otel.cli.doctor.command import examine
from bear_otel.cli.explain_trace import explain_trace
from bear_otel.configuration import MASK, iterate_leaves, load_configuration, show
from bear_otel.environment import get_our_part, load_file
from bear_otel.privacy import Scrubber
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")

_SILENCE = (
    "Metrics come once a minute (OTEL_METRIC_EXPORT_INTERVAL) and when the service ends.",
    "Spans and log records come within five seconds (OTEL_BSP_SCHEDULE_DELAY).",
    "Requests to excluded paths are in no signal (OTEL_PYTHON_FASTAPI_EXCLUDED_URLS).",
    "Log records below the level of their logger are never made (OTEL_PYTHON_LOG_LEVEL).",
    "An application that is made before bear_otel.start() is not measured; use the launcher.",
    "Only processes below bear-otel-instrument are measured: see the first lines on stderr.",
    "BEAR_OTEL_DEBUG_ENABLED=true tells each batch, drop and decision on stderr.",
)


def main(argv: Sequence[str]) -> int:
    """Explain one thing; return 1 if it is not known or something has to be mended."""
    parser = argparse.ArgumentParser(prog="bear-otel explain", description=__doc__)
    parser.add_argument(
        "what", metavar="SETTING|TRACE_ID|silence", help="a setting, its variable, a trace, or why"
    )
    parser.add_argument(
        "--saved", metavar="FILE", help="what `bear-otel tail --save FILE` has received"
    )
    options = parser.parse_args(argv)
    what = options.what
    try:
        if what == "silence":
            return _explain_silence(os.environ)
        if _TRACE_ID.fullmatch(what):
            print(*explain_trace(int(what, 16), os.environ, options.saved), sep="\n")
            return 0
        return _explain_setting(what, os.environ)
    except (ConfigurationError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def _explain_setting(name: str, environ: Mapping[str, str]) -> int:
    leaf = next((leaf for leaf in iterate_leaves() if name in (leaf.name, leaf.env)), None)
    if leaf is None:
        if name.startswith("OTEL_"):
            print(f"{name} is OpenTelemetry's; it is {_show_foreign(name, environ)}")
            return 0
        print(f"{name} is no setting; see docs/configuration.md", file=sys.stderr)
        return 1
    file = get_our_part(load_file(environ))
    configuration = load_configuration(environ=environ, file=file)
    value = reduce(getattr, leaf.path, configuration.settings)
    origin = configuration.origins.get(leaf.name)
    print(f"{leaf.name} = {show(leaf, value)}")
    print(f"  from      {_describe_origin(origin)}")
    print(f"  default   {show(leaf, leaf.default)}")
    print(f"  variable  {leaf.env or '-'}")
    print(f"  {leaf.doc}")
    return 0


def _show_foreign(name: str, environ: Mapping[str, str]) -> str:
    """Return the value of a variable of OpenTelemetry without what may be secret in it."""
    value = environ.get(name)
    if not value:
        return "not set"
    return MASK if name.endswith("HEADERS") else Scrubber().scrub_text(value, door="explain")


def _describe_origin(origin: str | None) -> str:
    if origin == "file":
        return "distribution.bear_otel in the file that OTEL_CONFIG_FILE names"
    return f"the variable {origin}" if origin else "its default; no variable sets it"


def _explain_silence(environ: Mapping[str, str]) -> int:
    problems = [finding for finding in examine(environ) if finding.level == "problem"]
    for finding in problems:
        print(f"✗ {finding.topic}: {finding.text}\n    -> {finding.mend}")
    if not problems:
        print("Nothing is broken that can be seen from here. What else makes silence:")
        for reason in _SILENCE:
            print(f"  - {reason}")
    return int(bool(problems))
