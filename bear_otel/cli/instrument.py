"""`bear-otel-instrument CMD...`: run any Python command with telemetry."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import bear_otel
from bear_otel.children import ROOT

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

_USAGE = """\
usage: bear-otel-instrument COMMAND [ARGUMENT...]

Run a Python command with traces, metrics and logs, private by default:

  bear-otel-instrument uvicorn app:app
  bear-otel-instrument python worker.py

It is configured by OpenTelemetry's variables (OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_ENDPOINT, ...)
and by BEAR_OTEL_ variables. See what arrives with: bear-otel tail
"""

# Flags with which Python ignores the path that we come in by.
_ISOLATING = frozenset("IES")

NOT_FOUND = 127


def main(argv: Sequence[str] | None = None) -> int:
    """Replace this process by the command; return only if that is not possible.

    Returns:
        0 for `--help` and `--version`, 2 for no command, 127 for one that cannot be found and 126
        for one that cannot be run, as shells do.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"bear-otel-instrument {bear_otel.__version__}")
        return 0
    command = shutil.which(arguments[0])
    if command is None:
        hint = ""
        if arguments[0].startswith("-"):
            hint = "; options go into the environment, see bear-otel-instrument --help"
        elif arguments[0].endswith(".py"):
            hint = f"; did you mean: bear-otel-instrument python {arguments[0]}"
        print(f"bear-otel-instrument: {arguments[0]}: command not found{hint}", file=sys.stderr)
        return NOT_FOUND
    if find_isolating(arguments):
        print(
            "bear-otel-instrument: Python's -I, -E and -S keep telemetry out; run without them",
            file=sys.stderr,
        )
    prepare(os.environ)
    # This Python ignores them for itself; a command that is none would inherit that.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execv(command, arguments)  # noqa: S606 - the command of the user, without a shell
    except OSError as error:
        print(f"bear-otel-instrument: {arguments[0]}: {error.strerror}", file=sys.stderr)
        return 126


def prepare(environ: MutableMapping[str, str]) -> None:
    """Change an environment so that Python processes in it start with telemetry."""
    # Below an instrumented process this is a new application, not a child of the other one.
    environ.pop(ROOT, None)
    environ.setdefault("OTEL_PYTHON_DISTRO", "bear_otel")
    environ.setdefault("OTEL_PYTHON_CONFIGURATOR", "bear_otel")
    autostart = str(Path(bear_otel.__file__).parent / "autostart")
    before = environ.get("PYTHONPATH")
    # An empty part means something to Python: the working directory.
    rest = [path for path in before.split(os.pathsep) if path != autostart] if before else []
    environ["PYTHONPATH"] = os.pathsep.join([autostart, *rest])


def find_isolating(command: Sequence[str]) -> str | None:
    """Return the option of Python's own in a command that keeps the launcher out, if there is one.

    What stands behind the program belongs to the program.
    """
    if not Path(command[0]).name.startswith("python"):
        return None
    for argument in command[1:]:
        if not argument.startswith("-") or argument.startswith("--") or argument in ("-c", "-m"):
            return None
        if _ISOLATING & set(argument[1:]):
            return argument
    return None
