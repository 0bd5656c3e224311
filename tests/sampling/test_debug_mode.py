"""Debug mode in a whole program: what happens is told on stderr, and nowhere else."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.lifecycle.lifecycle_harness import Program, Sink

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.server

ADA = "ada.lovelace@example.com"
# The application's own logging comes after the start, and knows nothing of ours.
PROGRAM = f"""
import logging, logging.config
from opentelemetry import trace
from opentelemetry.trace import StatusCode
{{start}}
logging.config.dictConfig({{{{"version": 1, "root": {{{{"level": "DEBUG"}}}}}}}})
tracer = trace.get_tracer("program")
with tracer.start_as_current_span("quiet {ADA}"):
    logging.getLogger("program").info("hello {ADA}")
with tracer.start_as_current_span("failing {ADA}") as span:
    span.set_attribute("user.email", "{ADA}")
    span.set_status(StatusCode.ERROR, "{ADA}")
"""
FILE = """
file_format: "1.0"
resource: {attributes: [{name: service.instance.id, value: one}]}
tracer_provider:
  processors:
    - batch: {exporter: {bear_otlp: {}}}
distribution: {bear_otel: {debug: {enabled: true}, sampling: {performance_sampling: 0}}}
"""
IN_CODE = 'import bear_otel; bear_otel.start({"debug": {"enabled": True}})'
VARIABLES = {"BEAR_OTEL_DEBUG_ENABLED": "true", "BEAR_OTEL_SAMPLING_PERFORMANCE": "0"}
TOLD = (
    r"source process: started",
    r"source logging: started \(INFO\)",
    r"instrumentor \S+: (loaded|skipped, .+)",
    r"trace [0-9a-f]{32}: dropped: no error, not slow, not in the share; spans: 1",
    r"trace [0-9a-f]{32}: kept: a span ended in an error; spans: 1",
    r"traces: 1 spans in \d+ bytes: 200 after \d\.\d{3} s",
    r"logs: 1 log records in \d+ bytes: 200 after \d\.\d{3} s",
    r"scrubber: .*\d+ email at span\.",
)


def run(
    directory: Path, sink: Sink, variables: dict[str, str], start: str = "", *, bare: bool = False
) -> str:
    """Run the program to its end; return what stands on stderr."""
    program = Program(
        ["python", "-c", PROGRAM.format(start=start)],
        directory,
        environment={"OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint, **variables},
        bare=bare,
    )
    with closing(program):
        assert program.wait() == 0
    return program.stderr


def test_all_that_happens_is_told_and_no_value(tmp_path: Path) -> None:
    """Also where the application has configured its logging without us; it is not exported."""
    with Sink() as sink:
        said = run(tmp_path, sink, VARIABLES | {"BEAR_OTEL_BANNER_ENABLED": "false"})
        bodies = [log.body.string_value for log in sink.logs]
    lines = said.splitlines()
    assert [line for line in lines if not line.startswith("bear-otel debug ")] == []
    missing = [each for each in TOLD if not any(re.search(f"{each}$|{each}", x) for x in lines)]
    assert missing == []
    assert ADA not in said
    assert bodies == ["hello [REDACTED:email]"]


@pytest.mark.parametrize("door", ["variable", "code", "file"])
def test_it_has_three_doors(tmp_path: Path, door: str) -> None:
    """As every setting has."""
    path = tmp_path / "otel.yaml"
    path.write_text(FILE)
    with Sink() as sink:
        match door:
            case "variable":
                said = run(tmp_path, sink, VARIABLES)
            case "code":
                said = run(tmp_path, sink, {}, IN_CODE, bare=True)
            case _:
                said = run(tmp_path, sink, {"OTEL_CONFIG_FILE": str(path)})
    assert "] source process: started" in said
    assert ("kept: a span ended in an error" in said) == (door != "code")
    assert "traces: " in said


def test_off_tells_nothing(tmp_path: Path) -> None:
    """As it is by default."""
    with Sink() as sink:
        said = run(tmp_path, sink, {"BEAR_OTEL_SAMPLING_PERFORMANCE": "0"})
    assert "debug" not in said
