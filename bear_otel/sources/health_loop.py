"""Run what an asynchronous check returns on an event loop of another thread."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable

_POLL_SECONDS = 0.5


class NoLoopError(Exception):
    """There is no event loop that runs, so that nothing can be said about the check."""


class LoopCall:
    """One awaitable on an event loop, and a thread that waits for it.

    `asyncio.run_coroutine_threadsafe` gives up its task when it is cancelled; a check that ignores
    its cancellation would then be started again and again.

    Args:
        awaitable: What the check returned.
        loop: A loop that another thread runs.

    Raises:
        NoLoopError: The loop is closed.
    """

    def __init__(self, awaitable: Awaitable[Any], loop: AbstractEventLoop) -> None:
        self._awaitable = awaitable
        self._loop = loop
        self._ended = threading.Event()
        self._task: asyncio.Task[Any] | None = None
        try:
            # With the context of this thread, in which instrumentation is suppressed.
            loop.call_soon_threadsafe(self._begin)
        except RuntimeError:
            discard(awaitable)
            raise NoLoopError from None

    def wait(self) -> Any:
        """Return the result once it is there, however long that takes.

        Raises:
            NoLoopError: The loop ended before.
            asyncio.CancelledError: It was cancelled.
            Exception: What the check raised.
        """
        while not self._ended.wait(_POLL_SECONDS):
            if not self._loop.is_running():
                raise NoLoopError
        discard(self._awaitable)  # if it was cancelled before it began
        assert self._task is not None
        return self._task.result()

    def cancel(self) -> None:
        """Ask it to end; return at once."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._cancel)

    # On the loop, in the order in which they were asked for.

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._finish())
        self._task.add_done_callback(lambda _: self._ended.set())

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _finish(self) -> Any:
        return await self._awaitable


def start_loop() -> AbstractEventLoop:
    """Return an event loop that a thread of its own runs as long as the process lives."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="bear-otel-health-loop", daemon=True).start()
    return loop


def discard(awaitable: object) -> None:
    """Close a coroutine that nobody will await, so that Python does not warn."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()
