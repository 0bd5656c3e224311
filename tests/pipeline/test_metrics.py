"""Every measurement is cleaned before it is aggregated."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Counter, MeterProvider, Observation
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.trace import TracerProvider
from pipeline_harness import EMAIL, BrokenScrubber

from bear_otel.pipeline.metrics import ScrubbingMeterProvider
from bear_otel.privacy import Scrubber

REDACTED = "[REDACTED:email]"


def create_meter_provider(
    **options: Any,
) -> tuple[ScrubbingMeterProvider, list[InMemoryMetricReader]]:
    """Return a provider, and the readers of its inner providers: one, and one more a fork."""
    readers: list[InMemoryMetricReader] = []

    def create() -> SdkMeterProvider:
        readers.append(InMemoryMetricReader())
        return SdkMeterProvider([readers[-1]], shutdown_on_exit=False, **options)

    return ScrubbingMeterProvider(create, Scrubber()), readers


def collect(reader: InMemoryMetricReader) -> dict[str, dict[str, Any]]:
    """Return the value of each point by metric and by the `who` attribute."""
    data = reader.get_metrics_data()
    return {
        metric.name: {
            (point.attributes or {}).get("who", ""): getattr(point, "value", None)
            or getattr(point, "sum", None)
            for point in metric.data.data_points
        }
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def observe(_: CallbackOptions) -> Iterable[Observation]:
    """Observe the same value for two attribute values that are one after scrubbing."""
    return [Observation(4, {"who": EMAIL})]


def generate() -> Generator[Iterable[Observation], CallbackOptions, None]:
    """Observe as a generator, which the API allows, too."""
    yield []
    while True:
        yield [Observation(5, {"who": EMAIL})]


def test_every_kind_of_instrument_is_clean() -> None:
    """Synchronous and observable ones, with functions and with generators as callbacks."""
    provider, (reader,) = create_meter_provider()
    meter = provider.get_meter("library")
    who = {"who": EMAIL}
    meter.create_counter("counter").add(1, who)
    meter.create_up_down_counter("up_down").add(2, who)
    meter.create_histogram("histogram").record(3, who)
    meter.create_gauge("gauge").set(3, who)
    meter.create_observable_counter("o.counter", [observe])
    meter.create_observable_up_down_counter("o.up_down", [observe])
    meter.create_observable_gauge("o.gauge", [generate()])
    assert collect(reader) == {
        "counter": {REDACTED: 1},
        "up_down": {REDACTED: 2},
        "histogram": {REDACTED: 3},
        "gauge": {REDACTED: 3},
        "o.counter": {REDACTED: 4},
        "o.up_down": {REDACTED: 4},
        "o.gauge": {REDACTED: 5},
    }


def test_points_that_are_the_same_after_scrubbing_are_added_up() -> None:
    """Scrubbing comes before aggregation."""
    provider, (reader,) = create_meter_provider()
    counter = provider.get_meter("library").create_counter("counter")
    counter.add(1, {"who": EMAIL})
    counter.add(2, {"who": "bob@example.com"})
    assert collect(reader) == {"counter": {REDACTED: 3}}


def test_exemplars_are_clean_although_a_view_drops_the_attribute() -> None:
    """What a view filters out of a series comes back as an attribute of its exemplar."""
    provider, (reader,) = create_meter_provider(
        views=[View(instrument_name="*", attribute_keys={"kept"})]
    )
    counter = provider.get_meter("library").create_counter("counter")
    with TracerProvider(shutdown_on_exit=False).get_tracer("t").start_as_current_span("sampled"):
        counter.add(1, {"who": EMAIL, "kept": "yes"})
    data = reader.get_metrics_data()
    assert data is not None
    assert "exemplars" in data.to_json()
    assert EMAIL not in data.to_json()


def test_names_units_and_descriptions_are_clean() -> None:
    """They are texts, too; a name with a marker in it would be refused by the SDK."""
    provider, (reader,) = create_meter_provider()
    meter = provider.get_meter(f"library of {EMAIL}", attributes={"owner": EMAIL})
    meter.create_counter(EMAIL, description=f"mails to {EMAIL}").add(1)
    data = reader.get_metrics_data()
    assert data is not None
    assert EMAIL not in data.to_json()
    assert list(collect(reader)) == ["bear.redacted"]


def test_attributes_that_cannot_be_hashed_are_clean_too() -> None:
    """A list as a value is allowed by the API, and no key of a cache."""
    provider, (reader,) = create_meter_provider()
    provider.get_meter("library").create_histogram("h").record(1, {"who": "x", "tags": [EMAIL]})
    data = reader.get_metrics_data()
    assert data is not None
    assert EMAIL not in data.to_json()


def test_the_callers_attributes_are_not_changed() -> None:
    """They may be shared by all requests."""
    provider, _ = create_meter_provider()
    attributes = {"who": EMAIL}
    provider.get_meter("library").create_counter("counter").add(1, attributes)
    assert attributes == {"who": EMAIL}


def test_proxies_are_what_the_api_says_they_are() -> None:
    """Code that asks for the type of an instrument or a provider gets the API's."""
    provider, _ = create_meter_provider()
    assert isinstance(provider, MeterProvider)
    assert isinstance(provider.get_meter("library").create_counter("counter"), Counter)


