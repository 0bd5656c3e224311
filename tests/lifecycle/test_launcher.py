"""The launcher changes nothing of a command but that it is measured."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lifecycle_harness import Program, Sink, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.server

# What a program can see of how it was started. Its children need the launcher's `PYTHONPATH`.
_DESCRIBE = """
import json, os, signal, sys
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv, "executable": sys.executable,
    "prefix": sys.prefix, "path": sys.path, "cwd": os.getcwd(), "flags": repr(sys.flags),
    "ignored": [name for name in ("SIGPIPE", "SIGXFSZ", "SIGINT", "SIGHUP")
                if signal.getsignal(getattr(signal, name)) is signal.SIG_IGN],
}))
"""
PYTHONPATHS = {
    "unset": None,
    "empty": "",
    "one": "/somewhere",
    "ends-empty": "/somewhere:",
    "begins-empty": ":/somewhere",
    "several": "/somewhere::relative:/elsewhere",
}


@pytest.mark.parametrize("pythonpath", PYTHONPATHS.values(), ids=PYTHONPATHS)
def test_a_program_sees_what_it_would_see_without_us(
    run: Callable[..., Program], sink: Sink, tmp_path: Path, pythonpath: str | None
) -> None:
    """Arguments, path, working directory, flags and signals are those of the bare command."""
    script = tmp_path / "describe.py"
    script.write_text(_DESCRIBE)
    command = ["python", "-W", "ignore", str(script), "--option", "an argument", ""]
    environment = {} if pythonpath is None else {"PYTHONPATH": pythonpath}
    bare = run(command, bare=True, environment=environment, cwd=tmp_path)
    program = run(command, sink.endpoint, environment=environment, cwd=tmp_path)

    assert program.wait() == bare.wait() == 0, program.stderr
    assert json.loads(program.stdout) == json.loads(bare.stdout)
    assert sink.measured_instances(), "it was measured nevertheless"


def test_the_users_own_sitecustomize_still_runs(
    run: Callable[..., Program], sink: Sink, tmp_path: Path
) -> None:
    """One that stands on the user's `PYTHONPATH` runs once, and is the one that can be imported."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.runs = getattr(sys, 'runs', 0) + 1")
    command = ["python", "-c", "import sys, sitecustomize as s; print(s.__file__, sys.runs)"]
    program = run(command, sink.endpoint, environment={"PYTHONPATH": str(tmp_path)})

    assert program.wait() == 0, program.stderr
    assert program.stdout == f"{tmp_path}/sitecustomize.py 1\n"
    assert sink.measured_instances()


def test_a_broken_sitecustomize_is_reported_as_python_does(
    run: Callable[..., Program], sink: Sink, tmp_path: Path
) -> None:
    """The user's error is said, and neither the program nor telemetry suffers from it."""
    (tmp_path / "sitecustomize.py").write_text("1 / 0")
    environment = {"PYTHONPATH": str(tmp_path)}
    command = ["python", "-c", "print('runs')"]
    bare = run(command, bare=True, environment=environment)
    program = run(command, sink.endpoint, environment=environment)

    assert program.wait() == bare.wait() == 0
    assert program.stdout == bare.stdout == "runs\n"
    assert set(bare.stderr.splitlines()) <= set(program.stderr.splitlines())
    assert sink.measured_instances()


# Command, exit code, and what its one line on stderr holds.
REFUSED = {
    "unknown": (["no-such-command"], 127, "no-such-command: command not found"),
    "option": (["--traces-exporter", "console"], 127, "options go into the environment"),
    "script": (["program.py"], 127, "did you mean: bear-otel-instrument python program.py"),
    "directory": (["./"], 127, "./: command not found"),
}


@pytest.mark.parametrize(("command", "code", "line"), REFUSED.values(), ids=REFUSED)
def test_a_command_that_cannot_run_is_one_line(
    run: Callable[..., Program], command: list[str], code: int, line: str
) -> None:
    """As a shell would: exit code 127, one line, no traceback."""
    program = run(command)

    assert program.wait() == code
    assert program.stderr.count("\n") == 1
    assert line in program.stderr
    assert program.stdout == ""


