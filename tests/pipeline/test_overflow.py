"""A metric with more series than OpenTelemetry tells apart is named once, whatever the limit is."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import Meter, Observation
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    _Gauge,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View

from bear_otel.pipeline.losses import logger
from bear_otel.pipeline.metrics import ScrubbingMeterProvider
from bear_otel.privacy import Scrubber

if TYPE_CHECKING:
    from pathlib import Path

# Which limit holds for which method of a meter: an up-down counter is observed.
KINDS: dict[str, Any] = {
    "counter": Counter,
    "up_down_counter": ObservableUpDownCounter,
    "histogram": Histogram,
    "gauge": _Gauge,
    "observable_counter": ObservableCounter,
    "observable_up_down_counter": ObservableUpDownCounter,
    "observable_gauge": ObservableGauge,
}
DELTA = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)


def create(
    reader: InMemoryMetricReader, views: tuple[View, ...] = ()
) -> tuple[Meter, ScrubbingMeterProvider]:
    """Return a meter, and what it belongs to."""
    provider = ScrubbingMeterProvider(
        lambda: MeterProvider([reader], shutdown_on_exit=False, views=views), Scrubber()
    )
    return provider.get_meter("test"), provider


def record(meter: Meter, kind: str, series: range) -> None:
    """Record a series for each number, with an instrument of a kind."""
    attributes: list[dict[str, Any]] = [{"number": number, "half": "x"} for number in series]
    if kind.startswith("observable"):
        observed = [Observation(1, each) for each in attributes]
        getattr(meter, f"create_{kind}")("orders", [lambda _: observed])
        return
    instrument = getattr(meter, f"create_{kind}")("orders")
    method = {"histogram": "record", "gauge": "set"}.get(kind, "add")
    for each in attributes * 2:
        getattr(instrument, method)(1, each)


def count_overflow(reader: InMemoryMetricReader) -> int:
    """Collect now; return how many points stand for what is beyond the limit."""
    data = reader.get_metrics_data()
    return sum(
        "otel.metric.overflow" in (point.attributes or {})
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    )


def find_said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what has been said, without the advice."""
    said = [each.getMessage() for each in caplog.records if each.name == logger.name]
    return [message.partition(",")[0] for message in said]


SAID = ["metric orders: more combinations of attributes than its cardinality limit"]


@pytest.mark.parametrize("limit", [2000, 100, 3000])
@pytest.mark.parametrize("beyond", [0, 1], ids=["at the limit", "one more"])
@pytest.mark.parametrize("kind", KINDS)
def test_too_many_series_are_said_once(
    kind: str, beyond: int, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Exactly when the SDK adds them up, whoever made the instrument and set the limit."""
    limits = None if limit == 2000 else {KINDS[kind]: limit}
    reader = InMemoryMetricReader(cardinality_limits=limits)
    meter, _ = create(reader)
    record(meter, kind, range(limit + beyond))
    assert [count_overflow(reader) for _ in range(2)] == [beyond, beyond]
    assert find_said(caplog) == SAID * beyond


def test_the_limit_of_a_view_counts_what_the_view_leaves(caplog: pytest.LogCaptureFixture) -> None:
    """A view that drops an attribute makes few series of many, and another one has a limit."""
    reader = InMemoryMetricReader()
    views = (
        View(instrument_name="few", attribute_keys={"half"}),
        View(instrument_name="orders", aggregation_cardinality_limit=10),
    )
    meter, _ = create(reader, views)
    few = meter.create_counter("few")
    for number in range(3000):
        few.add(1, {"number": number, "half": "x"})
    assert count_overflow(reader) == 0
    assert find_said(caplog) == []
    record(meter, "counter", range(11))
    assert count_overflow(reader) == 1
    assert find_said(caplog) == SAID


@pytest.mark.parametrize(
    ("temporality", "said"), [({}, 1), (DELTA, 0)], ids=["cumulative", "delta"]
)
def test_delta_temporality_forgets_series(
    temporality: dict[type, AggregationTemporality], said: int, caplog: pytest.LogCaptureFixture
) -> None:
    """1,500 series each time, other ones each time, are too many only for who keeps them."""
    reader = InMemoryMetricReader(preferred_temporality=temporality)
    meter, _ = create(reader)
    overflown = []
    for start in (0, 1500):
        record(meter, "counter", range(start, start + 1500))
        overflown.append(count_overflow(reader))
    assert overflown == [0, said]
    assert find_said(caplog) == SAID * said


def test_series_that_are_one_after_scrubbing_are_no_overflow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What counts is what is told apart, and not what was recorded."""
    reader = InMemoryMetricReader()
    counter = create(reader)[0].create_counter("orders")
    for number in range(3000):
        counter.add(1, {"who": f"ada{number}@example.com"})
    assert count_overflow(reader) == 0
    assert find_said(caplog) == []


def test_a_reader_that_comes_later_is_watched(caplog: pytest.LogCaptureFixture) -> None:
    """It has a limit of its own."""
    first, later = InMemoryMetricReader(), InMemoryMetricReader(cardinality_limits={Counter: 5})
    meter, provider = create(first)
    provider.add_metric_reader(later)
    record(meter, "counter", range(6))
    assert count_overflow(first) == 0
    assert find_said(caplog) == []
    assert count_overflow(later) == 1
    assert find_said(caplog) == SAID


def test_what_has_a_lower_limit_of_its_own_is_not_said_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`record_metric` says that itself, with its own number."""
    reader = InMemoryMetricReader()
    meter = create(reader)[1].get_meter("bear_otel.custom")
    meter.create_counter("orders").add(1, {"otel.metric.overflow": True})
    assert count_overflow(reader) == 1
    assert find_said(caplog) == []


FILE = """
file_format: "1.0"
meter_provider:
  readers:
    - periodic:
        exporter: {{console: {{}}}}
        cardinality_limits: {{counter: {limit}}}
"""
PROGRAM = """
import bear_otel
bear_otel.start()
from opentelemetry import metrics
counter = metrics.get_meter("shop").create_counter("orders")
for number in range(2500):
    counter.add(1, {"number": number})
metrics.get_meter_provider().force_flush()
"""


@pytest.mark.parametrize(("limit", "said"), [(2499, 1), (2500, 0)])
def test_the_limit_of_the_configuration_file_counts(tmp_path: Path, limit: int, said: int) -> None:
    """The advice of the warning works."""
    path = tmp_path / "otel.yaml"
    path.write_text(FILE.format(limit=limit))
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            "OTEL_CONFIG_FILE": str(path),
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*",
            # What is told twice is 3 MB.
            "BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS": "60",
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    assert ended.stderr.count(SAID[0]) == said
