"""`bear-otel explain`: why a setting holds, why a trace was kept, why nothing arrives."""

from __future__ import annotations

import argparse
import os
import re
import sys
from functools import reduce
from typing import TYPE_CHECKING

from bear_otel.cli.doctor.command import examine
from bear_otel.configuration import iterate_leaves, load_configuration, show
from bear_otel.pipeline.weights import NEVER, create_threshold
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
)


def main(argv: Sequence[str]) -> int:
    """Explain one thing; return 1 if it is not known or something has to be mended."""
    parser = argparse.ArgumentParser(prog="bear-otel explain", description=__doc__)
    parser.add_argument(
        "what", metavar="SETTING|TRACE_ID|silence", help="a setting, its variable, a trace, or why"
    )
    what = parser.parse_args(argv).what
    try:
        if what == "silence":
            return _explain_silence(os.environ)
        if _TRACE_ID.fullmatch(what):
            return _explain_trace(int(what, 16), os.environ)
        return _explain_setting(what, os.environ)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1


def _explain_setting(name: str, environ: Mapping[str, str]) -> int:
    leaf = next((leaf for leaf in iterate_leaves() if name in (leaf.name, leaf.env)), None)
    if leaf is None:
        if name.startswith("OTEL_"):
            print(f"{name} is OpenTelemetry's; it is {environ.get(name, 'not set')!s:.100}")
            return 0
        print(f"{name} is no setting; see docs/configuration.md", file=sys.stderr)
        return 1
    configuration = load_configuration(environ=environ)
    value = reduce(getattr, leaf.path, configuration.settings)
    origin = configuration.origins.get(leaf.name)
    print(f"{leaf.name} = {show(leaf, value)}")
    print(f"  from      {_describe_origin(origin)}")
    print(f"  default   {show(leaf, leaf.default)}")
    print(f"  variable  {leaf.env or '-'}")
    print(f"  {leaf.doc}")
    return 0


def _describe_origin(origin: str | None) -> str:
    return f"the variable {origin}" if origin else "its default; no variable sets it"


def _explain_trace(trace_id: int, environ: Mapping[str, str]) -> int:
    """Work out what sampling makes of a trace that begins in this service.

    The decision is a comparison of the trace's own random bits with a threshold
    (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/), so that it
    can be repeated at any time.
    """
    sampling = load_configuration(environ=environ).settings.sampling
    if environ.get("OTEL_TRACES_SAMPLER"):
        print(f"OTEL_TRACES_SAMPLER={environ['OTEL_TRACES_SAMPLER']} decides, not bear-otel")
        return 0
    if sampling.decided_by == "collector":
        print("everything is sent; the Collector decides")
        return 0
    share = sampling.performance_sampling
    kept = trace_id % NEVER >= create_threshold(share)
    if kept:
        print(f"kept: it is in the share of {share:.0%} (sampling.performance_sampling)")
    else:
        print(
            f"not in the share of {share:.0%} (sampling.performance_sampling); it was sent only if"
        )
        print(f"  a span of it ended in an error (kept: {sampling.error_sampling:.0%}), or")
        print(f"  it took longer than {sampling.slow_seconds} s, or")
        print("  a caller in another service had kept it")
    return 0


def _explain_silence(environ: Mapping[str, str]) -> int:
    problems = [finding for finding in examine(environ) if finding.level == "problem"]
    for finding in problems:
        print(f"✗ {finding.topic}: {finding.text}\n    -> {finding.mend}")
    if not problems:
        print("The way to the endpoint is open. What else makes silence:")
        for reason in _SILENCE:
            print(f"  - {reason}")
    return int(bool(problems))
