"""See in a test what a service would send: spans, log records and metrics, already scrubbed.

In `conftest.py`: `pytest_plugins = ["bear_otel.testing"]`. Then, in a test::

    def test_order(telemetry):
        client.post("/orders", json={"email": "ada@example.com"})
        assert [span.name for span in telemetry.spans] == ["POST /orders"]
        telemetry.assert_nothing_of("ada@example.com")
"""

from __future__ import annotations

import base64
import json
import os
import urllib.parse
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bear_otel.configuration import load_configuration
from bear_otel.pipeline import seams
from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.logs import ScrubbingLogRecordProcessor
from bear_otel.pipeline.losses import Losses
from bear_otel.pipeline.metrics import ScrubbingMeterProvider
from bear_otel.pipeline.providers import Providers
from bear_otel.pipeline.resource import create_resource
from bear_otel.pipeline.sampling import create_sampling
from bear_otel.pipeline.spans import ScrubbingSpanProcessor
from bear_otel.running import create_scrubber, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

    from bear_otel.pipeline.sampling import Sampling
    from bear_otel.privacy import Scrubber


class Captured:
    """What has been recorded since the test began."""

    def __init__(self) -> None:
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

    def dump(self) -> str:
        """Return everything recorded so far as one text."""
        data = self.reader.get_metrics_data()
        records = [span.to_json() for span in self.spans]
        records += [repr(list(span.links)) for span in self.spans if span.links]
        records += [log.to_json() for log in self.logs]
        return "\n".join([*records, data.to_json() if data else ""])

    def assert_nothing_of(self, *values: str) -> None:
        """Fail if one of the values left, plain, URL-encoded, in base64 or escaped as JSON.

        Raises:
            AssertionError: Says which value, and in which encoding.
        """
        text = self.dump()
        for value in values:
            for name, encoded in _encode(value).items():
                assert encoded not in text, f"{value!r} left the process ({name})"

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
    configuration = load_configuration(code=custom_config, environ=os.environ)
    captured = Captured()
    scrubber = create_scrubber(configuration.settings.privacy)
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


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """Everything that the test's code would send."""
    with capture() as captured:
        yield captured


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


def _encode(value: str) -> dict[str, str]:
    return {
        "plain": value,
        "URL-encoded": urllib.parse.quote(value, safe=""),
        "base64": base64.b64encode(value.encode()).decode().rstrip("="),
        "JSON-escaped": json.dumps(value)[1:-1],
    }
