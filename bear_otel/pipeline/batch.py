"""Hand items over in batches, from one background thread and without ever blocking the giver."""

# The SDK's own batch processors are not used because their `force_flush` has no deadline
# (https://github.com/open-telemetry/opentelemetry-python/issues/4568), a failed batch is gone,
# and drops are logged one by one without a counter to read.

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

from opentelemetry.instrumentation.utils import suppress_instrumentation

from bear_otel.pipeline.forking import reset_in_child
from bear_otel.pipeline.losses import UNITS, logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from bear_otel.pipeline.losses import Losses, Signal

T = TypeVar("T")


class _Command(Enum):
    WAKE = auto()  # A full batch is waiting.
    STOP = auto()  # End.


class _Flush:
    """Ask the thread to export all that is queued now, until the deadline."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.finished = threading.Event()
        self.drained = False


class Batcher(Generic[T]):
    """A bounded queue with one daemon thread behind it.

    `put` takes no lock: it may run in a signal handler, or be interrupted by one that flushes.
    The oldest items give way when the queue is full. A forked child starts with an empty queue,
    because the parent still has the items.

    Args:
        export: Takes a batch; returns None when done with it, whatever became of it, or the
            number of seconds after which the same items should be offered again.
        signal: Names the thread and the losses.
        losses: Counts what does not get through.
        capacity: Most items that wait.
        batch_size: Most items in one batch; that many waiting items start an export at once.
        delay_seconds: Longest time that an item waits for its batch to fill.
        forward: Called between batches, to send one of those that wait elsewhere: `eager` at the
            begin of a flush, with `patience_seconds` at its end. Returns the seconds after which
            it wants to be called again, or None.
    """

    def __init__(
        self,
        export: Callable[[list[T]], float | None],
        *,
        signal: Signal,
        losses: Losses,
        capacity: int = 2048,
        batch_size: int = 512,
        delay_seconds: float = 5.0,
        forward: Callable[..., float | None] | None = None,
    ) -> None:
        if capacity < 1 or batch_size < 1 or delay_seconds <= 0:
            raise ValueError("capacity, batch_size and delay_seconds must be positive")
        self._export = export
        self._signal: Signal = signal
        self._losses = losses
        self._capacity = capacity
        self._batch_size = min(batch_size, capacity)
        self._delay_seconds = delay_seconds
        self._forward = forward
        self._stopped = False
        self._flowed = False
        losses.set_capacity(signal, capacity)
        self._reset()
        reset_in_child(self._reset)

    def _reset(self) -> None:
        self._start_lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._commands: SimpleQueue[_Command | _Flush] = SimpleQueue()
        self._awake = False
        # Items are numbered, so that the thread sees from the gaps how many gave way.
        self._numbers = itertools.count(1)
        self._queue: deque[tuple[int, T]] = deque(maxlen=self._capacity)
        self._highest = self._taken = self._dropped = 0

    def put(self, item: T) -> None:
        """Queue an item; never blocks, never raises."""
        if self._thread is None and not self._start():
            self._losses.add(self._signal, "shutdown", 1)
            return
        queue = self._queue
        queue.append((next(self._numbers), item))
        if len(queue) >= self._batch_size and not self._awake:
            self._awake = True
            self._commands.put(_Command.WAKE)

    def flush(self, deadline_seconds: float) -> bool:
        """Export everything queued so far.

        Args:
            deadline_seconds: Longest time to wait.

        Returns:
            Whether all of it was handed over in time.
        """
        if self._thread is None:
            return not self._queue
        request = _Flush(time.monotonic() + deadline_seconds)
        self._commands.put(request)
        return request.finished.wait(deadline_seconds) and request.drained

    def stop(self, deadline_seconds: float, interrupt: Callable[[], None]) -> bool:
        """Flush, then end the thread; whatever is put or left after that is counted as lost.

        Args:
            deadline_seconds: Longest time to take.
            interrupt: Ends an export that is still running then; must return at once.

        Returns:
            Whether everything was handed over in time.
        """
        if self._stopped:
            return not self._queue
        deadline = time.monotonic() + deadline_seconds
        self._stopped = True
        drained = self.flush(deadline_seconds)
        thread, self._thread = self._thread, None
        interrupt()
        if thread is not None:
            self._commands.put(_Command.STOP)
            thread.join(max(0.0, deadline - time.monotonic()))
        self._discard()
        return drained

    def _start(self) -> bool:
        with self._start_lock:
            if self._stopped:
                return False
            if self._thread is None:
                thread = threading.Thread(
                    target=self._run, name=f"bear-otel-{self._signal}", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError:  # No new thread while the interpreter goes down.
                    return False
                self._thread = thread
        return True

    def _run(self) -> None:
        commands = self._commands
        with suppress_instrumentation():
            due = time.monotonic() + self._delay_seconds
            while True:
                wish = self._forward_one()
                pause = max(0.0, due - time.monotonic())
                try:
                    command = commands.get(timeout=pause if wish is None else min(pause, wish))
                except Empty:
                    command = None
                if command is _Command.STOP:
                    break
                if isinstance(command, _Flush):
                    command.drained = self._drain(command.deadline)
                    command.finished.set()
                    due = time.monotonic() + self._delay_seconds
                elif command is _Command.WAKE or time.monotonic() >= due:
                    due = time.monotonic() + self._export_due(everything=command is None)
        self._discard()

    def _forward_one(self, *, eager: bool = False, patience_seconds: float = 0.0) -> float | None:
        if self._forward is None:
            return None
        try:
            return self._forward(eager=eager, patience_seconds=patience_seconds)
        except Exception:  # noqa: BLE001 - a foreign exporter; the thread must live on
            return self._delay_seconds

    def _export_due(self, *, everything: bool) -> float:
        """Export what is due; return the seconds until the next look."""
        self._awake = False
        # What comes in meanwhile waits for others, else each record of a busy service would be
        # a request of its own.
        left = len(self._queue) if everything else 0
        while len(self._queue) >= (1 if left > 0 else self._batch_size):
            left -= self._batch_size
            retry_seconds = self._export_batch()
            if retry_seconds is not None:
                # Full batches wake nobody before the retry.
                self._awake = True
                return retry_seconds
        return self._delay_seconds

    def _drain(self, deadline: float) -> bool:
        """Export what is queued now; False when the deadline comes first."""
        self._awake = False
        self._forward_one(eager=True)
        remaining = len(self._queue)
        while remaining > 0 and self._queue:
            if time.monotonic() >= deadline:
                return False
            size = min(remaining, self._batch_size)
            retry_seconds = self._export_batch(size)
            if retry_seconds is None:
                remaining -= size
            # Nobody ever answered: most likely nobody is there, and the end need not wait.
            elif not self._flowed or time.monotonic() + retry_seconds >= deadline:
                return False
            else:
                time.sleep(retry_seconds)
        while (left_seconds := deadline - time.monotonic()) > 0:
            # Nearly all: whoever waits for the flush should still hear of it.
            if self._forward_one(patience_seconds=0.9 * left_seconds) != 0:
                break
        return True

    def _export_batch(self, size: int | None = None) -> float | None:
        batch = self._take(size or self._batch_size)
        retry_seconds = None
        try:
            retry_seconds = self._export([item for _, item in batch])
        except Exception:  # noqa: BLE001 - a foreign exporter; the thread must live on
            self._losses.add(self._signal, "export_failed", len(batch))
        if retry_seconds is None:
            self._flowed = True
            if len(self._queue) < self._batch_size:
                self._losses.say_recovered(self._signal, "queue")
        else:
            self._put_back(batch)
        return retry_seconds

    def _take(self, size: int) -> list[tuple[int, T]]:
        batch: list[tuple[int, T]] = []
        try:
            while len(batch) < size:
                batch.append(self._queue.popleft())
        except IndexError:
            pass
        self._taken += len(batch)
        self._highest = max(self._highest, max((number for number, _ in batch), default=0))
        gave_way = self._highest - self._taken - self._dropped
        if gave_way > 0:
            self._dropped += gave_way
            self._count_full(gave_way)
        return batch

    def _put_back(self, batch: list[tuple[int, T]]) -> None:
        room = self._capacity - len(self._queue)
        kept = batch[len(batch) - min(room, len(batch)) :]
        self._queue.extendleft(reversed(kept))
        self._taken -= len(kept)
        if len(kept) < len(batch):
            self._count_full(len(batch) - len(kept))

    def _count_full(self, count: int) -> None:
        self._losses.say_trouble(
            self._signal,
            "queue",
            "full",
            f"the queue of {self._capacity} {UNITS[self._signal]} is full; the oldest give way",
        )
        self._losses.add(self._signal, "queue_full", count)

    def _discard(self) -> None:
        """Count what nobody will export any more."""
        left = len(self._take(self._capacity))
        if left:
            self._losses.add(self._signal, "shutdown", left)
            unit = UNITS[self._signal]
            logger.warning("%s: %d %s were not sent before the end", self._signal, left, unit)
