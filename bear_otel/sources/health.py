"""The values that health checks are made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

State = Literal["healthy", "degraded", "unhealthy", "critical"]

# From good to bad.
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a check may return, where True or False do not say enough.

    Args:
        state: `critical` takes the service out of its load balancer; `unhealthy` does not.
        details: Anything that helps; it passes the scrubber.
        error: What went wrong, in words.
    """

    state: State = "healthy"
    details: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    def __post_init__(self) -> None:
        if self.state not in STATES:
            accepted = f"one of {', '.join(STATES)}"
            raise ConfigurationError("state of a health check", self.state, accepted)


if TYPE_CHECKING:
    Outcome = Health | bool | None
    Check = Callable[[], Outcome | Awaitable[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """A check and how often it is made; see `add_health_check`."""

    name: str
    run: Check
    interval_seconds: float = 15.0
    timeout_seconds: float = 2.0
    critical: bool = False
    degraded_after_seconds: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigurationError("name of a health check", self.name, "text that is not empty")
        if not callable(self.run):
            where = f"health check {self.name}"
            raise ConfigurationError(where, self.run, "a function")
        for setting in ("interval_seconds", "timeout_seconds", "degraded_after_seconds"):
            value = getattr(self, setting)
            # `not (0 < x)` also refuses NaN.
            if value is not None and not (isinstance(value, int | float) and 0 < value < 1e6):
                where = f"{setting} of health check {self.name}"
                raise ConfigurationError(where, value, "a number of seconds above 0")

    def judge(self, outcome: object, seconds: float) -> Health:
        """Return what an outcome means for this check.

        Args:
            outcome: What the check returned: `Health`, a boolean, or None for healthy.
            seconds: How long it took.
        """
        if isinstance(outcome, Health):
            health = outcome
        elif outcome is None or outcome is True:
            health = Health()
        elif outcome is False:
            health = Health(state="unhealthy")
        else:
            error = f"it returned {type(outcome).__name__}, not Health, a boolean or None"
            health = Health(state="unhealthy", error=error)
        late = self.degraded_after_seconds is not None and seconds > self.degraded_after_seconds
        if late and health.state == "healthy":
            health = replace(health, state="degraded")
        if self.critical and health.state == "unhealthy":
            health = replace(health, state="critical")
        return health


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check said last; details and error are scrubbed.

    Args:
        state: One of `STATES`.
        checked_at: Unix time in seconds.
        duration_seconds: How long the check took, or how long it was waited for.
        details: What the check added.
        error: What went wrong, or None.
        error_type: Class of the exception, `TimeoutError` if it took too long.
    """

    state: State
    checked_at: float
    duration_seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    error_type: str | None = None


def find_worst(states: Iterable[State]) -> State:
    """Return the worst of several states; no state at all is healthy."""
    return STATES[max(map(STATES.index, states), default=0)]
