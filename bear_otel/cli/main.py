"""`bear-otel COMMAND`: the tools around the launcher."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from bear_otel import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

# Imported when used: each has its own dependencies.
_COMMANDS = {
    "tail": ("bear_otel.cli.tail", "show what arrives over OTLP in this terminal"),
    "demo": ("bear_otel.cli.demo", "run a small service and show its telemetry"),
    "doctor": ("bear_otel.cli.doctor.command", "find out why telemetry does not arrive"),
    "explain": ("bear_otel.cli.explain", "why a setting holds, a trace was kept, all is silent"),
    "privacy": ("bear_otel.cli.privacy", "explain, audit and report what is redacted"),
    "collector": ("bear_otel.cli.collector", "run a Collector for the back ends you have"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in ([], ["-h"], ["--help"]):
        print(_describe(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"bear-otel {__version__}")
        return 0
    if arguments[0] not in _COMMANDS:
        known = ", ".join(_COMMANDS)
        print(f"bear-otel: unknown command {arguments[0]!r}; one of {known}", file=sys.stderr)
        return 2
    module = import_module(_COMMANDS[arguments[0]][0])
    return module.main(arguments[1:])


def _describe() -> str:
    lines = ["usage: bear-otel COMMAND [ARGUMENT...]", ""]
    lines += [f"  {name:<10} {summary}" for name, (_, summary) in _COMMANDS.items()]
    return "\n".join([*lines, "", "Run a service with: bear-otel-instrument COMMAND"])


if __name__ == "__main__":
    sys.exit(main())
