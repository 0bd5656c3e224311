"""Processes that an application starts: its workers are measured, all others are left alone."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from lifecycle_harness import Program, Sink, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.server

# How `apps/children.py` starts its children, and in how many processes it works.
WAYS = {
    "fork": 3,
    "spawn": 3,
    "forkserver": 3,
    "executor-fork": 2,
    "executor-spawn": 2,
    "executor-forkserver": 2,
    "pool-fork": 2,
    "pool-spawn": 2,
    "os-fork": 3,
}


@pytest.mark.parametrize(("way", "processes"), WAYS.items(), ids=WAYS)
def test_the_work_of_children_arrives(
    run: Callable[..., Program], sink: Sink, way: str, processes: int
) -> None:
    """Each child is an instance of its own, and nothing is counted in two processes."""
    program = run(f"python children.py {way}", sink.endpoint)

    assert program.wait() == 0, program.stderr
    expected = Counter({"parent": 2, "child 0": 1, "child 1": 1})
    assert Counter(span.name for span in sink.spans) == expected
    assert Counter(text for text, _ in sink.log_lines()) == expected
    assert sink.total("program.jobs") == expected.total()
    assert len(sink.measured_instances()) == processes
    assert program.stderr.count("bear-otel 0.") == 1, program.stderr


_FORK_IN_SILENCE = """
import logging, os, sys, time
import bear_otel
from program import work
work("parent")
logging.warning("to anna.schmidt@example.org")
bear_otel.start().flush()
pid = os.fork()
if pid == 0:
    while not os.path.exists(os.environ["END"]):
        time.sleep(0.01)
    sys.exit()
os.waitpid(pid, 0)
"""


def test_a_child_does_not_report_what_its_parent_has_done(
    run: Callable[..., Program], sink: Sink, tmp_path: Path
) -> None:
    """A forked child that does nothing has nothing to add to a sum."""
    end = tmp_path / "end"
    environment = {"END": str(end), "OTEL_METRIC_EXPORT_INTERVAL": "500"}
    program = run(["python", "-c", _FORK_IN_SILENCE], sink.endpoint, environment=environment)
    # It takes a while until a child has metrics of its own.
    wait_until(lambda: len(sink.measured_instances()) == 2, "the child is measured")
    end.touch()

    assert program.wait() == 0, program.stderr
    assert len(sink.measured_instances()) == 2
    assert sink.total("program.jobs") == 1
    assert sink.total("bear.privacy.redactions") == 1


# What an unrelated Python below the application has of ours.
_REPORT = (
    "import sys; print([m for m in ('opentelemetry', 'psutil', 'bear_otel.distro')"
    " if m in sys.modules])"
)
_RUN = "import subprocess, sys; subprocess.run([sys.executable, {arguments}], check=True)"


def _start_child(*arguments: str) -> list[str]:
    return ["python", "-c", _RUN.format(arguments=", ".join(map(repr, arguments)))]


def test_an_unrelated_child_is_left_alone(run: Callable[..., Program], sink: Sink) -> None:
    """It imports nothing heavy, and only its parent is an instance."""
    program = run(_start_child("-c", _REPORT), sink.endpoint)

    assert program.wait() == 0, program.stderr
    assert program.stdout == "[]\n"
    assert len(sink.measured_instances()) == 1


def test_the_children_of_an_unrelated_child_are_left_alone(
    run: Callable[..., Program], sink: Sink
) -> None:
    """Workers are those of the application; a script that it runs has workers of its own."""
    program = run(_start_child("children.py", "spawn"), sink.endpoint)

    assert program.wait() == 0, program.stderr
    assert sink.spans == []
    assert len(sink.measured_instances()) == 1


def test_every_child_is_measured_on_request(run: Callable[..., Program], sink: Sink) -> None:
    """`BEAR_OTEL_CHILDREN_ENABLED` takes all of them in."""
    program = run(
        _start_child("program.py", "normal"),
        sink.endpoint,
        environment={"BEAR_OTEL_CHILDREN_ENABLED": "true"},
    )

    assert program.wait() == 0, program.stderr
    assert sink.total("program.jobs") == 1
    assert len(sink.measured_instances()) == 2


_AGAIN = """
import os, subprocess, sys
from program import work
work("child" if os.environ.get("AGAIN") else "parent")
if not os.environ.get("AGAIN"):
    os.environ["AGAIN"] = "true"
    subprocess.run([sys.executable, *sys.orig_argv[1:]], check=True)
"""


def test_a_program_that_starts_itself_again_is_measured(
    run: Callable[..., Program], sink: Sink
) -> None:
    """Reloaders do so: the same command line below the application is the application."""
    program = run(["python", "-c", _AGAIN], sink.endpoint)

    assert program.wait() == 0, program.stderr
    assert Counter(span.name for span in sink.spans) == {"parent": 1, "child": 1}
    assert program.stderr.count("bear-otel 0.") == 1, program.stderr


def test_a_program_that_replaces_itself_is_measured(
    run: Callable[..., Program], sink: Sink
) -> None:
    """`os.exec` keeps the process id: what it starts is the application, its reloader included."""
    code = "import os, sys; os.execv(sys.executable, ['python', '-c', os.environ['CODE']])"
    program = run(["python", "-c", code], sink.endpoint, environment={"CODE": _AGAIN})

    assert program.wait() == 0, program.stderr
    assert Counter(span.name for span in sink.spans) == {"parent": 1, "child": 1}
