"""What the outcome of a check means, and which checks can be."""

from __future__ import annotations

from typing import Any

import pytest

from bear_otel.settings import ConfigurationError
from bear_otel.sources.health import Health, HealthCheck, State, find_worst

SLOW = 3.0


@pytest.mark.parametrize(
    ("outcome", "seconds", "expected", "expected_of_critical"),
    [
        (None, 0.1, "healthy", "healthy"),
        (True, 0.1, "healthy", "healthy"),
        (False, 0.1, "unhealthy", "critical"),
        (Health(), 0.1, "healthy", "healthy"),
        (Health(state="degraded"), 0.1, "degraded", "degraded"),
        (Health(state="unhealthy"), 0.1, "unhealthy", "critical"),
        (Health(state="critical"), 0.1, "critical", "critical"),
        (None, SLOW, "degraded", "degraded"),
        (Health(state="unhealthy"), SLOW, "unhealthy", "critical"),
        ({"status": "healthy"}, 0.1, "unhealthy", "critical"),
        (1, 0.1, "unhealthy", "critical"),
    ],
    ids=str,
)
def test_an_outcome_is_one_of_four_states(
    outcome: object, seconds: float, expected: State, expected_of_critical: State
) -> None:
    """A slow healthy check is degraded; what a critical check fails is critical."""
    plain = HealthCheck(name="x", run=bool, degraded_after_seconds=1.0)
    critical = HealthCheck(name="x", run=bool, degraded_after_seconds=1.0, critical=True)
    assert plain.judge(outcome, seconds).state == expected
    assert critical.judge(outcome, seconds).state == expected_of_critical


def test_judging_keeps_the_rest_of_what_was_returned() -> None:
    """Details and error are the check's own."""
    said = Health(state="unhealthy", details={"used": 5}, error="full")
    judged = HealthCheck(name="x", run=bool, critical=True).judge(said, 0.1)
    assert judged == Health(state="critical", details={"used": 5}, error="full")


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ((), "healthy"),
        (("healthy", "degraded", "healthy"), "degraded"),
        (("critical", "unhealthy"), "critical"),
    ],
)
def test_the_worst_state_counts(states: tuple[State, ...], worst: State) -> None:
    """Nothing to complain about is healthy."""
    assert find_worst(states) == worst


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": " "}, "name of a health check=' ' is not usable: text that is not empty"),
        ({"run": 3}, "health check x=3 is not usable: a function"),
        ({"interval_seconds": 0}, "interval_seconds of health check x=0 is not usable: a number"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds of health check x=nan is not usable"),
        ({"degraded_after_seconds": "1"}, "degraded_after_seconds of health check x='1' is not"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_check_that_cannot_be_made_is_refused(options: dict[str, Any], message: str) -> None:
    """Where it is declared, with what is accepted."""
    with pytest.raises(ConfigurationError, match="not usable") as raised:
        HealthCheck(**{"name": "x", "run": bool, **options})
    assert str(raised.value).startswith(message)


def test_a_state_that_does_not_exist_is_refused() -> None:
    """With the four that do."""
    with pytest.raises(ConfigurationError, match="one of healthy, degraded, unhealthy, critical"):
        Health(state="fine")  # pyright: ignore[reportArgumentType] - the test
