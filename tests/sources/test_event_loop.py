"""A late event loop is measured, and the code that holds it up is named."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from bear_otel.sources.event_loop import EventLoopWatch, watch_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

BLOCK_SECONDS = 0.5
tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")


class Watched:
    """A watch with the real SDK behind it."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self._exporter = InMemoryLogRecordExporter()
        logs = LoggerProvider(shutdown_on_exit=False)
        logs.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))
        meter = MeterProvider([self._reader], shutdown_on_exit=False).get_meter("test")
        self.watch: EventLoopWatch = watch_event_loop(meter, logs.get_logger("test"))

    @property
    def events(self) -> list[Any]:
        """What was emitted."""
        return [data.log_record for data in self._exporter.get_finished_logs()]

    @property
    def lag(self) -> Any:
        """The histogram's data point, or None."""
        data = self._reader.get_metrics_data()
        if data is None:
            return None
        [metric] = data.resource_metrics[0].scope_metrics[0].metrics
        return metric.data.data_points[0]

    async def beats(self, more: int = 2) -> None:
        """Wait for heartbeats, so that the watch knows the loop, or has seen it come back."""
        count = lambda: self.lag.count if self.lag else 0  # noqa: E731
        target, deadline = count() + more, time.monotonic() + 60
        while count() < target:
            assert time.monotonic() < deadline, "no heartbeat"
            await asyncio.sleep(0.01)


@pytest.fixture
def watched() -> Iterator[Watched]:
    """A watch that is stopped afterwards."""
    watched = Watched()
    yield watched
    watched.watch.stop()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """Run coroutines on either loop."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait for a condition with a deadline."""
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


async def blocking_handler(secret: str) -> None:
    """Block the loop, with a value at hand that must not be told."""
    time.sleep(BLOCK_SECONDS)  # noqa: ASYNC251 - the fault itself


NAME = f"{__name__}.blocking_handler"
LINE = blocking_handler.__code__.co_firstlineno + 2


def test_a_loop_that_is_on_time_is_measured_and_not_reported(
    watched: Watched, runner: asyncio.Runner
) -> None:
    """Heartbeats alone make no event, and a good loop is milliseconds late."""

    async def main() -> None:
        watched.watch.attach()
        await watched.beats(3)

    runner.run(main())
    assert watched.lag.count >= 3
    assert watched.lag.attributes == {}
    assert watched.lag.min < 0.05
    assert watched.events == []


def test_the_blocking_frame_and_its_trace_are_named_once(
    watched: Watched, runner: asyncio.Runner
) -> None:
    """One event for a block: where, in which trace, and nothing of what was there."""

    async def main() -> int:
        watched.watch.attach()
        await watched.beats()
        with tracer.start_as_current_span("request") as span:
            await asyncio.create_task(blocking_handler("Alice's secret"))
        await watched.beats()
        return span.get_span_context().trace_id

    trace_id = runner.run(main())
    [event] = watched.events
    assert (event.event_name, event.severity_text) == ("bear.asyncio.blocked", "WARN")
    assert event.attributes == {
        "code.function.name": NAME,
        "code.file.path": "test_event_loop.py",
        "code.line.number": LINE,
        "code.stacktrace": f'File "test_event_loop.py", line {LINE}, in {NAME}',
    }
    assert event.body == f"The event loop is blocked by {NAME}"
    assert event.trace_id == trace_id
    assert watched.lag.max > BLOCK_SECONDS - 0.15


def test_each_block_is_reported(watched: Watched, runner: asyncio.Runner) -> None:
    """A second block is a second event, also from a plain callback, which has no trace."""

    def callback() -> None:
        time.sleep(BLOCK_SECONDS)

    async def main() -> None:
        watched.watch.attach()
        await watched.beats()
        await blocking_handler("")
        await watched.beats()
        asyncio.get_running_loop().call_soon(callback)
        await watched.beats()

    runner.run(main())
    names = [event.attributes["code.function.name"] for event in watched.events]
    assert names == [
        NAME,
        f"{__name__}.test_each_block_is_reported.<locals>.callback",
    ]
    assert [event.trace_id for event in watched.events] == [0, 0]


def test_the_applications_frame_is_named_before_the_librarys(
    watched: Watched, runner: asyncio.Runner
) -> None:
    """Who waits in the standard library learns its own line; the stack tells the rest."""

    async def wait_in_a_library() -> None:
        threading.Event().wait(BLOCK_SECONDS)

    async def main() -> None:
        watched.watch.attach()
        await watched.beats()
        await wait_in_a_library()
        await watched.beats()

    runner.run(main())
    [event] = watched.events
    assert event.attributes["code.function.name"].endswith("wait_in_a_library")
    stack = event.attributes["code.stacktrace"].splitlines()
    assert [line.split(" in ")[1].rsplit(".", 1)[1] for line in stack] == [
        "main",
        "wait_in_a_library",
        "wait",
        "wait",
    ]
    assert stack[-1].startswith('File "threading.py", line ')


