"""Keep the clean attribute sets of one instrument, and say once when they become too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bear_otel.pipeline.losses import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bear_otel.privacy import Scrubber

# The SDK's own limit for an instrument, and where it puts what is beyond.
# https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits
MAX_SERIES = 2000
OVERFLOW = {"otel.metric.overflow": True}


class AttributeCache:
    """The clean copy of an attribute set, remembered: about half a microsecond a record.

    What is not remembered is new, mostly: so series are counted where a set is cleaned, and a
    record of a known series pays nothing for it.

    Args:
        scrubber: Cleans attributes.
        metric: Name of the metric, for people.
    """

    def __init__(self, scrubber: Scrubber, metric: str) -> None:
        self._scrubber = scrubber
        self._metric = metric
        self._known: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Count from zero, in a forked child."""
        # None when enough is known: that there are too many.
        self._series: set[object] | None = set()

    def __call__(self, attributes: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return the clean copy, the same one for the same attributes; never raises."""
        if not attributes:
            return None
        try:
            # 1 and True are the same key, and so one series; the SDK would make two.
            key = tuple(attributes.items())
            clean = self._known.get(key)
        except (TypeError, AttributeError):  # a list as value; not a mapping at all
            return self._scrub(attributes)
        if clean is None:
            clean = self._scrub(attributes)
            if len(self._known) >= MAX_SERIES:
                self._known.clear()
            self._known[key] = clean
        return clean

    def _scrub(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        try:
            clean = self._scrubber.scrub_attributes(attributes, door="metric.attribute")
            self._count(clean)
        except Exception:  # noqa: BLE001 - fail closed, also on a bug of the scrubber
            self._scrubber.errors += 1
            return {}
        return clean

    def _count(self, clean: Mapping[str, Any]) -> None:
        series = self._series
        if series is None:
            return
        series.add(identify(clean))
        if len(series) > MAX_SERIES:
            self._series = None
            logger.warning(
                "metric %s: more than %d combinations of attributes; OpenTelemetry adds up what is "
                "beyond its limit under otel.metric.overflow. Leave out an attribute that is "
                "different each time, or set cardinality_limits in OTEL_CONFIG_FILE",
                self._metric,
                MAX_SERIES,
            )


def identify(attributes: Mapping[str, Any]) -> object:
    """Return the same for the same attributes in any order."""
    try:
        return frozenset(attributes.items())
    except TypeError:  # a list as value
        return repr(sorted(attributes.items()))
