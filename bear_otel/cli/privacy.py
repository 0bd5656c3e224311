"""`bear-otel privacy`: explain a redaction, audit a service, report what has been redacted."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from bear_otel.cli.audit import audit
from bear_otel.cli.otlp_json import read_saved
from bear_otel.cli.receiver import Receiver, explain_refusal
from bear_otel.cli.render.records import Point, read_points
from bear_otel.configuration import load_configuration
from bear_otel.environment import get_our_part, load_file
from bear_otel.privacy import DROPPED
from bear_otel.scrubbing import create_scrubber
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bear_otel.cli.otlp_json import OtlpRequest

_REDACTIONS = "bear.privacy.redactions"


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code: 1 for a finding, 2 for a call that cannot be run."""
    options = _create_parser().parse_args(argv)
    try:
        return options.run(options)
    except (ConfigurationError, OSError, ValueError) as error:
        print(f"bear-otel privacy: {error}", file=sys.stderr)
        return 2


def _create_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bear-otel privacy", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    explain = commands.add_parser("explain", help="say what becomes of a text on standard input")
    explain.add_argument("--key", help="the attribute that the text is the value of")
    explain.set_defaults(run=_explain)

    audited = commands.add_parser("audit", help="call a service in this process with canaries")
    audited.add_argument("app", metavar="MODULE:APP", help="the FastAPI application")
    audited.add_argument(
        "--all-methods", action="store_true", help="call what changes data, too; GET alone if not"
    )
    audited.add_argument(
        "--remote-databases", action="store_true", help="let it connect to other hosts"
    )
    audited.set_defaults(run=audit)

    report = commands.add_parser("report", help="count what has been redacted, by kind and door")
    report.add_argument("--replay", metavar="FILE", help="what `bear-otel tail --save` has written")
    report.add_argument("--port", type=int, default=4318, help="listen for OTLP there (4318)")
    report.add_argument("--for", type=float, dest="seconds", help="end after so many seconds")
    report.set_defaults(run=_report)
    return parser


def _explain(options: argparse.Namespace) -> int:
    """Print the rules that fire, and the text as it would leave."""
    text = sys.stdin.read().rstrip("\n")
    file = get_our_part(load_file(os.environ))
    scrubber = create_scrubber(load_configuration(environ=os.environ, file=file).settings)
    for found in scrubber.explain(text, options.key):
        print(f"{found.kind:<14} characters {found.start} to {found.end}: {found.rule}")
    if options.key:
        clean = scrubber.scrub_value(options.key, text, door="explain")
        print("(the attribute is dropped)" if clean is DROPPED else clean)
    else:
        print(scrubber.scrub_text(text, door="explain"))
    return 0


def _report(options: argparse.Namespace) -> int:
    """Print the counts out of the metrics that a service sends about itself."""
    counts: dict[tuple[str, str, str], float] = {}
    for point in _read_points(options):
        if point.name == _REDACTIONS:
            kind, door = (
                str(point.attributes.get(f"bear.privacy.{part}")) for part in ("kind", "door")
            )
            key = (point.instance, kind, door)
            # The last value of each process: they are sums since its start, unless it sends deltas.
            counts[key] = point.value + (counts.get(key, 0) if point.delta else 0)
    totals: Counter[tuple[str, str]] = Counter()
    for (_, kind, door), count in counts.items():
        totals[kind, door] += int(count)
    if not totals:
        print("nothing has been redacted, or no metrics have arrived (they come once a minute)")
    for (kind, door), total in sorted(totals.items(), key=lambda item: (-item[1], item[0])):
        print(f"{total:>10,}  {kind:<16} {door}")
    return 0


def _read_points(options: argparse.Namespace) -> Iterator[Point]:
    if options.replay:
        requests = read_saved(options.replay)
    else:
        requests = _listen(options.port, options.seconds)
    for request in requests:
        if isinstance(request, ExportMetricsServiceRequest):
            yield from read_points(request)


def _listen(port: int, seconds: float | None) -> Iterator[OtlpRequest]:
    """Yield requests until the time is over or somebody interrupts."""
    received: SimpleQueue[OtlpRequest] = SimpleQueue()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    end = None if seconds is None else time.monotonic() + seconds
    with ExitStack() as stack:
        receiver = Receiver(port=port, on_metrics=received.put)
        try:
            stack.enter_context(receiver)
        except (OSError, OverflowError) as error:
            message = explain_refusal(error, "bear-otel privacy report", "127.0.0.1", port)
            raise OSError(message) from error
        print(f"listening on {receiver.endpoint}; Ctrl-C ends it and prints", file=sys.stderr)
        try:
            while True:
                yield received.get(timeout=None if end is None else max(0, end - time.monotonic()))
        except (Empty, KeyboardInterrupt):
            return
