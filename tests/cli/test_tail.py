"""`bear-otel tail`: what it replays, how it starts and ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from bear_otel.cli.otlp_json import parse_json_line
from bear_otel.cli.receiver import Receiver
from bear_otel.cli.render.stream import Picture, create_style
from bear_otel.cli.render.style import Style
from bear_otel.cli.tail import main

pytestmark = pytest.mark.usefixtures("utc")
MS = 1_000_000
START = 1_700_000_000_000 * MS
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"

SAVED = "\n".join(
    json.dumps(request)
    for request in [
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [
            {"timeUnixNano": str(START), "severityNumber": 9, "body": {"stringValue": "started"}},
            {"timeUnixNano": str(START), "traceId": TRACE_ID, "spanId": "00f067aa0ba902b7",
             "severityNumber": 17, "eventName": "http.server.request.exception", "attributes": [
                {"key": "exception.type", "value": {"stringValue": "ValueError"}},
                {"key": "exception.message", "value": {"stringValue": "no"}},
                {"key": "exception.stacktrace", "value": {"stringValue":
                    '  File "/srv/shop/app.py", line 8, in pay\n'
                    '  File "/v/site-packages/lib.py", line 1, in call\n'}},
            ]},
        ]}]}]},
        {"resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeSpans": [{"spans": [
                {"traceId": TRACE_ID, "spanId": "00f067aa0ba902b7", "name": "GET /", "kind": 2,
                 "startTimeUnixNano": str(START), "endTimeUnixNano": str(START + MS),
                 "status": {"code": 2}},
            ]}]}]},
    ]
)  # fmt: skip
REPLAYED = """
22:13:20  info   unknown  started

22:13:20  shop  unknown ─────────────────────── 4bf92f3577b34da6a3ce929d0e0e4736
✗ GET /                                           ━━━━━━━━━━━━━━━━━━━━   1.00 ms
└╴ error  http.server.request.exception                                    +0 µs
          ValueError: no
          at shop/app.py:8 in pay
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A file of OTLP JSON lines."""
    path = tmp_path / "saved.jsonl"
    path.write_text(SAVED)
    return path


def test_a_saved_file_is_replayed(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--replay` draws what a live tail would have drawn, and nothing on stderr."""
    assert main(["--replay", str(saved)]) == 0

    assert capsys.readouterr() == (REPLAYED, "")


def test_json_is_one_object_a_line(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` gives every record with its attributes, ready for jq."""
    assert main(["--replay", str(saved), "--json"]) == 0

    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(record["signal"], record.get("body")) for record in records] == [
        ("log", "started"),
        ("log", "http.server.request.exception"),
        ("span", None),
    ]
    assert records[2]["end_ns"] - records[2]["start_ns"] == MS


def test_a_bad_file_is_one_clear_line(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is no OTLP is named by file and number."""
    saved.write_text(SAVED + '\n{"a": 1}\n')

    assert main(["--replay", str(saved)]) == 1
    assert capsys.readouterr().err == (
        f"bear-otel tail: {saved}:3: not OTLP JSON: "
        "none of resourceSpans, resourceMetrics, resourceLogs\n"
    )


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "colors"),
    [
        (_Terminal(), {}, True),
        (_Terminal(), {"NO_COLOR": "1"}, False),
        (_Terminal(), {"NO_COLOR": ""}, True),
        (_Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
    ids=["terminal", "no-color", "no-color-empty", "dumb", "pipe"],
)
def test_colours_are_for_terminals(
    stream: io.StringIO,
    environment: dict[str, str],
    colors: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Colours on a terminal that wants them, nowhere else (https://no-color.org)."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert create_style(stream).color is colors


def test_a_stream_of_requests_is_one_calm_picture() -> None:
    """A blank line before each picture, none between free log lines."""
    lines: list[str] = []
    picture = Picture(Style(), lines.append, quiet_s=60)
    logs, spans = (parse_json_line(line) for line in SAVED.splitlines())
    for request in (logs, logs, spans):
        picture.feed(request)
    picture.draw_due()
    assert lines == ["", *["22:13:20  info   unknown  started"] * 2]

    picture.draw_due(everything=True)
    assert lines[3] == ""


def _start(*arguments: str, **options: Any) -> tuple[subprocess.Popen[str], str]:
    """Start the command and return it with its endpoint, once it listens."""
    code = "import sys; from bear_otel.cli.tail import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUTF8": "1"},
        **options,
    )
    assert process.stderr
    found = re.search(r"http://\S+", process.stderr.readline())
    assert found
    return process, found[0]


def _send(endpoint: str) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t").start_as_current_span("GET /users/{id}"):
        pass
    provider.shutdown()


@pytest.mark.server
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_ends_it_after_drawing_what_is_held(number: int, tmp_path: Path) -> None:
    """The real command draws at once what it was holding back, saves it, and exits with 0."""
    save = tmp_path / "saved.jsonl"
    process, endpoint = _start("--port", "0", "--wait", "600", "--save", str(save))
    _send(endpoint)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert "GET /users/{id}" in out
    assert "Nothing arrived" not in err
    assert "Traceback" not in err
    assert save.stat().st_mode & 0o777 == 0o600
    assert parse_json_line(save.read_text().splitlines()[0])


@pytest.mark.server
def test_it_ends_by_itself_and_explains_what_it_refused() -> None:
    """`--for` ends it; what was refused is told once, and so is that nothing arrived."""
    process, endpoint = _start("--port", "0", "--for", "5")
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError, match="404") as refusal:
            urllib.request.urlopen(f"{endpoint}/wrong", data=b"", timeout=60)
        refusal.value.close()
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert out.count("refused with 404 to 'POST /wrong'") == 1
    assert "Nothing arrived. A service must send to the address above" in err


@pytest.mark.server
def test_a_reader_that_has_enough_ends_it_quietly() -> None:
    """A closed pipe, as of `| head`, is no error."""
    process, endpoint = _start("--port", "0", "--wait", "0")
    assert process.stdout
    process.stdout.close()
    _send(endpoint)
    process.wait(timeout=60)
    assert process.stderr
    err = process.stderr.read()
    process.stderr.close()

    assert process.returncode == 0
    assert "Error" not in err


def test_a_taken_port_is_one_line_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the command and the variable that mend it."""
    with Receiver() as receiver:
        assert main(["--port", str(receiver.port)]) == 1

    other = receiver.port + 1
    assert capsys.readouterr().err == (
        f"bear-otel tail: port {receiver.port} is taken; run `bear-otel tail --port {other}` "
        f"and set OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{other}\n"
    )
