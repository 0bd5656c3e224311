"""Give the spans that are kept the weight with which they count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from opentelemetry.trace import SpanContext, TraceFlags

from bear_otel.pipeline.weights import find_threshold, set_threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.trace.span import TraceState

    from bear_otel.pipeline.raw_spans import RawSpan

Reason = Literal["error", "slow"]


class Kept(NamedTuple):
    """A span that goes on.

    Args:
        span: As it was recorded.
        context: What it shall say about itself in place of its own context, if anything.
        fragment: Why it was kept, where other services do not keep their part of the trace.
    """

    span: RawSpan
    context: SpanContext | None = None
    fragment: Reason | None = None


class Verdict(NamedTuple):
    """Why a trace is kept although the share may not hold it, and with which weight."""

    reason: Reason
    threshold: int


def keep_spans(spans: Iterable[RawSpan], verdict: Verdict | None) -> Iterator[Kept]:
    """Yield the spans that go on, with what they shall say about their weight.

    Every trace with an error is kept, so each stands for itself alone, also one that the share
    would have kept; else those would be counted too often.
    """
    known: dict[tuple[int, bool], TraceState] = {}
    for span in spans:
        context = span.context
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
        return set_threshold(state, None if known is None else min(known, threshold))
    return set_threshold(state, threshold)
