"""The programmatic interface of the TypeScript system that bear-otel succeeds, with its names.

Its milliseconds, its camelCase and its health objects are understood here and in `translation`
alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat, get_args

import psutil

import bear_otel
from bear_otel.configuration import load_configuration
from bear_otel.settings import ConfigurationError
from bear_otel.sources.custom import record_metric
from bear_otel.sources.errors import ERRORS, capture_exception
from bear_otel.sources.health_declarations import HEALTH_RUNNER, add_health_check
from bear_otel.sources.users import record_user_interaction
from bear_otel.translation import (
    ELSEWHERE,
    nest,
    to_seconds,
    translate_check,
    translate_config,
    translate_interaction,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bear_otel.pipeline.losses import Reason, Signal
    from bear_otel.running import Running
    from bear_otel.sources.custom import Tags
    from bear_otel.sources.error_groups import ErrorGroup
    from bear_otel.sources.health import CheckResult, State
    from bear_otel.sources.interactions import UserInteraction

Environment = Literal["development", "staging", "production"]
Kind = Literal["counter", "gauge", "histogram", "timer"]

# Of all traces, in production; errors and slow traces are kept besides.
_PRODUCTION_SHARE = 0.1
_SHARE_VARIABLE = "BEAR_OTEL_SAMPLING_PERFORMANCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatus:
    """What `get_system_status` returns.

    Args:
        running: Whether telemetry is sent.
        state: The worst state of all health checks.
        uptime_seconds: Age of the process.
        checks: Last result of each health check by name, None before the first.
        destinations: Where each signal goes.
        dropped: Records that did not arrive, by signal and reason.
        errors: The ten most frequent exceptions by type and place in the code.
    """

    running: bool
    state: State
    uptime_seconds: float
    checks: Mapping[str, CheckResult | None] = field(default_factory=dict)
    destinations: Mapping[Signal, str] = field(default_factory=dict)
    dropped: Mapping[tuple[Signal, Reason], int] = field(default_factory=dict)
    errors: tuple[ErrorGroup, ...] = ()


def setup_production_monitoring(
    environment: Environment,
    version: str,
    *,
    enable_user_tracking: bool = False,
    enable_integrations: bool = False,
    custom_config: Mapping[str, Any] | None = None,
) -> Monitoring:
    """Prepare telemetry; `start` starts it.

    In production a tenth of all traces is kept, and all with an error or slow ones, unless
    `custom_config` or `BEAR_OTEL_SAMPLING_PERFORMANCE` says otherwise; elsewhere all are.

    Args:
        environment: `development`, `staging` or `production`.
        version: Version of the service.
        enable_user_tracking: Record interactions of a share of the users who have agreed.
        enable_integrations: Not a matter of the service: the Collector feeds back ends.
        custom_config: Settings with the original's names or with those of
            `bear_otel.settings.Settings`, nested.

    Raises:
        ConfigurationError: A setting that cannot be used; it says what is accepted.
    """
    if environment not in get_args(Environment):
        accepted = f"one of {', '.join(get_args(Environment))}"
        raise ConfigurationError("environment", environment, accepted)
    if enable_integrations:
        accepted = ELSEWHERE["integrations"]
        raise ConfigurationError("enable_integrations", value=True, accepted=accepted)
    settings: dict[str, Any] = {
        "resource.environment": environment,
        "resource.version": version,
        "users.enabled": enable_user_tracking,
    }
    if environment == "production" and not os.environ.get(_SHARE_VARIABLE):
        settings["sampling.performance_sampling"] = _PRODUCTION_SHARE
    settings |= dict(translate_config(custom_config or {}))
    config = nest(settings)
    load_configuration(code=config)  # complain now, not at start
    return Monitoring(config)


class Monitoring:
    """Telemetry of this process, as the original's users know it.

    All of it also works without this object, through the functions of `bear_otel`.

    Args:
        config: Settings with the names of `bear_otel.settings.Settings`, nested.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._started = False
        self._running: Running | None = None

    @property
    def monitoring(self) -> Monitoring:
        """This object: the original is called as `monitoring.monitoring.recordMetric`."""
        return self

    def start(self) -> None:
        """Start telemetry, or join what the launcher has started; again does no harm.

        Raises:
            ConfigurationError: A variable or a file that cannot be used.
            RuntimeError: Somebody else has set an OpenTelemetry provider.
        """
        if not self._started:
            self._running = bear_otel.start(self._config)
            self._started = True

    def stop(self) -> None:
        """Send what is left and end telemetry, for as long as this process lives."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def record_metric(
        self, name: str, value: SupportsFloat, kind: Kind, tags: Tags | None = None
    ) -> None:
        """Record one value of a metric, see `bear_otel.record_metric`.

        Args:
            name: The metric.
            value: For a timer in milliseconds, as in the original; it leaves in seconds.
            kind: `counter`, `gauge`, `histogram` or `timer`.
            tags: Labels.

        Raises:
            ConfigurationError: A name or kind that cannot be, or that differs from before.
        """
        if kind not in get_args(Kind):
            where = f"kind of metric {name}"
            accepted = f"one of {', '.join(get_args(Kind))}"
            raise ConfigurationError(where, kind, accepted)
        if kind == "timer":
            record_metric(name, to_seconds(value), "histogram", tags, unit="s")
        else:
            record_metric(name, value, kind, tags)

    def add_health_check(self, name: str, check: Callable[[], Any], **options: Any) -> None:
        """Check something from time to time, see `bear_otel.add_health_check`.

        Args:
            name: What is checked.
            check: May also return the original's object, a dict with `status`, and `details`,
                `error` and `responseTime` in milliseconds if it likes.
            options: Those of `bear_otel.add_health_check`.

        Raises:
            ConfigurationError: A check that cannot be made.
        """
        add_health_check(name, translate_check(check), **options)

    def capture_exception(self, error: BaseException | None = None, **attributes: Any) -> None:
        """Tell of an exception that was dealt with, see `bear_otel.capture_exception`.

        Args:
            error: The exception; the one that is being handled if left out.
            attributes: More about it.
        """
        capture_exception(error, **attributes)

    def record_user_interaction(
        self,
        interaction: UserInteraction | Mapping[str, Any],
        *,
        consent: bool | None = None,
        person: str | None = None,
    ) -> bool:
        """Record what somebody did, see `bear_otel.record_user_interaction`.

        Args:
            interaction: May also be the original's record, in camelCase and milliseconds.
            consent: Whether the person has agreed, where the caller knows.
            person: What the application calls the person.

        Returns:
            Whether it was recorded.
        """
        if isinstance(interaction, Mapping):
            interaction = translate_interaction(interaction)
        return record_user_interaction(interaction, consent=consent, person=person)

    def get_system_status(self) -> SystemStatus:
        """Return what is known at this moment; nothing is checked or waited for."""
        running = self._running
        return SystemStatus(
            running=running is not None,
            state=HEALTH_RUNNER.state(),
            uptime_seconds=time.time() - psutil.Process().create_time(),
            checks={name: result for name, (_, result) in HEALTH_RUNNER.results().items()},
            destinations=dict(running.providers.destinations) if running else {},
            dropped=dict(running.losses.counts()) if running else {},
            errors=ERRORS.top(),
        )
