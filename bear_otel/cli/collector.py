"""`bear-otel collector`: choose the configuration, say what goes where, check it, start it."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bear_otel.cli.collector_binary import build, find_binary
from bear_otel.cli.collector_choice import BACKENDS, choose, describe
from bear_otel.cli.collector_files import ROLES, load_files
from bear_otel.cli.collector_variables import STATE_DIRECTORY, check_state_directory
from bear_otel.cli.files import find_folder
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code; `run` does not return, it becomes the Collector.

    Args:
        argv: Arguments after `bear-otel collector`.
    """
    folder = find_folder("collector-config")
    files = load_files(folder)
    known = [name.removeprefix(BACKENDS) for name in files if name.startswith(BACKENDS)]
    options = _parser(known).parse_args(argv)
    try:
        if options.action == "build":
            print(build(folder, os.environ))
            return 0
        choice = choose(
            files,
            os.environ,
            role=options.role,
            backends=options.backend,
            extra=[path.resolve() for path in options.config],
        )
        if options.action == "print":
            print(describe(choice))
            print(shlex.join(["bear-otelcol", *choice.arguments]))
            return 0
        print(describe(choice), file=sys.stderr, flush=True)
        binary = find_binary(folder, os.environ)
        if options.action == "run":
            check_state_directory(Path(choice.value(STATE_DIRECTORY)))
    except ConfigurationError as error:
        print(f"bear-otel collector: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return error.returncode
    checked = subprocess.run(
        [binary, "validate", *choice.arguments], env=choice.environment, check=False
    )
    if checked.returncode == 0 and options.action == "run":
        os.execve(binary, [str(binary), *choice.arguments], choice.environment)  # noqa: S606
    return checked.returncode


def _parser(backends: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bear-otel collector",
        description="Run an OpenTelemetry Collector for the back ends whose keys are set.",
    )
    actions = ("run", "validate", "print", "build")
    parser.add_argument("action", nargs="?", choices=actions, default="run")
    parser.add_argument("--role", choices=ROLES, default="standalone")
    parser.add_argument(
        "--backend",
        action="append",
        choices=backends,
        default=[],
        help="use this back end, and none by its keys alone (may be repeated)",
    )
    parser.add_argument(
        "--config",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="your own Collector file, loaded last (may be repeated)",
    )
    return parser
