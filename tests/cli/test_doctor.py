"""`bear-otel doctor` names the cause of a broken set-up, and the command that mends it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from bear_otel.cli.doctor import installation, service
from bear_otel.cli.doctor.command import examine, main
from bear_otel.cli.receiver import Receiver

HEALTHY = {"OTEL_SERVICE_NAME": "shop", "BEAR_OTEL_SPOOL_ENABLED": "false"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return an endpoint that takes everything."""
    with Receiver() as receiver:
        yield receiver


class Server(ThreadingHTTPServer):
    """An endpoint that answers one status, perhaps with another clock."""

    def __init__(self, status: int, ahead_seconds: float = 0.0) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response_only(status)
                self.send_header("date", formatdate(time_now() + ahead_seconds, usegmt=True))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


def time_now() -> float:
    """Return the time, as the standard library has it."""
    import time

    return time.time()


def diagnose(*command: str, **variables: str) -> dict[str, tuple[str, str]]:
    """Return the problems by topic: what was seen, and how to mend it."""
    found = examine({**HEALTHY, **variables}, command)
    return {f.topic: (f.text, f.mend) for f in found if f.level == "problem"}


def test_a_healthy_set_up_has_no_problem(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of each signal goes all the way."""
    # The exporters read the environment themselves.
    for name, value in {**HEALTHY, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}.items():
        monkeypatch.setenv(name, value)
    findings = list(examine(os.environ))
    assert [f for f in findings if f.level == "problem"] == []
    texts = [f.text for f in findings if f.topic == "round trip"]
    assert texts == [
        f"one of {signal} arrived at {receiver.endpoint}"
        for signal in ("traces", "metrics", "logs")
    ]


def test_a_wrong_port_is_found() -> None:
    """Nobody listens there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    problems = diagnose(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert problems["endpoint of traces"][0] == f"nobody listens at {endpoint}"
    assert "bear-otel tail" in problems["endpoint of traces"][1]
    assert "round trip" not in problems


def test_an_unknown_host_is_found() -> None:
    """The name does not resolve."""
    problems = diagnose(OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.invalid:4318")
    assert problems["endpoint of logs"][0] == "the host collector.invalid is not known"


@pytest.mark.parametrize(
    ("status", "text", "mend"),
    [
        (401, "refuses the key (401)", "export OTEL_EXPORTER_OTLP_HEADERS="),
        (403, "refuses the key (403)", "export OTEL_EXPORTER_OTLP_HEADERS="),
        (404, "has no path /v1/traces (404)", "without a path"),
        (429, "overloaded or down (429)", "look at the collector"),
        (503, "overloaded or down (503)", "look at the collector"),
        (500, "answers 500", "look at the collector's log"),
    ],
)
def test_what_the_endpoint_answers_is_explained(status: int, text: str, mend: str) -> None:
    """By what it means for the one who set it up."""
    server = Server(status)
    problems = diagnose(OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint)
    server.shutdown()
    server.server_close()
    assert text in problems["endpoint of traces"][0]
    assert mend in problems["endpoint of traces"][1]


def test_a_clock_that_is_off_is_found() -> None:
    """The endpoint says its time in each answer."""
    server = Server(200, ahead_seconds=-120)
    problems = diagnose(OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint)
    server.shutdown()
    server.server_close()
    assert problems["clock"][0].startswith("this clock is +1")
    assert problems["clock"][1] == "timedatectl set-ntp true"


def test_tls_to_a_plain_port_is_found(receiver: Receiver) -> None:
    """The server does not speak it."""
    endpoint = receiver.endpoint.replace("http://", "https://")
    problems = diagnose(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert problems["endpoint of traces"][0] == "it speaks no TLS"
    assert "http://" in problems["endpoint of traces"][1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_plain_request_to_a_tls_port_and_an_unknown_authority_are_found(tmp_path: Path) -> None:
    """It hangs up on the one; the other is not trusted."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    server = Server(200)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    port = server.server_address[1]
    plain = diagnose(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://localhost:{port}")
    untrusted = diagnose(OTEL_EXPORTER_OTLP_ENDPOINT=f"https://localhost:{port}")
    trusted = diagnose(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"https://localhost:{port}",
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate),
    )
    server.shutdown()
    server.server_close()
    assert "it hangs up" in plain["endpoint of traces"][0]
    assert "https://" in plain["endpoint of traces"][1]
    assert "not trusted" in untrusted["endpoint of traces"][0]
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE" in untrusted["endpoint of traces"][1]
    assert "endpoint of traces" not in trusted


def test_a_silent_endpoint_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and never answers."""
    monkeypatch.setattr("bear_otel.cli.doctor.endpoints._TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        problems = diagnose(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert "does not answer" in problems["endpoint of traces"][0]


def test_a_proxy_that_is_in_the_way_is_found(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is easily forgotten."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    found = list(examine({**HEALTHY, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}))
    proxy = next(f for f in found if f.topic == "proxy")
    assert "go through the proxy http://127.0.0.1:1" in proxy.text
    assert proxy.mend == "export NO_PROXY=127.0.0.1"


def test_a_key_goes_through_a_proxy_to_tls_and_not_in_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proxy is asked for a tunnel, as the exporter does; what it answers is told."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def answer() -> None:
            for _ in range(3):
                client, _address = proxy.accept()
                with client:
                    asked.append(client.recv(65_536))
                    client.sendall(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        problems = diagnose(
            OTEL_EXPORTER_OTLP_ENDPOINT="https://otlp.example.com",
            OTEL_EXPORTER_OTLP_HEADERS="api-key=s3cr3t",
        )
        thread.join(10)
    assert problems["endpoint of traces"][0] == (
        "cannot connect (Tunnel connection failed: 407 Who are you)"
    )
    assert [request.partition(b" HTTP")[0] for request in asked] == [
        b"CONNECT otlp.example.com:443"
    ] * 3
    assert b"s3cr3t" not in b"".join(asked)


@pytest.mark.parametrize(
    ("variables", "topic", "text", "mend"),
    [
        ({"OTEL_SERVICE_NAME": ""}, "service", "it has no name", "export OTEL_SERVICE_NAME"),
        ({"OTEL_SDK_DISABLED": "true"}, "settings", "switches everything off", "unset OTEL_SDK"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp_proto_grpc"},
            "settings",
            "pip install opentelemetry-exporter-otlp-proto-grpc",
            "OTEL_TRACES_EXPORTER",
        ),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}, "settings", "='smoke' is not usable", "unset"),
        (
            {"BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS": "soon"},
            "settings",
            "a number of at least 0",
            "unset BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS",
        ),
        ({"OTEL_CONFIG_FILE": "/nowhere.yaml"}, "settings", "is not usable", "unset OTEL_CONFIG"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
            "endpoint of traces",
            "endpoint='collector:4318/v1/traces' is not usable: http://host:port",
            "http://host:4318",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:http"},
            "endpoint of traces",
            "is not usable: http://host:port",
            "http://host:4318",
        ),
        (
            {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere.pem"},
            "endpoint of traces",
            "certificate file='/nowhere.pem' is not usable: a readable PEM file",
            "correct the OTEL_EXPORTER_OTLP_",
        ),
        (
            {"OTEL_PYTHON_CONFIGURATOR": "another"},
            "opentelemetry_configurator",
            "nothing is scrubbed",
            "export OTEL_PYTHON_CONFIGURATOR=bear_otel",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_variable_is_found(
    variables: dict[str, str], topic: str, text: str, mend: str
) -> None:
    """Each with the variable to correct."""
    problems = diagnose(**variables)
    assert text in problems[topic][0]
    assert mend in problems[topic][1]


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"BEAR_OTEL_REGIN": "eu"}, "did you mean BEAR_OTEL_REGION?"),
        ({"OTEL_LOGS_EXPORTER": "none"}, "logs are sent nowhere"),
        ({"BEAR_OTEL_PERSONAL_DATA_ENABLED": "true"}, "personal data leaves in clear"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "httpx"}, "switched off by"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_may_be_meant_so_is_a_note(variables: dict[str, str], text: str) -> None:
    """It does not change the exit code."""
    notes = [f.text for f in examine({**HEALTHY, **variables}) if f.level == "note"]
    assert any(text in note for note in notes), notes


NAMED = "resource: {attributes: [{name: service.name, value: shop}]}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (NAMED, None),
        ("", ("service", "it has no name", "write into otel.yaml: resource: ")),
        ("resource: [\n", ("settings", "Failed to parse YAML", "unset OTEL_CONFIG_FILE")),
        ("resource: 3\n", ("settings", "3 is not of type 'object'", "unset OTEL_CONFIG_FILE")),
        (
            NAMED + "distribution: {bear_otel: {privacy: {strict: perhaps}}}\n",
            ("settings", "privacy.strict='perhaps'", "correct it in otel.yaml"),
        ),
    ],
    ids=["good", "nameless", "no YAML", "another schema", "our part"],
)
def test_a_bad_file_is_found(
    text: str,
    problem: tuple[str, str, str] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With what is wrong in it, once; variables that the file makes void are no excuse."""
    monkeypatch.chdir(tmp_path)
    Path("otel.yaml").write_text(f'file_format: "1.0"\n{text}')
    problems = diagnose(OTEL_CONFIG_FILE="otel.yaml", OTEL_TRACES_EXPORTER="nobody")
    assert list(problems) == ([problem[0]] if problem else [])
    if problem:
        found, mend = problems[problem[0]]
        assert problem[1] in found
        assert problem[2] in mend
    assert caplog.records == []


def test_settings_in_a_file_are_shown_with_their_origin(tmp_path: Path) -> None:
    """And that nobody has tried its endpoints."""
    path = tmp_path / "otel.yaml"
    path.write_text(
        f'file_format: "1.0"\n{NAMED}distribution: {{bear_otel: {{privacy: {{strict: true}}}}}}\n'
    )
    texts = [finding.text for finding in examine({**HEALTHY, "OTEL_CONFIG_FILE": str(path)})]
    assert "privacy.strict = True (from file)" in texts
    assert "the endpoints that it names are not tried from here" in texts


def test_an_old_library_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the metadata of the packages say."""
    monkeypatch.setattr(installation, "version", lambda name: "1.40.0")
    problems = [f for f in installation.check_requirements() if f.level == "problem"]
    assert any("opentelemetry-sdk 1.40.0, wanted" in f.text for f in problems)
    assert any(f.mend.startswith("pip install 'opentelemetry-sdk") for f in problems)


@pytest.mark.parametrize(
    ("installed", "notes"),
    [
        (
            {"starlette": "1.0", "redis": "6.0"},
            {
                "redis 6.0 is not measured": "pip install bear-otel "
                "opentelemetry-instrumentation-redis",
                "starlette 1.0 is not measured": "pip install bear-otel "
                "opentelemetry-instrumentation-starlette",
            },
        ),
        ({"starlette": "1.0", "fastapi": "0.165"}, {}),
        ({"psycopg2": "2.9", "sqlalchemy": "2.0"}, {}),
    ],
    ids=["nobody measures them", "FastAPI does", "SQLAlchemy does"],
)
def test_a_library_that_nobody_measures_is_named(
    installed: dict[str, str], notes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a command that cannot take OpenTelemetry's SDK back."""

    def find(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError
        return installed[name]

    monkeypatch.setattr(installation, "version", find)
    assert {f.text: f.mend for f in installation.check_libraries()} == notes


@pytest.mark.parametrize(
    ("command", "text", "mend"),
    [
        (("no-such-server",), "is not on the PATH", "pip install no-such-server"),
        ((sys.executable, "-I", "app.py"), "Python's -I keeps the launcher out", "without -I"),
        ((sys.executable, "-uE", "app.py"), "Python's -uE keeps the launcher out", "without -uE"),
        (("/usr/bin/python3", "app.py"), "has no bear-otel", "-m pip install bear-otel"),
    ],
    ids=["unknown", "isolated", "isolated among others", "another Python"],
)
def test_a_command_that_cannot_be_measured_is_found(
    command: tuple[str, ...], text: str, mend: str
) -> None:
    """Before it runs in silence."""
    if command[0].startswith("/usr") and not Path(command[0]).exists():
        pytest.skip("this system has no /usr/bin/python3")
    problems = diagnose(*command)
    assert text in problems["command"][0]
    assert mend in problems["command"][1]


def test_what_the_program_is_told_is_not_what_python_is_told() -> None:
    """Behind the program, -S and -E may mean anything."""
    assert "command" not in diagnose(sys.executable, "app.py", "-S", "-E")


def test_the_parent_of_workers_is_explained() -> None:
    """So that nobody looks for it."""
    notes = [f.text for f in examine(HEALTHY, ("uvicorn", "app:app", "--workers", "2"))]
    assert "the parent of the workers is left alone; each worker reports itself" in notes


def test_a_spool_that_cannot_be_written_is_found() -> None:
    """A folder where no file can be."""
    problems = diagnose(
        BEAR_OTEL_SPOOL_ENABLED="true", BEAR_OTEL_SPOOL_DIRECTORY="/proc/bear-otel/spool"
    )
    assert "spool" in problems or os.geteuid() == 0


def test_what_waits_in_the_spool_is_counted(tmp_path: Path) -> None:
    """Without folders, and without what is sent and removed meanwhile, as this link's target."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "1").write_bytes(b"x" * 1_500_000)
    (tmp_path / "shop" / "2").symlink_to(tmp_path / "gone")
    (found,) = (f for f in service.check_spool(tmp_path) if f.level == "note")
    assert found.text == f"1.5 MB in 1 files wait at {tmp_path}"


def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Little room is a problem before there is none."""
    import shutil

    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    problems = diagnose(
        BEAR_OTEL_SPOOL_ENABLED="true", BEAR_OTEL_SPOOL_DIRECTORY=str(tmp_path / "spool")
    )
    assert problems["spool"][0].startswith("only 0 MB are free")


def test_the_exit_code_and_json_are_for_machines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """1 if something has to be mended."""
    for name, value in {**HEALTHY, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}.items():
        monkeypatch.setenv(name, value)
    assert main(["--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert {"topic", "level", "text", "mend"} == set(findings[0])
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert main([]) == 1
    assert "    -> unset OTEL_SDK_DISABLED" in capsys.readouterr().out
