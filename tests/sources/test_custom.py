"""The application's own metrics are what they say, and stay within bounds."""

from __future__ import annotations

import asyncio
import decimal
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.metrics import get_meter

from bear_otel import record_metric, timer
from bear_otel.settings import ConfigurationError
from bear_otel.sources import custom
from bear_otel.testing import Captured, capture


def values(captured: Captured, name: str) -> dict[tuple[Any, ...], float]:
    """Return {attributes: value, or sum of a histogram} of a metric."""
    return {
        tuple(sorted(point.attributes.items())): getattr(point, "value", None) or point.sum
        for point in captured.metrics().get(name, ())
    }


@pytest.mark.parametrize(
    ("kind", "expected"), [("counter", 5.0), ("gauge", 3.0), ("histogram", 5.0)]
)
def test_each_kind_aggregates_as_it_should(
    telemetry: Captured, kind: custom.Kind, expected: float
) -> None:
    """Counters and histograms add up, gauges show the last."""
    for value in (2, 3):
        record_metric("business.x", value, kind, {"plan": "premium", "trial": True})
    assert values(telemetry, "business.x") == {(("plan", "premium"), ("trial", True)): expected}


def test_seconds_have_boundaries_for_seconds(telemetry: Captured) -> None:
    """The SDK's default boundaries are made for milliseconds."""
    record_metric("x.time", 0.3, "histogram", unit="s")
    record_metric("x.size", 300, "histogram", unit="By")
    points = telemetry.metrics()
    assert points["x.time"][0].explicit_bounds[:3] == (0.005, 0.01, 0.025)
    assert points["x.size"][0].explicit_bounds[:3] == (0.0, 5.0, 10.0)


@pytest.mark.parametrize(
    ("again", "message"),
    [
        ({"kind": "gauge"}, "metric x.y='gauge without unit' is not usable: it is a counter"),
        ({"unit": "By"}, "metric x.y='counter in By' is not usable: it is a counter without unit"),
        ({"kind": "timer"}, "metric x.y='timer without unit' is not usable"),
    ],
    ids=str,
)
def test_a_name_is_one_thing(telemetry: Captured, again: dict[str, Any], message: str) -> None:
    """A back end would show one of the two, or neither."""
    record_metric("x.y", 1)
    with pytest.raises(ConfigurationError) as raised:
        record_metric("x.y", 1, **again)
    assert str(raised.value).startswith(message)
    record_metric("x.y", 1)
    assert values(telemetry, "x.y") == {(): 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("9lives", 1), "metric name='9lives' is not usable: up to 255 letters, digits"),
        (("", 1), "metric name='' is not usable"),
        (("x y", 1), "metric name='x y' is not usable"),
        ((None, 1), "metric name=None is not usable"),
        (("x", 1, "timer"), "kind of metric x='timer' is not usable: one of counter, gauge, hist"),
    ],
    ids=str,
)
def test_what_cannot_be_a_metric_is_refused(arguments: Any, message: str) -> None:
    """With what is accepted; also while nothing is recorded, so that a test finds it."""
    with pytest.raises(ConfigurationError) as raised:
        record_metric(*arguments)
    assert str(raised.value).startswith(message)


def test_a_unit_that_is_none_is_refused() -> None:
    """Back ends read it."""
    with pytest.raises(ConfigurationError, match="unit of metric x='milli seconds' is not usable"):
        record_metric("x", 1, unit="milli seconds")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "3", None, -1], ids=str)
def test_a_value_that_is_none_is_left_out_and_said_once(
    telemetry: Captured, caplog: pytest.LogCaptureFixture, value: Any
) -> None:
    """It comes from data, so it must not raise."""
    for _ in range(3):
        record_metric("x.count", value)
    record_metric("x.count", 2)
    assert values(telemetry, "x.count") == {(): 2}
    assert [record.getMessage() for record in caplog.records] == [
        "metric x.count: a value that is no finite number, or is negative, is left out"
    ]


def test_other_numbers_are_numbers(telemetry: Captured) -> None:
    """Money is a decimal; gauges may be negative."""
    record_metric("x.revenue", decimal.Decimal("12.5"), "gauge")
    record_metric("x.change", -4, "gauge")
    assert (values(telemetry, "x.revenue"), values(telemetry, "x.change")) == (
        {(): 12.5},
        {(): -4},
    )


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("512", False),
        ("-3.5e7", False),
        (512, False),
        (0.5, False),
        (None, False),
        (["a"], False),
        ("llama-7b", True),
        ("v2", True),
        ("1.2.3", True),
        ("", True),
        (False, True),
    ],
    ids=str,
)
def test_labels_are_texts_and_booleans(
    telemetry: Captured, caplog: pytest.LogCaptureFixture, tag: Any, kept: bool
) -> None:
    """A number makes a series for each value; what is left out is said once, without its value."""
    for _ in range(2):
        record_metric("x.count", 1, tags={"tokens": tag, "model": "m"})
    labels = (("model", "m"), ("tokens", tag)) if kept else (("model", "m"),)
    assert values(telemetry, "x.count") == {labels: 2}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (0 if kept else 1)
    assert all(text.startswith("metric x.count: the tag 'tokens' is left out: ") for text in said)