def test_a_file_that_is_no_program_is_one_line(run: Callable[..., Program], tmp_path: Path) -> None:
    """What may be run but cannot gives exit code 126, as in a shell."""
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    program = run([str(broken)])

    assert program.wait() == 126
    assert program.stderr.count("\n") == 1


@pytest.mark.parametrize("flags", [["-I"], ["-E"], ["-S"], ["-u", "-Is"]], ids=" ".join)
def test_an_isolated_python_is_warned_about(run: Callable[..., Program], flags: list[str]) -> None:
    """Such a Python ignores the path that we come in by; that is said, and the program runs."""
    program = run(["python", *flags, "-c", "print('runs')"])

    assert program.wait() == 0
    assert program.stdout == "runs\n"
    assert "-I, -E and -S keep telemetry out" in program.stderr


def test_flags_of_the_program_are_none_of_python(run: Callable[..., Program], sink: Sink) -> None:
    """`-I` behind the program is its own argument."""
    program = run(["python", "-c", "print('runs')", "-I"], sink.endpoint)

    assert program.wait() == 0
    assert "keep telemetry out" not in program.stderr
    assert sink.measured_instances()


def test_a_python_without_bear_otel_is_explained_once(
    run: Callable[..., Program], tmp_path: Path
) -> None:
    """The program runs, and one line says why nothing is measured, and what would help."""
    # The packages of the base interpreter, and not those of the environment that runs the tests.
    python = str(Path(sys.base_prefix) / "bin" / "python3")
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1)'])"
    program = run([python, "-c", code])

    assert program.wait() == 0
    assert program.stdout == "1\n"
    assert program.stderr.count("\n") == 1
    assert f"{python} -m pip install bear-otel" in program.stderr


def test_a_command_that_is_no_python_is_left_as_it_is(run: Callable[..., Program]) -> None:
    """A shell gets its signals as they were, without those that Python ignores for itself."""
    program = run(["sh", "-c", "grep SigIgn /proc/self/status; exit 5"])
    bare = run(["sh", "-c", "grep SigIgn /proc/self/status; exit 5"], bare=True)

    assert program.wait() == bare.wait() == 5
    assert program.stdout == bare.stdout


def test_python_below_a_shell_is_the_application(run: Callable[..., Program], sink: Sink) -> None:
    """Entry points of containers are scripts: every Python that a shell starts is measured."""
    program = run(
        ["sh", "-c", "python program.py normal && exec python program.py normal"], sink.endpoint
    )

    assert program.wait() == 0
    assert len(sink.measured_instances()) == 2
    assert sink.total("program.jobs") == 2


def test_a_signal_reaches_the_command_itself(run: Callable[..., Program], sink: Sink) -> None:
    """The command has the process id of the launcher: nobody stands between it and its manager."""
    code = "import os, threading; print(os.getpid(), flush=True); threading.Event().wait()"
    program = run(["python", "-c", code], sink.endpoint)
    wait_until(lambda: program.stdout.endswith("\n"), "the program runs")

    assert int(program.stdout) == program.process.pid
    program.signal(signal.SIGTERM)
    assert program.wait() == -signal.SIGTERM


def test_help_and_version_go_to_stdout(run: Callable[..., Program]) -> None:
    """Asked for, they are the answer; without a command, the help is an error message."""
    for arguments, code, stream in (
        (["--help"], 0, "stdout"),
        (["--version"], 0, "stdout"),
        ([], 2, "stderr"),
    ):
        program = run(arguments)
        assert program.wait() == code
        assert "bear-otel-instrument" in getattr(program, stream)


def test_a_launcher_below_a_launcher_starts_an_application_of_its_own(
    run: Callable[..., Program], sink: Sink
) -> None:
    """A child is left alone unless it is launched itself."""
    code = (
        "import subprocess; "
        "subprocess.run(['bear-otel-instrument', 'python', 'program.py', 'normal'], check=True)"
    )
    program = run(["python", "-c", code], sink.endpoint, environment=dict(os.environ))

    assert program.wait() == 0
    assert sink.total("program.jobs") == 1
    assert len(sink.measured_instances()) == 2
