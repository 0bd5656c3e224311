"""Say once for each metric that it has more series than OpenTelemetry tells apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bear_otel.pipeline.losses import logger

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

# Where the SDK puts what is beyond its limit, which it does without a word.
# https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits
OVERFLOW = {"otel.metric.overflow": True}
(_KEY,) = OVERFLOW

# Has a lower limit of its own, and says so itself.
_BOUNDED_SCOPE = "bear_otel.custom"


class OverflowWatch:
    """Looks at what has been collected.

    Only there is known which limit holds for a metric: the reader's, a view's or the default, over
    the attributes that a view has left, since the start or, with delta temporality, the last time.
    """

    def __init__(self) -> None:
        self._told: set[str] = set()

    def begin_anew(self) -> None:
        """Say it again, in a forked child."""
        self._told = set()

    def __call__(self, collected: MetricsData) -> None:
        """Name the metrics that have overflown since the last call."""
        for resource in collected.resource_metrics:
            for scope in resource.scope_metrics:
                if scope.scope.name == _BOUNDED_SCOPE:
                    continue
                for metric in scope.metrics:
                    if metric.name not in self._told and any(
                        point.attributes and _KEY in point.attributes
                        for point in metric.data.data_points
                    ):
                        self._tell(metric.name)

    def _tell(self, name: str) -> None:
        self._told.add(name)
        logger.warning(
            "metric %s: more combinations of attributes than its cardinality limit, which is 2000 "
            "by default; OpenTelemetry adds up what is beyond it under otel.metric.overflow. Leave "
            "out an attribute that is different each time, or raise cardinality_limits of the "
            "reader in OTEL_CONFIG_FILE",
            name,
        )
