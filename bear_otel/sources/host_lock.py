"""Agree with the other processes of a host on the one that reports it."""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_logger = logging.getLogger("bear_otel")


class HostLock:
    """A lock that one process holds until it ends.

    A record lock (`lockf`), not `flock`: it belongs to the process and not to the open file, so a
    forked child does not inherit it, nor keep it from being released when its parent ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._said = False

    def holds(self) -> bool:
        """Return whether this process has the lock, taking it if it is free."""
        # To ask for a lock that one holds succeeds, so there is no state that could be wrong.
        try:
            descriptor = self._open()
            with suppress(BlockingIOError):  # Another process has it.
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        except OSError as error:
            if not self._said:
                _logger.warning(
                    "Host metrics are off: cannot lock %s: %s", self._path, error.strerror
                )
            self._said = True
        return False

    def _open(self) -> int:
        if self._descriptor is not None and not self._is_in_place(self._descriptor):
            os.close(self._descriptor)
            self._descriptor = None
        if self._descriptor is None:
            # The directory may be open to everybody: follow no link that waits there.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        return self._descriptor

    def _is_in_place(self, descriptor: int) -> bool:
        """Return whether others would meet this file; a clean-up may have deleted it."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(descriptor))
        except FileNotFoundError:
            return False
