"""What is recorded into a bound series is exported like what the SDK records."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from bear_otel.pipeline import bound
from bear_otel.pipeline.metrics import ScrubbingMeterProvider
from bear_otel.privacy import Scrubber

DELTA = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
}


def within(flags: int) -> Context:
    """Return a context with a span in it that is sampled or not."""
    span = NonRecordingSpan(SpanContext(7, 8, False, TraceFlags(flags)))
    return trace.set_span_in_context(span, Context())


def describe(data: Any) -> Any:
    """Return all that was exported but times, which cannot be the same."""

    def strip(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: strip(part[key]) for key in part if not key.endswith("time_unix_nano")}
        return [strip(each) for each in part] if isinstance(part, list) else part

    return strip(json.loads(data.to_json())) if data else None


class Two:
    """The same done to a provider of the SDK's and to one of ours."""

    def __init__(self, temporality: Any = None, **options: Any) -> None:
        self.readers = [InMemoryMetricReader(temporality) for _ in range(2)]
        self.providers: list[Any] = [
            MeterProvider([reader], shutdown_on_exit=False, **options) for reader in self.readers
        ]
        inner = self.providers[1]
        self.providers[1] = ScrubbingMeterProvider(lambda: inner, Scrubber())

    def each(self, deed: Callable[[Meter], None]) -> None:
        """Do something with a meter of either."""
        for provider in self.providers:
            deed(provider.get_meter("library", "1"))

    def collect(self) -> list[Any]:
        """Return what either exports."""
        return [describe(reader.get_metrics_data()) for reader in self.readers]


def plain(meter: Meter) -> None:
    """Record some series, again and again."""
    duration = meter.create_histogram("duration", explicit_bucket_boundaries_advisory=[0.5, 1, 2])
    count = meter.create_counter("count")
    for _ in range(3):
        for amount, attributes in ((1, None), (0.25, {}), (1.5, {"a": 1, "b": "x"}), (9, {"a": 2})):
            duration.record(amount, attributes)
            count.add(amount, attributes)


def odd(meter: Meter) -> None:
    """Record what is no amount, and attributes that are no scalars."""
    duration, count = meter.create_histogram("duration"), meter.create_counter("count")
    for amount in (-1, math.nan, math.inf, 0, True, 10**20):
        duration.record(amount, {"a": "b"})
        count.add(amount, {"a": "b"})
    for attributes in ({"a": ["x"]}, {"a": ["y"]}, {"a": {"b": 1}}, {"a": None}):
        duration.record(1, attributes)
        count.add(1, attributes)


def exemplars(meter: Meter) -> None:
    """Record inside of spans, one of which is sampled."""
    duration, count = meter.create_histogram("duration"), meter.create_counter("count")
    for context in (None, within(1), within(0)):
        duration.record(3, {"kept": "a", "left": "b"}, context)
        count.add(1, {"kept": "a"}, context)


@pytest.mark.parametrize("deed", [plain, odd, exemplars], ids=lambda deed: deed.__name__)
@pytest.mark.parametrize(
    ("temporality", "options"),
    [
        pytest.param(None, {}, id="default"),
        pytest.param(DELTA, {}, id="delta"),
        pytest.param(
            None,
            {"views": [View(instrument_name="duration", attribute_keys={"kept"})]},
            id="fewer attributes",
        ),
        pytest.param(
            None,
            {
                "views": [
                    View(instrument_name="*", name=None),
                    View(
                        instrument_name="duration",
                        name="other",
                        aggregation=ExponentialBucketHistogramAggregation(),
                    ),
                ]
            },
            id="two views",
        ),
        pytest.param(
            None,
            {"views": [View(instrument_name="*", aggregation=DropAggregation())]},
            id="dropped",
        ),
    ],
)
def test_what_is_exported_is_the_same(
    deed: Callable[[Meter], None],
    temporality: Any,
    options: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twice, since a delta begins anew; the SDK warns of the same amounts."""
    monkeypatch.setattr(bound, "_EXEMPLAR_EVERY_NS", -1)
    two = Two(temporality, **options)
    for _ in range(2):
        caplog.clear()
        two.each(deed)
        half = len(caplog.messages) // 2
        assert caplog.messages[half:] == caplog.messages[:half]
        by_sdk, by_us = two.collect()
        assert by_us == by_sdk


def test_a_reader_that_comes_later_gets_what_is_recorded_from_then_on() -> None:
    """And the one that was there goes on."""
    two = Two()
    two.each(plain)
    late = [InMemoryMetricReader() for _ in range(2)]
    for provider, reader in zip(two.providers, late, strict=True):
        provider.add_metric_reader(reader)
    two.each(plain)
    by_sdk, by_us = (describe(reader.get_metrics_data()) for reader in late)
    assert by_us == by_sdk
    assert by_us is not None
    by_sdk, by_us = two.collect()
    assert by_us == by_sdk


def test_series_beyond_the_limit_go_where_the_sdk_puts_them() -> None:
    """However many there are."""
    two = Two()

    def deed(meter: Meter) -> None:
        duration = meter.create_histogram("duration")
        for number in range(2100):
            duration.record(1, {"number": number})

    two.each(deed)
    by_sdk, by_us = two.collect()
    assert by_us == by_sdk
    assert "otel.metric.overflow" in json.dumps(by_us)


def test_a_meter_that_is_switched_off_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable that OpenTelemetry has for it."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    two = Two()
    two.each(plain)
    assert two.collect() == [None, None]


def test_a_slow_request_among_many_fast_ones_is_an_exemplar() -> None:
    """Although not each of them is offered as one."""
    two = Two()
    duration = two.providers[1].get_meter("library").create_histogram("duration")
    for amount in (1.0, 2.0, 9000.0, 3.0, 1.0):
        duration.record(amount, {"a": "b"}, within(1))
    exemplars = json.dumps(two.collect()[1]).partition("exemplars")[2].partition("]")[0]
    assert '"value": 9000.0' in exemplars
    assert '"value": 3.0' not in exemplars
