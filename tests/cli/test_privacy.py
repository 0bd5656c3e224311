"""`bear-otel privacy`: explain, audit and report, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bear_otel.cli.audit_requests import CANARIES, create_requests

SERVICE = """
from fastapi import FastAPI
from opentelemetry import trace

app = FastAPI()

@app.get("/people/{email}")
async def get_person(email: str, note: str = "") -> str:
    trace.get_current_span().set_attribute("shop.note", note)
    return "ok"

@app.post("/people")
async def add_person(person: dict[str, str]) -> str:
    raise RuntimeError(f"no room for {person}")
"""


COMMAND = (sys.executable, "-m", "bear_otel.cli.main", "privacy")
ENVIRON = {"PATH": os.environ["PATH"]}


def run(*arguments: str, cwd: Path, text: str = "", **variables: str) -> tuple[int, str, str]:
    """Run the command; return its exit code, stdout and stderr."""
    result = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**ENVIRON, **variables},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """Return a folder with a service."""
    (tmp_path / "people.py").write_text(SERVICE)
    return tmp_path


def test_explain_says_which_rule_fires_and_what_comes_out(tmp_path: Path) -> None:
    """Of a text, without the value itself."""
    code, out, _ = run("explain", cwd=tmp_path, text="mail ada@example.com, version 1.2.3\n")
    rule, clean = out.splitlines()
    assert (code, clean) == (0, "mail [REDACTED:email], version 1.2.3")
    assert rule.startswith("email")
    assert "characters 5 to 20" in rule
    assert "ada" not in out


def test_explain_knows_the_key(tmp_path: Path) -> None:
    """A name is personal under a key that says so, and nowhere else."""
    assert run("explain", cwd=tmp_path, text="Ada")[1] == "Ada\n"
    assert "[REDACTED:" in run("explain", "--key", "user.full_name", cwd=tmp_path, text="Ada")[1]


def test_the_audit_of_a_service_finds_nothing(service: Path) -> None:
    """Canaries in path, query and headers; GET alone, so nothing is changed."""
    code, out, err = run("audit", "people:app", cwd=service)
    assert (code, err) == (0, "")
    assert "nothing came out" in out
    assert "stopped  email" in out
    assert "7 requests" in out


def test_the_audit_calls_more_when_told(service: Path) -> None:
    """Bodies, and the exception that they provoke."""
    code, out, _ = run("audit", "people:app", "--all-methods", cwd=service)
    assert code == 0
    assert "14 requests" in out


def test_the_audit_finds_what_an_open_door_lets_out(service: Path) -> None:
    """The exit code is for CI; each place is named."""
    code, out, _ = run("audit", "people:app", cwd=service, BEAR_OTEL_PERSONAL_DATA_ENABLED="true")
    assert code == 1
    assert "LEAKED   email" in out
    assert "attribute shop.note" in out
    assert "LEAKED   token" not in out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("people", "say it as module:app"),
        ("nobody:app", "cannot load nobody:app: ModuleNotFoundError"),
        ("people:nothing", "cannot load people:nothing: AttributeError"),
    ],
)
def test_a_service_that_cannot_be_loaded_is_named(service: Path, name: str, message: str) -> None:
    """Exit code 2: nothing was audited."""
    code, _, err = run("audit", name, cwd=service)
    assert code == 2
    assert message in err


def test_the_audit_refuses_a_database_on_another_host(tmp_path: Path) -> None:
    """It writes canaries, and must not write them into production."""
    (tmp_path / "remote.py").write_text(
        SERVICE
        + """
from sqlalchemy import create_engine
engine = create_engine("postgresql+psycopg://db.example.com/shop")

@app.get("/orders")
def get_orders() -> int:
    engine.connect()
