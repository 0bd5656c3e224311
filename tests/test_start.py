"""Starting: with good settings, with bad ones, twice, and when somebody was here first."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from bear_otel.cli.receiver import Receiver
from tests.lifecycle.lifecycle_harness import PATIENT

pytestmark = pytest.mark.server

ADA = "ada.lovelace@example.com"

# A program with nothing of ours in it; what it prints must be all that comes out on stdout.
PROGRAM = f"""
import logging
from opentelemetry import metrics, trace
with trace.get_tracer("program").start_as_current_span("greet {ADA}"):
    logging.getLogger("program").warning("hello {ADA}")
metrics.get_meter("program").create_counter("greetings").add(1, {{"who": "{ADA}"}})
print("done")
"""


class Sink:
    """An OTLP endpoint that keeps what it gets."""

    def __init__(self) -> None:
        self.requests: list[object] = []
        keep = self.requests.append
        self.receiver = Receiver(on_traces=keep, on_metrics=keep, on_logs=keep)

    def signals(self) -> set[str]:
        """Return which signals have arrived."""
        return {type(request).__name__[6:-14] for request in self.requests}

    def text(self) -> str:
        """Return all that has arrived."""
        return "\n".join(str(request) for request in self.requests)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Receive what the programs of a test send."""
    sink = Sink()
    with sink.receiver:
        yield sink


def run(
    program: str, endpoint: str, *, launcher: bool = True, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a program under the launcher, or bare."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_SERVICE_NAME": "program",
        **PATIENT,
        **more,
    }
    command = [sys.executable, "-c", textwrap.dedent(program)]
    if launcher:
        command = [str(Path(sys.executable).with_name("bear-otel-instrument")), *command]
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=180, check=False, cwd=cwd
    )


def test_all_signals_arrive_and_nothing_personal(sink: Sink) -> None:
    """Under the launcher, with no setting but the endpoint."""
    result = run(PROGRAM, sink.receiver.endpoint)
    assert (result.returncode, result.stdout) == (0, "done\n")
    assert sink.signals() == {"Trace", "Metrics", "Logs"}
    assert ADA not in sink.text()
    assert "greet [REDACTED:email]" in sink.text()


def test_the_first_lines_say_what_happens(sink: Sink) -> None:
    """What is measured, where data goes, what is scrubbed; on stderr."""
    result = run(PROGRAM, sink.receiver.endpoint)
    assert f"program -> traces, metrics, logs to {sink.receiver.endpoint}" in result.stderr
    for text in ("process", "fastapi", "sqlalchemy", "personal data and secrets are redacted"):
        assert text in result.stderr


