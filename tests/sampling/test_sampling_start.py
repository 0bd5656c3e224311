"""Who samples: we, a sampler that the user has named, or a Collector; said at start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lifecycle.lifecycle_harness import Program, Sink, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.server

# 40 traces; every tenth has an error. Another span is still open when the program ends.
PROGRAM = """
from opentelemetry import trace
from opentelemetry.trace import StatusCode
tracer = trace.get_tracer("program")
for number in range(40):
    with tracer.start_as_current_span("root"):
        with tracer.start_as_current_span("child") as child:
            if number % 10 == 0:
                child.set_status(StatusCode.ERROR)
open_root = tracer.start_span("open")
with trace.use_span(open_root):
    with tracer.start_as_current_span("child of open") as child:
        child.set_status(StatusCode.ERROR)
"""
NOTHING = {"BEAR_OTEL_SAMPLING_PERFORMANCE": "0"}
FILE = """
file_format: "1.0"
resource: {{attributes: [{{name: service.instance.id, value: one}}]}}
tracer_provider:
  {sampler}
  processors:
    - batch: {{exporter: {{bear_otlp: {{}}}}}}
distribution: {{bear_otel: {{sampling: {{performance_sampling: 0}}}}}}
"""
WINS = "names a sampler, which decides alone"


def start(directory: Path, sink: Sink, variables: dict[str, str]) -> str:
    """Run the program to its end; return what it has said."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint, **variables}
    program = Program(["python", "-c", PROGRAM], directory, environment=environment)
    try:
        program.wait()
    finally:
        program.close()
    return program.stderr


@pytest.mark.parametrize(
    ("variables", "spans", "said"),
    [
        pytest.param({}, 81, None, id="everything by default"),
        pytest.param(
            NOTHING,
            9,
            "sampled   0 % of all traces, 100 % of those with an error, 100 % of those from 1 s on",
            id="errors only, also of what is open at the end",
        ),
        pytest.param(
            NOTHING | {"BEAR_OTEL_SAMPLING_SLOW_SECONDS": "0"}, 81, "from 0 s on", id="all are slow"
        ),
        pytest.param(
            NOTHING | {"BEAR_OTEL_SAMPLING_ERROR": "0"}, 0, "0 % of those with", id="no errors"
        ),
        pytest.param(
            NOTHING | {"BEAR_OTEL_SAMPLING_DECIDED_BY": "collector"},
            81,
            "sampled   by the Collector; everything is sent there",
            id="the Collector decides",
        ),
        pytest.param(
            NOTHING | {"OTEL_TRACES_SAMPLER": "always_on"},
            81,
            f"warning   OTEL_TRACES_SAMPLER {WINS}",
            id="the user's sampler keeps",
        ),
        pytest.param(
            NOTHING | {"OTEL_TRACES_SAMPLER": "always_off"},
            0,
            f"warning   OTEL_TRACES_SAMPLER {WINS}",
            id="the user's sampler drops",
        ),
        pytest.param(
            {"BEAR_OTEL_SAMPLING_PERFORMANCE": "ten percent"},
            0,
            "BEAR_OTEL_SAMPLING_PERFORMANCE='ten percent' is not usable: a number of at least 0",
            id="a share that is none",
        ),
    ],
)
def test_one_decides_and_the_first_lines_say_who(
    tmp_path: Path, variables: dict[str, str], spans: int, said: str | None
) -> None:
    """OpenTelemetry's own variable wins over ours."""
    with Sink() as sink:
        words = start(tmp_path, sink, variables)
        assert len(sink.spans) == spans
    if said is None:
        assert "sampled" not in words
    else:
        assert said in words


@pytest.mark.parametrize(
    ("sampler", "spans", "said"),
    [
        pytest.param("", 9, "sampled   0 % of all traces", id="the file names no sampler"),
        pytest.param(
            "sampler: {always_on: {}}", 81, f"OTEL_CONFIG_FILE {WINS}", id="the file names one"
        ),
    ],
)
def test_a_configuration_file_may_name_the_sampler(
    tmp_path: Path, sampler: str, spans: int, said: str
) -> None:
    """Else ours decides in file mode, too."""
    path = tmp_path / "otel.yaml"
    path.write_text(FILE.format(sampler=sampler))
    with Sink() as sink:
        words = start(tmp_path, sink, {"OTEL_CONFIG_FILE": str(path)})
        assert len(sink.spans) == spans
    assert said in words


def test_the_interval_of_metrics_is_a_setting(tmp_path: Path) -> None:
    """In code, in seconds; it wins over OpenTelemetry's variable, which is in milliseconds."""
    code = """
import time
import bear_otel
bear_otel.start({"sampling": {"metrics_interval_seconds": 0.2}})
time.sleep(60)
"""
    with Sink() as sink:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint,
            "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
        }
        command = ["python", "-c", code]
        program = Program(command, tmp_path, environment=environment, bare=True)
        try:
            wait_until(lambda: sink.instances["metrics"], "metrics arrive")
        finally:
            program.close()
