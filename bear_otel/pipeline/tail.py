"""Hold the spans of a trace until its end here, to keep what went wrong or took long."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from opentelemetry.trace import StatusCode, TraceFlags

from bear_otel.pipeline.debugging import Decision
from bear_otel.pipeline.forking import reset_in_child
from bear_otel.pipeline.kept import Verdict, keep_spans
from bear_otel.pipeline.raw_spans import is_root
from bear_otel.pipeline.span_size import estimate_bytes
from bear_otel.pipeline.weights import create_threshold, find_randomness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.trace import SpanContext

    from bear_otel.pipeline.kept import Kept
    from bear_otel.pipeline.raw_spans import RawSpan

Outcome = Literal["share", "error", "slow", "dropped"]
Limit = Literal["traces", "spans", "bytes", "age"]
# Why a decision was not made at the end of the last local root.
Moment = Limit | Literal["late", "end"]

# One trace may take this part of the buffer, so that it does not drive out all others.
_LARGEST = 10

# Spans are weighed when so many have come to be held back: most traces are over by then, and what
# they weighed need not be known.
_UNWEIGHED = 50

# A signal handler that ends the process may have interrupted the very thread that holds the lock.
_PATIENCE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be held back at the same time.

    Args:
        traces: Most traces.
        spans: Most finished spans.
        bytes: Most memory of finished spans, estimated.
        age_seconds: Longest time that a trace is held.
    """

    traces: int
    spans: int
    bytes: int
    age_seconds: float


class _Trace:
    """One trace that has not been decided."""

    __slots__ = (
        "context",
        "failed",
        "opened",
        "roots",
        "sampled",
        "size",
        "slow",
        "spans",
        "weighed",
    )

    def __init__(self, context: SpanContext, opened: float) -> None:
        self.context = context
        self.opened = opened
        # Spans that have no parent in this process and have not ended, by id.
        self.roots: set[int] = set()
        self.spans: list[RawSpan] = []
        # How many of them have been weighed, and what they weigh.
        self.weighed = self.size = 0
        self.failed = self.slow = self.sampled = False


