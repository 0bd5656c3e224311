"""Send what is fresh, and let the disk keep what the server does not take."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from bear_otel.pipeline.forking import reset_in_child
from bear_otel.pipeline.sender import Outcome

if TYPE_CHECKING:
    from bear_otel.pipeline.sender import Sender
    from bear_otel.pipeline.spool import Lease, Spool

# What has no answer by then goes to disk, too, and the next ones do not wait for it. Far below a
# sender's timeout, since a kill costs what is not on disk; a server that is only slow is not
# disturbed: its answer still counts.
_PATIENCE_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.1


class SpoolingSender:
    """A sender that loses nothing while its server is away.

    It is in one of three states. *Flowing*: a body is sent at once, and no file is touched.
    *Pausing*, after a failure: fresh bodies go to disk until the server may be asked again; then
    one body asks. *Pending*: a request has had no answer for half a second; it goes on in a thread
    of its own while fresh bodies go to disk.

    Fresh bodies come first: what waits is sent one by one, oldest first, whenever no fresh body is
    due. A body that fails where others get through waits a minute or more for its next turn.

    Args:
        sender: Sends a body and judges the answer.
        spool: Keeps bodies.
        in_order: Never let a body overtake an older one.
    """

    def __init__(self, sender: Sender, spool: Spool, *, in_order: bool = False) -> None:
        self._sender = sender
        self._spool = spool
        self._in_order = in_order
        self._quiet_until = 0.0
        self._flowing = False
        self._reset()
        reset_in_child(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._pending: tuple[_Request, Lease] | None = None

    def send(self, body: bytes, items: int) -> float | None:
        """Send a fresh body, or let it wait on disk.

        Args:
            body: What the sender packed.
            items: How many items it holds.

        Returns:
            None when done with it, or, where the disk does not take it either, the seconds after
            which it should be offered again.
        """
        with self._lock:
            obstacle = self._find_obstacle()
            if not obstacle:
                request = _Request(self._sender, body, items)
                outcome = request.wait(_PATIENCE_SECONDS)
                if outcome is None:
                    kept = self._spool.append(body, items, "there is no answer so far")
                    if kept and (lease := self._spool.take_newest()):
                        self._pending = request, lease
                        return None
                    # Without a disk there is nothing to do but wait; the sender has a timeout.
                    outcome = request.join()
                if self._judge(outcome):
                    return None
                obstacle = "they were not taken"
            return None if self._spool.append(body, items, obstacle) else self._until_next()

    def forward(self, *, eager: bool = False, patience_seconds: float = 0.0) -> float | None:
        """Send the oldest body that waits, if the server may be asked.

        Args:
            eager: Ask it even if it failed a moment ago, and look whether anything waits.
            patience_seconds: How long to wait for a pending request, where the server has ever
                answered one.

        Returns:
            Seconds after which the next call may achieve something, or None if nothing waits.
        """
        with self._lock:
            if self._sender.ever_delivered:
                self._settle(patience_seconds)
            if eager:
                self._quiet_until = 0.0
                self._spool.look_soon()
            if not self._may_send():
                return self._until_next()
            taken = self._spool.take_oldest()
            if taken is None:
                return None
            lease, body = taken
            self._pending = _Request(self._sender, body, lease.entry.items), lease
            self._settle(_PATIENCE_SECONDS)
            return 0.0 if self._flowing and self._pending is None else self._until_next()

    def close(self) -> None:
        """Let go of the body of an aborted request; at once, and from any thread."""
        if self._lock.acquire(timeout=_POLL_SECONDS):
            self._settle(_POLL_SECONDS)
            self._lock.release()

    def _find_obstacle(self) -> str:
        """Return why a fresh body has to wait, or nothing."""
        if not self._may_send():
            pending = self._pending is not None
            return "an earlier request has no answer" if pending else "the server gets a pause"
        older = self._in_order and self._spool.is_waiting()
        return "older ones go first" if older else ""

    def _may_send(self) -> bool:
        self._settle(0.0)
        return self._pending is None and time.monotonic() >= self._quiet_until

    def _until_next(self) -> float:
        return max(_POLL_SECONDS, self._quiet_until - time.monotonic())

    def _settle(self, patience_seconds: float) -> None:
        """Look whether the pending request has an answer."""
        pending = self._pending
        if pending is None:
            return
        request, lease = pending
        outcome = request.wait(patience_seconds)
        if outcome is None:
            return
        self._pending = None
        flowed = self._flowing
        if self._judge(outcome):
            self._spool.remove(lease)
        elif flowed and not self._in_order:
            self._spool.set_aside(lease)
        else:
            # Each body asks in its turn, else one that always fails would hold up all the rest.
            self._spool.put_back(lease, last=not self._in_order)

    def _judge(self, outcome: Outcome) -> bool:
        """Return whether a body is done with; else make a pause."""
        pause_seconds = outcome.retry_seconds
        if pause_seconds is None and not self._flowing:
            self._spool.restore_order()
        self._flowing = pause_seconds is None
        self._quiet_until = time.monotonic() + (pause_seconds or 0.0)
        return self._flowing


class _Request:
    """One body on its way, in a thread, so that whoever waits for it can stop waiting."""

    def __init__(self, sender: Sender, body: bytes, items: int) -> None:
        self._outcome = Outcome(delivered=False, retry_seconds=_POLL_SECONDS)
        self._finished = threading.Event()
        order = (sender, body, items)
        thread = threading.Thread(target=self._run, args=order, name="bear-otel-send", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no new thread while the interpreter goes down
            self._run(*order)

    def _run(self, sender: Sender, body: bytes, items: int) -> None:
        try:
            with suppress_instrumentation():
                self._outcome = sender.send(body, items)
        finally:
            self._finished.set()

    def wait(self, seconds: float) -> Outcome | None:
        """Return what became of the body, or None if that is not known yet."""
        return self._outcome if self._finished.wait(seconds) else None

    def join(self) -> Outcome:
        """Return what became of the body, when that is known."""
        self._finished.wait()
        return self._outcome
