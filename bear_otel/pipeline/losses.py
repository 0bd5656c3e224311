"""Counts everything lost on its way out and says each change of state once."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Final, Literal

from bear_otel.pipeline.debugging import tell
from bear_otel.pipeline.forking import reset_in_child

Signal = Literal["traces", "metrics", "logs"]
Reason = Literal[
    "queue_full",  # produced faster than sent
    "rejected",  # the server refused the request for good
    "partial_success",  # the server took the request and refused some of its items
    "unreachable",  # not taken within the time budget, and nobody kept the batch
    "export_failed",  # an exporter that is not ours said so, without a reason
    "unencodable",  # a record that has no OTLP form
    "shutdown",  # still queued when the process had to end, or produced after that
    "spool_full",  # waited on disk, and gave way to newer items
    "expired",  # waited on disk for too long
    "corrupt",  # waited on disk, and came back damaged
]
Topic = Literal["delivery", "queue", "spool", "spool_full", "expired", "corrupt"]

UNITS: Final[dict[Signal, str]] = {
    "traces": "spans",
    "metrics": "data points",
    "logs": "log records",
}
_RECOVERED: Final[dict[Topic, str]] = {
    "delivery": "flowing again",
    "queue": "keeping up again",
}
# Troubles of an outage: they end with it, without a word of their own.
_OF_AN_OUTAGE: Final[tuple[Topic, ...]] = ("spool", "spool_full", "expired", "corrupt")

# What comes and goes faster than this is said once, so that it cannot flood the log.
_QUIET_SECONDS: Final = 60.0

logger = logging.getLogger("bear_otel")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    kind: str
    since: float
    said: bool


_Key = tuple[Signal | None, Topic]


class Losses:
    """Counters by signal and reason, with a voice for the changes between good and bad.

    What it says never holds data: only numbers, reasons and places without credentials.
    """

    def __init__(self) -> None:
        self._capacities: dict[Signal, int] = {}
        self._spools: dict[Signal, int] = {}
        self._reset()
        reset_in_child(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[Signal, Reason], int] = {}
        self._troubles: dict[_Key, _Trouble] = {}
        self._quiet_until: dict[_Key, float] = {}
        self._told: dict[Signal, int] = {}

    def add(self, signal: Signal, reason: Reason, count: int) -> None:
        """Count items that will never arrive."""
        if count > 0:
            with self._lock:
                key = (signal, reason)
                self._counts[key] = self._counts.get(key, 0) + count
            tell("%s: %d %s dropped: %s", signal, count, UNITS[signal], reason)

    def counts(self) -> dict[tuple[Signal, Reason], int]:
        """Return how many items were lost since start, by signal and reason."""
        with self._lock:
            return dict(self._counts)

    def set_capacity(self, signal: Signal, capacity: int) -> None:
        """Remember how many items of a signal wait while they cannot be sent."""
        self._capacities[signal] = capacity

    def set_spool(self, signal: Signal, max_bytes: int) -> None:
        """Remember how much of a signal waits on disk while it cannot be sent."""
        self._spools[signal] = max_bytes

    def describe_waiting(self, signal: Signal) -> str:
        """Say what becomes of the items of a signal while they cannot be sent."""
        if signal in self._spools and _create_key(signal, "spool") not in self._troubles:
            return f"keeping up to {megabytes(self._spools[signal])} on disk"
        return self.describe_memory(signal)

    def describe_memory(self, signal: Signal) -> str:
        """Say what becomes of the items of a signal without a disk to keep them on."""
        capacity = self._capacities.get(signal)
        if capacity is None:
            return "trying again"
        return f"keeping up to {capacity} {UNITS[signal]} in memory"

    def say_trouble(self, signal: Signal, topic: Topic, kind: str, message: str) -> None:
        """Warn that a signal is in trouble, once until the kind of trouble changes.

        Args:
            signal: The signal in trouble.
            topic: Which of the signal's two states changed.
            kind: Short name of the trouble; the same kind is said once.
            message: What happened, without data and without credentials.
        """
        key = _create_key(signal, topic)
        now = time.monotonic()
        with self._lock:
            before = self._troubles.get(key)
            said = (before is not None and before.said) or now >= self._quiet_until.get(key, now)
            if before is not None and (before.kind, before.said) == (kind, said):
                return
            since = before.since if before else now
            self._troubles[key] = _Trouble(kind=kind, since=since, said=said)
        if said:
            logger.warning("%s: %s", signal, message)

    def say_recovered(self, signal: Signal, topic: Topic) -> None:
        """Say that a trouble is over and what was lost since last said; else stay silent."""
        key = _create_key(signal, topic)
        if key not in self._troubles:
            return
        now = time.monotonic()
        with self._lock:
            trouble = self._troubles.pop(key, None)
            if trouble is None or not trouble.said:
                return
            self._quiet_until[key] = now + _QUIET_SECONDS
            if topic == "delivery":
                for each in _OF_AN_OUTAGE:
                    also = _create_key(signal, each)
                    if self._troubles.pop(also, None) is not None:
                        self._quiet_until[also] = now + _QUIET_SECONDS
            lost = self._lost(signal)
            news = lost - self._told.get(signal, 0)
            self._told[signal] = lost
        # As loud as the trouble, else the reader sees only the first half of the story.
        logger.warning(
            "%s: %s after %.0f s; %s",
            signal,
            _RECOVERED[topic],
            now - trouble.since,
            f"{news} {UNITS[signal]} were dropped" if news else "nothing was dropped",
        )

    def _lost(self, signal: Signal) -> int:
        return sum(count for (of, _), count in self._counts.items() if of == signal)


def megabytes(size: int) -> str:
    """Return a number of bytes for people to read."""
    return f"{size / 1e6:.3g} MB"


def _create_key(signal: Signal, topic: Topic) -> _Key:
    # The disk is the same for all signals, and its trouble need not be said three times.
    return (None if topic == "spool" else signal, topic)
