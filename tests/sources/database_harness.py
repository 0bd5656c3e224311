"""What the tests of the database source share: a watch whose records stay in memory."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from bear_otel.sources.database import watch_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.sampling import Sampler


def scrub_sql(text: str, system: str) -> str:
    """Stand in for the privacy engine: literals become `?`."""
    return re.sub(r"'[^']*'|\b\d+\b", "?", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A running watch and what it has recorded."""

    tracer: Any
    spans_exporter: InMemorySpanExporter
    logs_exporter: InMemoryLogRecordExporter
    reader: InMemoryMetricReader
    stop: Callable[[], None]

    def spans(self) -> tuple[ReadableSpan, ...]:
        """Return the spans ended since the last call."""
        spans = self.spans_exporter.get_finished_spans()
        self.spans_exporter.clear()
        return spans

    def names(self) -> list[str]:
        """Return the names of the spans ended since the last call."""
        return [span.name for span in self.spans()]

    def points(self, name: str) -> dict[str, float]:
        """Return {values of the attributes: value, or count of a histogram} of a metric."""
        data = self.reader.get_metrics_data()
        points: list[Any] = [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]
        return {
            " ".join(str(value) for _, value in sorted(point.attributes.items())): (
                point.count if hasattr(point, "count") else point.value
            )
            for point in points
        }

    def events(self) -> list[Any]:
        """Return the log records emitted since the start."""
        return [item.log_record for item in self.logs_exporter.get_finished_logs()]

    def everything(self) -> str:
        """Return the text of all that was recorded, to look for what must not be in it."""
        spans = [span.to_json() for span in self.spans_exporter.get_finished_spans()]
        logs = [item.to_json() for item in self.logs_exporter.get_finished_logs()]
        data = self.reader.get_metrics_data()
        return "\n".join([*spans, *logs, data.to_json() if data else ""])


@contextmanager
def watching(*, sampler: Sampler = ALWAYS_ON, **options: Any) -> Iterator[Watch]:
    """Watch SQLAlchemy for the length of a block."""
    spans, logs, reader = (
        InMemorySpanExporter(),
        InMemoryLogRecordExporter(),
        InMemoryMetricReader(),
    )
    tracers, loggers = TracerProvider(sampler=sampler), LoggerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    meters = MeterProvider([reader])
    tracer = tracers.get_tracer("test")
    stop = watch_database(
        tracer,
        meters.get_meter("test"),
        loggers.get_logger("test"),
        **{"scrub_sql": scrub_sql, **options},
    )
    try:
        yield Watch(
            tracer=tracer, spans_exporter=spans, logs_exporter=logs, reader=reader, stop=stop
        )
    finally:
        stop()
        for provider in (tracers, loggers, meters):
            provider.shutdown()
