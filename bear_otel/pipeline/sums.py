"""Keep the sums of what goes up and down, for the SDK to observe when it collects."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import CallbackOptions, Observation

from bear_otel.pipeline.losses import logger
from bear_otel.pipeline.overflow import OVERFLOW
from bear_otel.pipeline.series import MAX_SERIES, identify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.context import Context


class Sums:
    """The other end of an `UpDownCounter`, such as the one that counts active requests.

    Each request goes up and down again, and the SDK stamps, copies, hashes and offers as an
    exemplar each of these steps, which costs as much as a span. What it exports of an observable
    twin is the same, in every temporality that can be chosen by name: both kinds are cumulative.
    Only exemplars are missing.

    Args:
        name: Name of the instrument, for people.
    """

    def __init__(self, name: str) -> None:
        # Reentrant: a signal handler may add, too.
        self._lock = threading.RLock()
        self._name = name
        self._sums: dict[object, list[Any]] = {}
        # As many as the SDK will tell apart.
        self.limit = MAX_SERIES

    def add(
        self,
        amount: float,
        attributes: Mapping[str, Any] | None = None,
        context: Context | None = None,  # noqa: ARG002 - for exemplars, which observed values lack
    ) -> None:
        """Add to the sum of an attribute set, as `UpDownCounter.add`."""
        if not math.isfinite(amount):
            logger.warning("%s: an amount that is not finite was ignored", self._name)
            return
        key = identify(attributes) if attributes else None
        with self._lock:
            found = self._sums.get(key)
            if found is None:
                found = self._begin(key, attributes)
            found[0] += amount

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """Return the sums, as the callback of the twin."""
        with self._lock:
            return [Observation(total, attributes) for total, attributes in self._sums.values()]

    def _begin(self, key: object, attributes: Mapping[str, Any] | None) -> list[Any]:
        if len(self._sums) >= self.limit:
            return self._sums.setdefault("overflow", [0, OVERFLOW])
        return self._sums.setdefault(key, [0, attributes])
