"""One run of one server: start it, load it, read its CPU clock, stop it."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from server_variants import Variant

APPS = Path(__file__).parent / "apps"
_SINK = Path(__file__).parent / "server_sink.py"


class Sink:
    """The collector that all variants send to; a context that runs it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, _SINK], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.endpoint = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def count(self) -> dict[str, int]:
        """Return what has arrived since the last time."""
        with urllib.request.urlopen(f"{self.endpoint}/counts") as answer:
            return json.load(answer)


class Server:
    """uvicorn with one worker; a context that runs it.

    Args:
        variant: What to run it with.
        bin_directory: Of the variant's environment.
        endpoint: Of the sink.
    """

    def __init__(self, variant: Variant, bin_directory: Path, endpoint: str) -> None:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._address = ("127.0.0.1", port)
        self._share = variant.share
        self._command = [
            *(str(bin_directory / word) for word in variant.launcher),
            str(bin_directory / "uvicorn"),
            *f"{variant.module}:app --port {port} --no-access-log --log-level warning".split(),
        ]
        self._environment = {
            "PATH": f"{bin_directory}{os.pathsep}/usr/bin{os.pathsep}/bin",
            **{
                name: value.replace("{endpoint}", endpoint).replace("http://", scheme)
                for name, value in variant.environment.items()
                for scheme in ["http://benchmark@" if name.endswith("_DSN") else "http://"]
            },
        }

    def __enter__(self) -> Self:
        self._output = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command,
            cwd=APPS,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        # https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html, which Python lacks:
        # nanoseconds of all threads, where /proc has hundredths of a second.
        self._clock = ~self._process.pid << 3 | 2
        self._socket = self._connect()
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._output.close()

    def cpu_seconds(self) -> float:
        """Return the CPU time of all threads since the process began."""
        return time.clock_gettime(self._clock)

    def memory_bytes(self) -> int:
        """Return the resident memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def load(self, path: str, requests: int) -> list[float]:
        """Make requests one after the other; return how long each took in seconds."""
        times = []
        for _ in range(requests):
            # New texts each time, as in real life.
            number = secrets.randbelow(1_000_000)
            flags = "01" if random.random() < self._share else "00"
            request = (
                f"GET {path}/{number} HTTP/1.1\r\nhost: localhost\r\n"
                f"user-agent: benchmark/1.0\r\naccept: */*\r\n"
                f"traceparent: 00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{flags}\r\n\r\n"
            )
            started = time.perf_counter()
            self._socket.sendall(request.encode())
            self._read_answer()
            times.append(time.perf_counter() - started)
        return times

    def settle(self, seconds: float = 1.5) -> None:
        """Wait until what was buffered has been sent: longer than the delay of any batch."""
        while True:
            before = self.cpu_seconds()
            time.sleep(seconds)
            if self.cpu_seconds() - before < 0.02:
                return

    def stop(self) -> float:
        """End it as Ctrl-C does; return the CPU seconds of its whole life.

        SIGINT and not SIGTERM, upon which the stock launcher loses what is buffered.
        """
        self._process.send_signal(signal.SIGINT)
        _, _, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        return usage.ru_utime + usage.ru_stime

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = socket.create_connection(self._address)
            except ConnectionRefusedError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._output.seek(0)
                    raise RuntimeError(self._output.read().decode()) from None
                time.sleep(0.02)
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(30)
                return connection

    def _read_answer(self) -> None:
        answer = self._socket.recv(65536)
        head, separator, body = answer.partition(b"\r\n\r\n")
        if not separator or not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode("latin-1"))
        if b"transfer-encoding: chunked" in head:
            while not body.endswith(b"0\r\n\r\n"):
                body = body[-4:] + self._socket.recv(65536)
            return
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._socket.recv(65536)
