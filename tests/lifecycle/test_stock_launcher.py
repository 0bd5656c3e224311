"""OpenTelemetry's own launcher finds us, and another distribution beside us is no silent danger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lifecycle_harness import Program, Sink
from virtualenvs import python_with

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.server

OURS = {"OTEL_PYTHON_DISTRO": "bear_otel", "OTEL_PYTHON_CONFIGURATOR": "bear_otel"}
THEIRS = {
    "OTEL_PYTHON_DISTRO": "distro",
    "OTEL_PYTHON_CONFIGURATOR": "configurator",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
}
STOCK = "opentelemetry-instrument python program.py normal"


@pytest.mark.parametrize("environment", [{}, OURS], ids=["alone", "named"])
def test_the_stock_launcher_starts_us(
    run: Callable[..., Program], sink: Sink, environment: dict[str, str]
) -> None:
    """Our entry points are found with and without the two variables, and used once."""
    program = run(STOCK, sink.endpoint, bare=True, environment=environment)

    assert program.wait() == 0, program.stderr
    assert sink.total("program.jobs") == 1
    assert len(sink.spans) == len(sink.log_lines()) == 1
    assert len(sink.measured_instances()) == 1
    assert program.stderr.count("bear-otel 0.") == 1, program.stderr


def test_the_stock_launcher_leaves_unrelated_children_alone_too(
    run: Callable[..., Program], sink: Sink
) -> None:
    """It starts in every Python below it; we tell which of them are the application."""
    code = (
        "import subprocess, sys; "
        "subprocess.run([sys.executable, 'program.py', 'normal'], check=True)"
    )
    program = run(["opentelemetry-instrument", "python", "-c", code], sink.endpoint, bare=True)

    assert program.wait() == 0, program.stderr
    assert sink.spans == []
    assert len(sink.measured_instances()) == 1


@pytest.fixture(scope="module")
def two_distributions() -> Path:
    """The programs of an environment that has OpenTelemetry's distribution besides ours."""
    return python_with("opentelemetry-distro").parent


def _run_beside(
    run: Callable[..., Program], sink: Sink, bin_directory: Path, environment: dict[str, str]
) -> Program:
    command = STOCK.replace("opentelemetry-", f"{bin_directory}/opentelemetry-")
    path = {"PATH": f"{bin_directory}:/usr/bin:/bin"}
    program = run(command, sink.endpoint, bare=True, environment=path | environment)
    assert program.wait() == 0, program.stderr
    return program


def test_beside_another_distribution_two_variables_choose_us(
    run: Callable[..., Program], sink: Sink, two_distributions: Path
) -> None:
    """What wins without them depends on the order of directories."""
    program = _run_beside(run, sink, two_distributions, OURS)

    assert sink.total("program.jobs") == 1
    assert "ANOTHER DISTRIBUTION" not in program.stderr


def test_another_distribution_that_won_is_an_error(
    run: Callable[..., Program], sink: Sink, two_distributions: Path
) -> None:
    """Telemetry leaves unscrubbed then: that is said, with the variables that mend it."""
    program = _run_beside(run, sink, two_distributions, THEIRS)

    assert "ANOTHER DISTRIBUTION HAS CONFIGURED OPENTELEMETRY" in program.stderr
    for name, value in OURS.items():
        assert f"{name}={value}" in program.stderr
    assert "bear-otel 0." not in program.stderr
    assert len(sink.spans) == 1


def test_another_distribution_can_be_forbidden(
    run: Callable[..., Program], sink: Sink, two_distributions: Path
) -> None:
    """With `BEAR_OTEL_REQUIRED_ENABLED` nothing leaves that is not scrubbed."""
    required = {"BEAR_OTEL_REQUIRED_ENABLED": "true"}
    program = _run_beside(run, sink, two_distributions, THEIRS | required)

    assert "all telemetry has been stopped" in program.stderr
    assert sink.spans == []
    assert sink.total("program.jobs") == 0


_FOREIGN = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
foreign = TracerProvider()
trace.set_tracer_provider(foreign)
import bear_otel
try:
    bear_otel.start()
except RuntimeError as error:
    print(error)
assert trace.get_tracer_provider() is foreign
"""


def test_start_in_code_refuses_beside_another_provider(
    run: Callable[..., Program], sink: Sink
) -> None:
    """Loudly, naming the other one, and without having replaced anything."""
    program = run(["python", "-c", _FOREIGN], sink.endpoint, bare=True)

    assert program.wait() == 0, program.stderr
    assert "opentelemetry.sdk.trace.TracerProvider" in program.stdout
    assert sink.measured_instances() == set()


_TWICE = """
import bear_otel
first = bear_otel.start({"lifecycle": {"banner_enabled": False}})
assert bear_otel.start() is first is not None
import program
program.work("first")
raise SystemExit(3)
"""


def test_start_in_code_ends_like_the_launcher(run: Callable[..., Program], sink: Sink) -> None:
    """What was measured arrives at the end, once for two calls, and the exit code stays."""
    program = run(["python", "-c", _TWICE], sink.endpoint, bare=True)

    assert program.wait() == 3, program.stderr
    assert sink.total("program.jobs") == 1
    assert len(sink.spans) == len(sink.log_lines()) == 1
    assert len(sink.measured_instances()) == 1
