"""Tell OpenTelemetry what the health checks say: a state metric, a duration, an event on change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from bear_otel import catalogue
from bear_otel.sources.health import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import CallbackOptions, Meter

    from bear_otel.sources.health import CheckResult, HealthCheck, State
    from bear_otel.sources.health_runner import HealthRunner, Results, Scrub

_NAME = "bear.health.check.name"
_STATE = "bear.health.state"
_SEVERITIES = {"healthy": "INFO", "degraded": "WARN", "unhealthy": "ERROR", "critical": "ERROR"}


def report_health(
    runner: HealthRunner,
    meter: Meter,
    logger: Logger,
    *,
    scrub: Scrub,
    active: Callable[[], bool],
) -> Callable[[], None]:
    """Make the checks of a runner, and report them.

    Args:
        runner: Holds the checks, now or later.
        meter: Records `bear.health.status` and `bear.health.check.duration`.
        logger: Emits `bear.health.status.changed`.
        scrub: Cleans details and errors before anybody sees them.
        active: Whether this process works; a supervisor checks nothing.

    Returns:
        A function that ends it.
    """
    duration = catalogue.create(meter, catalogue.HEALTH_CHECK_DURATION)
    final: Results | None = None

    def listen(check: HealthCheck, result: CheckResult, before: State | None) -> None:
        attributes = {_NAME: check.name}
        if result.error_type:
            attributes[ERROR_TYPE] = result.error_type
        duration.record(result.duration_seconds, attributes)
        if result.state != (before or "healthy"):
            _emit_change(logger, check, result, before)

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        if not active():
            return
        for name, (_check, result) in (runner.results() if final is None else final).items():
            if result is not None:
                for state in STATES:
                    yield Observation(int(state == result.state), {_NAME: name, _STATE: state})

    def stop() -> None:
        # What was said last is still told by the flush that follows.
        nonlocal final
        final = runner.results()
        runner.stop()

    catalogue.create(meter, catalogue.HEALTH_STATUS, observe)
    runner.start(listener=listen, scrub=scrub, active=active)
    return stop


def _emit_change(
    logger: Logger, check: HealthCheck, result: CheckResult, before: State | None
) -> None:
    attributes: dict[str, Any] = {_NAME: check.name, _STATE: result.state}
    if before:
        attributes["bear.health.previous_state"] = before
    if result.details:
        attributes["bear.health.details"] = result.details
    if result.error_type:
        attributes[ERROR_TYPE] = result.error_type
    if result.error:
        attributes["error.message"] = result.error
    severity = _SEVERITIES[result.state]
    logger.emit(
        timestamp=int(result.checked_at * 1e9),
        event_name=catalogue.HEALTH_STATUS_CHANGED.name,
        severity_number=SeverityNumber[severity],
        severity_text=severity,
        body=f"Health check {check.name} is {result.state}",
        attributes=attributes,
    )
