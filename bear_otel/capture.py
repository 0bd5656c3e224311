"""Start telemetry with its ends in memory, to see what would leave."""

from __future__ import annotations

import base64
import json
import os
import urllib.parse
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bear_otel.configuration import load_configuration
from bear_otel.environment import get_our_part, load_file
from bear_otel.pipeline import seams
from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.logs import ScrubbingLogRecordProcessor
from bear_otel.pipeline.losses import Losses
from bear_otel.pipeline.metrics import ScrubbingMeterProvider
from bear_otel.pipeline.providers import Providers
from bear_otel.pipeline.resource import create_resource
from bear_otel.pipeline.sampling import create_sampling
from bear_otel.pipeline.spans import ScrubbingSpanProcessor
from bear_otel.running import run
from bear_otel.scrubbing import create_scrubber

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import Metric
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from bear_otel.pipeline.sampling import Sampling
    from bear_otel.privacy import Scrubber


class Captured:
    """What has been recorded since the test began."""

    def __init__(self, scrubber: Scrubber) -> None:
        # What it has replaced, and at which door: `counts`.
        self.scrubber = scrubber
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        self.reader = InMemoryMetricReader()

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """Finished spans, in the order in which they ended."""
        return self._spans.get_finished_spans()

    @property
    def logs(self) -> Sequence[ReadableLogRecord]:
        """Log records, in the order in which they were emitted."""
        return self._logs.get_finished_logs()

    def metrics(self) -> dict[str, list[Any]]:
        """Collect now; return the data points of each metric by its name."""
        data = self.reader.get_metrics_data()
        points: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points.setdefault(metric.name, []).extend(metric.data.data_points)
        return points

    def find(self, value: str) -> list[str]:
        """Return where a value occurs: plain, URL-encoded, in base64 or escaped as JSON."""
        encodings = _encode(value)
        return [
            f"{place} ({encoding})"
            for place, text in self._texts()
            for encoding, encoded in encodings.items()
            if encoded in text
        ]

    def assert_nothing_of(self, *values: str) -> None:
        """Fail if one of the values left, in any of the encodings that `find` knows.

        Raises:
            AssertionError: Says which value, and where.
        """
        for value in values:
            found = self.find(value)
            assert not found, f"{value!r} left the process: {'; '.join(found)}"

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Yield every text that was recorded, with the place where it stands."""
        for span in self.spans:
            yield from _walk_span(span)
        for log in self.logs:
            yield from _walk_log(log)
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            yield from _walk_attributes("resource", resource.resource.attributes)
            for scope in resource.scope_metrics:
                yield from _walk_scope("metrics", scope.scope)
                for metric in scope.metrics:
                    yield from _walk_metric(metric)

    # For `capture`.
    @property
    def exporters(self) -> tuple[InMemorySpanExporter, InMemoryLogRecordExporter]:
        """Where spans and log records are kept."""
        return self._spans, self._logs


@contextmanager
def capture(custom_config: Mapping[str, Any] | None = None) -> Iterator[Captured]:
    """Start telemetry with its ends in memory; forget it all afterwards, globals included.

    Args:
        custom_config: Settings, as for `bear_otel.start`.
    """
    file = get_our_part(load_file(os.environ))
    configuration = load_configuration(code=custom_config, environ=os.environ, file=file)
    scrubber = create_scrubber(configuration.settings)
    captured = Captured(scrubber)
    propagator = get_global_textmap()
    seams.reset_globals()
    sampling = create_sampling(configuration.settings.sampling)
    providers = _create_providers(captured, scrubber, sampling)
    running = run(configuration, os.environ, providers, scrubber, Losses())
    try:
        yield captured
    finally:
        running.stop()
        seams.reset_globals()
        set_global_textmap(propagator)


def _create_providers(
    captured: Captured, scrubber: Scrubber, sampling: Sampling | None
) -> Providers:
    cleaner = Cleaner(scrubber)
    resource = create_resource({}, scrubber)
    span_exporter, log_exporter = captured.exporters
    spans, logs = ScrubbingSpanProcessor(cleaner), ScrubbingLogRecordProcessor(cleaner)
    spans.tail = sampling.tail if sampling else None
    spans.add_span_processor(SimpleSpanProcessor(span_exporter))
    logs.add_log_record_processor(SimpleLogRecordProcessor(log_exporter))
    # pyright: ignore comments below - the SDK accepts anything with the methods of a processor
    return Providers(
        tracer=TracerProvider(
            resource=resource,
            shutdown_on_exit=False,
            active_span_processor=spans,  # pyright: ignore[reportArgumentType]
            sampler=sampling.sampler if sampling else None,
        ),
        meter=ScrubbingMeterProvider(
            lambda: MeterProvider([captured.reader], resource, shutdown_on_exit=False), scrubber
        ),
        logger=LoggerProvider(
            resource=resource,
            shutdown_on_exit=False,
            multi_log_record_processor=logs,  # pyright: ignore[reportArgumentType]
        ),
        cleaner=cleaner,
        spans=spans,
        destinations={},
    )


def _walk_span(span: ReadableSpan) -> Iterator[tuple[str, str]]:
    place = f"span {span.name!r}"
    yield f"{place}, name", span.name
    yield from _walk_attributes(place, span.attributes)
    yield f"{place}, status", span.status.description or ""
    yield f"{place}, tracestate", span.context.trace_state.to_header() if span.context else ""
    for event in span.events:
        yield f"{place}, event", event.name
        yield from _walk_attributes(f"{place}, event {event.name!r}", event.attributes)
    for link in span.links:
        yield f"{place}, link, tracestate", link.context.trace_state.to_header()
        yield from _walk_attributes(f"{place}, link", link.attributes)
    yield from _walk_attributes("resource", span.resource.attributes)
    yield from _walk_scope(place, span.instrumentation_scope)


def _walk_log(log: ReadableLogRecord) -> Iterator[tuple[str, str]]:
    record, place = log.log_record, "log record"
    yield f"{place}, body", str(record.body)
    yield f"{place}, event name", record.event_name or ""
    yield f"{place}, severity", record.severity_text or ""
    yield from _walk_attributes(place, record.attributes)
    yield from _walk_attributes("resource", log.resource.attributes)
    yield from _walk_scope(place, log.instrumentation_scope)


def _walk_metric(metric: Metric) -> Iterator[tuple[str, str]]:
    place = f"metric {metric.name!r}"
    yield f"{place}, name", metric.name
    yield f"{place}, unit and description", f"{metric.unit} {metric.description}"
    for point in metric.data.data_points:
        yield from _walk_attributes(place, point.attributes)
        for exemplar in point.exemplars:
            yield from _walk_attributes(f"{place}, exemplar", exemplar.filtered_attributes)


def _walk_scope(place: str, scope: InstrumentationScope | None) -> Iterator[tuple[str, str]]:
    if scope is not None:
        yield f"{place}, scope", f"{scope.name} {scope.version} {scope.schema_url}"
        yield from _walk_attributes(f"{place}, scope", scope.attributes)


def _walk_attributes(place: str, attributes: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    for key, value in (attributes or {}).items():
        yield f"{place}, key of an attribute", key
        yield f"{place}, attribute {key}", str(value)


def _encode(value: str) -> dict[str, str]:
    return {
        "plain": value,
        "URL-encoded": urllib.parse.quote(value, safe=""),
        "base64": base64.b64encode(value.encode()).decode().rstrip("="),
        "JSON-escaped": json.dumps(value)[1:-1],
    }
