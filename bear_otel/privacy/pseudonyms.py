"""Turn a personal value into a keyed pseudonym that dies with its period's key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import unicodedata
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_S = 86_400


class KeySource(Protocol):
    """Where period keys come from: random, one a period, the same for all who share the source."""

    def key(self, period: int) -> bytes | None:
        """Return the key of a period, or None once it was destroyed."""
        ...


class ProcessKeys:
    """Random keys that live and die with this process: counts do not join across workers."""

    def __init__(self) -> None:
        self._keys: dict[int, bytes] = {}

    def key(self, period: int) -> bytes | None:
        if period not in self._keys:
            self._keys = {period: secrets.token_bytes(32)}
        return self._keys[period]


class Pseudonymizer:
    """Names a person without knowing them: HMAC-SHA256 under the key of the running period.

    Args:
        keys: Where the period keys come from; random for this process when left out.
        period_s: Length of a period in seconds; a person gets a new pseudonym in each.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        keys: KeySource | None = None,
        *,
        period_s: int = DAY_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys or ProcessKeys()
        self._period_s = period_s
        self._clock = clock

    def pseudonym(self, kind: str, value: str) -> str:
        """Return the pseudonym of a value, such as `ps1.20781.` and 20 letters (96 bits)."""
        period = int(self._clock() // self._period_s)
        return self.pseudonym_in(period, kind, value)

    def pseudonym_in(self, period: int, kind: str, value: str) -> str:
        """Return the pseudonym that a value had in a period.

        Raises:
            LookupError: The key of the period is gone, and the link to the person with it.
        """
        key = self._keys.key(period)
        if key is None:
            msg = f"the key of period {period} was destroyed"
            raise LookupError(msg)
        text = unicodedata.normalize("NFC", value).strip().casefold()
        message = f"{kind}\x1f{text}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(key, message, hashlib.sha256)[:12]
        return f"ps1.{period}.{base64.b32encode(digest).decode().rstrip('=').lower()}"
