"""The interface of the TypeScript system does what it did, in seconds and without surprises."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bear_otel import ConfigurationError, setup_production_monitoring
from bear_otel.cli.receiver import Receiver
from bear_otel.monitoring import Monitoring
from bear_otel.settings import Settings
from bear_otel.sources.health import Health
from bear_otel.sources.health_declarations import HEALTH_RUNNER
from bear_otel.testing import Captured
from bear_otel.translation import NAMES, translate_check
from tests.lifecycle.lifecycle_harness import PATIENT
from tests.sources.health_harness import wait_until

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def monitoring() -> Iterator[Monitoring]:
    """An object that joins the telemetry of the test."""
    HEALTH_RUNNER._checks.clear()
    yield setup_production_monitoring("production", "1.0.0")
    HEALTH_RUNNER._checks.clear()


def sums(captured: Captured, name: str) -> list[float]:
    """Return value, or sum, of each series of a metric."""
    points = captured.metrics()[name]
    return [getattr(point, "value", None) or point.sum for point in points]


def find_unit(captured: Captured, name: str) -> str | None:
    """Return the unit of a metric."""
    data = captured.reader.get_metrics_data()
    (unit,) = {
        metric.unit
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
    }
    return unit


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("counter", 1500), ("gauge", 1500), ("histogram", 1500), ("timer", 1.5)],
)
def test_every_kind_is_recorded_and_a_timer_in_seconds(
    telemetry: Captured, monitoring: Monitoring, kind: Any, expected: float
) -> None:
    """A timer's milliseconds are the original's; OpenTelemetry's unit is the second."""
    monitoring.record_metric("x.y", 1500, kind, {"plan": "premium"})
    assert sums(telemetry, "x.y") == [expected]
    assert find_unit(telemetry, "x.y") == ("s" if kind == "timer" else "")


def test_both_spellings_are_the_same(telemetry: Captured, monitoring: Monitoring) -> None:
    """`monitoring.monitoring.recordMetric` was the original's."""
    monitoring.monitoring.record_metric("x.y", 1, "counter")
    monitoring.record_metric("x.y", 1, "counter")
    assert sums(telemetry, "x.y") == [2]


@pytest.mark.parametrize("value", ["fast", None])
def test_a_timer_without_a_number_does_not_raise(
    telemetry: Captured, monitoring: Monitoring, value: Any
) -> None:
    """Data are no reason to fail."""
    monitoring.record_metric("x.y", value, "timer")
    assert "x.y" not in telemetry.metrics()


def test_a_kind_that_is_none_is_refused(monitoring: Monitoring) -> None:
    """With the four that are."""
    message = "kind of metric x='sum' is not usable: one of counter, gauge, histogram, timer"
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        monitoring.record_metric("x", 1, "sum")  # pyright: ignore[reportArgumentType] - the test


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {
                "name": "database",
                "status": "degraded",
                "timestamp": 1,
                "responseTime": 250,
                "details": {"connections": 5},
            },
            Health(state="degraded", details={"connections": 5, "response_time_seconds": 0.25}),
        ),
        (
            {"name": "x", "status": "critical", "timestamp": 1, "responseTime": 0, "error": "gone"},
            Health(state="critical", error="gone"),
        ),
        (Health(state="degraded"), Health(state="degraded")),
        (True, True),
        (None, None),
    ],
    ids=str,
)
def test_the_original_health_object_is_understood(given: Any, expected: object) -> None:
    """From a function and from a coroutine function; ours may be returned as well."""

    async def check_later() -> Any:
        return given

    async def main() -> object:
        return await translate_check(check_later)()  # pyright: ignore[reportGeneralTypeIssues] - it is one

    assert translate_check(lambda: given)() == expected
    assert asyncio.run(main()) == expected


def test_a_state_that_does_not_exist_is_a_failed_check(
    telemetry: Captured, monitoring: Monitoring
) -> None:
    """And says which do."""
    monitoring.add_health_check("x", lambda: {"status": "fine"}, critical=True)
    HEALTH_RUNNER.attach()
    wait_until(lambda: monitoring.get_system_status().checks["x"], "it was made")
    status = monitoring.get_system_status()
    result = status.checks["x"]
    assert result is not None
    assert (status.state, result.state, result.error_type) == (
        "critical",
        "critical",
        "ConfigurationError",
    )
    assert "one of healthy, degraded, unhealthy, critical" in (result.error or "")


