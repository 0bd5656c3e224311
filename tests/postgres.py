"""A real PostgreSQL for tests, on a free port of loopback and gone afterwards."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_USER = "bear"
_START_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server with one empty database."""

    port: int

    def url(self, driver: str) -> str:
        """Return SQLAlchemy's address of it, such as for the driver `psycopg`."""
        return f"postgresql+{driver}://{_USER}:s3cr3t@127.0.0.1:{self.port}/postgres"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server; installs Debian's package if there is none, or skips the test."""
    initdb = find_binary("postgresql", "initdb", "/usr/lib/postgresql/*/bin")
    with server_home("postgres") as (home, account):
        data, port = home / "data", free_port()
        create = [initdb, "-D", data, "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(
            [*create, "--locale=C"], check=True, cwd=home, stdout=subprocess.DEVNULL, **account
        )
        server = [initdb.parent / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port)]
        options = ["-k", home, "-F", "-c", "deadlock_timeout=100ms"]
        probe = [initdb.parent / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        with running_server(
            [*server, *options],
            home,
            account,
            is_ready=lambda: subprocess.run(probe, check=False).returncode == 0,
            stop=signal.SIGINT,  # "fast": does not wait for clients
        ):
            yield Postgres(port=port)


def find_binary(package: str, name: str, *directories: str) -> Path:
    """Return a server's binary; installs Debian's package if we may, else skips the test."""
    for may_install in (True, False):
        found = [path for pattern in directories for path in glob.glob(f"{pattern}/{name}")]
        if path := shutil.which(name) or next(iter(sorted(found, reverse=True)), None):
            return Path(path).resolve()
        if may_install and os.geteuid() == 0 and shutil.which("apt-get"):
            install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
            subprocess.run(install, check=False, stdout=subprocess.DEVNULL)
    pytest.skip(f"{package} is not installed")


@contextmanager
def server_home(user: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Make a directory for a server, and tell under which account to start it.

    Servers refuse to run as root; the package has made an account for them.
    """
    entry = pwd.getpwnam(user) if os.geteuid() == 0 else None
    account = {"user": entry.pw_uid, "group": entry.pw_gid} if entry else {}
    home = Path(tempfile.mkdtemp(prefix="bear-"))
    try:
        if account:
            shutil.chown(home, **account)
        yield home, account
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def running_server(
    command: Sequence[str | Path],
    home: Path,
    account: dict[str, Any],
    *,
    is_ready: Callable[[], bool],
    stop: int,
) -> Iterator[None]:
    """Run a server: wait until it is ready, and end it by its id."""
    log = home / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=home, stdout=output, stderr=output, **account)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text())
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(stop)
        process.wait(timeout=_START_SECONDS)
