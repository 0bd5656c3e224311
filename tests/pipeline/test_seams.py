"""Every private name of OpenTelemetry that we touch is there, and does what we take it for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.context import Context, attach, detach, get_value
from opentelemetry.instrumentation.distro import DefaultDistro
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from pipeline_harness import Keep

import bear_otel
from bear_otel.pipeline import seams

PACKAGE = Path(bear_otel.__file__).parent

# Public but for their place: the logs API and the incubating conventions have no other.
PUBLIC = ("opentelemetry._logs", "opentelemetry.sdk._logs", "opentelemetry.semconv._incubating")
# The API's synchronous gauge has no name without an underscore.
GAUGE = "_Gauge"


def find_private_imports(path: Path) -> list[str]:
    """Return the private OpenTelemetry names that a file imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opentelemetry"):
            module = node.module or ""
            rest = next((module[len(name) :] for name in PUBLIC if module.startswith(name)), module)
            names = [alias.name for alias in node.names if alias.name != "_logs"]
            if "._" in rest or any(n.startswith("_") and n != GAUGE for n in names):
                found.append(f"{path.relative_to(PACKAGE)}: {module} {names}")
    return found


def test_private_names_stand_in_one_file_only() -> None:
    """An upgrade of OpenTelemetry is that file."""
    files = [path for path in PACKAGE.rglob("*.py") if path.name != "seams.py"]
    assert [found for path in files for found in find_private_imports(path)] == []


def test_the_suppress_key_is_what_the_public_helper_sets() -> None:
    """Exporters send under it; our log handler looks at it."""
    assert get_value(seams.SUPPRESS_KEY) is None
    with suppress_instrumentation():
        assert get_value(seams.SUPPRESS_KEY) is True


def test_a_foreign_provider_is_found_and_forgotten() -> None:
    """Each of the three; none at first."""
    seams.reset_globals()
    assert seams.find_foreign_provider() is None
    for set_provider, provider in (
        (trace.set_tracer_provider, TracerProvider(shutdown_on_exit=False)),
        (metrics.set_meter_provider, MeterProvider(shutdown_on_exit=False)),
        (set_logger_provider, LoggerProvider(shutdown_on_exit=False)),
    ):
        set_provider(provider)  # type: ignore[operator]
        name = f"{type(provider).__module__}.{type(provider).__qualname__}"
        assert seams.find_foreign_provider() == name
        seams.reset_globals()
        assert seams.find_foreign_provider() is None


def test_a_foreign_provider_can_be_silenced() -> None:
    """It goes on making spans, and nobody hears of them."""
    seams.reset_globals()
    provider, keep = TracerProvider(shutdown_on_exit=False), Keep()
    provider.add_span_processor(keep)
    trace.set_tracer_provider(provider)
    seams.shut_down_foreign_providers()
    trace.get_tracer("library").start_span("loud").end()
    assert keep.ended == []
    seams.reset_globals()
    assert get_logger_provider() is not None


@pytest.mark.parametrize(
    ("sampler", "sampler_name"), [("", ""), ("always_off", "AlwaysOffSampler")]
)
def test_the_sampler_is_the_one_that_the_variable_names(
    monkeypatch: pytest.MonkeyPatch, sampler: str, sampler_name: str
) -> None:
    """Also one that comes from an entry point."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    components = seams.create_trace_components()
    assert getattr(components["sampler"], "get_description", str)() == sampler_name
    TracerProvider(shutdown_on_exit=False, **components)
    MeterProvider(shutdown_on_exit=False, **seams.create_metric_components())
    LoggerProvider(shutdown_on_exit=False, **seams.create_log_components())


def test_a_processor_can_be_put_in_front() -> None:
    """What stood there is handed back."""
    provider, behind, front = TracerProvider(shutdown_on_exit=False), Keep(), Keep()
    provider.add_span_processor(behind)
    old = seams.replace_span_processor(provider, front)
    provider.get_tracer("library").start_span("one").end()
    assert (len(front.ended), len(behind.ended)) == (1, 0)
    old.on_end(front.ended[0])
    assert len(behind.ended) == 1


def test_providers_of_a_file_have_no_exit_handler_of_their_own() -> None:
    """Three of them in a row make an exit of many seconds."""
    configuration: Any = pytest.importorskip("opentelemetry.configuration")
    config = configuration.OpenTelemetryConfiguration(file_format="1.0")
    for provider in seams.create_file_providers(config, seams.create_file_resource(config)):
        handlers = {"_atexit_handler", "_at_exit_handler"} & vars(provider).keys()
        assert [vars(provider)[handler] for handler in handlers] == [None]


def test_instrumentors_are_offered_to_the_distribution() -> None:
    """Each one that is installed, and whose library is there."""
    offered = []

    class Distro(DefaultDistro):
        def load_instrumentor(self, entry_point: Any, **kwargs: Any) -> None:
            offered.append(entry_point.name)

    seams.load_instrumentors(Distro())
    assert {"httpx", "requests"} <= set(offered)


def test_a_span_context_is_the_tuple_that_we_unpack() -> None:
    """The request path reads it so, since each property takes a call."""
    state = trace.TraceState([("vendor", "value")])
    context = trace.SpanContext(1, 2, True, trace.TraceFlags(1), state)
    assert tuple(context) == (1, 2, True, trace.TraceFlags(1), state, True)
    trace_id, span_id, is_remote, flags, trace_state, is_valid = context
    assert (trace_id, span_id) == (context.trace_id, context.span_id)
    assert (is_remote, flags) == (context.is_remote, context.trace_flags)
    assert (trace_state, is_valid) == (context.trace_state, context.is_valid)


def test_a_context_holds_its_span_where_we_look() -> None:
    """As `get_current_span` finds it, and nothing where there is none."""
    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))
    context = trace.set_span_in_context(span, Context())
    assert seams.find_span(context) is span
    assert seams.find_span(Context()) is trace.INVALID_SPAN
    token = attach(context)
    try:
        assert seams.find_span(None) is span
    finally:
        detach(token)
