"""The counters of what is lost, and their voice."""

from __future__ import annotations

import pytest

from bear_otel.pipeline import losses as module
from bear_otel.pipeline.losses import Losses


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that the losses look at."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_counts_are_by_signal_and_reason() -> None:
    """Self-metrics read them as a plain dict; nothing lost leaves no entry."""
    losses = Losses()
    losses.add("traces", "queue_full", 2)
    losses.add("traces", "queue_full", 3)
    losses.add("logs", "rejected", 1)
    losses.add("metrics", "rejected", 0)
    assert losses.counts() == {("traces", "queue_full"): 5, ("logs", "rejected"): 1}


def test_a_state_is_said_once_and_its_end_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Repetition is silent; the end says how long it took and what was lost."""
    losses = Losses()
    losses.say_recovered("traces", "delivery")
    for _ in range(3):
        losses.say_trouble("traces", "delivery", "unreachable", "cannot reach x")
    losses.say_trouble("traces", "delivery", "busy", "x is busy")
    losses.add("traces", "queue_full", 40)
    clock.now += 12
    for _ in range(3):
        losses.say_recovered("traces", "delivery")
    assert caplog.messages == [
        "traces: cannot reach x",
        "traces: x is busy",
        "traces: flowing again after 12 s; 40 spans were dropped",
    ]


def test_what_comes_and_goes_is_said_once_a_minute(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A flapping server cannot flood the log; what it cost meanwhile is said later."""
    losses = Losses()
    for _ in range(70):
        losses.say_trouble("logs", "delivery", "busy", "x is busy")
        losses.add("logs", "rejected", 1)
        clock.now += 1
        losses.say_recovered("logs", "delivery")
    assert caplog.messages == [
        "logs: x is busy",
        "logs: flowing again after 1 s; 1 log records were dropped",
        "logs: x is busy",
        "logs: flowing again after 1 s; 61 log records were dropped",
    ]


def test_a_trouble_that_follows_soon_and_lasts_is_said_in_the_end(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The quiet minute delays a real outage, and never hides it."""
    losses = Losses()
    losses.say_trouble("logs", "delivery", "busy", "x is busy")
    losses.say_recovered("logs", "delivery")
    caplog.clear()
    for _ in range(100):
        losses.say_trouble("logs", "delivery", "busy", "x is busy again")
        clock.now += 1
    assert caplog.messages == ["logs: x is busy again"]


def test_states_of_signals_and_topics_are_apart(caplog: pytest.LogCaptureFixture) -> None:
    """Trouble with one says nothing about the other."""
    losses = Losses()
    losses.say_trouble("traces", "delivery", "busy", "x is busy")
    losses.say_trouble("logs", "delivery", "busy", "x is busy")
    losses.say_trouble("traces", "queue", "full", "the queue is full")
    losses.say_recovered("metrics", "delivery")
    losses.say_recovered("traces", "queue")
    assert caplog.messages == [
        "traces: x is busy",
        "logs: x is busy",
        "traces: the queue is full",
        "traces: keeping up again after 0 s; nothing was dropped",
    ]


def test_what_waits_is_described_by_its_capacity() -> None:
    """Where a queue keeps the items, the reader learns how many."""
    losses = Losses()
    losses.set_capacity("traces", 2048)
    assert losses.describe_waiting("traces") == "keeping up to 2048 spans in memory"
    assert losses.describe_waiting("logs") == "trying again"


def test_the_trouble_of_the_disk_is_one_for_all_signals_and_ends_with_the_outage(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once, not by each signal; with it, what waits is described by the queue again."""
    losses = Losses()
    losses.set_capacity("traces", 2048)
    losses.set_spool("traces", 64_000_000)
    assert losses.describe_waiting("traces") == "keeping up to 64 MB on disk"
    losses.say_trouble("traces", "delivery", "busy", "x is busy")
    losses.say_trouble("traces", "spool", "unusable", "no disk")
    losses.say_trouble("logs", "spool", "unusable", "no disk")
    assert losses.describe_waiting("traces") == "keeping up to 2048 spans in memory"
    losses.say_recovered("traces", "delivery")
    assert losses.describe_waiting("traces") == "keeping up to 64 MB on disk"
    clock.now += 61
    losses.say_trouble("logs", "spool", "unusable", "no disk again")
    assert caplog.messages == [
        "traces: x is busy",
        "traces: no disk",
        "traces: flowing again after 0 s; nothing was dropped",
        "logs: no disk again",
    ]
