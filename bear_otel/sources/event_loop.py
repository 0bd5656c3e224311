"""Measure how late an event loop is, with the code that holds it up by name."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from opentelemetry import context as otel_context
from opentelemetry._logs import SeverityNumber
from opentelemetry.semconv.attributes.code_attributes import (
    CODE_FILE_PATH,
    CODE_FUNCTION_NAME,
    CODE_LINE_NUMBER,
    CODE_STACKTRACE,
)

from bear_otel import catalogue

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from types import CodeType, FrameType

    from opentelemetry._logs import Logger
    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram, Meter

_debug_logger = logging.getLogger("bear_otel")

# What blocks for longer than this is always seen; it costs about 0.2 % of a CPU.
_HEARTBEAT_SECONDS = 0.1
_SHORTEST_WAIT_SECONDS = 0.025
_MOST_FRAMES = 20
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


def watch_event_loop(
    meter: Meter, logger: Logger, *, threshold_seconds: float = 0.25
) -> EventLoopWatch:
    """Return what watches each event loop that is attached to it.

    Args:
        meter: Meter that records `bear.asyncio.loop.lag`.
        logger: Logger that emits `bear.asyncio.blocked`.
        threshold_seconds: Delay from which on the code that causes it is named.
    """
    lag = catalogue.create(meter, catalogue.ASYNCIO_LOOP_LAG)
    return EventLoopWatch(lag, logger, threshold_seconds)


class EventLoopWatch:
    """Watches event loops, without any part in what runs on them."""

    def __init__(self, lag: Histogram, logger: Logger, threshold_seconds: float) -> None:
        self._lag = lag
        self._logger = logger
        self._threshold_seconds = threshold_seconds
        self._heartbeats: WeakKeyDictionary[AbstractEventLoop, _Heartbeat] = WeakKeyDictionary()

    def attach(self) -> None:
        """Watch the loop that runs this very code until it is closed; again does no harm.

        Raises:
            RuntimeError: No loop runs this code.
        """
        loop = asyncio.get_running_loop()
        if loop in self._heartbeats:
            return
        heartbeat = self._heartbeats[loop] = _Heartbeat(self._lag)
        heartbeat.schedule(loop)
        watchdog = _Watchdog(loop, heartbeat, self._logger, self._threshold_seconds)
        threading.Thread(target=watchdog.run, name="bear-otel-event-loop", daemon=True).start()

    def stop(self) -> None:
        """Let all heartbeats and watchdogs end by themselves."""
        for heartbeat in list(self._heartbeats.values()):
            heartbeat.stopped = True
        self._heartbeats.clear()


class _Heartbeat:
    """A timer of the loop that records how late it fires."""

    # Plain attributes, written by one thread and read by the other: a lock could be copied by a
    # fork in its locked state.
    def __init__(self, lag: Histogram) -> None:
        self._lag = lag
        self.due = 0.0  # On the monotonic clock.
        self.thread_id = threading.get_ident()
        self.caller: CodeType | None = None  # The code that calls the callbacks of the loop.
        self.rested = False  # The loop did not run meanwhile.
        self.stopped = False

    def schedule(self, loop: AbstractEventLoop) -> None:
        self.due = time.monotonic() + _HEARTBEAT_SECONDS
        # An empty context, or that of the code that attached would live as long as the loop.
        loop.call_later(_HEARTBEAT_SECONDS, self._beat, context=contextvars.Context())

    def _beat(self) -> None:
        if self.stopped:
            return
        lag = time.monotonic() - self.due
        rested, self.rested = self.rested, False
        self.thread_id = threading.get_ident()
        self.caller = sys._getframe(1).f_code  # noqa: SLF001 - documented in `sys`
        self.schedule(asyncio.get_running_loop())
        if not rested:
            self._lag.record(max(0.0, lag))


class _Watchdog:
    """A thread that looks at the loop's thread when a heartbeat is overdue, and only then."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        heartbeat: _Heartbeat,
        logger: Logger,
        threshold_seconds: float,
    ) -> None:
        self._loop = weakref.ref(loop)
        self._heartbeat = heartbeat
        self._logger = logger
        self._threshold_seconds = threshold_seconds
        self._settled: float | None = None  # The heartbeat that needs no report any more.

    def run(self) -> None:
        try:
            while self._check():
                self._sleep()
        except Exception:  # a watch must never be seen by the application
            _debug_logger.debug("The watch on the event loop ended", exc_info=True)

    def _sleep(self) -> None:
        """Sleep until the heartbeat of this moment would be overdue."""
        begun, cpu = time.monotonic(), time.process_time()
        wait = self._heartbeat.due + self._threshold_seconds - begun
        wait = max(wait, _SHORTEST_WAIT_SECONDS)
        time.sleep(wait)
        late = time.monotonic() - begun - wait
        # Late ourselves: either a call kept the interpreter lock, which takes CPU time, or the
        # whole process stood still (suspended, starved), which is no code's fault.
        if late > _HEARTBEAT_SECONDS and time.process_time() - cpu < late / 20:
            self._settled = self._heartbeat.due

    def _check(self) -> bool:
        """Report the loop if its heartbeat is overdue; return whether to go on."""
        loop = self._loop()
        if loop is None or loop.is_closed() or self._heartbeat.stopped:
            return False
        due = self._heartbeat.due
        if time.monotonic() - due >= self._threshold_seconds and due != self._settled:
            if loop.is_running():
                self._report(loop, due)
            else:  # Nobody runs it just now, so it is not late.
                self._heartbeat.rested = True
        return True

    def _report(self, loop: AbstractEventLoop, due: float) -> None:
        frames = _frames_of_callback(self._heartbeat)
        context = _context_of_task(loop)
        if not frames or due != self._heartbeat.due:  # It waits for events, or has just come back.
            return
        self._settled = due
        # The innermost frame is often deep in a library: whoever called it can do something.
        culprit = next(filter(_is_application, frames), frames[0])
        event = catalogue.ASYNCIO_BLOCKED
        self._logger.emit(
            context=context,
            event_name=event.name,
            severity_number=SeverityNumber[event.severity],
            severity_text=event.severity,
            body=f"The event loop is blocked by {_name(culprit)}",
            attributes={
                CODE_FUNCTION_NAME: _name(culprit),
                CODE_FILE_PATH: _file(culprit),
                CODE_LINE_NUMBER: _line(culprit),
                CODE_STACKTRACE: "\n".join(
                    f'File "{_file(frame)}", line {_line(frame)}, in {_name(frame)}'
                    for frame in reversed(frames[:_MOST_FRAMES])
                ),
            },
        )


