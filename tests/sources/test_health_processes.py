"""Checks in whole programs: as a script, after a fork, while modules are imported, at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.server

HEADER = """
import asyncio, os, sys, threading, time
import bear_otel
from bear_otel.sources.health_declarations import HEALTH_RUNNER

def wait_for(name):
    deadline = time.monotonic() + 60
    while HEALTH_RUNNER.results()[name][1] is None:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return HEALTH_RUNNER.results()[name][1]
"""


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program without exporters."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ |= {f"OTEL_{each}_EXPORTER": "none" for each in ("TRACES", "METRICS", "LOGS")}
    environ |= {"BEAR_OTEL_BANNER_ENABLED": "false", **variables}
    command = [sys.executable, "-W", "error", "-c", HEADER + textwrap.dedent(program)]
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=180, check=False
    )


def test_a_script_has_its_checks_made() -> None:
    """Asynchronous ones on a loop of ours, which stays the same for the sake of connections."""
    result = run("""
        loops = set()

        @bear_otel.health_check("sync")
        def check(): ...

        @bear_otel.health_check("async", interval_seconds=0.01)
        async def check_later():
            loops.add(id(asyncio.get_running_loop()))

        bear_otel.start()
        print(wait_for("sync").state, wait_for("async").state)
        time.sleep(0.2)
        print(len(loops))
    """)
    assert (result.stdout, result.stderr) == ("healthy healthy\n1\n", "")


def test_a_check_is_not_made_while_its_module_is_imported() -> None:
    """It may use what is defined below it."""
    result = run("""
        bear_otel.start()

        @bear_otel.health_check("x")
        def check():
            return defined_below

        time.sleep(0.3)
        defined_below = True
        print(wait_for("x"). state)
    """)
    assert (result.stdout, result.stderr) == ("healthy\n", "")


def test_checks_of_a_web_application_wait_for_it() -> None:
    """They begin when it has started: not while it is imported, and not while it loads a model."""
    result = run("""
        from contextlib import asynccontextmanager
        bear_otel.start()
        import uvicorn
        from fastapi import FastAPI
        loops = []

        @bear_otel.health_check("x")
        async def check():
            loops.append(asyncio.get_running_loop())
            return loaded

        @asynccontextmanager
        async def lifespan(_):
            global loaded
            await asyncio.sleep(1.2)  # longer than the patience with other programs
            print(HEALTH_RUNNER.results()["x"][1])
            loaded = True
            yield

        async def main():
            app = FastAPI(lifespan=lifespan)
            server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
            serving = asyncio.create_task(server.serve())
            result = await asyncio.to_thread(wait_for, "x")
            print(result.state, loops[0] is asyncio.get_running_loop())
            server.should_exit = True
            await serving

        asyncio.run(main())
    """)
    assert (result.stdout, result.stderr) == ("None\nhealthy True\n", "")


def test_every_forked_worker_makes_its_own_checks() -> None:
    """With its own thread and its own results; what hung in the parent does not hang in it."""
    result = run("""
        parent = os.getpid()

        @bear_otel.health_check("x", critical=True, timeout_seconds=0.2)
        def check():
            if os.getpid() == parent:
                threading.Event().wait(600)

        bear_otel.start()
        print(wait_for("x").state, flush=True)
        child = os.fork()
        if child == 0:
            before = HEALTH_RUNNER.results()["x"][1]
            print(before, wait_for("x").state, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(wait_for("x").state)
    """)
    assert (result.stdout, result.stderr) == ("critical\nNone healthy\ncritical\n", "")


def test_a_hanging_check_does_not_hold_up_the_end() -> None:
    """Nobody waits for a thread that hangs: the program has an end."""
    result = run("""
        bear_otel.add_health_check("x", lambda: threading.Event().wait(600), timeout_seconds=0.1)
        bear_otel.start()
        print(wait_for("x").error_type)
    """)
    assert (result.stdout, result.stderr, result.returncode) == ("TimeoutError\n", "", 0)


def test_nothing_is_checked_when_telemetry_is_switched_off() -> None:
    """Only that it is switched off is said."""
    result = run(
        """
        bear_otel.add_health_check("x", lambda: print("made"), interval_seconds=0.01)
        HEALTH_RUNNER.attach()
        assert bear_otel.start() is None
        time.sleep(0.2)
        print(threading.active_count())
        """,
        OTEL_SDK_DISABLED="true",
    )
    assert result.stdout == "1\n"
    assert result.stderr.count("\n") == 1


def test_an_asynchronous_check_without_an_application_says_so() -> None:
    """A web framework is there, its loop is not, and another loop would break its connections."""
    result = run("""
        import starlette
        bear_otel.add_health_check("x", lambda: asyncio.sleep(0), interval_seconds=0.01)
        bear_otel.start()
        HEALTH_RUNNER.attach()
        time.sleep(0.3)
        print(HEALTH_RUNNER.results()["x"][1])
    """)
    message = "the health check x waits for the event loop of an application\n"
    assert (result.stdout, result.stderr) == ("None\n", message)
