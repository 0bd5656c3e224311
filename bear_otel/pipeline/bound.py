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

# Of the exemplars that a series is offered until the next export, it keeps the last in each
# bucket. To offer one is half of what a measurement costs, and this many are enough.
_EXEMPLAR_EVERY_NS = 50_000_000


class _Measurement(NamedTuple):
    """What the SDK's `Measurement` tells an aggregation, without another copy of the attributes."""

    value: float
    time_unix_nano: int
    attributes: Mapping[str, Any] | None
    context: Context | None  # needed for exemplars alone


class _Series:
    """Where the measurements with certain attributes go."""

    __slots__ = ("aggregates", "asked_at", "attributes", "offered")

    def __init__(
        self,
        attributes: Mapping[str, Any] | None,
        aggregates: tuple[Callable[..., None], ...] | None,
    ) -> None:
        # Held, because the series is found by their identity, which another object could take
        # over when they are gone.
        self.attributes = attributes
        self.aggregates = aggregates
        # When the filter was last asked about an exemplar, and the last one that it let through.
        self.asked_at = 0
        self.offered = 0.0


class BoundInstrument:
    """The other end of a counter or histogram.

    Of the time that a measurement takes in the SDK, more than half goes into copying, checking and
    hashing its attributes, to find what it has found before. Here the attributes come from an
    `AttributeCache`, where the same are the same object.

    For each series the filter is asked about an exemplar twenty times a second at most, and
    whenever a measurement is larger than the last one that it let through: a slow request is not
    missed.

    Args:
        instrument: Made by the SDK's meter, and takes what cannot be bound.
        method: Its method that records.
    """

    def __init__(self, instrument: Any, method: str) -> None:
        self._instrument = instrument
        self._record_unbound = getattr(instrument, method)
        self._find_readers, self._samples_exemplar = seams.read_instrument(instrument)
        self._readers: object = None
        self._bound: dict[int, _Series] = {}

    def record(
        self,
        amount: float,
        attributes: Mapping[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """Record an amount, as `Histogram.record` and `Counter.add`."""
        if self._readers is not (readers := self._find_readers()):
            self._readers, self._bound = readers, {}
        series = self._bound.get(id(attributes)) or self._bind(attributes)
        if series.aggregates is None or not 0 <= amount < math.inf:
            self._record_unbound(amount, attributes, context)
            return
        now = time_ns()
        sampled = False
        if now - series.asked_at > _EXEMPLAR_EVERY_NS or amount > series.offered:
            series.asked_at = now
            context = get_current() if context is None else context
            if sampled := self._samples_exemplar(amount, now, attributes, context):
                series.offered = amount
        measurement = _Measurement(amount, now, attributes, context)
        for aggregate in series.aggregates:
            aggregate(measurement, sampled)

    add = record

    def _bind(self, attributes: Mapping[str, Any] | None) -> _Series:
        if len(self._bound) >= MAX_SERIES:
            self._bound.clear()
        series = _Series(attributes, seams.find_aggregations(self._instrument, attributes))
        self._bound[id(attributes)] = series
        return series