"""
    )
    code, _, err = run("audit", "remote:app", cwd=tmp_path)
    assert code == 2
    assert "the service connects to postgresql on db.example.com" in err


def test_report_counts_what_a_service_has_told(tmp_path: Path) -> None:
    """Out of what `bear-otel tail --save` has written: the last value of each process."""
    points = [("email", "log.body", 3), ("email", "log.body", 5), ("card", "span.attribute", 1)]
    (tmp_path / "saved.jsonl").write_text("\n".join(create_line(*point) for point in points))
    code, out, _ = run("report", "--replay", "saved.jsonl", cwd=tmp_path)
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["5", "email", "log.body"],
        ["1", "card", "span.attribute"],
    ]


def test_report_adds_up_what_is_sent_as_differences(tmp_path: Path) -> None:
    """As services do whose back end wants delta temporality."""
    lines = [create_line("email", "log.body", value, temporality=1) for value in (3, 5)]
    (tmp_path / "saved.jsonl").write_text("\n".join(lines))
    _, out, _ = run("report", "--replay", "saved.jsonl", cwd=tmp_path)
    assert out.split() == ["8", "email", "log.body"]


def test_report_names_the_line_that_it_cannot_read(tmp_path: Path) -> None:
    """Of a file that is something else."""
    (tmp_path / "saved.jsonl").write_text(create_line("email", "log.body", 1) + "\n{}\n")
    code, _, err = run("report", "--replay", "saved.jsonl", cwd=tmp_path)
    assert code == 2
    assert err.startswith("bear-otel privacy: saved.jsonl:2: not OTLP JSON")


def test_report_ends_in_time_whatever_goes_on_arriving(tmp_path: Path) -> None:
    """The time is that of the report, and not that of a silence."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    command = [*COMMAND, "report", "--port", str(port), "--for", "1"]
    report = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=ENVIRON,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    body = create_line("email", "log.body", 7).encode()
    head = (
        "POST /v1/metrics HTTP/1.0\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    deadline = time.monotonic() + 60
    while report.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(head.encode() + body)
            client.recv(1000)
    assert report.poll() == 0
    out, _ = report.communicate()
    assert out.split() == ["7", "email", "log.body"]


def test_a_port_that_is_taken_is_explained(tmp_path: Path) -> None:
    """With the command that works."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run("report", "--port", str(port), cwd=tmp_path)
    assert code == 2
    assert f"run `bear-otel privacy report --port {port + 1}`" in err


FILE = """
file_format: "1.0"
distribution: {bear_otel: {privacy: {allow_personal_data: true}}}
"""


def test_what_the_configuration_file_allows_counts(service: Path) -> None:
    """It says what leaves the service, so neither answer may be kinder than that."""
    (service / "otel.yaml").write_text(FILE)
    assert run("explain", cwd=service, text="ada@example.com")[1].endswith("[REDACTED:email]\n")
    opened = {"OTEL_CONFIG_FILE": "otel.yaml"}
    assert run("explain", cwd=service, text="ada@example.com", **opened)[1] == "ada@example.com\n"
    code, out, _ = run("audit", "people:app", cwd=service, **opened)
    assert code == 1
    assert "LEAKED   email" in out


def create_line(kind: str, door: str, value: int, temporality: int = 2) -> str:
    """Return one export of the self-metric, as OTLP JSON."""
    return (
        '{"resourceMetrics":[{"resource":{"attributes":[]},"scopeMetrics":[{"metrics":[{"name":'
        '"bear.privacy.redactions","sum":{"isMonotonic":true,'
        f'"aggregationTemporality":{temporality},"dataPoints":[{{"asInt":"{value}","attributes":['
        f'{{"key":"bear.privacy.kind","value":{{"stringValue":"{kind}"}}}},'
        f'{{"key":"bear.privacy.door","value":{{"stringValue":"{door}"}}}}]}}]}}}}]}}]}}]}}'
    )


def test_requests_fit_the_description() -> None:
    """Numbers stay numbers, references are followed, loops end, and texts are canaries."""
    openapi = {
        "paths": {
            "/a/{id}": {
                "post": {
                    "parameters": [
                        {"in": "path", "name": "id", "schema": {"type": "integer"}},
                        {"in": "query", "name": "q", "schema": {"anyOf": [{"type": "string"}]}},
                        {"in": "header", "name": "X-Who", "schema": {"type": "string"}},
                    ],
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Node"}}
                        }
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "Node": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "size": {"type": "number", "minimum": 3},
                        "next": {"$ref": "#/components/schemas/Node"},
                    },
                }
            }
        },
    }
    assert create_requests(openapi, all_methods=False) == []
    requests = create_requests(openapi, all_methods=True)
    assert len(requests) == len(CANARIES)
    first = requests[0]
    assert (first.method, first.path) == ("POST", "/a/1")
    assert "q=canary.bear%40example.com" in first.query
    assert first.headers["x-who"] == CANARIES["email"]
    assert b'"size": 3' in first.body
    assert first.create_scope()["path"] == "/a/1"
