"""Traces that are still arriving: held back until they are whole, or long enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bear_otel.cli.render.records import ENTRY_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bear_otel.cli.render.records import Log, Span

_MAX_HELD = 50_000
"""Spans and log lines in memory; with more, all is drawn as it is."""

_MAX_DRAWN = 10_000
"""Traces that are remembered, to tell which spans are late."""

# How many quiet periods to wait. A caller in another service exports on its own schedule; a root
# that has not arrived may be a request that still runs; a trace that was sampled out has logs only.
_WHOLE, _CALLED_FROM_AFAR, _ONLY_LOGS, _NO_ROOT = 1, 2.5, 3, 10


@dataclass(slots=True, kw_only=True)
class Trace:
    """What has arrived of one trace, or late after it was drawn."""

    late: bool
    last_arrival_s: float = 0.0
    spans: list[Span] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)

    def start_ns(self) -> int:
        """Return when the first of it happened."""
        times = [span.start_ns for span in self.spans] or [log.time_ns for log in self.logs]
        return min(times, default=0)

    def patience(self) -> float:
        """Return how many quiet periods this trace is worth waiting for."""
        if self.late or any(not span.parent_id for span in self.spans):
            return _WHOLE
        if any(span.remote_parent or span.kind in ENTRY_KINDS for span in self.spans):
            return _CALLED_FROM_AFAR
        return _NO_ROOT if self.spans else _ONLY_LOGS


class PendingTraces:
    """Gather spans and log lines by trace; several services and batches bring their part."""

    def __init__(self, *, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._traces: dict[str, Trace] = {}
        self._drawn: dict[str, None] = {}
        self._held = 0

    def add_spans(self, spans: Iterable[Span], now_s: float) -> None:
        """Hold the spans."""
        for span in spans:
            self._trace(span.trace_id, now_s).spans.append(span)

    def add_logs(self, logs: Iterable[Log], now_s: float) -> list[Log]:
        """Hold the log lines of traces, and return the others."""
        free: list[Log] = []
        for log in logs:
            if log.trace_id:
                self._trace(log.trace_id, now_s).logs.append(log)
            else:
                free.append(log)
        return free

    def take_due(self, now_s: float, *, everything: bool = False) -> list[Trace]:
        """Return the traces that have been quiet for long enough, the earliest first."""
        everything = everything or self._held > _MAX_HELD
        due = [
            trace_id
            for trace_id, trace in self._traces.items()
            if everything or now_s - trace.last_arrival_s >= self._quiet_s * trace.patience()
        ]
        taken = [self._traces.pop(trace_id) for trace_id in due]
        self._held -= sum(len(trace.spans) + len(trace.logs) for trace in taken)
        for trace_id, trace in zip(due, taken, strict=True):
            if trace.spans:
                self._drawn[trace_id] = None
        while len(self._drawn) > _MAX_DRAWN:
            del self._drawn[next(iter(self._drawn))]
        return sorted(taken, key=Trace.start_ns)

    def _trace(self, trace_id: str, now_s: float) -> Trace:
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._traces[trace_id] = Trace(late=trace_id in self._drawn)
        trace.last_arrival_s = now_s
        self._held += 1
        return trace
