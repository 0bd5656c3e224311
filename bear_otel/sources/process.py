"""Measure the process that runs this code: CPU, memory, threads, descriptors, garbage collector."""

from __future__ import annotations

import gc
import os
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
from opentelemetry.metrics import Observation

from bear_otel import catalogue
from bear_otel.sources.reading import FRESH_SECONDS, UNAVAILABLE, create_instruments, observe_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter

    from bear_otel.sources.reading import Instrument, Observe


def measure_process(meter: Meter, *, active: Callable[[], bool]) -> None:
    """Create the `process.*` and `cpython.gc.*` instruments of the current process.

    Args:
        meter: Meter that records them.
        active: Whether this process does any work; a supervisor that only forks reports nothing.
    """
    create_instruments(meter, _INSTRUMENTS, _CurrentProcess().read, active)


class _CurrentProcess:
    """What psutil and the garbage collector say, counted from the start of this very process."""

    def __init__(self) -> None:
        self._cpu_read_at = time.monotonic()
        self._cpu_seconds = {"user": 0.0, "system": 0.0}
        self._shares: dict[str, float] | None = None
        self._gc_before: list[dict[str, int]] = [{} for _ in gc.get_stats()]
        with suppress(*UNAVAILABLE):
            self._cpu_seconds = _by_mode(psutil.Process().cpu_times())
        # Weak, since a fork hook cannot be taken back.
        forked = weakref.WeakMethod(self._forked)
        os.register_at_fork(after_in_child=lambda: (restart := forked()) and restart())

    def _forked(self) -> None:
        """Count anew: a child starts with no CPU time, but with its parent's collector counts."""
        self._cpu_read_at = time.monotonic()
        self._cpu_seconds = {"user": 0.0, "system": 0.0}
        self._shares = None
        self._gc_before = gc.get_stats()

    def read(self) -> dict[str, Any]:
        reading: dict[str, Any] = {"gc": self._read_gc()}
        with suppress(*UNAVAILABLE):
            process = psutil.Process()
            with process.oneshot():
                for name in _PSUTIL_NAMES:
                    with suppress(*UNAVAILABLE):
                        reading[name] = getattr(process, name)()
        if "cpu_times" in reading:
            reading["cpu_utilization"] = self._utilization(_by_mode(reading["cpu_times"]))
        return reading

    def _read_gc(self) -> list[dict[str, int]]:
        return [
            {name: count - before.get(name, 0) for name, count in now.items()}
            for now, before in zip(gc.get_stats(), self._gc_before, strict=True)
        ]

    def _utilization(self, cpu_seconds: dict[str, float]) -> dict[str, float] | None:
        now = time.monotonic()
        elapsed = now - self._cpu_read_at
        if elapsed < FRESH_SECONDS:  # Too early to tell anew.
            return self._shares
        before, self._cpu_seconds, self._cpu_read_at = self._cpu_seconds, cpu_seconds, now
        capacity = elapsed * _available_cpus()
        self._shares = {
            mode: min(1.0, max(0.0, seconds - before[mode]) / capacity)
            for mode, seconds in cpu_seconds.items()
        }
        return self._shares


_PSUTIL_NAMES = (
    "cpu_times",
    "memory_info",
    "num_threads",
    "num_fds",
    "num_ctx_switches",
    "create_time",
)


def _by_mode(cpu_times: Any) -> dict[str, float]:
    return {"user": cpu_times.user, "system": cpu_times.system}


def _available_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _observe_gc(count: str) -> Observe:
    return lambda generations: [
        Observation(stats[count], {"cpython.gc.generation": generation})
        for generation, stats in enumerate(generations)
    ]


_by_cpu_mode = observe_by("cpu.mode")
_by_switch_type = observe_by("process.context_switch.type")

# Each metric, the part of the reading that it shows, and how.
_INSTRUMENTS: tuple[Instrument, ...] = (
    (catalogue.PROCESS_CPU_TIME, "cpu_times", lambda times: _by_cpu_mode(_by_mode(times))),
    (catalogue.PROCESS_CPU_UTILIZATION, "cpu_utilization", _by_cpu_mode),
    (catalogue.PROCESS_MEMORY_USAGE, "memory_info", lambda info: [Observation(info.rss)]),
    (catalogue.PROCESS_MEMORY_VIRTUAL, "memory_info", lambda info: [Observation(info.vms)]),
    (catalogue.PROCESS_THREAD_COUNT, "num_threads", lambda count: [Observation(count)]),
    (catalogue.PROCESS_FILE_DESCRIPTOR_COUNT, "num_fds", lambda count: [Observation(count)]),
    (
        catalogue.PROCESS_CONTEXT_SWITCHES,
        "num_ctx_switches",
        lambda switches: _by_switch_type(switches._asdict()),
    ),
    (
        catalogue.PROCESS_UPTIME,
        "create_time",
        lambda created: [Observation(max(0.0, time.time() - created))],
    ),
    (catalogue.CPYTHON_GC_COLLECTIONS, "gc", _observe_gc("collections")),
    (catalogue.CPYTHON_GC_COLLECTED_OBJECTS, "gc", _observe_gc("collected")),
    (catalogue.CPYTHON_GC_UNCOLLECTABLE_OBJECTS, "gc", _observe_gc("uncollectable")),
)
