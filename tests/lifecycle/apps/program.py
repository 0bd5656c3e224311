"""A program without a server: it works once, then ends as its argument says."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time

from opentelemetry import metrics, trace

tracer = trace.get_tracer("program")
jobs = metrics.get_meter("program").create_counter("program.jobs")
logger = logging.getLogger("program")


def work(name: str) -> None:
    """Leave one span, one log line and one count."""
    with tracer.start_as_current_span(name, kind=trace.SpanKind.SERVER):
        logger.warning("%s", name)
    jobs.add(1)


def _wait() -> None:
    print("ready", flush=True)
    threading.Event().wait()


def _catch_and_exit() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
    _wait()


def _catch_and_go_on() -> None:
    caught = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: caught.set())
    print("ready", flush=True)
    caught.wait()
    work("after the signal")


def _ignore() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(os.getpid(), signal.SIGTERM)
    work("after the signal")


def _work_in_thread() -> None:
    def work_later() -> None:
        threading.main_thread().join()
        work("after the main thread")

    threading.Thread(target=work_later).start()


async def _wait_in_loop() -> None:
    print("ready", flush=True)
    await asyncio.Event().wait()


def _spin() -> None:
    """Be in the middle of recording whenever the signal comes, perhaps with a lock in hand."""
    print("ready", flush=True)
    while True:
        jobs.add(0)
        with tracer.start_as_current_span("spin"):
            logger.debug("not exported")


def _fail() -> None:
    raise RuntimeError("on purpose")


ENDS = {
    "normal": lambda: print("ready", flush=True),
    "exit": lambda: sys.exit(3),
    "exit-with-text": lambda: sys.exit("a reason"),
    "exception": _fail,
    "thread": _work_in_thread,
    "ignore": _ignore,
    "wait": _wait,
    "sleep": lambda: (print("ready", flush=True), time.sleep(60)),
    "loop": lambda: asyncio.run(_wait_in_loop()),
    "spin": _spin,
    "catch-and-exit": _catch_and_exit,
    "catch-and-go-on": _catch_and_go_on,
}

if __name__ == "__main__":
    work("first")
    ENDS[sys.argv[1]]()
