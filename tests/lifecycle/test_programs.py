"""Programs without a server: what they measured arrives, whatever ends them."""

from __future__ import annotations

import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from lifecycle_harness import (
    HASTY,
    LONGEST_EXIT_SECONDS,
    Program,
    Sink,
    dead_collector,
    normalize,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.server

TERM, INT = signal.SIGTERM, signal.SIGINT
AFTER = "after the signal"
# How `apps/program.py` ends, the signal that it gets, and the work that it does besides the first.
CASES = {
    "normal": ("normal", None, ()),
    "exit-code": ("exit", None, ()),
    "exit-with-text": ("exit-with-text", None, ()),
    "exception": ("exception", None, ()),
    "thread-outlives-main": ("thread", None, ("after the main thread",)),
    "SIGTERM": ("wait", TERM, ()),
    "SIGINT": ("wait", INT, ()),
    "SIGTERM-in-sleep": ("sleep", TERM, ()),
    "SIGTERM-in-asyncio": ("loop", TERM, ()),
    "SIGINT-in-asyncio": ("loop", INT, ()),
    "SIGTERM-exits-by-own-handler": ("catch-and-exit", TERM, ()),
    "SIGTERM-is-survived": ("catch-and-go-on", TERM, (AFTER,)),
    "SIGTERM-is-ignored": ("ignore", None, (AFTER,)),
}


@pytest.mark.parametrize(("end", "how", "more"), CASES.values(), ids=CASES)
def test_what_a_program_measured_arrives(
    run: Callable[..., Program],
    sink: Sink,
    end: str,
    how: signal.Signals | None,
    more: tuple[str, ...],
) -> None:
    """Span, log line and sum arrive; exit code and output are those of the bare program."""
    bare = run(f"python program.py {end}", bare=True)
    program = run(f"python program.py {end}", sink.endpoint)
    if how is not None:
        for each in (bare, program):
            wait_until(lambda each=each: "ready" in each.stdout, "the program runs")
            each.signal(how)

    assert program.wait() == bare.wait()
    expected = Counter(("first", *more))
    assert Counter(span.name for span in sink.spans) == expected
    # The error that ends a program is a log record, too.
    assert Counter(text for text, _ in sink.log_lines() if text in expected) == expected
    assert sink.total("program.jobs") == len(more) + 1
    assert program.stdout == bare.stdout
    assert normalize(bare.stderr) <= normalize(program.stderr)


def test_a_signal_in_the_middle_of_recording_ends_the_program(
    run: Callable[..., Program], sink: Sink
) -> None:
    """The handler may interrupt the main thread anywhere, even where it holds a lock."""
    program = run("python program.py spin", sink.endpoint)
    wait_until(lambda: "ready" in program.stdout, "the program runs")

    program.signal(signal.SIGTERM)

    assert program.wait() == -signal.SIGTERM
    assert sink.total("program.jobs") == 1


@pytest.mark.parametrize("kind", ["refused", "hanging"])
@pytest.mark.parametrize("end", ["normal", "wait"])
def test_a_program_does_not_wait_for_a_dead_collector(
    run: Callable[..., Program], kind: str, end: str
) -> None:
    """From its last statement, or from the signal, its end is not late by a request's timeout."""
    with dead_collector(kind) as endpoint:
        program = run(f"python program.py {end}", endpoint, environment=HASTY)
        wait_until(lambda: "ready" in program.stdout, "the program has worked")
        started = time.monotonic()
        if end == "wait":
            program.signal(signal.SIGTERM)
        program.wait()
    assert time.monotonic() - started <= LONGEST_EXIT_SECONDS, program.stderr


@pytest.mark.parametrize("end", ["normal", "exit", "exception"])
def test_the_last_sums_are_sent_once(run: Callable[..., Program], sink: Sink, end: str) -> None:
    """The reader's own last collection does not follow the flush, as the threads may run."""
    ended = [run(f"python program.py {end}", sink.endpoint) for _ in range(5)]
    for program in ended:
        program.wait()
    assert list(sink.collections.values()) == [1] * len(ended)
    assert sink.total("program.jobs") == len(ended)