def test_one_variable_makes_it_quiet(sink: Sink) -> None:
    """Nothing but what the program prints itself."""
    result = run(PROGRAM, sink.receiver.endpoint, BEAR_OTEL_BANNER_ENABLED="false")
    assert result.stderr == f"hello {ADA}\n"
    assert sink.signals() == {"Trace", "Metrics", "Logs"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS": "soon"},
            "BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS='soon' is not usable: a number",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER='zipkin' is not usable: installed are",
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"},
            "OTEL_EXPORTER_OTLP_PROTOCOL='carrier-pigeon' is not usable: one of http/protobuf",
        ),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "OTEL_BSP_MAX_QUEUE_SIZE='0' is not usable: a whole"),
        ({"OTEL_PYTHON_LOG_LEVEL": "LOUD"}, "OTEL_PYTHON_LOG_LEVEL='LOUD' is not usable: one of"),
        ({"OTEL_CONFIG_FILE": "/nowhere.yaml"}, "OTEL_CONFIG_FILE='/nowhere.yaml' is not usable"),
        (
            {"BEAR_OTEL_PERSONAL_DATA_ENABLED": "1", "BEAR_OTEL_PSEUDONYMS_ENABLED": "1"},
            "privacy.allow_personal_data=True is not usable: not together with",
        ),
        ({"OTEL_PROPAGATORS": "b4"}, "OTEL_PROPAGATORS='b4' is not usable: installed are"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_setting_is_explained_and_the_program_runs(
    sink: Sink, variables: dict[str, str], message: str
) -> None:
    """One line that names variable, value and what is accepted; the program does not notice."""
    result = run(PROGRAM, sink.receiver.endpoint, **variables)
    assert (result.returncode, result.stdout) == (0, "done\n")
    assert message in result.stderr
    assert "the application runs without telemetry" in result.stderr
    assert "Traceback" not in result.stderr
    assert sink.requests == []


NAMED = "resource: {attributes: [{name: service.name, value: %s}]}"
NAMELESS = "warning   the service has no name; "
IGNORED = "so these are ignored: OTEL_SERVICE_NAME"


@pytest.mark.parametrize(
    ("resource", "banner", "ignored"),
    [
        ("", f"{NAMELESS}write into otel.yaml: {NAMED % '<name>'}", True),
        (NAMED % "shop", "shop -> ", True),
        (NAMED % '"${OTEL_SERVICE_NAME}"', "program -> ", False),
    ],
    ids=["nameless", "named as advised", "named by the variable"],
)
def test_the_advice_for_a_file_works(
    sink: Sink, tmp_path: Path, resource: str, banner: str, ignored: bool
) -> None:
    """What names a service without a file is ignored with one, but where the file uses it."""
    (tmp_path / "otel.yaml").write_text(f'file_format: "1.0"\n{resource}\n')
    result = run("", sink.receiver.endpoint, cwd=tmp_path, OTEL_CONFIG_FILE="otel.yaml")
    assert banner in result.stderr
    assert (NAMELESS in result.stderr) == (NAMELESS in banner)
    assert (IGNORED in result.stderr) == ignored


def test_the_advice_without_a_file_is_the_variable(sink: Sink) -> None:
    """The shortest that works."""
    result = run("", sink.receiver.endpoint, OTEL_SERVICE_NAME="")
    assert f"{NAMELESS}export OTEL_SERVICE_NAME=<name>\n" in result.stderr


def test_a_bad_setting_in_a_file_is_explained(sink: Sink, tmp_path: Path) -> None:
    """The third door, with the name as it stands in the file."""
    path = tmp_path / "otel.yaml"
    path.write_text('file_format: "1.0"\ndistribution: {bear_otel: {privacy: {strict: perhaps}}}\n')
    result = run(PROGRAM, sink.receiver.endpoint, OTEL_CONFIG_FILE=str(path))
    message = "distribution.bear_otel.privacy.strict='perhaps' is not usable: true or false"
    assert message in result.stderr
    assert result.stdout == "done\n"


def test_a_configuration_file_sends_nothing_raw(sink: Sink, tmp_path: Path) -> None:
    """OpenTelemetry's own processors and exporters, made by its factories, get clean records."""
    path = tmp_path / "otel.yaml"
    path.write_text(CONFIGURATION_FILE)
    result = run(
        PROGRAM,
        sink.receiver.endpoint,
        OTEL_CONFIG_FILE=str(path),
        ENDPOINT=sink.receiver.endpoint,
        OTEL_TRACES_SAMPLER="always_off",
    )
    assert result.stdout == "done\n"
    assert sink.signals() == {"Trace", "Metrics", "Logs"}
    assert ADA not in sink.text()
    assert "ps1." in sink.text()
    assert "filed" in sink.text()
    ignored = "so these are ignored: OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER"
    assert ignored in result.stderr


CONFIGURATION_FILE = """
file_format: "1.0"
resource:
  attributes: [{name: service.name, value: filed}]
tracer_provider:
  processors:
    - batch: {exporter: {otlp_http: {endpoint: "${ENDPOINT}/v1/traces"}}}
    - simple: {exporter: {bear_otlp: {}}}
meter_provider:
  readers:
    - periodic: {exporter: {otlp_http: {endpoint: "${ENDPOINT}/v1/metrics"}}}
logger_provider:
  processors:
    - batch: {exporter: {otlp_http: {endpoint: "${ENDPOINT}/v1/logs"}}}
distribution:
  bear_otel:
    privacy: {anonymize_data: true}
"""


def test_start_in_code_is_the_same_path(sink: Sink) -> None:
    """With settings in code, which win over the environment; a second call changes nothing."""
    program = f"""
    import bear_otel
    running = bear_otel.start({{"resource": {{"region": "eu"}}}})
    assert bear_otel.start() is running
    {textwrap.indent(PROGRAM, "    ").strip()}
    """
    result = run(program, sink.receiver.endpoint, launcher=False, BEAR_OTEL_REGION="us")
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr
    assert sink.signals() == {"Trace", "Metrics", "Logs"}
    assert ADA not in sink.text()
    assert 'string_value: "eu"' in sink.text()


FOREIGN_PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
bear_otel.start()
"""


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("bear_otel.start({'privacy': {'strict': 3}})", "ConfigurationError: privacy.strict=3"),
        (
            FOREIGN_PROVIDER,
            "another OpenTelemetry set-up was here first (opentelemetry.sdk.trace.TracerProvider)",
        ),
    ],
    ids=["bad setting", "somebody was first"],
)
def test_start_in_code_raises_what_is_wrong(sink: Sink, program: str, error: str) -> None:
    """Code can react; the launcher cannot, and prints it."""
    result = run(f"import bear_otel\n{program}", sink.receiver.endpoint, launcher=False)
    assert result.returncode == 1
    assert error in result.stderr


@pytest.mark.parametrize("variable", ["OTEL_SDK_DISABLED"])
def test_switched_off_means_nothing_is_sent(sink: Sink, variable: str) -> None:
    """And it is said, since silence must have a reason."""
    result = run(PROGRAM, sink.receiver.endpoint, **{variable: "true"})
    assert result.stdout == "done\n"
    assert "switched off" in result.stderr
    assert sink.requests == []


def test_importing_the_package_imports_no_sdk() -> None:
    """Every process below the launcher pays for it."""
    program = (
        "import bear_otel, sys; sys.exit(any(n.startswith('opentelemetry') for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
