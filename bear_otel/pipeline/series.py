"""Keep the clean attribute sets of one instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bear_otel.privacy import Scrubber

# How many are remembered: what the SDK keeps apart unless another limit is set.
# https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits
MAX_SERIES = 2000


class AttributeCache:
    """The clean copy of an attribute set, remembered: about half a microsecond a record.

    Args:
        scrubber: Cleans attributes.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._known: dict[tuple[Any, ...], dict[str, Any]] = {}

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
            return self._scrubber.scrub_attributes(attributes, door="metric.attribute")
        except Exception:  # noqa: BLE001 - fail closed, also on a bug of the scrubber
            self._scrubber.errors += 1
            return {}


def identify(attributes: Mapping[str, Any]) -> object:
    """Return the same for the same attributes in any order."""
    try:
        return frozenset(attributes.items())
    except TypeError:  # a list as value
        return repr(sorted(attributes.items()))
