"""Find what aggregates a series once, and not again for each measurement."""

from __future__ import annotations

import math
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.context import get_current

from bear_otel.pipeline import seams
from bear_otel.pipeline.series import MAX_SERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context


class _Measurement(NamedTuple):
    """What the SDK's `Measurement` tells an aggregation, without another copy of the attributes."""

    value: float
    time_unix_nano: int
    attributes: Mapping[str, Any] | None
    context: Context


class BoundInstrument:
    """The other end of a counter or histogram.

    Of the time that a measurement takes in the SDK, more than half goes into copying, checking and
    hashing its attributes, to find what it has found before. Here the attributes come from an
    `AttributeCache`, where the same are the same object.

    Args:
        instrument: Made by the SDK's meter, and takes what cannot be bound.
        method: Its method that records.
    """

    def __init__(self, instrument: Any, method: str) -> None:
        self._instrument = instrument
        self._record_unbound = getattr(instrument, method)
        self._readers, self._samples_exemplar = seams.read_instrument(instrument)
        self._bound_for: object = None
        # By identity of the attributes, which stand beside it: an identity can be taken over by
        # another object only when the first is gone.
        self._bound: dict[int, tuple[Any, tuple[Callable[..., None], ...] | None]] = {}

    def record(
        self,
        amount: float,
        attributes: Mapping[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """Record an amount, as `Histogram.record` and `Counter.add`."""
        if self._bound_for is not self._readers():
            self._bound, self._bound_for = {}, self._readers()
        known = self._bound.get(id(attributes))
        aggregates = self._bind(attributes) if known is None else known[1]
        if aggregates is None or not 0 <= amount < math.inf:
            self._record_unbound(amount, attributes, context)
            return
        if context is None:
            context = get_current()
        now = time_ns()
        measurement = _Measurement(amount, now, attributes, context)
        samples = self._samples_exemplar(amount, now, attributes, context)
        for aggregate in aggregates:
            aggregate(measurement, samples)

    add = record

    def _bind(self, attributes: Mapping[str, Any] | None) -> tuple[Callable[..., None], ...] | None:
        if len(self._bound) >= MAX_SERIES:
            self._bound.clear()
        aggregates = seams.find_aggregations(self._instrument, attributes)
        self._bound[id(attributes)] = attributes, aggregates
        return aggregates
