"""`bear-otel demo`: run a small service with telemetry, use it, and show what it tells."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from bear_otel.cli.files import find_folder
from bear_otel.cli.receiver import Receiver
from bear_otel.cli.render.stream import Picture, create_style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bear_otel.cli.otlp_json import OtlpRequest

_NEEDED = ("fastapi", "sqlalchemy", "aiosqlite", "uvicorn")

# Seconds.
_START_TIMEOUT = 30.0
_QUIET = 0.8

_NEXT = """
What you saw: one span for each request, the queries below it, log lines in their trace, an error
with its stack, request and process metrics. The e-mail addresses and the card number went in, and
[REDACTED:...] came out.

Next, with your own service:
  bear-otel tail                                    in one terminal
  bear-otel-instrument uvicorn app:app              in another one
"""


def main(argv: Sequence[str]) -> int:
    """Run the demonstration; return 0 if the service could be used."""
    parser = argparse.ArgumentParser(
        prog="bear-otel demo", description="Run a small service and show its telemetry."
    )
    parser.parse_args(argv)
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        print(
            f"bear-otel demo: it needs {', '.join(missing)}; "
            "install what is missing with: pip install 'bear-otel[demo]'",
            file=sys.stderr,
        )
        return 1
    received: SimpleQueue[OtlpRequest] = SimpleQueue()
    arrived = 0
    picture = Picture(create_style(sys.stdout), _print, quiet_s=_QUIET)
    put = received.put
    with Receiver(on_traces=put, on_metrics=put, on_logs=put) as receiver:
        port = _find_free_port()
        service = _start_service(receiver.endpoint, port)
        try:
            if not _wait_until_up(service, port):
                print("bear-otel demo: the service did not start", file=sys.stderr)
                return 1
            _draw_until_quiet(received, picture=None)  # its tables being created
            _use(f"http://127.0.0.1:{port}")
            arrived += _draw_until_quiet(received, picture)
        finally:
            service.send_signal(signal.SIGTERM)
            try:
                service.wait(timeout=10)
            except subprocess.TimeoutExpired:
                service.kill()
                service.wait()
        arrived += _draw_until_quiet(received, picture)
    if not arrived:
        print("bear-otel demo: no telemetry arrived; see the lines above", file=sys.stderr)
        return 1
    print(_NEXT)
    return 0


def _start_service(endpoint: str, port: int) -> subprocess.Popen[bytes]:
    folder = find_folder("examples") / "shop"
    settings = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        # Short, so that the picture comes while one watches.
        "OTEL_BSP_SCHEDULE_DELAY": "300",
        "OTEL_BLRP_SCHEDULE_DELAY": "300",
        # The metrics come once, when the service ends.
        "OTEL_METRIC_EXPORT_INTERVAL": "600000",
    }
    server = ["uvicorn", "shop:app", "--port", str(port), "--log-level", "critical"]
    # Found beside this Python, also when its environment is not the active one.
    launcher = shutil.which("bear-otel-instrument", path=os.path.dirname(sys.executable))
    return subprocess.Popen(
        [launcher or "bear-otel-instrument", sys.executable, "-m", *server, "--no-access-log"],
        cwd=folder,
        env={**os.environ, **settings},
        # What the service logs is shown as telemetry.
        stdout=subprocess.DEVNULL,
    )


def _use(service: str) -> None:
    """Use the service as a customer would, with made-up personal data."""
    order = {"email": "ada.lovelace@example.com", "item": "Analytical Engine", "cents": 129999}
    _call("POST", f"{service}/orders", order)
    _call("GET", f"{service}/customers/ada.lovelace@example.com/total?token=s3cr3t-t0k3n")
    _call("GET", f"{service}/answer")
    _call("POST", f"{service}/orders/1/pay?card=4111-1111-1111-1111")


def _call(method: str, url: str, body: object = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - loopback
            response.read()
    except urllib.error.HTTPError as error:  # the payment is meant to fail
        error.close()


def _draw_until_quiet(received: SimpleQueue[OtlpRequest], picture: Picture | None) -> int:
    """Draw what arrives until nothing has for a while; return how many requests it was.

    Args:
        received: What the service has sent.
        picture: Draws it; None throws it away.
    """
    count = 0
    until = time.monotonic() + 2 * _QUIET
    while time.monotonic() < until:
        try:
            request = received.get(timeout=0.1)
            count += 1
            until = time.monotonic() + 2 * _QUIET
        except Empty:
            continue
        if picture:
            picture.feed(request)
    if picture:
        picture.draw_due(everything=True)
    return count


def _wait_until_up(service: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline and service.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _print(line: str) -> None:
    encoding = sys.stdout.encoding or "ascii"
    print(line.encode(encoding, "replace").decode(encoding), flush=True)
