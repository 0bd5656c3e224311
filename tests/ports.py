"""Ports of loopback for servers that must know theirs before they start."""

from __future__ import annotations

import random
import socket

# Below those that a system gives to connections, and to whoever asks for any port: nothing that
# runs at the same time takes one of these by chance between the probe and the server's own bind.
_PORTS = range(10_000, 32_000)
_choose = random.SystemRandom().choice
_given: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens on; each one once."""
    while True:
        port = _choose(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
