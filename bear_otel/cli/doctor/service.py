"""Look at the command that would run under the launcher, and at its host."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bear_otel.cli.doctor.finding import Finding, note, ok, problem
from bear_otel.cli.instrument import find_isolating

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SUPERVISING = ("--workers", "-w", "--reload", "--preload")
_SERVERS = ("uvicorn", "gunicorn", "hypercorn", "granian", "fastapi")
_LOW_BYTES = 200_000_000


def check_command(command: Sequence[str]) -> Iterator[Finding]:
    """Find out whether bear-otel can reach the command."""
    path = shutil.which(command[0])
    if path is None:
        yield problem("command", f"{command[0]} is not on the PATH", f"pip install {command[0]}")
        return
    if isolating := find_isolating(command):
        text = f"Python's {isolating} keeps the launcher out"
        yield problem("command", text, f"run {command[0]} without {isolating}")
    interpreter = _find_interpreter(path)
    if interpreter is None:
        yield note("command", f"{path} is no Python program; Python below it will be measured")
    elif _imports(interpreter, "bear_otel"):
        yield ok("command", f"{path} runs on {interpreter}, which has bear-otel")
    else:
        text = f"{path} runs on {interpreter}, which has no bear-otel"
        yield problem("command", text, f"{interpreter} -m pip install bear-otel")
    names = {Path(part).name for part in command}
    if names & set(_SERVERS) and any(a.split("=")[0] in _SUPERVISING for a in command):
        yield note("command", "the parent of the workers is left alone; each worker reports itself")


def check_spool(directory: Path) -> Iterator[Finding]:
    """Look at what waits on disk, and at the room there."""
    topic = "spool"
    parent = next(p for p in (directory, *directory.parents) if p.exists())
    free = shutil.disk_usage(parent).free
    if not os.access(parent, os.W_OK):
        yield problem(
            topic, f"{parent} cannot be written", "export BEAR_OTEL_SPOOL_DIRECTORY=/writable"
        )
    elif free < _LOW_BYTES:
        text = f"only {free / 1e6:.0f} MB are free at {parent}"
        yield problem(topic, text, "export BEAR_OTEL_SPOOL_DIRECTORY=/bigger")
    sizes = [size for path in directory.rglob("*") if (size := _find_size(path))]
    if sizes:
        text = f"{sum(sizes) / 1e6:.1f} MB in {len(sizes)} files wait at {directory}"
        yield note(topic, text, "they go out when the endpoint takes them")
    else:
        yield ok(topic, f"nothing waits at {directory}")


def _find_size(path: Path) -> int:
    """Return the size of a file, or 0 for what is none: a running service removes what it sends."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _find_interpreter(path: str) -> str | None:
    """Return the interpreter of a Python program: itself, or what its first line names."""
    if Path(path).name.startswith("python"):
        return path
    with open(path, "rb") as program:
        first = program.readline(512)
    if not first.startswith(b"#!"):
        return None
    parts = first[2:].decode("utf-8", "replace").split()
    name = parts[1] if len(parts) > 1 and parts[0].endswith("/env") else parts[0] if parts else ""
    return shutil.which(name) if "python" in Path(name).name else None


def _imports(interpreter: str, module: str) -> bool:
    command = [interpreter, "-c", f"import {module}"]
    # Not from here: a checkout in the current folder would be found.
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0
