"""Decide for a share of all traces that they are kept, the same in every service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import TraceFlags, get_current_span
from opentelemetry.trace.span import TraceState
from typing_extensions import override

from bear_otel.pipeline.tail import Limits, Tail
from bear_otel.pipeline.weights import (
    NEVER,
    create_threshold,
    find_randomness,
    find_threshold,
    set_threshold,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanContext, SpanKind
    from opentelemetry.util.types import Attributes

    from bear_otel.settings import SamplingSettings

_NO_STATE = TraceState()


class ShareSampler(Sampler):
    """Keeps a share of the traces that begin here, and what a caller has kept.

    What is not kept is recorded all the same, for the tail to judge. Other services see in
    `traceparent` whether the share keeps a trace; they do not see what the tail keeps.

    The SDK passes no trace state to samplers
    (https://github.com/open-telemetry/opentelemetry-python/issues/5578), so that its own
    composite sampler loses weights and the members of other vendors: it is read from the parent
    here. `AlwaysRecordSampler` is not used because it loses the attributes of what is not kept.

    Args:
        share: From 0 to 1.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._threshold = create_threshold(share)
        self._state = set_threshold(TraceState(), self._threshold)

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = get_current_span(parent_context).get_span_context()
        sampled, state = self.decide(parent if parent.is_valid else None, trace_id)
        decision = Decision.RECORD_AND_SAMPLE if sampled else Decision.RECORD_ONLY
        return SamplingResult(decision, attributes, state)

    def decide(self, parent: SpanContext | None, trace_id: int) -> tuple[bool, TraceState]:
        """Return whether the share keeps a span, and the trace state of that span.

        Args:
            parent: A valid one, or None for the first span of a trace.
            trace_id: Decides where there is no parent.
        """
        if parent is None:
            if trace_id % NEVER >= self._threshold:
                return True, self._state
            return False, _NO_STATE
        _, _, is_remote, flags, state, _ = parent
        if is_remote and state:
            state = _check_weight(parent)
        return bool(flags & TraceFlags.SAMPLED), state

    @override
    def get_description(self) -> str:
        return f"ShareSampler{{{self._share:g}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What decides, when not everything is kept."""

    sampler: ShareSampler
    tail: Tail


def create_sampling(settings: SamplingSettings) -> Sampling | None:
    """Return what decides in this process, or None where everything is sent."""
    if settings.decided_by == "collector" or settings.performance_sampling >= 1:
        return None
    limits = Limits(
        traces=settings.max_traces,
        spans=settings.max_spans,
        bytes=settings.max_bytes,
        age_seconds=settings.max_age_seconds,
    )
    tail = Tail(
        error_share=max(settings.error_sampling, settings.performance_sampling),
        slow_seconds=settings.slow_seconds,
        limits=limits,
    )
    return Sampling(sampler=ShareSampler(settings.performance_sampling), tail=tail)


def _check_weight(parent: SpanContext) -> TraceState:
    """Return the caller's trace state, without a weight that contradicts its sampled flag."""
    state = parent.trace_state
    threshold = find_threshold(state)
    if threshold is None:
        return state
    if parent.trace_flags.sampled and threshold <= find_randomness(parent.trace_id, state):
        return state
    return set_threshold(state, None)
