"""Turn a personal value into a keyed pseudonym that dies with its period's key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bear_otel.privacy.cache import BoundedCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DAY_S: Final = 86_400
# How long a person keeps a pseudonym, in days, by kind; `""` is every other kind. A session is over
# within a day; a user is to be recognised for about a month.
DEFAULT_DAYS: Final[dict[str, int]] = {"session": 1, "": 30}


class Period(NamedTuple):
    """One life of a key.

    Args:
        days: Its length.
        start: Its first day, counted from 1970-01-01 (UTC).
    """

    days: int
    start: int


class KeySource(Protocol):
    """Where keys come from: random, one a period, the same for all who share the source."""

    def key(self, period: Period) -> bytes:
        """Return the key of the running period, made when first asked for."""
        ...

    def living(self) -> Mapping[Period, bytes]:
        """Return the keys that were not destroyed."""
        ...


class ProcessKeys:
    """Keys that live and die with this process: pseudonyms do not join across workers."""

    def __init__(self) -> None:
        self._keys: dict[Period, bytes] = {}

    def key(self, period: Period) -> bytes:
        """Return the key of the running period; the one before is forgotten."""
        if period not in self._keys:
            kept = {p: k for p, k in self._keys.items() if p.days != period.days}
            self._keys = {**kept, period: secrets.token_bytes(32)}
        return self._keys[period]

    def living(self) -> Mapping[Period, bytes]:
        """Return the keys that this process holds."""
        return dict(self._keys)


class Pseudonymizer:
    """Names a person without knowing them: HMAC-SHA256 under the random key of the running period.

    Kinds are kept apart: an e-mail address and a user name never share a pseudonym. When a key is
    destroyed, nobody can link its pseudonyms to a person again, wherever they are stored.

    Args:
        keys: Where the keys come from; random for this process when left out.
        days: Length of a period by kind; see `DEFAULT_DAYS`.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        keys: KeySource | None = None,
        *,
        days: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys if keys is not None else ProcessKeys()
        self._days = {**DEFAULT_DAYS, **(days or {})}
        self._clock = clock
        self._known: BoundedCache[tuple[Period, str, str], str] = BoundedCache(2048)

    def period(self, kind: str) -> Period:
        """Return the running period of a kind."""
        days = self._days.get(kind, self._days[""])
        today = int(self._clock() // _DAY_S)
        return Period(days, today - today % days)

    def pseudonym(self, kind: str, value: str) -> str:
        """Return the pseudonym of a value: `ps1.`, the period's first day, and 96 bits."""
        period = self.period(kind)
        known = self._known.get((period, kind, value))
        if known is None:
            known = _pseudonym(self._keys.key(period), period, kind, value)
            self._known.put((period, kind, value), known)
        return known

    def living(self, kind: str, value: str) -> list[str]:
        """Return the pseudonyms that still lead to a person, the newest first.

        Search for them to answer a request for access or erasure.
        """
        days = self._days.get(kind, self._days[""])
        keys = sorted(self._keys.living().items(), reverse=True)
        return [_pseudonym(key, period, kind, value) for period, key in keys if period.days == days]


def _pseudonym(key: bytes, period: Period, kind: str, value: str) -> str:
    text = unicodedata.normalize("NFC", value).strip()
    if kind == "email":
        text = text.casefold()
    message = f"{kind}\x1f{text}".encode("utf-8", "surrogatepass")
    digest = hmac.digest(key, message, hashlib.sha256)[:12]
    return f"ps1.{period.start}.{base64.b32encode(digest).decode().rstrip('=').lower()}"