def test_the_same_instrument_is_made_once() -> None:
    """Code that creates its counter anew for every request costs no memory."""
    provider, (reader,) = create_meter_provider()
    counters = {id(provider.get_meter("library").create_counter("counter")) for _ in range(100)}
    assert len(counters) == 1
    assert collect(reader) == {}


def test_a_reader_that_is_added_later_gets_clean_points() -> None:
    """FastAPI and users call `add_metric_reader`."""
    provider, _ = create_meter_provider()
    late = InMemoryMetricReader()
    provider.add_metric_reader(late)
    provider.get_meter("library").create_counter("counter").add(1, {"who": EMAIL})
    assert collect(late) == {"counter": {REDACTED: 1}}


def test_a_bug_in_the_scrubber_is_not_the_applications() -> None:
    """Making an instrument with a broken scrubber raises nothing."""
    reader = InMemoryMetricReader()
    provider = ScrubbingMeterProvider(
        lambda: SdkMeterProvider([reader], shutdown_on_exit=False), BrokenScrubber()
    )
    provider.get_meter("library").create_counter("counter").add(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
class CountingExporter(MetricExporter):
    """Counts the collections that it is given."""

    exports = 0

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        self.exports += 1
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing to end."""


@pytest.mark.parametrize(
    ("ends", "exports"),
    [(["force_flush", "close"], 1), (["shutdown"], 1), (["force_flush", "shutdown"], 2)],
    ids=["flush, close", "shutdown", "flush, shutdown"],
)
def test_metrics_are_sent_once_at_the_end(ends: list[str], exports: int) -> None:
    """`close` adds nothing to a flush; `shutdown`, OpenTelemetry's own, collects what is left."""
    exporter = CountingExporter()
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    inner = SdkMeterProvider([reader], shutdown_on_exit=False)
    provider = ScrubbingMeterProvider(lambda: inner, Scrubber())
    provider.get_meter("test").create_counter("orders").add(1)
    for end in ends:
        getattr(provider, end)()
    assert exporter.exports == exports


def test_a_forked_child_counts_from_zero() -> None:
    """What the parent has counted is the parent's to report."""
    provider, readers = create_meter_provider()
    meter = provider.get_meter("library")
    counter = meter.create_counter("counter")
    meter.create_observable_gauge("o.gauge", [generate()])
    counter.add(5, {"who": "parent"})
    child = os.fork()
    if child == 0:
        counter.add(1, {"who": "child"})
        found = collect(readers[-1])
        expected = {"counter": {"child": 1}, "o.gauge": {REDACTED: 5}}
        os._exit(0 if found == expected and len(readers) == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert collect(readers[0]) == {"counter": {"parent": 5}, "o.gauge": {REDACTED: 5}}
