"""`bear-otel collector` says what it will do, and refuses what cannot work."""

from __future__ import annotations

import subprocess
import sys

import pytest
from collector_harness import ROOT, run_cli

from bear_otel.cli.collector_files import load_files
from bear_otel.cli.files import find_folder

FOLDER = find_folder("collector-config")


def test_print_shows_the_whole_choice() -> None:
    """The operator reads what goes where before anything starts, and never a key."""
    result = run_cli(
        "print",
        environment={
            "DD_API_KEY": "dd-secret",
            "SENTRY_DSN": "https://sentry-secret@sentry.example/base/42",
            "NEW_RELIC_LICENSE_KEY": "",
            "BEAR_OTEL_COLLECTOR_HOST_METRICS_SECONDS": "30",
            "BEAR_OTEL_SAMPLING_DECIDED_BY": "collector",
        },
    )
    files = [
        "base",
        "privacy",
        "roles/standalone",
        "sampling",
        "sources/host-metrics",
        "backends/datadog",
        "backends/sentry",
    ]
    command = " ".join(f"--config file:{FOLDER}/{name}.yaml" for name in files)
    sentry = load_files(FOLDER)["backends/sentry"].sends
    expected = f"""\
bear-otel collector: standalone
  takes    OTLP on 127.0.0.1:4317 (gRPC) and 127.0.0.1:4318 (HTTP)
  datadog  traces, APM statistics of all spans, metrics as delta, logs
  sentry   {sentry}
  also     privacy, sampling, sources/host-metrics
  state    /var/lib/bear-otel
  health   http://127.0.0.1:13133
bear-otelcol {command}
"""
    assert (result.returncode, result.stdout, result.stderr) == (0, expected, "")


def test_an_agent_sends_to_its_gateways_and_leaves_keys_alone() -> None:
    """A key in an agent's environment must not make every record arrive twice."""
    result = run_cli(
        "print",
        "--role=agent",
        environment={
            "DD_API_KEY": "dd-secret",
            "BEAR_OTEL_COLLECTOR_GATEWAY": "g:4317",
            "BEAR_OTEL_COLLECTOR_GATEWAYS": "a:4317,b:4317",
        },
    )
    command = " ".join(
        f"--config file:{FOLDER}/{name}.yaml"
        for name in ("base", "privacy", "roles/agent", "agent/gateway", "agent/many-gateways")
    )
    expected = f"""\
bear-otel collector: agent
  takes      OTLP on 127.0.0.1:4317 (gRPC) and 127.0.0.1:4318 (HTTP)
  gateway    g:4317
  traces to  a:4317,b:4317
  also       privacy, agent/gateway, agent/many-gateways
  state      /var/lib/bear-otel
  health     http://127.0.0.1:13133
  not used   DD_API_KEY
bear-otelcol {command}
"""
    assert (result.returncode, result.stdout, result.stderr) == (0, expected, "")


def test_an_open_door_is_said() -> None:
    """Listening beyond the machine without a token or TLS is allowed, but not in silence."""
    door = {"BEAR_OTEL_COLLECTOR_GRPC_LISTEN": "0.0.0.0:4317", "DD_API_KEY": "x"}
    tokens = {"BEAR_OTEL_COLLECTOR_TOKENS_FILE": str(ROOT / "pyproject.toml")}
    assert "warning" in run_cli("print", environment=door).stdout
    assert "warning" not in run_cli("print", environment=door | tokens).stdout


