"""A steady load on one server, with the time that each request took."""

from __future__ import annotations

import http.client
import secrets
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from soak_collector import OURS

if TYPE_CHECKING:
    import threading

    from tests.lifecycle.lifecycle_harness import Program


@dataclass
class Load:
    """A steady number of requests a second to one server, with the time that each took.

    Args:
        program: The server.
        rate: Requests a second.
        seconds: By phase, how long each request took.
    """

    program: Program
    rate: int
    phase: str = "warm-up"
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failed: int = 0

    def run(self, stop: threading.Event) -> None:
        """Make requests, each on a connection of its own, so that all workers get some."""
        due = time.perf_counter()
        while True:
            # A request that had to wait for the one before counts from when it was due.
            if stop.wait(max(0.0, due - time.perf_counter())):
                return
            now = time.perf_counter()
            begun = now if now - due < 1 / self.rate else due
            phase = self.phase
            self.request()
            self.seconds[phase].append(time.perf_counter() - begun)
            due += 1 / self.rate

    def count(self) -> int:
        """Return how many requests were made."""
        return sum(map(len, self.seconds.values()))

    def request(self) -> None:
        """Make one request, and note if it failed."""
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.program.port, 30)) as client:
                trace_id = OURS + secrets.token_hex(14)
                client.request(
                    "GET",
                    f"/queries/{secrets.randbelow(1_000_000)}",
                    headers={"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"},
                )
                answer = client.getresponse()
                answer.read()
                self.failed += answer.status != 200
        except (OSError, http.client.HTTPException):
            self.failed += 1
