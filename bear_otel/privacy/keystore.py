"""Keep the pseudonyms' keys in one file that workers and hosts share, and destroy them in time."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import secrets
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from bear_otel.privacy.pseudonyms import Period

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class KeyFile:
    """Random keys in a file that only its owner may read; a source for `Pseudonymizer`.

    A key is made when its period is first asked for, and destroyed when `kept_periods` further
    periods of the same length have begun. Every process that shares the file reads the same keys.

    Args:
        path: The file; made with mode 0600 when it is not there. A lock file stands beside it.
        kept_periods: Past periods whose pseudonyms can still be searched for.
        destroyed: Called with each destroyed period, so that the destruction can be logged.

    Raises:
        ValueError: The file may be read by others, or holds something else.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        kept_periods: int = 1,
        destroyed: Callable[[Period], None] | None = None,
    ) -> None:
        self._path = Path(path)
        self._kept = kept_periods
        self._destroyed = destroyed
        self._known: dict[Period, bytes] = {}
        self._lock = threading.Lock()
        self._load()

    def key(self, period: Period) -> bytes:
        """Return the key of the running period.

        Raises:
            OSError: The file cannot be read or written.
            ValueError: The file may be read by others, or holds something else.
        """
        known = self._known.get(period)
        return known if known is not None else self._create(period)

    def living(self) -> Mapping[Period, bytes]:
        """Return the keys in the file."""
        return self._load()

    def destroy(self, *, before: int) -> list[Period]:
        """Destroy all keys whose period began before a day, counted from 1970-01-01 (UTC)."""
        with self._lock, self._alone():
            keys = self._load()
            gone = [period for period in keys if period.start < before]
            self._store({p: k for p, k in keys.items() if p not in gone})
        self._tell(gone)
        return gone

    def _create(self, period: Period) -> bytes:
        with self._lock, self._alone():
            keys = self._load()
            oldest = period.start - self._kept * period.days
            gone = [p for p in keys if p.days == period.days and p.start < oldest]
            if period not in keys or gone:
                keys.setdefault(period, secrets.token_bytes(32))
                self._store({p: k for p, k in keys.items() if p not in gone})
            self._known = {p: k for p, k in keys.items() if p not in gone}
        self._tell(gone)
        return self._known[period]

    def _tell(self, gone: list[Period]) -> None:
        for period in gone:
            self._known.pop(period, None)
            if self._destroyed is not None:
                self._destroyed(period)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock that all processes share; it goes with the process."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _load(self) -> dict[Period, bytes]:
        try:
            with self._path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read()
        except FileNotFoundError:
            return {}
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            msg = f"{self._path}: others may read the keys; run chmod 600"
            raise ValueError(msg)
        try:
            listed: dict[str, str] = json.loads(content)["keys"]
            return {
                Period(*map(int, name.split("-"))): base64.b64decode(key, validate=True)
                for name, key in listed.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            msg = f"{self._path}: not a key file"
            raise ValueError(msg) from None

    def _store(self, keys: Mapping[Period, bytes]) -> None:
        """Put the keys in place at once; a reader sees the old file or the new one."""
        listed = {f"{p.days}-{p.start}": base64.b64encode(k).decode() for p, k in keys.items()}
        name = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                json.dump({"version": 1, "keys": listed}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            name.replace(self._path)
        except BaseException:
            name.unlink(missing_ok=True)
            raise