def _frames_of_callback(heartbeat: _Heartbeat) -> list[FrameType]:
    """Return the frames of what the loop calls at this moment, innermost first."""
    frame = sys._current_frames().get(heartbeat.thread_id)  # noqa: SLF001 - documented in `sys`
    frames: list[FrameType] = []
    while frame is not None:
        if frame.f_code is heartbeat.caller:
            return frames
        frames.append(frame)
        frame = frame.f_back
    return []  # Nothing is called: the loop waits for events.


def _context_of_task(loop: AbstractEventLoop) -> Context | None:
    """Return OpenTelemetry's context of the task that the loop runs at this moment."""
    task = asyncio.current_task(loop)
    if task is None:
        return None
    if sys.version_info >= (3, 12):
        variables = task.get_context()
    else:  # The task holds it, but does not give it away.
        held = (x for x in gc.get_referents(task) if isinstance(x, contextvars.Context))
        variables = next(held, contextvars.Context())
    return variables.copy().run(otel_context.get_current)  # A copy: this one is in use.


def _is_application(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    return not (
        path.startswith((_STANDARD_LIBRARY, "<frozen"))
        or f"site-packages{os.sep}" in path
        or f"dist-packages{os.sep}" in path
    )


def _name(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"


def _file(frame: FrameType) -> str:
    return os.path.basename(frame.f_code.co_filename)


def _line(frame: FrameType) -> int:
    return frame.f_lineno or frame.f_code.co_firstlineno
