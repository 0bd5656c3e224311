"""Processes that an application starts: its workers are measured, all others are left alone."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from lifecycle_harness import Program, Sink

if TYPE_CHECKING:
    from collections.abc import Callable

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
