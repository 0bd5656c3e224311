"""Start real Collectors through `bear-otel collector`, and talk to them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from collector_traffic import SIGNALS

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[2]
_COMMAND = "import sys; from bear_otel.cli.collector import main; sys.exit(main(sys.argv[1:]))"


def wait_until(condition: Callable[[], object], seconds: float = 60.0, what: str = "") -> None:
    """Return when `condition` holds.

    Raises:
        AssertionError: It did not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)


def run_cli(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `bear-otel collector` to its end, with this environment alone."""
    return subprocess.run(
        [sys.executable, "-c", _COMMAND, *arguments],
        env={**_base_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _base_environment() -> dict[str, str]:
    names = ("PATH", "HOME", "XDG_CACHE_HOME", "BEAR_OTEL_COLLECTOR")
    return {"PYTHONPATH": str(ROOT)} | {k: os.environ[k] for k in names if k in os.environ}


@dataclass(kw_only=True)
class Collector:
    """One Collector process on free ports, with a state directory of its own."""

    directory: Path
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.grpc, self.http, self.health, self.metrics = (free_port() for _ in range(4))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / "collector.log"

    def start(self) -> Self:
        """Start it and return when it is healthy."""
        extra = self.directory / "extra.yaml"
        extra.write_text(json.dumps(self.config))
        prefix = "BEAR_OTEL_COLLECTOR_"
        environment = {
            **_base_environment(),
            f"{prefix}GRPC_LISTEN": f"127.0.0.1:{self.grpc}",
            f"{prefix}HTTP_LISTEN": f"127.0.0.1:{self.http}",
            f"{prefix}HEALTH_LISTEN": f"127.0.0.1:{self.health}",
            f"{prefix}METRICS_PORT": str(self.metrics),
            f"{prefix}STATE_DIR": str(self.directory / "state"),
            **self.environment,
        }
        command = [sys.executable, "-c", _COMMAND, *self.arguments, "--config", str(extra)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_until(self._is_up, what=f"start of the Collector, see {self.log}")
        return self

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return self._get(self.health, "/")[0] == 200
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait for the end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)

    def send(self, request: Any, headers: Mapping[str, str] = {}) -> int:
        """Post one OTLP request and return the status."""
        path = next(name for name, kind in SIGNALS.items() if isinstance(request, kind))
        headers = {"content-type": "application/x-protobuf", **headers}
        with closing(HTTPConnection("127.0.0.1", self.http, timeout=60)) as connection:
            connection.request("POST", f"/v1/{path}", request.SerializeToString(), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of one of its own metrics over the series with these labels."""
        _, body = self._get(self.metrics, "/metrics")
        total = 0.0
        for line in body.decode().splitlines():
            series, _, value = line.rpartition(" ")
            if re.match(rf"{name}(_total)?({{|$)", series) and all(
                f'{key}="{text}"' in series for key, text in labels.items()
            ):
                total += float(value)
        return total

    @staticmethod
    def _get(port: int, path: str) -> tuple[int, bytes]:
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