def test_there_are_only_so_many_series(
    telemetry: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are added up where OpenTelemetry would add them up; it is said once."""
    for number in range(custom._MOST_SERIES + 50):
        record_metric("x.count", 1, tags={"shop": f"s{number}"})
    record_metric("x.count", 1, tags={"shop": "s7"})
    found = values(telemetry, "x.count")
    assert len(found) == custom._MOST_SERIES + 1
    assert found[(("otel.metric.overflow", True),)] == 50
    assert found[(("shop", "s7"),)] == 2
    assert [record.getMessage() for record in caplog.records] == [
        "metric x.count: only 1000 combinations of tags are told apart"
    ]


def test_there_are_only_so_many_metrics(
    telemetry: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that is made of data would fill the memory."""
    for number in range(custom._MOST_METRICS + 20):
        record_metric(f"x.count.{number}", 1)
    record_metric("x.count.7", 1)
    assert values(telemetry, "x.count.7") == {(): 2}
    assert values(telemetry, f"x.count.{custom._MOST_METRICS + 1}") == {}
    assert len(caplog.records) == 1


def test_tags_are_scrubbed(telemetry: Captured) -> None:
    """As everything is."""
    record_metric("x.count", 1, tags={"who": "ada@example.com"})
    telemetry.assert_nothing_of("ada@example.com")


def test_the_api_of_opentelemetry_is_as_good(telemetry: Captured) -> None:
    """What it records stands beside ours."""
    get_meter("shop").create_counter("x.count").add(1, {"plan": "premium"})
    record_metric("x.other", 1)
    assert {"x.count", "x.other"} <= telemetry.metrics().keys()


def test_what_is_recorded_before_the_start_goes_nowhere_and_does_no_harm() -> None:
    """A module may record while it is imported; after the end it is the same."""
    record_metric("x.early", 1)
    measure = timer("x.early.time")
    with capture() as captured:
        record_metric("x.early", 1)
        with measure:
            pass
        assert values(captured, "x.early") == {(): 1}
        assert captured.metrics()["x.early.time"][0].count == 1
    record_metric("x.early", 1)


def test_threads_may_record_at_once(telemetry: Captured) -> None:
    """Nothing is lost, and each metric exists once."""
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for _ in range(200):
            record_metric("x.count", 1, tags={"plan": "a"})

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(telemetry, "x.count") == {(("plan", "a"),): 1600}


def measure_block(name: str) -> None:
    """Measure a block."""
    with timer(name, {"model": "m"}):
        pass


def measure_function(name: str) -> None:
    """Measure a function."""
    assert timer(name, {"model": "m"})(lambda: 3)() == 3


def measure_coroutine(name: str) -> None:
    """Measure a coroutine function, which stays one."""

    @timer(name, {"model": "m"})
    async def work(number: int) -> int:
        await asyncio.sleep(0)
        return number

    assert asyncio.iscoroutinefunction(work)
    assert asyncio.run(work(3)) == 3


@pytest.mark.parametrize("measure", [measure_block, measure_function, measure_coroutine])
def test_a_timer_measures(telemetry: Captured, measure: Callable[[str], None]) -> None:
    """In seconds."""
    measure("x.time")
    (point,) = telemetry.metrics()["x.time"]
    assert (point.count, point.attributes) == (1, {"model": "m"})
    assert 0 < point.sum < 5


def test_a_timer_measures_what_fails(telemetry: Captured) -> None:
    """With the class of the exception, which is the application's own."""
    with pytest.raises(LookupError), timer("x.time"):
        raise LookupError
    assert list(values(telemetry, "x.time")) == [(("error.type", "LookupError"),)]


def test_a_decorator_measures_calls_that_overlap(telemetry: Captured) -> None:
    """Each has a clock of its own."""

    @timer("x.time")
    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def main() -> None:
        await asyncio.gather(wait(0.05), wait(0.0), wait(0.05))

    asyncio.run(main())
    (point,) = telemetry.metrics()["x.time"]
    assert (point.count, point.sum >= 0.1) == (3, True)


def test_a_generator_is_refused() -> None:
    """Only its creation would be measured."""

    def count() -> Any:
        yield 1

    with pytest.raises(ConfigurationError, match="inside of a generator"):
        timer("x.time")(count)


def test_a_timer_complains_where_it_is_made(telemetry: Captured) -> None:
    """Not at the end of what it measures."""
    record_metric("x.count", 1)
    with pytest.raises(ConfigurationError, match="it is a counter without unit already"):
        timer("x.count")


def test_a_decorated_function_is_what_it_was() -> None:
    """Its name and its documentation."""

    @timer("x.time")
    def work() -> None:
        """Do it."""

    assert (work.__name__, work.__doc__) == ("work", "Do it.")


@pytest.fixture(autouse=True)
def warnings_only(caplog: pytest.LogCaptureFixture) -> None:
    """Look at what bear-otel says."""
    caplog.set_level(logging.WARNING, logger="bear_otel")
