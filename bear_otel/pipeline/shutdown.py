"""Flush what is buffered when a process ends, however it ends, under one deadline."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook, wrap_function_wrapper

from bear_otel.pipeline.forking import reset_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    Flush = Callable[[float], object]


class Flusher:
    """Runs the flushes of all signals; all its runs share one budget of time.

    A worker flushes when its application shuts down, again when the signal reaches it, and again
    at exit: with a collector that does not answer, each would wait. So the time is counted over
    all of them, and what is left at the last one may be nothing.

    Args:
        flush_all: Flushes within the seconds that it is given.
        budget_seconds: Time for all runs in the life of this process.
    """

    def __init__(self, flush_all: Flush, budget_seconds: float) -> None:
        self._flush_all = flush_all
        self._budget_seconds = budget_seconds
        self._reset()
        reset_in_child(self._reset)

    def _reset(self) -> None:
        self._left_seconds = self._budget_seconds
        # When the budget of the runs under way is used up.
        self._deadline: float | None = None

    def limit(self, seconds: float) -> None:
        """Leave no more than this of the budget; a forked child has all of it again.

        A supervisor waits for its workers and flushes after them, so that their times add up.
        """
        self._left_seconds = min(self._left_seconds, seconds)

    def flush(self) -> None:
        """Flush all signals within what is left of the budget.

        In threads, with a deadline: the caller may be a signal handler that interrupted somebody
        who holds a lock which the flush needs, and exporters of others know no deadline. Without a
        lock here: it may have interrupted this very function, and the process will not go on.
        """
        now = time.monotonic()
        outermost = self._deadline is None
        deadline = self._deadline = self._deadline or now + self._left_seconds
        if deadline > now:
            self._flush_all(deadline - now)
        if outermost:
            self._left_seconds = max(0.0, deadline - time.monotonic())
            self._deadline = None


def flush_at_exit(flusher: Flusher, close: Callable[[], None]) -> None:
    """Flush at the end of the process, at SIGTERM, and when an ASGI application shuts down.

    Args:
        flusher: Holds the budget.
        close: Ends the providers after the last flush.
    """

    def finish() -> None:
        flusher.flush()
        close()
        _keep_interrupt()

    atexit.register(finish)
    _flush_on_sigterm(flusher)
    register_post_import_hook(
        functools.partial(_wrap_lifespan, flusher=flusher), "starlette.routing"
    )
    register_post_import_hook(
        functools.partial(_finalize_children, flusher=flusher), "multiprocessing.util"
    )


def _flush_on_sigterm(flusher: Flusher) -> None:
    """Flush where SIGTERM would end the process at once; another handler is left alone.

    Servers put their own handler in and ours back when they are done: uvicorn then raises the
    signal once more, and comes here.
    """
    if not _is_main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def flush_and_die(signum: int, _: FrameType | None) -> None:
        flusher.flush()
        # The default action, so that whoever waits for us sees what it would have seen.
        signal.signal(signum, signal.SIG_DFL)
        signal.raise_signal(signum)

    signal.signal(signal.SIGTERM, flush_and_die)


def _wrap_lifespan(routing: Any, *, flusher: Flusher) -> None:
    """Flush before Starlette or FastAPI tells the server that it has shut down.

    This is the one moment that uvicorn, gunicorn, hypercorn and granian all wait for, in every
    worker. It costs nothing on a request: servers call it once in the life of a worker.
    """

    async def lifespan(wrapped: Any, _: Any, args: Any, kwargs: Any) -> None:
        scope, receive, send = _bind_asgi(*args, **kwargs)

        async def flush_and_send(message: Any) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                with contextlib.suppress(Exception):  # the server must hear the message
                    await asyncio.to_thread(flusher.flush)
            await send(message)

        await wrapped(scope, receive, flush_and_send)

    wrap_function_wrapper(routing, "Router.lifespan", lifespan)


def _finalize_children(util: Any, *, flusher: Flusher) -> None:
    """Flush in forked `multiprocessing` children, which end without `atexit`."""

    def register(_: Flusher) -> None:
        # Late, so that what the child's own finalizers log is flushed, too.
        util.Finalize(None, flusher.flush, exitpriority=-100)

    # Their list of finalizers is emptied after the fork, so it must be put there in the child.
    util.register_after_fork(flusher, register)


def _keep_interrupt() -> None:
    """Let the exit code still tell of the Ctrl-C that has ended the program.

    CPython notes it in a flag, out of reach, and forgets it when anything is compiled from text
    and run. Modules that are imported during the flush may do so (`namedtuple` does).
    """
    if getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1"):
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102 - the one way to set that flag


def _bind_asgi(scope: Any, receive: Any, send: Any) -> tuple[Any, Any, Any]:
    return scope, receive, send


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def flush_all(records: Sequence[Flush], metrics: Flush, seconds: float) -> None:
    """Flush in threads, and wait no longer than `seconds`.

    What was withheld from records, and which of them could not be sent, is known when they have
    gone, and metrics count it: so metrics wait for records, though no longer than half of the time.

    Args:
        records: Flushes that run at once.
        metrics: Flush that waits for them.
        seconds: Longest wait.
    """
    now = time.monotonic()
    stages = ((records, now + seconds / 2), ((metrics,), now + seconds))
    threads: list[threading.Thread] = []
    for flushes, until in stages:
        for flush in flushes:
            left = max(0.0, now + seconds - time.monotonic())
            thread = threading.Thread(target=_run_quietly, args=(flush, left), daemon=True)
            try:
                thread.start()
            except RuntimeError:  # some versions of CPython start none while the interpreter ends
                _run_quietly(flush, left)
            else:
                threads.append(thread)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


def _run_quietly(flush: Flush, seconds: float) -> None:
    with contextlib.suppress(Exception):  # the other signals have to be flushed, whatever failed
        flush(seconds)
