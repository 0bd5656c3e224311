"""Make the health checks on their intervals, apart from what they check.

One thread keeps the time. Each check runs in a thread that lives as long as the check does, so one
that hangs holds up nothing; it is not made again before it has returned, so there is never more
than one thread for each check.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import suppress_instrumentation

from bear_otel.sources.health import CheckResult, Health, State, find_worst
from bear_otel.sources.health_loop import LoopCall, NoLoopError, discard, start_loop

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping

    from bear_otel.sources.health import HealthCheck

    # Is told the check, its result, and the state before, None the first time.
    Listener = Callable[["HealthCheck", CheckResult, State | None], object]
    Results = dict[str, tuple[HealthCheck, CheckResult | None]]
    Scrub = Callable[[Mapping[str, Any]], Mapping[str, Any]]

# A web application is not to be checked while it is imported or loads a model, let alone by a
# supervisor whose connections its workers would inherit. So checks begin when it has started.
# This much patience is for a process that imports a web framework and serves nothing.
_PATIENCE_SECONDS = 120.0
# Any other program may still be importing what its checks use.
_GRACE_SECONDS = 1.0
_WEB_FRAMEWORK = "starlette"

# How soon a process notices that it works, after it was made to supervise or to work.
_ROLE_SECONDS = 1.0

_logger = logging.getLogger("bear_otel")


class HealthRunner:
    """All checks of a process, and what they said last."""

    def __init__(self) -> None:
        self._checks: dict[str, _Scheduled] = {}
        self._listener: Listener = _ignore
        self._scrub: Scrub = _withhold
        self._active: Callable[[], bool] = _always
        self._running = False
        self._warned: set[str] = set()
        self._reset()

    def add(self, check: HealthCheck) -> None:
        """Make a check from now on, instead of one with the same name."""
        self._checks[check.name] = _Scheduled(check)
        self._changed_at = time.monotonic()
        self._learn_loop()
        if self._running:
            self._start_thread()

    def start(
        self,
        *,
        listener: Listener | None = None,
        scrub: Scrub | None = None,
        active: Callable[[], bool] | None = None,
    ) -> None:
        """Begin to make the checks; again does no harm.

        Args:
            listener: Is told every result.
            scrub: Cleans details and errors; without it they are not kept.
            active: Whether this process works; a supervisor checks nothing.
        """
        self._listener = listener or self._listener
        self._scrub = scrub or self._scrub
        self._active = active or self._active
        self._running = True
        if self._checks:
            self._start_thread()

    def stop(self) -> None:
        """Make no more checks, and forget what they said; they stay known."""
        self._running = False
        self._listener, self._scrub, self._active = _ignore, _withhold, _always
        self._checks = {name: _Scheduled(each.check) for name, each in self._checks.items()}
        self._thread = None
        self._wake.set()

    def attach(self) -> None:
        """Note that the application has started, and that it runs on this event loop."""
        self._learn_loop()
        self._begun = True
        self._wake.set()

    def results(self) -> Results:
        """Return each check with its last result, None if there is none yet."""
        return {name: (each.check, each.result) for name, each in list(self._checks.items())}

    def state(self) -> State:
        """Return the worst state of all checks."""
        return find_worst(
            each.result.state for each in list(self._checks.values()) if each.result is not None
        )

    def is_ready(self) -> bool:
        """Return whether nothing is critical, and each critical check has been made."""
        return self.state() != "critical" and not any(
            each.check.critical and each.result is None for each in list(self._checks.values())
        )

    def restart_in_child(self) -> None:
        """Begin anew in a forked child, which has no thread and no result of its own."""
        had_thread = self._thread is not None
        self._reset()
        self._checks = {name: _Scheduled(each.check) for name, each in self._checks.items()}
        if had_thread:
            self._start_thread()

    def _reset(self) -> None:
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._loop: AbstractEventLoop | None = None
        self._own_loop: AbstractEventLoop | None = None
        self._begun = False
        self._changed_at = time.monotonic()

    def _learn_loop(self) -> None:
        """Remember the event loop that runs this code: the connections of checks belong to it."""
        if self._loop is None or not self._loop.is_running():
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                self._loop = None

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._keep_time, name="bear-otel-health", daemon=True
            )
            self._thread.start()
        self._wake.set()

    def _keep_time(self) -> None:
        wake = self._wake
        while self._thread is threading.current_thread():
            wake.clear()
            try:
                seconds = self._tick(time.monotonic())
            except RuntimeError:  # no thread can be started, as at the very end of the process
                seconds = _ROLE_SECONDS
            wake.wait(seconds)

    def _tick(self, now: float) -> float | None:
        """Do what is due; return the seconds until the next thing is, None for nothing."""
        if not self._active():
            return _ROLE_SECONDS
        if (patience := self._find_patience(now)) > 0:
            return patience
        self._begun = True
        looks = [self._advance(each, now) for each in list(self._checks.values())]
        nearest = min((look for look in looks if look is not None), default=None)
        return None if nearest is None else max(0.0, nearest - now)

    def _find_patience(self, now: float) -> float:
        if self._begun:
            return 0.0
        patience = _PATIENCE_SECONDS if _WEB_FRAMEWORK in sys.modules else _GRACE_SECONDS
        return self._changed_at + patience - now

    def _advance(self, scheduled: _Scheduled, now: float) -> float | None:
        """Begin or give up a run of a check; return when it is to be looked at again."""
        check, run = scheduled.check, scheduled.run
        if run is None and now < scheduled.due:
            return scheduled.due
        if run is None:
            run = scheduled.run = _Run(now)
            name = f"bear-otel-health-{check.name}"
            arguments = (scheduled, run)
            try:
                threading.Thread(target=self._make, args=arguments, name=name, daemon=True).start()
            except RuntimeError:
                scheduled.run = None
                raise
        if now < run.started + check.timeout_seconds:
            return run.started + check.timeout_seconds
        if run.claim():
            health = Health(state="unhealthy", error="it did not return in time")
            self._record(scheduled, check.judge(health, 0.0), now - run.started, "TimeoutError")
            if run.call is not None:
                run.call.cancel()
        return None  # it wakes us when it ends

    def _make(self, scheduled: _Scheduled, run: _Run) -> None:
        """Make a check once, in a thread of its own."""
        check = scheduled.check
        try:
            outcome, error_type = self._call(check, run)
            seconds = time.monotonic() - run.started
            if run.claim():
                self._record(scheduled, check.judge(outcome, seconds), seconds, error_type)
        except (NoLoopError, asyncio.CancelledError):
            pass  # the application ends, or has no event loop: that says nothing about the check
        finally:
            scheduled.due = run.started + check.interval_seconds
            scheduled.run = None
            self._wake.set()

    def _call(self, check: HealthCheck, run: _Run) -> tuple[object, str | None]:
        try:
            # Nobody asked for these requests and queries: they are no part of the service's own.
            with suppress_instrumentation():
                outcome = check.run()
                if inspect.isawaitable(outcome):
                    loop = self._find_loop(check, outcome)
                    run.call = LoopCall(outcome, loop)
                    if run.is_claimed():  # given up before there was a call to cancel
                        run.call.cancel()
                    outcome = run.call.wait()
        except (NoLoopError, asyncio.CancelledError):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the check's answer
            health = Health(state="unhealthy", error=str(error))
            return health, type(error).__qualname__
        return outcome, None

    def _find_loop(self, check: HealthCheck, outcome: object) -> AbstractEventLoop:
        """Return the application's event loop; a loop of our own where there is no application.

        The check's connections are often the application's, and they work on its loop only.
        """
        if self._loop is not None and self._loop.is_running():
            return self._loop
        if _WEB_FRAMEWORK in sys.modules:
            discard(outcome)
            if check.name not in self._warned:
                self._warned.add(check.name)
                _logger.warning(
                    "the health check %s waits for the event loop of an application", check.name
                )
            raise NoLoopError
        if self._own_loop is None:
            self._own_loop = start_loop()
        return self._own_loop

    def _record(
        self, scheduled: _Scheduled, health: Health, seconds: float, error_type: str | None
    ) -> None:
        check = scheduled.check
        if self._checks.get(check.name) is not scheduled:
            return  # replaced or stopped in the meantime
        error = self._scrub({"error.message": health.error} if health.error else {})
        before = scheduled.result
        scheduled.result = result = CheckResult(
            state=health.state,
            checked_at=time.time(),
            duration_seconds=seconds,
            details=self._scrub(health.details),
            error=error.get("error.message"),
            error_type=error_type,
        )
        self._listener(check, result, before.state if before else None)


class _Scheduled:
    """A check, its run if it runs, and what it said last."""

    __slots__ = ("check", "due", "result", "run")

    def __init__(self, check: HealthCheck) -> None:
        self.check = check
        self.due = 0.0
        self.run: _Run | None = None
        self.result: CheckResult | None = None


class _Run:
    """One run of a check; its result is told once, by itself or by whoever waits no longer."""

    __slots__ = ("_claimed", "call", "started")

    def __init__(self, started: float) -> None:
        self.started = started
        self.call: LoopCall | None = None
        self._claimed = threading.Lock()

    def claim(self) -> bool:
        return self._claimed.acquire(blocking=False)

    def is_claimed(self) -> bool:
        return self._claimed.locked()


def _ignore(check: HealthCheck, result: CheckResult, before: State | None) -> None:
    pass


def _withhold(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


def _always() -> bool:
    return True