def test_the_status_of_what_was_not_started(monitoring: Monitoring) -> None:
    """Nothing is sent; nothing is wrong either."""
    status = monitoring.get_system_status()
    assert (status.running, status.state, status.checks, status.destinations, status.dropped) == (
        False,
        "healthy",
        {},
        {},
        {},
    )
    assert status.uptime_seconds > 0
    monitoring.stop()


def test_the_original_configuration_is_mapped() -> None:
    """One to one; our own names are accepted beside it."""
    config = {
        "enabled": False,
        "environment": "staging",
        "version": "2",
        "region": "eu",
        "deploymentId": "7",
        "privacy": {
            "anonymizeData": True,
            "allowPersonalData": False,
            "strict": True,
            "enableUserTracking": True,
            "respectDNT": False,
            "dataRetentionDays": 30,
        },
        "sampling": {
            "metricsInterval": 15000,
            "errorSampling": 0.9,
            "performanceSampling": 0.2,
            "userSampling": 0.1,
        },
        "logs": {"level": "DEBUG"},
    }
    before = repr(config)
    assert setup_production_monitoring("production", "1", custom_config=config)._config == {
        "enabled": False,
        "resource": {
            "environment": "staging",
            "version": "2",
            "region": "eu",
            "deployment_id": "7",
        },
        "privacy": {
            "anonymize_data": True,
            "allow_personal_data": False,
            "strict": True,
            "data_retention_days": 30,
        },
        "sampling": {
            "metrics_interval_seconds": 15.0,
            "error_sampling": 0.9,
            "performance_sampling": 0.2,
        },
        "users": {"enabled": True, "respect_dnt": False, "sampling": 0.1},
        "logs": {"level": "DEBUG"},
    }
    assert repr(config) == before


