"""A real MariaDB for tests, on a free port of loopback and gone afterwards."""

from __future__ import annotations

import signal
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.ports import free_port
from tests.postgres import find_binary, running_server, server_home

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running_mariadb() -> Iterator[int]:
    """Start a server with an empty database `test`, open to the user `bear`; yields its port."""
    server = find_binary("mariadb-server-core", "mariadbd", "/usr/sbin")
    with server_home("nobody") as (home, account):
        # Without grants it needs no system tables; a database is a directory.
        data, port = home / "data", free_port()
        subprocess.run(["mkdir", "-p", data / "test"], check=True, **account)
        options = ["--no-defaults", f"--datadir={data}", f"--tmpdir={home}", "--skip-grant-tables"]
        network = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={home / 'socket'}"]
        cheap = ["--skip-networking=0", "--innodb-buffer-pool-size=32M"]
        command = [server, *options, *network, *cheap, "--innodb-flush-log-at-trx-commit=0"]
        with running_server(
            command, home, account, is_ready=lambda: _answers(port), stop=signal.SIGTERM
        ):
            yield port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
