"""Run all checks, and print what they found."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from bear_otel.cli.doctor import endpoints, installation, round_trip, service, settings
from bear_otel.configuration import load_configuration
from bear_otel.environment import SIGNALS, load_plan
from bear_otel.pipeline.exporters import DEFAULT
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bear_otel.cli.doctor.finding import Finding
    from bear_otel.pipeline.losses import Signal

_MARKS = {"ok": "✓", "note": "·", "problem": "✗"}


def main(argv: Sequence[str]) -> int:
    """Examine everything; return 1 if something has to be mended."""
    parser = argparse.ArgumentParser(
        prog="bear-otel doctor",
        description="Find out why telemetry does not arrive, and how to mend it.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON list of findings")
    parser.add_argument("--all", action="store_true", help="also say what is as it should be")
    parser.add_argument(
        "command", nargs="*", metavar="-- COMMAND", help="the command of the service"
    )
    options = parser.parse_args(argv)
    findings = list(examine(os.environ, options.command))
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        _print(findings, everything=options.all)
    return int(any(finding.level == "problem" for finding in findings))


def examine(environ: Mapping[str, str], command: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield the findings of all checks, the causes before what follows from them."""
    yield from installation.check_python()
    yield from installation.check_requirements()
    yield from installation.check_entry_points(environ)
    yield from installation.check_instrumentors(environ)
    yield from installation.check_libraries()
    if command:
        yield from service.check_command(command)
    yield from settings.check_settings(environ)
    if environ.get("OTEL_CONFIG_FILE"):
        return  # which names its own exporters
    try:
        loaded = load_configuration(environ=environ).settings
        plan = load_plan(environ, loaded.spool)
    except ConfigurationError:
        return  # said above; nothing of what follows can work
    if plan.spool:
        yield from service.check_spool(plan.spool.directory)
    ours: list[Signal] = [signal for signal in SIGNALS if DEFAULT in plan.exporters[signal]]
    if ours:
        yield from endpoints.check_proxy(environ)
    probed = [finding for signal in ours for finding in endpoints.check_endpoint(signal, environ)]
    yield from probed
    if ours and not any(finding.level == "problem" for finding in probed):
        yield from round_trip.check_round_trip(plan)


def _print(findings: Sequence[Finding], *, everything: bool) -> None:
    for finding in findings:
        if finding.level == "ok" and not everything:
            continue
        print(f"{_MARKS[finding.level]} {finding.topic}: {finding.text}")
        if finding.mend:
            print(f"    -> {finding.mend}")
    counts = {level: sum(f.level == level for f in findings) for level in _MARKS}
    problems = f"{counts['problem']} problems" if counts["problem"] else "no problem"
    print(f"{problems}; {counts['note']} notes, {counts['ok']} things in order", file=sys.stderr)
