"""Sums that are observed are exported like those that the SDK adds up itself."""

from __future__ import annotations

import gc
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import (
    MeterProvider,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View

from bear_otel.pipeline.metrics import ScrubbingMeterProvider
from bear_otel.privacy import Scrubber


def create_meters(**options: Any) -> list[tuple[Meter, InMemoryMetricReader]]:
    """Return a meter of the SDK and one of ours, each with its reader."""
    readers = InMemoryMetricReader(), InMemoryMetricReader()
    providers = [MeterProvider([reader], shutdown_on_exit=False, **options) for reader in readers]
    ours = ScrubbingMeterProvider(lambda: providers[1], Scrubber())
    meters = providers[0].get_meter("library"), ours.get_meter("library")
    return list(zip(meters, readers, strict=True))


def collect(reader: InMemoryMetricReader) -> list[Any]:
    """Return all that is exported but times and exemplars, which observed values do not have."""
    data = reader.get_metrics_data()
    return [
        (
            metric.name,
            metric.unit,
            metric.description,
            type(metric.data).__name__,
            metric.data.aggregation_temporality,
            metric.data.is_monotonic,
            sorted((repr(sorted(p.attributes.items())), p.value) for p in metric.data.data_points),
        )
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


@pytest.mark.parametrize(
    "adds",
    [
        pytest.param([], id="never used"),
        pytest.param([(1, None), (2, {})], id="no attributes"),
        pytest.param([(1, {"a": "b"}), (-1, {"a": "b"})], id="up and down"),
        pytest.param([(1, {"a": 1, "b": 2}), (1, {"b": 2, "a": 1})], id="any order"),
        pytest.param([(1.5, {"a": "b"}), (1, {"a": "c"})], id="floats and other sets"),
        pytest.param([(1, {"a": ["x"]}), (1, {"a": ["x"]}), (1, {"a": ["y"]})], id="lists"),
        pytest.param([(1, None), (math.nan, None), (math.inf, None)], id="not finite"),
    ],
)
def test_what_is_exported_is_the_same(adds: list[tuple[float, Any]]) -> None:
    """Name, unit, kind, temporality and every point."""
    found = []
    for meter, reader in create_meters():
        counter = meter.create_up_down_counter("active", "{request}", "Requests in progress.")
        for amount, attributes in adds:
            counter.add(amount, attributes)
        first = collect(reader)
        counter.add(3, {"later": True})
        found.append((first, collect(reader)))
    assert found[0] == found[1]


def test_a_view_applies_by_name() -> None:
    """Points that a view makes the same are added up."""
    found = []
    for meter, reader in create_meters(
        views=[View(instrument_name="active", name="renamed", attribute_keys={"kept"})]
    ):
        counter = meter.create_up_down_counter("active")
        counter.add(1, {"kept": 1, "dropped": 1})
        counter.add(1, {"kept": 1, "dropped": 2})
        found.append(collect(reader))
    assert found[0] == found[1]


@pytest.mark.parametrize("preference", ["CUMULATIVE", "DELTA", "LOWMEMORY"])
def test_both_kinds_have_one_temporality(preference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason why one may stand for the other, whatever the user prefers."""
    from bear_otel.pipeline.exporter import BearOtlpMetricExporter

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)
    chosen = BearOtlpMetricExporter()._preferred_temporality
    assert chosen[UpDownCounter] == chosen[ObservableUpDownCounter]


def test_series_are_bounded() -> None:
    """As in the SDK, what is beyond the limit is one series."""
    (_, _), (meter, reader) = create_meters()
    counter = meter.create_up_down_counter("active")
    for number in range(2500):
        counter.add(1, {"number": number})
    points = collect(reader)[0][-1]
    assert len(points) == 2001
    assert ("[('otel.metric.overflow', True)]", 500) in points


def test_no_thread_loses_an_addition() -> None:
    """Adding is no single step to Python."""
    (_, _), (meter, reader) = create_meters()
    counter = meter.create_up_down_counter("active")

    def add_many(_: int) -> None:
        for _ in range(5000):
            counter.add(1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_many, range(4)))
    assert collect(reader)[0][-1] == [("[]", 20_000)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_sums_up_from_zero() -> None:
    """What is in progress in the parent is the parent's; the child reports it in no way."""
    readers: list[InMemoryMetricReader] = []

    def create() -> MeterProvider:
        readers.append(InMemoryMetricReader())
        return MeterProvider([readers[-1]], shutdown_on_exit=False)

    # Held, as a service holds it: one that is gone hears of no fork.
    provider = ScrubbingMeterProvider(create, Scrubber())
    counter = provider.get_meter("x").create_up_down_counter("a")
    counter.add(5)
    gc.collect()
    child = os.fork()
    if child == 0:
        counter.add(1)
        parents, ours = (collect(reader) for reader in readers)
        os._exit(0 if not parents and ours[0][-1] == [("[]", 1)] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert collect(readers[0])[0][-1] == [("[]", 5)]
