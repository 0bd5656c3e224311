"""What the checks say arrives as a state metric, a duration, and an event on change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from bear_otel.sources.health import Health, HealthCheck
from bear_otel.sources.health_declarations import HEALTH_RUNNER
from bear_otel.sources.health_reporting import report_health
from bear_otel.sources.health_runner import HealthRunner
from bear_otel.testing import Captured, capture
from tests.sources.health_harness import wait_until

SECRET = "hunter2hunter2"
EMAIL = "ada@example.com"


@pytest.fixture(autouse=True)
def no_checks() -> Iterator[None]:
    """Begin and end without checks; they belong to the process."""
    HEALTH_RUNNER._checks.clear()
    yield
    HEALTH_RUNNER._checks.clear()


def add(name: str, run: Any, **options: Any) -> None:
    """Declare a check that is made all the time."""
    HEALTH_RUNNER.add(HealthCheck(name=name, run=run, **{"interval_seconds": 0.01, **options}))
    HEALTH_RUNNER.attach()


def events(captured: Captured) -> list[Any]:
    """Return the health events."""
    records = [item.log_record for item in captured.logs]
    return [each for each in records if each.event_name == "bear.health.status.changed"]


def test_the_state_is_a_metric_of_four_series() -> None:
    """One of them is 1, so that a query can add them up."""
    with capture() as captured:
        add("disk", lambda: Health(state="degraded"))
        wait_until(lambda: HEALTH_RUNNER.results()["disk"][1], "it was made")
        points = captured.metrics()["bear.health.status"]
    assert {
        (point.attributes["bear.health.check.name"], point.attributes["bear.health.state"]): (
            point.value
        )
        for point in points
    } == {
        ("disk", "healthy"): 0,
        ("disk", "degraded"): 1,
        ("disk", "unhealthy"): 0,
        ("disk", "critical"): 0,
    }


def test_the_duration_is_a_histogram() -> None:
    """With the class of the exception, where there was one."""

    def fail() -> None:
        raise LookupError

    with capture() as captured:
        add("good", lambda: True)
        add("bad", fail)
        wait_until(
            lambda: all(result for _, result in HEALTH_RUNNER.results().values()),
            "both were made",
        )
        points = captured.metrics()["bear.health.check.duration"]
    assert {tuple(sorted(point.attributes.items())) for point in points} == {
        (("bear.health.check.name", "good"),),
        (("bear.health.check.name", "bad"), ("error.type", "LookupError")),
    }


def test_a_change_is_an_event_and_the_same_again_is_none() -> None:
    """Loud when it is bad, quiet when it is good; being healthy from the start is no news."""
    answers = iter(
        [
            Health(),
            Health(),
            Health(state="degraded"),
            Health(state="degraded"),
            Health(state="critical", error="gone"),
            Health(),
        ]
    )
    with capture() as captured:
        add("x", lambda: next(answers, Health()))
        wait_until(lambda: len(events(captured)) >= 3, "it has changed three times")
    told = events(captured)
    assert [(each.severity_text, each.body) for each in told] == [
        ("WARN", "Health check x is degraded"),
        ("ERROR", "Health check x is critical"),
        ("INFO", "Health check x is healthy"),
    ]
    assert dict(told[1].attributes) == {
        "bear.health.check.name": "x",
        "bear.health.state": "critical",
        "bear.health.previous_state": "degraded",
        "error.message": "gone",
    }


def test_a_check_that_is_bad_from_the_start_is_an_event() -> None:
    """There is no state before."""
    with capture() as captured:
        add("x", lambda: False)
        wait_until(lambda: events(captured), "it was made")
    (event,) = events(captured)
    assert dict(event.attributes) == {
        "bear.health.check.name": "x",
        "bear.health.state": "unhealthy",
    }


def test_details_and_errors_are_scrubbed() -> None:
    """In the event, and in what the health routes and the status show."""

    def fail() -> None:
        message = f"login of {EMAIL} failed: postgresql://app:{SECRET}@db/shop"
        raise ConnectionError(message)

    details = {"pool": {"used": 5, "owner": EMAIL}, "password": SECRET}
    with capture() as captured:
        add("raises", fail)
        add("tells", lambda: Health(state="unhealthy", details=details))
        wait_until(lambda: len(events(captured)) == 2, "both were made")
        results = {name: result for name, (_, result) in HEALTH_RUNNER.results().items()}
        captured.assert_nothing_of(EMAIL, SECRET)
    assert EMAIL not in str(results)
    assert SECRET not in str(results)
    assert results["tells"] is not None
    assert results["tells"].details["pool"]["used"] == 5


def test_the_flush_at_the_end_still_tells_the_state() -> None:
    """Checks end before telemetry does, and a short program has no other flush."""
    reader = InMemoryMetricReader()
    provider, logs = MeterProvider([reader], shutdown_on_exit=False), LoggerProvider()
    runner = HealthRunner()
    stop = report_health(
        runner,
        provider.get_meter("test"),
        logs.get_logger("test"),
        scrub=dict,
        active=lambda: True,
    )
    runner.add(HealthCheck(name="x", run=lambda: True))
    runner.attach()
    wait_until(lambda: runner.results()["x"][1], "it was made")
    stop()
    data = reader.get_metrics_data()
    assert runner.results()["x"][1] is None
    assert data is not None
    assert '"bear.health.status"' in data.to_json()


@pytest.mark.parametrize("active", [True, False])
def test_a_supervisor_checks_nothing(active: bool) -> None:
    """Its workers do; connections that it opened would be theirs, too."""
    made: list[int] = []
    provider, logs = MeterProvider(shutdown_on_exit=False), LoggerProvider()
    runner = HealthRunner()
    runner.add(HealthCheck(name="x", run=lambda: made.append(1), interval_seconds=0.01))
    runner.attach()
    asked: list[bool] = []

    def is_active() -> bool:
        asked.append(active)
        return active

    stop = report_health(
        runner,
        provider.get_meter("test"),
        logs.get_logger("test"),
        scrub=dict,
        active=is_active,
    )
    wait_until(lambda: made or (asked and not active), "it was made, or was not to be")
    stop()
    assert bool(made) is active
