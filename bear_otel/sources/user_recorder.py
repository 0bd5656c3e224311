"""Record one interaction under a policy: decide, draw, coarsen, emit.

An event has no trace: what somebody did cannot be looked up from a request, nor a request from it.
"""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

from bear_otel import catalogue
from bear_otel.privacy.consent import decide, join_consent
from bear_otel.sources.crowds import Crowds
from bear_otel.sources.devices import coarsen_device, get_ladder
from bear_otel.sources.http import CURRENT_REQUEST
from bear_otel.sources.interactions import UserInteraction, create_interaction
from bear_otel.sources.user_events import create_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter
    from starlette.requests import HTTPConnection

    from bear_otel.privacy import Pseudonymizer
    from bear_otel.sources.interactions import Device

    ConsentCheck = Callable[[HTTPConnection], bool | None]

_SESSION_ID = "session.id"
# An empty context would not do: the SDK takes the current one then.
_NO_TRACE = set_span_in_context(INVALID_SPAN, Context())

_logger = logging.getLogger("bear_otel")

Outcome = Literal[
    "recorded",
    "gpc",
    "dnt",
    "no_consent",
    "not_sampled",
    "invalid",
    "error",
    # From browsers alone.
    "origin",
    "rate",
    "size",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPolicy:
    """How users are recorded.

    Args:
        pseudonymizer: Names sessions, and draws the people who are recorded.
        sampling: Share of people who are recorded, 0 to 1.
        respect_dnt: Whether `DNT: 1` is a refusal.
        features: Features that may be told; see `bear_otel.settings.UserSettings`.
        crowd: How many sessions must share a description of a device before it is told.
        forget: Destroys old keys; called once a day.
    """

    pseudonymizer: Pseudonymizer
    sampling: float
    respect_dnt: bool
    features: frozenset[str]
    crowd: int
    forget: Callable[[], object] = lambda: None


class UserRecorder:
    """Decides about interactions under one policy, and emits what may be told.

    Args:
        meter: Records `bear.user.interactions` and `bear.browser.page_load.duration`.
        logger: Emits the events.
        policy: How users are recorded.
    """

    def __init__(self, meter: Meter, logger: Logger, policy: UserPolicy) -> None:
        self._logger = logger
        self._policy = policy
        self._outcomes = catalogue.create(meter, catalogue.USER_INTERACTIONS)
        self._page_loads = catalogue.create(meter, catalogue.BROWSER_PAGE_LOAD_DURATION)
        self._day = policy.pseudonymizer.period("session").start
        self._said: set[str] = set()
        self.crowds = Crowds(policy.crowd)

    def count(self, outcome: Outcome) -> None:
        """Count what became of an interaction."""
        self._outcomes.add(1, {"bear.reason": outcome}, _NO_TRACE)

    def record(
        self,
        given: UserInteraction | Mapping[str, Any],
        consent: bool | None,
        person: str | None,
        *,
        check: ConsentCheck | None,
        from_browser: bool,
    ) -> Outcome:
        """Record an interaction, see `UserAnalytics.record`; may raise what `check` raises."""
        scope = CURRENT_REQUEST.get()
        if scope is not None and check is not None:
            from starlette.requests import HTTPConnection

            consent = join_consent((consent, check(HTTPConnection(scope))))
        headers = scope["headers"] if scope is not None else ()
        decision = decide(headers, consent, respect_dnt=self._policy.respect_dnt)
        if not decision.allowed:
            return decision.reason  # pyright: ignore[reportReturnType] - "consent" is allowed
        try:
            interaction = given if isinstance(given, UserInteraction) else create_interaction(given)
        except ValueError as error:
            if not from_browser:
                self.say(str(error))
            return "invalid"
        self._turn_day()
        if not self._draws(person or interaction.session_id):
            return "not_sampled"
        self._emit(self._limit_features(interaction, from_browser=from_browser))
        return "recorded"

    def say(self, problem: str) -> None:
        """Say once why interactions are left out."""
        if problem not in self._said:
            self._said.add(problem)
            _logger.warning("an interaction of a user was left out: %s", problem)

    def _turn_day(self) -> None:
        day = self._policy.pseudonymizer.period("session").start
        if day != self._day:
            self._day = day
            self.crowds.disperse()
            self._policy.forget()

    def _draws(self, subject: str) -> bool:
        """Return whether somebody is recorded: the same for all that they do, for about a month."""
        letters = self._policy.pseudonymizer.pseudonym("sampling", subject)[-8:]
        return int.from_bytes(base64.b32decode(letters.upper())) / 2**40 < self._policy.sampling

    def _limit_features(
        self, interaction: UserInteraction, *, from_browser: bool
    ) -> UserInteraction:
        behavior, allowed = interaction.behavior, self._policy.features
        if behavior is None or not (allowed or from_browser):
            return interaction
        told = tuple(each for each in behavior.features_used if each in allowed)
        return replace(interaction, behavior=replace(behavior, features_used=told))

    def _emit(self, interaction: UserInteraction) -> None:
        session = self._policy.pseudonymizer.pseudonym("session", interaction.session_id)
        device = self._describe(interaction.device, session)
        for event, attributes in create_events(interaction):
            self._logger.emit(
                event_name=event.name,
                context=_NO_TRACE,
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                attributes={**attributes, _SESSION_ID: session, **device},
            )
        performance = interaction.performance
        if performance is not None and performance.page_load_seconds is not None:
            self._page_loads.record(performance.page_load_seconds, {}, _NO_TRACE)

    def _describe(self, device: Device | None, session: str) -> dict[str, str]:
        described = coarsen_device(device) if device is not None else {}
        for rung in get_ladder(described):
            if self.crowds.join(frozenset(rung.items()), session):
                return rung
        return {"bear.device.class": "other"} if described else {}
