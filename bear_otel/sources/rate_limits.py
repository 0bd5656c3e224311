"""Limit how often something may be asked for, by each and by all together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE_SECONDS = 60.0


class RateLimiter:
    """Counts requests in windows of a minute and a second.

    Who has asked is kept as a number that means nothing outside of this process, and forgotten
    after a minute.

    Args:
        per_minute: Most requests of one client in a minute.
        per_second: Most requests of all clients in a second, which bounds the memory, too.
        clock: Seconds that never go back.
    """

    def __init__(
        self, *, per_minute: int, per_second: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute = per_minute
        self._per_second = per_second
        self._clock = clock
        self._minute = self._second = clock()
        self._clients: dict[int, int] = {}
        self._all = 0

    def allows(self, client: str) -> bool:
        """Count a request; return whether it is within both limits."""
        now = self._clock()
        if now - self._minute >= _MINUTE_SECONDS:
            self._minute, self._clients = now, {}
        if now - self._second >= 1:
            self._second, self._all = now, 0
        key = hash(client)
        asked = self._clients.get(key, 0)
        if asked >= self._per_minute or self._all >= self._per_second:
            return False
        self._clients[key] = asked + 1
        self._all += 1
        return True
