"""A real service plants secrets in every door; no receiver gets a byte of them, however spelt."""

from __future__ import annotations

import base64
import gzip
import json
import re
import signal
import threading
import zlib
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, quote_plus

import pytest

from tests.lifecycle.lifecycle_harness import Program, wait_until
from tests.privacy.apps.canaries import (
    DOORS,
    GONE,
    SEALED,
    email,
    marker,
    password,
    planted,
    secrets,
    text,
    token,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ALL = (*DOORS, *SEALED, *GONE)
_APPS = Path(__file__).parent / "apps"
# The view makes exemplars carry what it leaves out of the series.
_FILE = """
file_format: "1.0"
resource:
  attributes: [{name: note, value: "${NOTE}"}]
propagator: {composite: [tracecontext: {}, baggage: {}]}
tracer_provider:
  processors: [{batch: {exporter: {otlp_http: {endpoint: "${ELSEWHERE}/v1/traces"}}}}]
meter_provider:
  readers: [{periodic: {exporter: {otlp_http: {endpoint: "${ELSEWHERE}/v1/metrics"}}}}]
  exemplar_filter: always_on
  views:
    - selector: {instrument_name: leaky.waits}
      stream: {attribute_keys: {included: [kind]}}
logger_provider:
  processors: [{batch: {exporter: {otlp_http: {endpoint: "${ELSEWHERE}/v1/logs"}}}}]
"""


class Everybody:
    """All that the service talks to: an OTLP back end, Sentry, a third party; keeps each byte."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        keep = self.received.append

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                keep(f"{self.command} {self.path}\n{self.headers}\n".encode() + body)
                keep(b"".join(_unpacked(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - the library's name

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def holds(self, value: str) -> bool:
        """Whether anybody has got a value, in any spelling."""
        everything = b"\n".join(self.received)
        return any(form in everything for form in _spellings(value))


def _unpacked(body: bytes) -> Iterator[bytes]:
    """Yield what is compressed inside, wherever it begins."""
    for found in re.finditer(rb"\x1f\x8b\x08", body):
        with suppress(zlib.error):
            yield zlib.decompressobj(31).decompress(body[found.start() :])


def _spellings(value: str) -> set[bytes]:
    raw = value.encode()
    texts = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], raw.hex()}
    for skipped in range(3):
        part = raw[skipped:]
        encoded = base64.b64encode(part[: len(part) // 3 * 3]).decode()
        texts |= {encoded, encoded.replace("+", "-").replace("/", "_")}
    return {form.encode() for form in texts}


@pytest.fixture
def everybody() -> Iterator[Everybody]:
    """A host with all receivers."""
    with Everybody() as everybody:
        yield everybody


@pytest.fixture
def serve(tmp_path: Path, everybody: Everybody) -> Callable[..., None]:
    """Run the service, open its doors, and end it."""

    def run(*, by_file: bool, **more: str) -> None:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{everybody.address}",
            "OTEL_RESOURCE_ATTRIBUTES": f"note={quote(text('resource'))}",
            "BEAR_OTEL_BAGGAGE_KEYS": "listed.marker,listed.mail,listed.token",
            "SENTRY_DSN": f"http://0123456789abcdef@{everybody.address}/1",
            "ELSEWHERE": f"http://{everybody.address}",
            **more,
        }
        if by_file:
            path = tmp_path / "otel.yaml"
            path.write_text(_FILE)
            environment |= {"OTEL_CONFIG_FILE": str(path), "NOTE": text("resource")}
        command = "uvicorn leaky:app --port {port}"
        program = Program(command, tmp_path / "run", environment=environment, cwd=_APPS)
        try:
            wait_until(lambda: _answers(program, "/openapi.json"), "the service answers")
            path = f"/open/{marker('request path')}/{quote(email('request path'))}"
            query = f"{marker('request query')}=1&note={quote(email('request query'))}"
            query += f"&token={token('request query')}"
            assert _answers(program, f"{path}?{query}", _headers()), program.stderr
            _answers(program, "/fail")
            program.signal(signal.SIGTERM)
            program.wait()
        finally:
            program.close()

    return run


def _headers() -> dict[str, str]:
    state = [
        f"{place}{key}={value(door)}"
        for place, door in (("a", "tracestate"), ("b", "sent tracestate"))
        for key, value in (("marker", marker), ("mail", email), ("token", token))
    ]
    return {
        "traceparent": f"00-{7:032x}-{7:016x}-01",
        "tracestate": ",".join(state),
        "authorization": f"Bearer {token('request header')}",
        "user-agent": f"{marker('request header')} {password('request header')}",
    }


def _answers(program: Program, path: str, headers: dict[str, str] | None = None) -> bool:
    try:
        program.get(path, headers)
    except (OSError, AssertionError):
        return False
    return True


@pytest.mark.server
@pytest.mark.parametrize("by_file", [False, True], ids=["by environment", "by file"])
def test_nothing_planted_reaches_anybody(
    serve: Callable[..., None], everybody: Everybody, by_file: bool
) -> None:
    """Each door has told something harmless, and nothing else."""
    serve(by_file=by_file)
    assert [door for door in (*DOORS, *SEALED) if not everybody.holds(marker(door))] == []
    assert [door for door in _ALL if any(map(everybody.holds, planted(door)))] == []


@pytest.mark.server
@pytest.mark.parametrize("by_file", [False, True], ids=["by environment", "by file"])
def test_with_personal_data_allowed_the_addresses_arrive_and_no_secret(
    serve: Callable[..., None], everybody: Everybody, by_file: bool
) -> None:
    """So the doors were open, and the search finds what comes through."""
    serve(by_file=by_file, BEAR_OTEL_PERSONAL_DATA_ENABLED="true")
    assert [door for door in DOORS if not everybody.holds(email(door))] == []
    assert [door for door in _ALL if any(map(everybody.holds, secrets(door)))] == []
    assert [door for door in (*SEALED, *GONE) if everybody.holds(email(door))] == []


@pytest.mark.parametrize(
    "spell",
    [
        lambda raw: raw,
        lambda raw: quote(raw, safe="").encode(),
        lambda raw: json.dumps(raw.decode()).encode(),
        base64.b64encode,
        lambda raw: base64.urlsafe_b64encode(b"x" + raw),
        lambda raw: base64.b64encode(b"xy" + raw),
        lambda raw: raw.hex().encode(),
        lambda raw: b"envelope" + gzip.compress(raw),
    ],
    ids=["raw", "URL", "JSON", "base64", "base64 + 1", "base64 + 2", "hex", "gzip"],
)
def test_the_search_finds_each_spelling(
    everybody: Everybody, spell: Callable[[bytes], bytes]
) -> None:
    """A leak in another spelling is a leak."""
    body = b"before " + spell('é"@x.example'.encode()) + b" after"
    everybody.received += [body, *_unpacked(body)]
    assert everybody.holds('é"@x.example')
    assert not everybody.holds("é'@x.example")
