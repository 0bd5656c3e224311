"""Keep bodies that could not be sent on disk, for this process or any later one to send."""

# Files appear whole and disappear whole, so there is nothing to recover after a crash, no owner to
# outlive, and no open file that a fork could share but the one being sent. Who sends or deletes a
# file locks it meanwhile, so that all workers of a service can empty one folder together.

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from bear_otel.pipeline import spool_files
from bear_otel.pipeline.debugging import tell
from bear_otel.pipeline.forking import reset_in_child
from bear_otel.pipeline.losses import UNITS, megabytes

if TYPE_CHECKING:
    from pathlib import Path

    from bear_otel.pipeline.losses import Losses, Signal
    from bear_otel.pipeline.spool_files import Entry, Lease

# How often to look for what other processes have left.
_LOOK_SECONDS: Final = 60.0
_SWEEP_SECONDS: Final = 3600.0
# A process that fills the folder looks at what others have put in after this part of the cap, and
# each may exceed the cap by as much. A look reads all files: about so many for each one written.
_BLIND_SHARE: Final = 256

_Reason = Literal["spool_full", "expired", "corrupt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolOptions:
    """Where and how much to keep.

    Attributes:
        directory: Holds a folder for each signal, service and endpoint.
        max_bytes: Most bytes in one of these folders.
        max_age_seconds: What is older is deleted.
        service: Whose data it is.
    """

    directory: Path
    max_bytes: int
    max_age_seconds: float
    service: str = ""


class Spool:
    """The waiting bodies of one signal for one endpoint. Not thread-safe.

    Nothing is opened or created before the first `append`; a healthy process only looks once a
    minute whether the folder exists. No error leaves it: trouble is said and counted.

    Args:
        options: Where and how much.
        signal: What the bodies hold.
        endpoint: Full URL that they are for.
        losses: Counts what is given up.
    """

    def __init__(
        self, options: SpoolOptions, *, signal: Signal, endpoint: str, losses: Losses
    ) -> None:
        self._options = options
        self._signal: Signal = signal
        self._losses = losses
        losses.set_spool(signal, options.max_bytes)
        name = spool_files.name_folder(signal, options.service, endpoint)
        self.path = options.directory / name
        self._day_offset = time.time() - time.monotonic()
        self._leased: set[int] = set()
        self._reset()
        reset_in_child(self._reset)

    def _reset(self) -> None:
        # Without a close, the parent's lock would live as long as its child.
        for descriptor in self._leased:
            with suppress(OSError):
                os.close(descriptor)
        self._leased = set()
        self._waiting: deque[Entry] = deque()
        self._used_bytes = self._blind_bytes = 0
        self._look_at = self._sweep_at = 0.0

    def append(self, body: bytes, items: int, why: str = "they were not taken") -> bool:
        """Keep a body; return False, and say why, where that is impossible.

        Args:
            body: As it is sent.
            items: How many items it holds.
            why: Why it is not sent, for those who debug.
        """
        try:
            spool_files.create_folder(self.path)
            self._make_room(spool_files.measure(body))
            entry = spool_files.write_entry(self.path, body, items)
        except OSError as error:
            self._say_unusable(error)
            return False
        self._waiting.append(entry)
        self._used_bytes += entry.size
        self._blind_bytes += entry.size
        self._tell(entry, f"to disk, {why}")
        return True

    def take_newest(self) -> Lease | None:
        """Lock what has just been appended."""
        return self._lock(self._pop(newest=True))

    def take_oldest(self) -> tuple[Lease, bytes] | None:
        """Lock the oldest body that can be had; `remove` or `put_back` it."""
        self._look_if_due()
        while self._waiting:
            entry = self._pop()
            if self._is_expired(entry):
                self._give_up(entry, "expired")
            elif (lease := self._lock(entry)) is not None:
                if (body := spool_files.read_body(lease)) is not None:
                    self._tell(entry, "from disk")
                    return lease, body
                self._give_up_locked(lease, "corrupt")
        return None

    def look_soon(self) -> None:
        """Look for what others have left, and what was set aside, when nothing else waits."""
        self._look_at = 0.0

    def is_waiting(self) -> bool:
        """Return whether there is something to send, as far as known."""
        self._look_if_due()
        return bool(self._waiting)

    def remove(self, lease: Lease) -> None:
        """Delete a file that has been delivered."""
        spool_files.delete_entry(lease)
        self._close(lease)

    def put_back(self, lease: Lease, *, last: bool = False) -> None:
        """Let a body wait on, as the next one to send or as the last."""
        self.set_aside(lease)
        if last:
            self._waiting.append(lease.entry)
        else:
            self._waiting.appendleft(lease.entry)

    def set_aside(self, lease: Lease) -> None:
        """Let a body wait until we look for what others have left."""
        self._close(lease)
        self._used_bytes += lease.entry.size
        self._tell(lease.entry, "stay on disk")

    def restore_order(self) -> None:
        """Make the oldest the next one again."""
        self._waiting = deque(sorted(self._waiting))

    def _make_room(self, size: int) -> None:
        cap = self._options.max_bytes
        if not self._look_at or self._blind_bytes > cap // _BLIND_SHARE:
            self._look()
        if self._used_bytes + size > cap:
            self.restore_order()
        while self._used_bytes + size > cap:
            # A batch that can never fit must not drive out all the others.
            if not self._waiting or size > cap:
                message = f"{megabytes(size)} more do not fit into {megabytes(cap)}"
                raise OSError(message)
            self._give_up(self._pop(), "spool_full")

    def _look_if_due(self) -> None:
        if not self._waiting and time.monotonic() >= self._look_at:
            self._look()

    def _look(self) -> None:
        """See what there is, also from other processes; nothing waits if it cannot be seen."""
        now = time.monotonic()
        self._look_at = now + _LOOK_SECONDS
        self._waiting.clear()
        self._used_bytes = self._blind_bytes = 0
        try:
            spool_files.check_folder(self.path.parent, forbidden=0o022)
            if now >= self._sweep_at:
                self._sweep_at = now + _SWEEP_SECONDS
                self._sweep()
            self._waiting.extend(sorted(self._list(self.path)))
        except FileNotFoundError:
            return
        except OSError as error:
            self._say_unusable(error)
        self._used_bytes = sum(entry.size for entry in self._waiting)

    def _list(self, folder: Path) -> list[Entry]:
        """Return what waits in a folder, without what is too old or was never finished."""
        spool_files.check_folder(folder)
        entries = []
        for entry, finished in spool_files.list_entries(folder):
            if self._is_expired(entry):
                self._give_up(entry, "expired")
            elif finished:
                entries.append(entry)
        return entries

    def _sweep(self) -> None:
        """Delete what is too old in folders of endpoints and services that are no more."""
        for folder in self.path.parent.glob(f"{self._signal}-*"):
            with suppress(OSError):
                self._list(folder)

    def _is_expired(self, entry: Entry) -> bool:
        # Two clocks have to agree, since one jumps when it is set: that of the day, and what it
        # would be had nobody set it since this process started.
        now = min(time.time(), self._day_offset + time.monotonic())
        return now - entry.created_ns / 1e9 > self._options.max_age_seconds

    def _pop(self, *, newest: bool = False) -> Entry:
        entry = self._waiting.pop() if newest else self._waiting.popleft()
        self._used_bytes -= entry.size
        return entry

    def _lock(self, entry: Entry) -> Lease | None:
        try:
            lease = spool_files.lock_entry(entry)
        except OSError as error:
            self._say_unusable(error)
            return None
        if lease is not None:
            self._leased.add(lease.descriptor)
        return lease

    def _close(self, lease: Lease) -> None:
        self._leased.discard(lease.descriptor)
        os.close(lease.descriptor)

    def _give_up(self, entry: Entry, reason: _Reason) -> None:
        lease = self._lock(entry)
        if lease is not None:
            self._give_up_locked(lease, reason)

    def _give_up_locked(self, lease: Lease, reason: _Reason) -> None:
        # Nothing is lost with an empty file: it was delivered, and could not be deleted.
        lost = lease.entry.items if os.fstat(lease.descriptor).st_size else 0
        self.remove(lease)
        if not lost:
            return
        self._losses.add(self._signal, reason, lost)
        hours = self._options.max_age_seconds / 3600
        why = {
            "spool_full": f"the spool has {megabytes(self._options.max_bytes)}; the oldest in it "
            "give way",
            "expired": f"what waited in the spool for more than {hours:g} h is deleted",
            "corrupt": f"a damaged file in the spool {self.path} is deleted",
        }[reason]
        self._losses.say_trouble(self._signal, reason, reason, why)

    def _tell(self, entry: Entry, what: str) -> None:
        words = (self._signal, entry.items, UNITS[self._signal], what, self._used_bytes)
        tell("%s: %d %s %s; %d bytes there", *words)

    def _say_unusable(self, error: OSError) -> None:
        where = error.filename or self._options.directory
        why = f"{where}: {error.strerror}" if error.strerror else str(error)
        self._losses.say_trouble(
            self._signal,
            "spool",
            "unusable",
            f"cannot use the spool: {why}; {self._losses.describe_memory(self._signal)}; "
            "name another folder in BEAR_OTEL_SPOOL_DIRECTORY",
        )
