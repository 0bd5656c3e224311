"""Hold the spans of a trace until its end here, to keep what went wrong or took long."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from opentelemetry.trace import SpanContext, StatusCode, TraceFlags

from bear_otel.pipeline.forking import reset_in_child
from bear_otel.pipeline.weights import (
    create_threshold,
    find_randomness,
    find_threshold,
    set_threshold,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace.span import TraceState

Reason = Literal["error", "slow"]
Outcome = Literal["share", "error", "slow", "dropped"]
Limit = Literal["traces", "spans", "bytes", "age"]

# A finished span of the SDK without its attributes, its events and their attributes, measured.
_SPAN_BYTES = 2500
_EVENT_BYTES = 700

# One trace may take this part of the buffer, so that it does not drive out all others.
_LARGEST = 10

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


class Kept(NamedTuple):
    """A span that goes on.

    Args:
        span: As it was recorded.
        context: What it shall say about itself in place of its own context, if anything.
        fragment: Why it was kept, where other services do not keep their part of the trace.
    """

    span: ReadableSpan
    context: SpanContext | None = None
    fragment: Reason | None = None


class _Verdict(NamedTuple):
    """Why a trace is kept although the share may not hold it, and with which weight."""

    reason: Reason
    threshold: int


class _Trace:
    """One trace that has not been decided."""

    __slots__ = ("context", "failed", "opened", "roots", "size", "slow", "spans")

    def __init__(self, context: SpanContext, opened: float) -> None:
        self.context = context
        self.opened = opened
        # Spans that have no parent in this process and have not ended, by id.
        self.roots: set[int] = set()
        self.spans: list[ReadableSpan] = []
        self.size = 0
        self.failed = self.slow = False


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
        self._reset()
        reset_in_child(self._reset)

    def _reset(self) -> None:
        # A forked child begins with nothing: its parent has the spans and the counts.
        self.decisions: Counter[Outcome] = Counter()
        self.evictions: Counter[Limit] = Counter()
        self._lock = threading.RLock()  # a signal handler or a finalizer may end spans, too
        # Oldest first.
        self._traces: dict[int, _Trace] = {}
        self._spans = self._bytes = 0
        # Traces that were kept lately for what happened in them, oldest first.
        self._verdicts: dict[int, _Verdict] = {}

    @property
    def held_bytes(self) -> int:
        """Estimated memory of the spans held back."""
        return self._bytes

    def start(self, span: ReadableSpan) -> Iterable[Kept]:
        """Note that a span has started; return what leaves because of that."""
        context = span.get_span_context()
        if context is None or not _is_root(span):
            return ()
        with self._lock:
            trace = self._traces.get(context.trace_id)
            if trace is None:
                trace = self._traces[context.trace_id] = _Trace(context, self._clock())
            trace.roots.add(context.span_id)
            return self._evict()

    def end(self, span: ReadableSpan) -> Iterable[Kept]:
        """Take a span that has ended; return what leaves because of that, oldest first."""
        context = span.get_span_context()
        if context is None:
            return ()
        with self._lock:
            trace = self._traces.get(context.trace_id)
            if trace is None:
                return self._judge_late(span, context)
            trace.spans.append(span)
            self._spans += 1
            trace.failed = trace.failed or _has_failed(span)
            if context.span_id in trace.roots:
                trace.roots.discard(context.span_id)
                trace.slow = trace.slow or self._is_slow(span)
                if not trace.roots:
                    return self._decide(context.trace_id)
            size = _weigh(span)
            trace.size += size
            self._bytes += size
            if limit := self._find_largest(trace):
                self.evictions[limit] += 1
                return self._decide_early(context.trace_id)
            return self._evict()

    def expire(self) -> Iterable[Kept]:
        """Return what leaves by age, for times when nothing else happens."""
        with self._lock:
            return self._evict()

    def settle(self) -> Iterable[Kept]:
        """Decide everything at the end of the process; return what is kept."""
        locked = self._lock.acquire(timeout=_PATIENCE_SECONDS)
        try:
            return [kept for each in list(self._traces) for kept in self._decide_early(each)]
        finally:
            if locked:
                self._lock.release()

    def _evict(self) -> list[Kept]:
        kept: list[Kept] = []
        while limit := self._find_exceeded():
            self.evictions[limit] += 1
            kept += self._decide_early(next(iter(self._traces)))
        return kept

    def _find_exceeded(self) -> Limit | None:
        limits = self._limits
        if len(self._traces) > limits.traces:
            return "traces"
        if self._spans > limits.spans:
            return "spans"
        if self._bytes > limits.bytes:
            return "bytes"
        for oldest in self._traces.values():
            return "age" if self._clock() - oldest.opened > limits.age_seconds else None
        return None

    def _find_largest(self, trace: _Trace) -> Limit | None:
        if len(trace.spans) > self._limits.spans / _LARGEST:
            return "spans"
        return "bytes" if trace.size > self._limits.bytes / _LARGEST else None

    def _decide_early(self, trace_id: int) -> list[Kept]:
        trace = self._traces.get(trace_id)
        if trace is not None:
            # A root that is still open has lasted for that long at least.
            trace.slow = trace.slow or self._clock() - trace.opened >= self._slow_seconds
        return self._decide(trace_id)

    def _decide(self, trace_id: int) -> list[Kept]:
        trace = self._traces.pop(trace_id, None)
        if trace is None:  # only while `settle` had to go without the lock
            return []
        self._spans -= len(trace.spans)
        self._bytes -= trace.size
        verdict = self._find_verdict(trace)
        kept = list(_keep(trace.spans, verdict))
        if verdict is not None:
            self.decisions[verdict.reason] += 1
            if len(self._verdicts) >= self._limits.traces:
                del self._verdicts[next(iter(self._verdicts))]
            self._verdicts[trace_id] = verdict
        else:
            self.decisions["share" if trace.context.trace_flags.sampled else "dropped"] += 1
        return kept

    def _judge_late(self, span: ReadableSpan, context: SpanContext) -> Iterable[Kept]:
        trace = _Trace(context, 0.0)
        trace.spans.append(span)
        trace.failed = _has_failed(span)
        trace.slow = _is_root(span) and self._is_slow(span)
        return _keep(trace.spans, self._verdicts.get(context.trace_id) or self._find_verdict(trace))

    def _find_verdict(self, trace: _Trace) -> _Verdict | None:
        trace_id, state = trace.context.trace_id, trace.context.trace_state
        if trace.slow:
            return _Verdict("error" if trace.failed else "slow", 0)
        if trace.failed and find_randomness(trace_id, state) >= self._error_threshold:
            return _Verdict("error", self._error_threshold)
        # The same trace was here before.
        return self._verdicts.get(trace_id)

    def _is_slow(self, root: ReadableSpan) -> bool:
        return (root.end_time or 0) - (root.start_time or 0) >= self._slow_seconds * 1e9


def _is_root(span: ReadableSpan) -> bool:
    return span.parent is None or span.parent.is_remote


def _has_failed(span: ReadableSpan) -> bool:
    return span.status.status_code is StatusCode.ERROR


def _keep(spans: Iterable[ReadableSpan], verdict: _Verdict | None) -> Iterator[Kept]:
    """Yield the spans that go on, with what they shall say about their weight.

    Every trace with an error is kept, so each stands for itself alone, also one that the share
    would have kept; else those would be counted too often.
    """
    known: dict[tuple[int, bool], TraceState] = {}
    for span in spans:
        context = span.get_span_context()
        if context is None:
            continue
        sampled = context.trace_flags.sampled
        if verdict is None:
            if sampled:
                yield Kept(span)
            continue
        # As a rule all spans of a trace share one trace state.
        key = id(context.trace_state), sampled
        if (state := known.get(key)) is None:
            state = _reweigh(context.trace_state, verdict.threshold, sampled=sampled)
            known[key] = state
        flags = TraceFlags(context.trace_flags | TraceFlags.SAMPLED)
        heavier = SpanContext(context.trace_id, context.span_id, context.is_remote, flags, state)
        yield Kept(span, heavier, None if sampled else verdict.reason)


def _reweigh(state: TraceState, threshold: int, *, sampled: bool) -> TraceState:
    if sampled and threshold:
        known = find_threshold(state)
        # Kept by a caller who does not say how often he does: nobody knows the weight.
        threshold = min(known, threshold) if known is not None else None
    return set_threshold(state, threshold)


def _weigh(span: ReadableSpan) -> int:
    """Return about how many bytes a span holds."""
    events = span.events
    return (
        _SPAN_BYTES
        + _weigh_value(span.attributes or {})
        + sum(_EVENT_BYTES + _weigh_value(event.attributes or {}) for event in events)
        + _EVENT_BYTES * len(span.links)
    )


def _weigh_value(value: Any) -> int:
    if isinstance(value, str):
        return sys.getsizeof(value)
    if isinstance(value, Mapping):
        return sum(map(_weigh_value, value.values()))
    if isinstance(value, tuple | list):
        return sys.getsizeof(value) + sum(map(_weigh_value, value))
    return sys.getsizeof(value)