@pytest.mark.parametrize(
    ("environment", "variable", "config", "share"),
    [
        ("production", "", {}, 0.1),
        ("staging", "", {}, None),
        ("development", "", {}, None),
        ("production", "", {"sampling": {"performanceSampling": 0.5}}, 0.5),
        ("production", "0.3", {}, None),
        ("production", "0.3", {"sampling": {"performanceSampling": 0.5}}, 0.5),
    ],
)
def test_production_keeps_a_tenth_of_the_traces(
    monkeypatch: pytest.MonkeyPatch,
    environment: Any,
    variable: str,
    config: dict[str, Any],
    share: float | None,
) -> None:
    """As in the original; a variable is left to decide, and code decides over all."""
    monkeypatch.setenv("BEAR_OTEL_SAMPLING_PERFORMANCE", variable)
    made = setup_production_monitoring(environment, "1", custom_config=config)._config
    assert made.get("sampling", {}).get("performance_sampling") == share


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"alerts": {"enabled": True}}, "custom_config.alerts='********' is not usable: not part"),
        ({"dashboards": []}, "custom_config.dashboards='********' is not usable: not part of this"),
        (
            {"integrations": {"sentry": {"dsn": "https://secret@host"}}},
            "custom_config.integrations='********' is not usable: back ends are the Collector's",
        ),
        (
            {"sampling": {"errorSampling": 2}},
            "sampling.error_sampling=2 is not usable: a number of at least 0 and at most 1",
        ),
        (
            {"privacy": {"anonymiseData": True}},
            "custom_config.privacy.anonymiseData='********' is not usable: accepted are env",
        ),
        ({"apiKey": "secret"}, "custom_config.apiKey='********' is not usable: accepted are"),
        ({"privacy": 3}, "custom_config.privacy='********' is not usable: accepted are"),
        ({"enabled": "perhaps"}, "enabled='perhaps' is not usable: true or false"),
    ],
    ids=str,
)
def test_what_cannot_be_mapped_is_refused(config: dict[str, Any], message: str) -> None:
    """With what is accepted, or why not; never with a value, which may be a secret."""
    with pytest.raises(ConfigurationError) as raised:
        setup_production_monitoring("production", "1", custom_config=config)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"environment": "qa"}, "environment='qa' is not usable: one of development, staging, pro"),
        ({"enable_integrations": True}, "enable_integrations=True is not usable: back ends are"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_used_are_refused(arguments: Any, message: str) -> None:
    """The environments are the original's three; a variable can name any other."""
    with pytest.raises(ConfigurationError) as raised:
        setup_production_monitoring(**{"environment": "production", "version": "1", **arguments})
    assert str(raised.value).startswith(message)


def test_every_mapped_name_is_a_setting() -> None:
    """A setting that was renamed would be found here."""
    from bear_otel.configuration import iterate_leaves

    assert set(NAMES.values()) <= {leaf.name for leaf in iterate_leaves(Settings)}


class Sink:
    """An OTLP endpoint that keeps the text of what it gets."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        keep = lambda request: self.texts.append(str(request))  # noqa: E731 - three times
        self.receiver = Receiver(on_traces=keep, on_metrics=keep, on_logs=keep)

    def text(self) -> str:
        """Return all that has arrived."""
        return "\n".join(self.texts)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Receive what the programs of a test send."""
    sink = Sink()
    with sink.receiver:
        yield sink


def run(sink: Sink, *command: str, launcher: bool = False, **variables: str) -> Any:
    """Run a Python program that sends to the sink."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.receiver.endpoint, **PATIENT, **variables}
    prefix = [sys.executable]
    if launcher:
        prefix.insert(0, str(Path(sys.executable).with_name("bear-otel-instrument")))
    return subprocess.run(
        [*prefix, *command], env=environ, capture_output=True, text=True, timeout=180, check=False
    )


@pytest.mark.server
@pytest.mark.parametrize("launcher", [False, True], ids=["bare", "launcher"])
def test_the_examples_of_the_original_run(sink: Sink, launcher: bool) -> None:
    """Alone and under the launcher; what they record arrives."""
    result = run(sink, str(EXAMPLES / "original.py"), launcher=launcher)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "the system is unhealthy"
    assert lines[1].startswith("  database: healthy {'connectionPool': {'used': 2, 'idle': 3}")
    assert lines[2].startswith("  openai_api: unhealthy {} <urlopen error")
    assert lines[3].startswith("  model_availability: healthy {'model': 'llama-7b'")
    assert lines[4] == "  model_answers: healthy {}"
    # Under the launcher user analytics stays as the launcher was told: off.
    assert lines[-2:] == [
        "recorded without consent: False",
        f"recorded with consent: {not launcher}",
    ]
    assert "Traceback" not in result.stderr
    assert "the tag 'input_tokens' is left out" in result.stderr
    text = sink.text()
    for name in (
        "business.signups",
        "business.revenue",
        "api.response_time",
        "ai.inference_time",
        "ai.model.inference_time",
        "ai.model.accuracy",
        "ai.model.memory_usage",
        "chat llama-7b",
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "bear.gen_ai.evaluation.score",
        "bear.gen_ai.model.memory.usage",
        "bear.health.status",
        "bear.health.check.duration",
    ):
        assert f'name: "{name}"' in text, name
    assert 'event_name: "bear.health.status.changed"' in text
    assert 'event_name: "gen_ai.evaluation.result"' in text
    for event in ("session.end", "browser.web_vital", "bear.page.left", "bear.feature.used"):
        assert (f'event_name: "{event}"' in text) is not launcher, event
    assert "session_123" not in text
    assert "sum: 1.85\n" in text
    assert 'key: "input_tokens"' not in text
    # Under the launcher the resource is what the launcher was told.
    assert ('string_value: "eu-central-1"' in text) is not launcher


LIFE = """
from bear_otel import setup_production_monitoring
monitoring = setup_production_monitoring("production", "1.0.0", custom_config={config})
monitoring.record_metric("x.early", 1, "counter")
monitoring.start()
monitoring.start()
monitoring.record_metric("x.y", 1, "counter")
print(monitoring.get_system_status().running)
monitoring.stop()
monitoring.stop()
monitoring.record_metric("x.late", 1, "counter")
print(monitoring.get_system_status().running)
"""


@pytest.mark.server
def test_start_and_stop_may_be_called_again(sink: Sink) -> None:
    """And what is recorded in between, arrives."""
    result = run(sink, "-c", LIFE.format(config={}), BEAR_OTEL_BANNER_ENABLED="false")
    assert (result.stdout, result.stderr) == ("True\nFalse\n", "")
    text = sink.text()
    assert ['"x.y"' in text, '"x.early"' in text] == [True, False]
    assert 'string_value: "1.0.0"' in text
    assert 'string_value: "production"' in text


@pytest.mark.server
def test_everything_is_silent_when_it_is_switched_off(sink: Sink) -> None:
    """But for one line that says so."""
    result = run(sink, "-c", LIFE.format(config={"enabled": False}))
    assert result.stdout == "False\nFalse\n"
    assert result.stderr == "bear-otel: switched off; the application runs without telemetry\n"
    assert sink.texts == []