def seconds_to_count(repetitions: int) -> float:
    """Keep the interpreter lock by one long call."""
    begun = time.perf_counter()
    sum(itertools.repeat(1, repetitions))
    return time.perf_counter() - begun


def test_a_call_that_keeps_the_interpreter_lock_is_named(
    watched: Watched, runner: asyncio.Runner
) -> None:
    """The watchdog cannot run during such a call, and finds its frame right after it."""
    repetitions = int(1_000_000 * 3 * BLOCK_SECONDS / min(map(seconds_to_count, [1_000_000] * 20)))

    async def compute() -> None:
        seconds_to_count(repetitions)

    async def main() -> None:
        watched.watch.attach()
        await watched.beats()
        await compute()
        await watched.beats()

    runner.run(main())
    [event] = watched.events
    assert event.attributes["code.function.name"] == f"{__name__}.seconds_to_count"


def test_a_loop_that_nobody_runs_is_not_late(watched: Watched, runner: asyncio.Runner) -> None:
    """Between two runs there are no heartbeats to be missed."""

    async def attach() -> None:
        watched.watch.attach()
        await watched.beats()

    runner.run(attach())
    time.sleep(BLOCK_SECONDS)
    runner.run(watched.beats())
    assert watched.events == []
    assert watched.lag.max < BLOCK_SECONDS - 0.15


def test_a_heartbeat_belongs_to_no_trace(watched: Watched, runner: asyncio.Runner) -> None:
    """Attaching inside of a request neither keeps its context nor links its trace."""

    async def main() -> None:
        with tracer.start_as_current_span("request"):
            watched.watch.attach()
            await watched.beats()

    runner.run(main())
    assert not watched.lag.exemplars


def test_attaching_again_changes_nothing(watched: Watched, runner: asyncio.Runner) -> None:
    """A loop has one heartbeat and one watchdog."""

    async def main() -> None:
        before = set(watchdogs())
        for _ in range(3):
            watched.watch.attach()
        assert len(set(watchdogs()) - before) == 1

    runner.run(main())


def watchdogs() -> list[threading.Thread]:
    """Return the threads of all watches."""
    return [t for t in threading.enumerate() if t.name == "bear-otel-event-loop"]


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_closed_loop_leaves_nothing_behind(
    watched: Watched, factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """A watch neither keeps a loop running, nor its memory, nor a thread."""

    async def main() -> weakref.ref[asyncio.AbstractEventLoop]:
        watched.watch.attach()
        return weakref.ref(asyncio.get_running_loop())

    before = set(watchdogs())
    with asyncio.Runner(loop_factory=factory) as runner:
        loop = runner.run(main())
    del runner
    assert eventually(lambda: set(watchdogs()) <= before)
    gc.collect()
    assert loop() is None


def test_a_stopped_watch_ends(watched: Watched, runner: asyncio.Runner) -> None:
    """After `stop` nothing is recorded, and no thread remains."""

    async def main() -> None:
        before = set(watchdogs())
        watched.watch.attach()
        await watched.beats()
        watched.watch.stop()
        count = watched.lag.count
        await blocking_handler("")
        await asyncio.sleep(0.05)
        assert watched.lag.count == count
        assert eventually(lambda: set(watchdogs()) <= before)

    runner.run(main())
    assert watched.events == []


def test_without_a_loop_it_is_an_error_of_the_caller(watched: Watched) -> None:
    """Only code that a loop runs can attach it."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        watched.watch.attach()


def test_a_forked_child_watches_its_own_loop(watched: Watched, runner: asyncio.Runner) -> None:
    """The threads of the parent do not exist in the child, which starts its own."""

    async def main(block: bool) -> None:
        watched.watch.attach()
        await watched.beats()
        if block:
            await blocking_handler("")
            await watched.beats()

    runner.run(main(block=False))
    child = os.fork()
    if child == 0:
        outcome = 1
        try:
            asyncio.run(main(block=True))
            outcome = 0 if len(watched.events) == 1 else 2
        finally:
            os._exit(outcome)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert watched.events == []


IDLE = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import uvloop
from test_event_loop import Watched
async def main():
    watched = Watched()
    watched.watch.attach()
    await watched.beats()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await watched.beats()
    print(watched.lag.max > 0.3, len(watched.events), flush=True)
factory = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[sys.argv[2]]
with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
"""


@pytest.mark.server
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_process_that_was_suspended_blames_no_code(loop: str) -> None:
    """An idle loop that was stopped from outside was late, and nothing blocked it."""
    process = subprocess.Popen(
        [sys.executable, "-c", IDLE, os.path.dirname(__file__), loop],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGSTOP)
    time.sleep(BLOCK_SECONDS)
    process.send_signal(signal.SIGCONT)
    answer, _ = process.communicate("\n")
    assert answer == "True 0\n"
