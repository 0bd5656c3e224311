"""Checks are made on time, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opentelemetry.context import get_value

from bear_otel.pipeline.seams import SUPPRESS_KEY
from bear_otel.sources.health import Health, HealthCheck
from bear_otel.sources.health_runner import HealthRunner
from tests.sources.health_harness import Heard, count_threads, reach, running, wait_until


def create_check(name: str, run: object, **options: object) -> HealthCheck:
    """Return a check that is made all the time."""
    return HealthCheck(name=name, run=run, **{"interval_seconds": 0.01, **options})  # pyright: ignore[reportArgumentType] - any of them


def test_a_check_is_made_again_and_again() -> None:
    """And its last result is kept, so that asking for it costs nothing."""
    numbers = iter(range(1000))
    check = create_check("x", lambda: Health(details={"number": next(numbers)}))
    with running(check) as (runner, heard):
        wait_until(lambda: len(heard.told) >= 3, "it was made three times")
        _, result = runner.results()["x"]
    assert [told.details["number"] for _, told, _ in heard.told[:3]] == [0, 1, 2]
    assert [before for _, _, before in heard.told[:3]] == [None, "healthy", "healthy"]
    assert result is not None
    assert (result.state, result.error, result.error_type) == ("healthy", None, None)


def test_an_exception_is_unhealthy() -> None:
    """With its class and its text."""

    def fail() -> None:
        message = "no route to host"
        raise ConnectionError(message)

    with running(create_check("x", fail)) as (_, heard):
        wait_until(lambda: heard.told, "it was made")
    _, result, _ = heard.told[0]
    assert (result.state, result.error_type, result.error) == (
        "unhealthy",
        "ConnectionError",
        "no route to host",
    )


def test_not_even_the_end_of_a_thread_ends_the_checks() -> None:
    """`sys.exit` in a check is a failed check."""
    with running(create_check("x", lambda: sys.exit(3))) as (_, heard):
        wait_until(lambda: len(heard.told) >= 2, "it was made twice")
    assert heard.told[0][1].error_type == "SystemExit"


def test_a_hanging_check_holds_up_nothing() -> None:
    """It is unhealthy after its timeout, has one thread at most, and recovers when it returns."""
    released, started = threading.Event(), []

    def hang() -> None:
        started.append(1)
        released.wait(90)

    hanging = create_check("hanging", hang, timeout_seconds=0.5, critical=True)
    with running(hanging, create_check("other", bool, timeout_seconds=60)) as (runner, heard):
        wait_until(lambda: heard.states("hanging"), "the hanging check was given up")
        others = len(heard.told)
        wait_until(lambda: len(heard.told) > others + 10, "the other was made ten times more")
        _, result = runner.results()["hanging"]
        assert result is not None
        assert (result.state, result.error_type) == ("critical", "TimeoutError")
        assert result.error == "it did not return in time"
        assert result.duration_seconds >= 0.5
        assert (len(started), count_threads("hanging"), runner.is_ready()) == (1, 1, False)
        released.set()
        wait_until(lambda: "healthy" in heard.states("hanging"), "it was made again")
    # What it returned too late was not told.
    assert heard.states("hanging")[:2] == ["critical", "healthy"]


def test_a_flapping_check_is_told_as_it_is() -> None:
    """Each result with the state before."""
    answers = iter([True, False, True, True, False])
    check = create_check("x", lambda: next(answers, False))
    with running(check) as (_, heard):
        wait_until(lambda: len(heard.told) >= 5, "it was made five times")
    assert [(before, result.state) for _, result, before in heard.told[:5]] == [
        (None, "healthy"),
        ("healthy", "unhealthy"),
        ("unhealthy", "healthy"),
        ("healthy", "healthy"),
        ("healthy", "unhealthy"),
    ]


def test_a_second_check_of_a_name_replaces_the_first() -> None:
    """An application that is created twice declares its checks twice."""
    with running(create_check("x", lambda: False)) as (runner, heard):
        wait_until(lambda: heard.told, "the first was made")
        runner.add(create_check("x", lambda: True))
        wait_until(lambda: heard.states("x")[-1] == "healthy", "the second was made")
        assert list(runner.results()) == ["x"]


def test_nothing_runs_before_the_start_and_after_the_end() -> None:
    """Not even a thread; the checks stay declared."""
    runner, heard, made = HealthRunner(), Heard(), []
    runner.add(create_check("x", lambda: made.append(1)))
    runner.attach()
    assert (runner.results()["x"][1], runner.state(), made) == (None, "healthy", [])
    runner.start(listener=heard)
    wait_until(lambda: heard.told, "it was made")
    runner.stop()
    wait_until(lambda: count_threads("x") == 0, "its last run has ended")
    before = len(made)
    assert runner.results()["x"][1] is None
    runner.start(listener=heard)
    wait_until(lambda: len(made) > before, "it was made after the second start")
    runner.stop()


def test_a_critical_check_must_have_passed_once() -> None:
    """An instance that is not known to work gets no requests; other checks can wait."""
    runner = HealthRunner()
    assert runner.is_ready()
    runner.add(create_check("x", bool))
    assert runner.is_ready()
    runner.add(create_check("y", bool, critical=True))
    assert not runner.is_ready()


def test_a_check_leaves_no_telemetry_of_its_own() -> None:
    """Nobody asked for its queries; asynchronous checks are no exception."""
    seen = []

    async def look_later() -> None:
        seen.append(get_value(SUPPRESS_KEY))

    async def main() -> None:
        look_now = create_check("now", lambda: seen.append(get_value(SUPPRESS_KEY)))
        with running(look_now, create_check("later", look_later)) as (_, heard):
            await reach(lambda: len({name for name, _, _ in heard.told}) == 2, "both were made")

    asyncio.run(main())
    assert set(seen) == {True}


@pytest.mark.parametrize("kind", ["coroutine function", "function that returns a coroutine"])
def test_an_asynchronous_check_runs_on_the_loop_of_the_application(kind: str) -> None:
    """Where the connections that it uses belong."""
    loops = []

    def call(function: Callable[[], Any]) -> Any:
        return function()

    async def check() -> bool:
        loops.append(asyncio.get_running_loop())
        return True

    async def main() -> None:
        run = check if kind == "coroutine function" else functools.partial(call, check)
        with running(create_check("x", run)) as (_, heard):
            await reach(lambda: heard.told, "it was made")
        assert heard.states("x")[0] == "healthy"
        assert loops[0] is asyncio.get_running_loop()

    asyncio.run(main())


def test_a_hanging_asynchronous_check_is_cancelled() -> None:
    """And made again, since it has ended."""
    cancelled = []

    async def hang() -> None:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def main() -> None:
        with running(create_check("x", hang, timeout_seconds=0.05)) as (_, heard):
            await reach(lambda: len(heard.told) >= 2, "it was given up twice")
        assert heard.states("x")[:2] == ["unhealthy", "unhealthy"]
        assert heard.told[0][1].error_type == "TimeoutError"

    asyncio.run(main())
    assert cancelled


def test_a_check_that_ignores_its_cancellation_is_not_made_twice() -> None:
    """Tasks would pile up on the loop of the application."""
    started, released = [], asyncio.Event()

    async def hang() -> None:
        started.append(1)
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        with running(create_check("x", hang, timeout_seconds=0.05)) as (runner, heard):
            runner.add(create_check("other", bool))
            await reach(lambda: heard.states("x"), "it was given up")
            await reach(lambda: len(heard.states("other")) > 20, "another was made often")
            assert (len(started), count_threads("x")) == (1, 1)
            released.set()
            await reach(lambda: len(started) >= 2, "it was made again")

    asyncio.run(main())


def test_what_a_check_begins_after_it_was_given_up_is_cancelled_too() -> None:
    """Else it would never be made again."""
    given_up, started = threading.Event(), []

    def dawdle() -> Awaitable[None]:
        given_up.wait(90)
        started.append(1)
        return asyncio.sleep(600)

    async def main() -> None:
        with running(create_check("x", dawdle, timeout_seconds=0.05)) as (_, heard):
            await reach(lambda: heard.told, "it was given up")
            given_up.set()
            await reach(lambda: len(started) >= 2, "it was made again")

    asyncio.run(main())


def test_the_end_of_the_loop_says_nothing_about_a_check() -> None:
    """An application that shuts down is not unhealthy; its next one has a loop again."""

    def run_once() -> Awaitable[bool]:
        async def answer() -> bool:
            return True

        return answer()

    runner, heard = HealthRunner(), Heard()
    runner.add(create_check("x", run_once))

    async def serve() -> None:
        runner.attach()
        before = len(heard.told)
        await reach(lambda: len(heard.told) > before, "it was made")

    runner.start(listener=heard)
    asyncio.run(serve())
    # Meanwhile it is tried, and there is no loop.
    other = create_check("other", bool)
    runner.add(other)
    wait_until(lambda: len(heard.states("other")) > 10, "another check was made ten times")
    asyncio.run(serve())
    runner.stop()
    assert set(heard.states("x")) == {"healthy"}
