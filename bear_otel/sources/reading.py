"""Let the instruments that are collected together show parts of one reading."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import psutil
from opentelemetry.metrics import Observation

from bear_otel import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, CallbackT, Meter

    Reading = Mapping[str, Any]
    Observe = Callable[[Any], Iterable[Observation]]
    # A metric, the part of the reading that it shows, and how.
    Instrument = tuple[catalogue.Metric, str, Observe]

# What psutil raises when the platform, a permission or the last free descriptor is missing.
UNAVAILABLE = (psutil.Error, OSError, NotImplementedError, AttributeError)

# Readers that collect within this time share one reading. It spares psutil the same work for each
# instrument, and a shorter interval would turn utilization, made of 10 ms ticks, into noise.
FRESH_SECONDS = 0.5


def create_instruments(
    meter: Meter,
    instruments: Iterable[Instrument],
    read: Callable[[], Reading],
    active: Callable[[], bool],
) -> None:
    """Create observable instruments over one function that reads what all of them show.

    Args:
        meter: Meter that records them.
        instruments: What to create; an instrument whose part is missing or None reports nothing.
        read: Returns the parts by name.
        active: Whether to read and report at all.
    """
    reading = _SharedReading(read)
    for row, part, observe in instruments:
        catalogue.create(meter, row, _create_callback(reading, part, observe, active))


def observe_by(attribute: str) -> Observe:
    """Return what turns a mapping into observations that carry its keys as this attribute."""
    return lambda values: [Observation(value, {attribute: key}) for key, value in values.items()]


class _SharedReading:
    """One reading for all instruments that are collected together."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._last: tuple[int, float, Reading] | None = None

    def get(self) -> Reading:
        """Return the last reading, or a new one when it is old or another process made it."""
        # Without a lock, which a fork could copy in its locked state: two readers that collect at
        # once at worst read twice.
        last, pid, now = self._last, os.getpid(), time.monotonic()
        if last is None or last[0] != pid or now - last[1] >= FRESH_SECONDS:
            last = self._last = (pid, now, self._read())
        return last[2]


def _create_callback(
    reading: _SharedReading, part: str, observe: Observe, active: Callable[[], bool]
) -> CallbackT:
    def callback(options: CallbackOptions) -> Iterable[Observation]:  # noqa: ARG001 - SDK signature
        value = reading.get().get(part) if active() else None
        return () if value is None else observe(value)

    return callback
