"""The functions with which an application records what users do."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any, TypeVar

from bear_otel.settings import ConfigurationError
from bear_otel.sources.user_recorder import UserRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter

    from bear_otel.sources.interactions import UserInteraction
    from bear_otel.sources.user_recorder import ConsentCheck, Outcome, UserPolicy

Check = TypeVar("Check", bound="ConsentCheck")


class UserAnalytics:
    """What a process records about users. Never raises into the application."""

    def __init__(self) -> None:
        self._recorder: UserRecorder | None = None
        self._check: ConsentCheck | None = None

    def open(self, meter: Meter, logger: Logger, policy: UserPolicy) -> Callable[[], None]:
        """Begin to record; return a function that ends it."""
        self._recorder = UserRecorder(meter, logger, policy)
        return self._close

    def ask(self, check: ConsentCheck) -> None:
        """Ask a function whether the person behind a request has agreed."""
        self._check = check

    def record(
        self,
        interaction: UserInteraction | Mapping[str, Any],
        *,
        consent: bool | None = None,
        person: str | None = None,
        from_browser: bool = False,
    ) -> Outcome | None:
        """Record an interaction.

        Args:
            interaction: As in `record_user_interaction`.
            consent: As in `record_user_interaction`.
            person: As in `record_user_interaction`.
            from_browser: Whether it was told by a browser, which may say what it likes.

        Returns:
            What became of it, None while nothing is recorded at all.
        """
        recorder = self._recorder
        if recorder is None:
            return None
        try:
            outcome = recorder.record(
                interaction, consent, person, check=self._check, from_browser=from_browser
            )
        except Exception as error:  # noqa: BLE001 - an unreadable key file, a foreign consent check
            recorder.say(f"{type(error).__name__} while it was recorded")
            outcome = "error"
        recorder.count(outcome)
        return outcome

    def refuse(self, outcome: Outcome) -> None:
        """Count something that was refused before it was looked at."""
        if self._recorder is not None:
            self._recorder.count(outcome)

    def restart_in_child(self) -> None:
        """Forget whom the parent has seen: what it has counted belongs to it."""
        if self._recorder is not None:
            self._recorder.crowds.disperse()

    def _close(self) -> None:
        self._recorder = None


# One in a process: interactions come from anywhere, before and after telemetry.
USERS = UserAnalytics()
os.register_at_fork(after_in_child=USERS.restart_in_child)


def record_user_interaction(
    interaction: UserInteraction | Mapping[str, Any],
    *,
    consent: bool | None = None,
    person: str | None = None,
) -> bool:
    """Record what somebody did, if user analytics is switched on and the person has agreed.

    In a request to FastAPI or Starlette, `Sec-GPC: 1` and `DNT: 1` are a refusal whatever else was
    said. What was not recorded is counted in `bear.user.interactions`, with the reason.

    Args:
        interaction: The record, or a nested map with its names. One that is not valid is left
            out, and what is wrong with it is said once.
        consent: Whether the person has agreed, where the caller knows. None asks the function
            that `user_consent` was given; nobody's word is a refusal.
        person: What the application calls the person, so that all of somebody's sessions are
            recorded or none. It never leaves. Without it, each session is drawn by itself.

    Returns:
        Whether it was recorded.
    """
    return USERS.record(interaction, consent=consent, person=person) == "recorded"


def user_consent(check: Check) -> Check:
    """Make a function the one that knows whether somebody has agreed; it stays what it is.

    Args:
        check: Gets the request and returns True, False or, if it does not know, None. It must not
            wait. If it says no, nothing is recorded whatever a caller or a browser says.

    Raises:
        ConfigurationError: A coroutine function, which would have to be awaited.
    """
    if inspect.iscoroutinefunction(check):
        raise ConfigurationError("user_consent", check.__qualname__, "a function without `async`")
    USERS.ask(check)
    return check
