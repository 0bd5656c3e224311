"""Measure bear-otel itself: what was lost, what was withheld, what sampling has decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation

from bear_otel import catalogue
from bear_otel.pipeline.debugging import tell_redactions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.metrics import CallbackOptions, Meter

    from bear_otel.running import Running


def measure_ourselves(meter: Meter, running: Running) -> None:
    """Count what was lost and what was withheld: what is dropped is never dropped in silence."""

    def observe_losses(_: CallbackOptions) -> Iterable[Observation]:
        for (signal, reason), count in running.losses.counts().items():
            yield Observation(count, {"bear.signal": signal, "bear.reason": reason})

    def observe_redactions(_: CallbackOptions) -> Iterable[Observation]:
        tell_redactions(running.scrubber.counts)
        for (kind, door), count in list(running.scrubber.counts.items()):
            yield Observation(count, {"bear.privacy.kind": kind, "bear.privacy.door": door})

    def observe_errors(_: CallbackOptions) -> Iterable[Observation]:
        # Zero is news from a worker, but would make an instance of a supervisor.
        if running.is_active():
            yield Observation(running.scrubber.errors)

    _measure_tail(meter, running)
    catalogue.create(meter, catalogue.EXPORTER_DROPPED, observe_losses)
    catalogue.create(meter, catalogue.PRIVACY_REDACTIONS, observe_redactions)
    catalogue.create(meter, catalogue.PRIVACY_ERRORS, observe_errors)


def _measure_tail(meter: Meter, running: Running) -> None:
    """Count what sampling has decided."""
    spans = running.providers.spans
    tail = spans.tail
    if tail is None:
        return

    def observe_decisions(_: CallbackOptions) -> Iterable[Observation]:
        spans.expire()  # a process that starts no trace has no other occasion
        for decision, count in list(tail.decisions.items()):
            yield Observation(count, {"bear.sampling.decision": decision})

    def observe_evictions(_: CallbackOptions) -> Iterable[Observation]:
        for limit, count in list(tail.evictions.items()):
            yield Observation(count, {"bear.sampling.limit": limit})

    def observe_size(_: CallbackOptions) -> Iterable[Observation]:
        if running.is_active():
            yield Observation(tail.held_bytes)

    catalogue.create(meter, catalogue.SAMPLING_TRACES, observe_decisions)
    catalogue.create(meter, catalogue.SAMPLING_EVICTIONS, observe_evictions)
    catalogue.create(meter, catalogue.SAMPLING_BUFFER_SIZE, observe_size)