P = "BEAR_OTEL_COLLECTOR_"
BAD = {
    "nothing to send": ([], {}, "back ends"),
    "empty key, asked for": (["--backend=datadog"], {"DD_API_KEY": ""}, "DD_API_KEY"),
    "half of Datadog": ([], {"DD_SITE": "datadoghq.eu"}, "DD_API_KEY"),
    "half of New Relic": (
        [],
        {"DD_API_KEY": "x", f"{P}NEW_RELIC_QUEUE_BYTES": "1"},
        "NEW_RELIC_LICENSE_KEY",
    ),
    "half of TLS": ([], {"DD_API_KEY": "x", f"{P}TLS_KEY_FILE": "/k"}, f"{P}TLS_CERT_FILE"),
    "half of PostgreSQL": (
        [],
        {"DD_API_KEY": "x", f"{P}POSTGRESQL_ENDPOINT": "db:5432"},
        f"{P}POSTGRESQL_USERNAME",
    ),
    "key with a line break": ([], {"DD_API_KEY": "secret\n1"}, "DD_API_KEY='***'"),
    "site with a scheme": ([], {"DD_API_KEY": "x", "DD_SITE": "https://datadoghq.eu"}, "DD_SITE"),
    "DSN without key": ([], {"SENTRY_DSN": "https://sentry.example/1"}, "SENTRY_DSN='***'"),
    "DSN without project": ([], {"SENTRY_DSN": "https://secret@sentry.example/"}, "SENTRY_DSN"),
    "DSN with a bad port": ([], {"SENTRY_DSN": "https://secret@h:x/1"}, "SENTRY_DSN"),
    "URL without scheme": ([], {f"{P}OTLP_URL": "collector:4318"}, f"{P}OTLP_URL"),
    "URL with a bad port": ([], {f"{P}OTLP_URL": "https://host:x"}, f"{P}OTLP_URL"),
    "URL with half an address": ([], {f"{P}OTLP_URL": "http://[::1"}, f"{P}OTLP_URL"),
    "URL with a password": (
        [],
        {f"{P}REMOTE_WRITE_URL": "user:secret@host"},
        f"{P}REMOTE_WRITE_URL='***'",
    ),
    "address without port": (
        [],
        {"DD_API_KEY": "x", f"{P}HTTP_LISTEN": "127.0.0.1"},
        f"{P}HTTP_LISTEN",
    ),
    "number with a unit": (
        [],
        {"DD_API_KEY": "x", f"{P}DATADOG_QUEUE_BYTES": "1GB"},
        f"{P}DATADOG_QUEUE_BYTES",
    ),
    "share above 100": (
        [],
        {
            "DD_API_KEY": "x",
            "BEAR_OTEL_SAMPLING_DECIDED_BY": "collector",
            f"{P}SAMPLING_PERCENT": "101",
        },
        f"{P}SAMPLING_PERCENT",
    ),
    "unknown decider": (
        [],
        {"DD_API_KEY": "x", "BEAR_OTEL_SAMPLING_DECIDED_BY": "nobody"},
        "BEAR_OTEL_SAMPLING_DECIDED_BY",
    ),
    "switch that is not one": (
        [],
        {"DD_API_KEY": "x", f"{P}FSYNC_ENABLED": "yes"},
        f"{P}FSYNC_ENABLED",
    ),
    "relative directory": ([], {"DD_API_KEY": "x", f"{P}STATE_DIR": "here"}, f"{P}STATE_DIR"),
    "file that is not there": (
        [],
        {"DD_API_KEY": "x", f"{P}TOKENS_FILE": "/not/there"},
        f"{P}TOKENS_FILE",
    ),
    "misspelt variable": (
        [],
        {"DD_API_KEY": "x", f"{P}GRPC_LISTN": "127.0.0.1:1"},
        f"did you mean {P}GRPC_LISTEN?",
    ),
    "agent without gateway": (["--role=agent"], {}, f"{P}GATEWAY"),
    "binary that is not there": (
        [],
        {"DD_API_KEY": "x", "BEAR_OTEL_COLLECTOR": "/not/there"},
        "BEAR_OTEL_COLLECTOR",
    ),
}


@pytest.mark.parametrize(("arguments", "environment", "named"), BAD.values(), ids=BAD)
def test_bad_configuration_is_one_line_that_names_it(
    arguments: list[str], environment: dict[str, str], named: str
) -> None:
    """Nothing half-starts: exit code 2, one line, the variable's name, no secret."""
    result = run_cli("run", *arguments, environment=environment)
    message = result.stderr.splitlines()[-1]
    assert result.returncode == 2
    assert named in message
    assert message.startswith("bear-otel collector: ")
    assert "secret" not in result.stdout + result.stderr


def test_a_state_directory_that_cannot_be_written_is_refused(tmp_path) -> None:
    """Queues that cannot be kept are said before the start, not at the first outage."""
    (tmp_path / "file").touch()
    environment = {"DD_API_KEY": "x", f"{P}STATE_DIR": str(tmp_path / "file" / "state")}
    with_binary = environment | {"BEAR_OTEL_COLLECTOR": sys.executable}
    result = run_cli("run", environment=with_binary)
    assert (result.returncode, f"{P}STATE_DIR" in result.stderr) == (2, True)


def test_every_file_states_the_variables_that_it_reads() -> None:
    """The header is what operators read, so it must be what the file does."""
    wrong = {}
    for name, file in load_files(FOLDER).items():
        lines = file.path.read_text().splitlines()
        # `_SUFFIX` in a list continues the variable before it.
        stated = {
            v
            for v in file.variables
            if v in lines[1] or v.removeprefix("BEAR_OTEL_COLLECTOR") in lines[1]
        }
        shape = [line[:2] for line in lines[:4]] == ["# "] * 3 + [lines[3][:2]]
        if stated != set(file.variables) or not shape or lines[3].startswith("#"):
            wrong[name] = set(file.variables) - stated
    assert wrong == {}


def test_no_secret_stands_in_a_file() -> None:
    """Keys come from the environment only."""
    text = "".join(file.path.read_text() for file in load_files(FOLDER).values())
    keys = [line for line in text.splitlines() if "key:" in line and "routing_key" not in line]
    assert all("${env:" in line for line in keys)


def test_the_files_are_yaml_that_yamllint_accepts() -> None:
    """Operators copy from these files."""
    rules = "{extends: relaxed, rules: {line-length: disable}}"
    result = subprocess.run(
        [sys.executable, "-m", "yamllint", "-s", "-d", rules, FOLDER],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "")