class Tail:
    """Keeps whole traces with an error, whole slow traces, and those that the sampler has kept.

    A trace is decided when the last of its local roots has ended: a local root has no parent in
    this process. If it must be decided earlier, because it is too old or the buffer is full (the
    oldest trace leaves first, and a trace that alone takes a tenth of the buffer leaves at once),
    it is decided by what is known: its spans so far, and the time since its start.

    A span that ends after the decision follows it, if its trace was kept for an error or for
    being slow; else it is judged alone. Errors are kept whenever they come.

    Args:
        error_share: Share of the traces with an error that is kept, 0 to 1.
        slow_seconds: Duration of a local root from which its trace is slow.
        limits: What may be held back.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        error_share: float,
        slow_seconds: float,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._error_threshold = create_threshold(error_share)
        self._slow_seconds = slow_seconds
        self._limits = limits
        self._clock = clock
        # Hears of each decision, on the thread that has made it.
        self.told: Callable[[Decision], object] | None = None
        self._reset()
        reset_in_child(self._reset)

    def _reset(self) -> None:
        # A forked child begins with nothing: its parent has the spans and the counts.
        self.decisions: Counter[Outcome] = Counter()
        self.evictions: Counter[Limit] = Counter()
        self._lock = threading.RLock()  # a signal handler or a finalizer may end spans, too
        # Oldest first.
        self._traces: dict[int, _Trace] = {}
        self._spans = self._unweighed = self._bytes = 0
        self._next_expiry = 0.0
        # Traces that were kept lately for what happened in them, oldest first.
        self._verdicts: dict[int, Verdict] = {}

    @property
    def held_bytes(self) -> int:
        """Estimated memory of the spans held back."""
        return self._bytes

    def start(self, context: SpanContext) -> Iterable[Kept]:
        """Note that a local root has started; return what leaves because of that."""
        trace_id, span_id, _, flags, _, _ = context
        with self._lock:
            trace = self._traces.get(trace_id)
            if trace is None:
                trace = self._traces[trace_id] = _Trace(context, self._clock())
            trace.roots.add(span_id)
            if flags & TraceFlags.SAMPLED:
                trace.sampled = True
            if len(self._traces) > self._limits.traces or trace.opened > self._next_expiry:
                return self._evict()
        return ()

    def end(self, span: RawSpan) -> Iterable[Kept]:
        """Take a span that has ended; return what leaves because of that, oldest first."""
        context = span.context
        if context is None:
            return ()
        trace_id, span_id, *_ = context
        parent = span.parent
        with self._lock:
            trace = self._traces.get(trace_id)
            if trace is None:
                return self._judge_late(span, context)
            trace.spans.append(span)
            self._spans += 1
            self._unweighed += 1
            if _has_failed(span):
                trace.failed = True
            if parent is None or parent.is_remote:
                trace.roots.discard(span_id)
                if self._is_slow(span):
                    trace.slow = True
                if not trace.roots:
                    return self._decide(trace_id)
            if self._unweighed >= _UNWEIGHED or self._spans > self._limits.spans:
                return self._evict()
        return ()

    def expire(self) -> Iterable[Kept]:
        """Return what leaves by age, for times when nothing else happens."""
        with self._lock:
            return self._evict()

    def settle(self) -> Iterable[Kept]:
        """Decide everything at the end of the process; return what is kept."""
        locked = self._lock.acquire(timeout=_PATIENCE_SECONDS)
        try:
            return [kept for each in list(self._traces) for kept in self._decide_early(each, "end")]
        finally:
            if locked:
                self._lock.release()

    def _evict(self) -> list[Kept]:
        kept: list[Kept] = []
        for trace_id, limit in self._weigh():
            self.evictions[limit] += 1
            kept += self._decide_early(trace_id, limit)
        while limit := self._find_exceeded():
            self.evictions[limit] += 1
            # An idle connection takes a place among the traces, and nothing else.
            by_size = limit in ("spans", "bytes")
            oldest = next(key for key, each in self._traces.items() if each.spans or not by_size)
            kept += self._decide_early(oldest, limit)
        return kept

    def _weigh(self) -> list[tuple[int, Limit]]:
        """Weigh what has come since the last time; return the traces that are too large."""
        self._unweighed = 0
        too_large: list[tuple[int, Limit]] = []
        for trace_id, trace in self._traces.items():
            size = sum(map(estimate_bytes, trace.spans[trace.weighed :]))
            trace.weighed = len(trace.spans)
            trace.size += size
            self._bytes += size
            if trace.size * _LARGEST > self._limits.bytes:
                too_large.append((trace_id, "bytes"))
            elif trace.weighed * _LARGEST > self._limits.spans:
                too_large.append((trace_id, "spans"))
        return too_large

    def _find_exceeded(self) -> Limit | None:
        limits = self._limits
        if len(self._traces) > limits.traces:
            return "traces"
        if self._spans > limits.spans:
            return "spans"
        if self._bytes > limits.bytes:
            return "bytes"
        now = self._clock()
        oldest = next((trace.opened for trace in self._traces.values()), now)
        self._next_expiry = oldest + limits.age_seconds
        return "age" if now > self._next_expiry else None

    def _decide_early(self, trace_id: int, moment: Moment) -> list[Kept]:
        trace = self._traces.get(trace_id)
        if trace is not None:
            # A root that is still open has lasted for that long at least.
            trace.slow = trace.slow or self._clock() - trace.opened >= self._slow_seconds
        return self._decide(trace_id, moment)

    def _decide(self, trace_id: int, moment: Moment | None = None) -> list[Kept]:
        trace = self._traces.pop(trace_id, None)
        if trace is None:  # only while `settle` had to go without the lock
            return []
        self._spans -= len(trace.spans)
        self._unweighed -= len(trace.spans) - trace.weighed
        self._bytes -= trace.size
        verdict = self._find_verdict(trace)
        outcome = _find_outcome(trace, verdict)
        self.decisions[outcome] += 1
        if self.told is not None:
            self.told(_describe(trace, outcome, moment))
        if verdict is not None:
            if len(self._verdicts) >= self._limits.traces:
                del self._verdicts[next(iter(self._verdicts))]
            self._verdicts[trace_id] = verdict
        return [] if outcome == "dropped" else list(keep_spans(trace.spans, verdict))

    def _judge_late(self, span: RawSpan, context: SpanContext) -> Iterable[Kept]:
        trace = _Trace(context, 0.0)
        trace.spans.append(span)
        trace.failed = _has_failed(span)
        trace.slow = is_root(span.parent) and self._is_slow(span)
        trace.sampled = context.trace_flags.sampled
        verdict = self._verdicts.get(context.trace_id) or self._find_verdict(trace)
        if self.told is not None:
            self.told(_describe(trace, _find_outcome(trace, verdict), "late"))
        return keep_spans(trace.spans, verdict)

    def _find_verdict(self, trace: _Trace) -> Verdict | None:
        trace_id, _, _, _, state, _ = trace.context
        if trace.slow:
            return Verdict("error" if trace.failed else "slow", 0)
        if trace.failed and find_randomness(trace_id, state) >= self._error_threshold:
            return Verdict("error", self._error_threshold)
        # The same trace was here before.
        return self._verdicts.get(trace_id)

    def _is_slow(self, root: RawSpan) -> bool:
        return (root.end_time or 0) - (root.start_time or 0) >= self._slow_seconds * 1e9


def _find_outcome(trace: _Trace, verdict: Verdict | None) -> Outcome:
    if verdict is not None:
        return verdict.reason
    return "share" if trace.sampled else "dropped"


def _describe(trace: _Trace, outcome: Outcome, moment: Moment | None) -> Decision:
    return Decision(trace.context.trace_id, outcome, len(trace.spans), trace.failed, moment)


def _has_failed(span: RawSpan) -> bool:
    return span.status.status_code is StatusCode.ERROR
