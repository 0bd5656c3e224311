"""Debug mode tells names, counts and decisions on stderr, and nothing when it is off."""

from __future__ import annotations

import logging.handlers
import re
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sampling_harness import AMPLE, LUCKY, UNLUCKY, Service, set_in

from bear_otel.pipeline.batch_processors import BatchingSpanProcessor
from bear_otel.pipeline.debugging import (
    Decision,
    configure_debugging,
    logger,
    tell,
    tell_redactions,
    tell_start,
)
from bear_otel.pipeline.exporter import BearOtlpSpanExporter
from bear_otel.pipeline.losses import Losses
from bear_otel.pipeline.tail import Limits
from tests.pipeline.pipeline_harness import EMAIL
from tests.pipeline.scripted_server import Reply, ScriptedServer
from tests.pipeline.test_exporter import create_span, get_refused_port
from tests.pipeline.test_spool_sender import create_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = re.compile(r"bear-otel debug \d\d:\d\d:\d\d\.\d{3} \[\d+\] (.*)")
FEW = Limits(traces=1, spans=1000, bytes=10_000_000, age_seconds=60.0)


@pytest.fixture
def debugging() -> Iterator[None]:
    """Debug mode is on for a test."""
    configure_debugging(enabled=True)
    yield
    configure_debugging(enabled=False)


def read_lines(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was told, numbers of time and size as `N`."""
    lines = capfd.readouterr().err.splitlines()
    told = [found[1] for line in lines if (found := LINE.fullmatch(line))]
    assert len(told) == len(lines), lines
    return [re.sub(r"\d+\.\d+ s|\d+ bytes", "N", line) for line in told]


def test_off_is_silent_even_where_all_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """An application that logs at DEBUG has not asked for ours."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        tell("nobody asked")
    finally:
        root.setLevel(before)
    assert read_lines(capfd) == []


@pytest.mark.usefixtures("debugging")
def test_on_is_heard_once_and_by_nobody_else(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, also if it was switched on twice; the application's handlers get none of it."""
    heard = logging.handlers.BufferingHandler(10)
    monkeypatch.setattr(logging.getLogger(), "handlers", [heard])
    configure_debugging(enabled=True)
    tell("%s: %d spans", "traces", 3)
    assert read_lines(capfd) == ["traces: 3 spans"]
    assert heard.buffer == []


@pytest.mark.usefixtures("debugging")
def test_a_configuration_of_logging_does_not_silence_it(capfd: pytest.CaptureFixture[str]) -> None:
    """`dictConfig` disables, by default, every logger that it does not name."""
    logger.disabled = True
    tell("still here")
    assert read_lines(capfd) == ["still here"]


@pytest.mark.parametrize(
    ("trace_id", "request_", "shares", "text"),
    [
        pytest.param(UNLUCKY, {}, (0.1, 1), "dropped: no error, not slow, not in", id="dropped"),
        pytest.param(LUCKY, {}, (0.1, 1), "kept: in the share, or a caller has", id="share"),
        pytest.param(
            UNLUCKY, {"failing": "query"}, (0.1, 1), "kept: a span ended in an error", id="error"
        ),
        pytest.param(UNLUCKY, {"seconds": 1.0}, (0.1, 1), "kept: it was slow; spans: 2", id="slow"),
        pytest.param(
            UNLUCKY,
            {"failing": "query"},
            (0.1, 0.5),
            "dropped: an error, but not in the share of errors; not slow",
            id="error dropped",
        ),
    ],
)
def test_each_decision_is_told(
    trace_id: int, request_: dict[str, Any], shares: tuple[float, float], text: str
) -> None:
    """With the id of the trace, why, and how many spans it was."""
    service = Service(*shares)
    told: list[Decision] = []
    service.tail.told = told.append
    service.serve(trace_id=trace_id, **request_)
    (decision,) = told
    assert f"trace {trace_id:032x}: {text}" in str(decision)
    assert str(decision).endswith("; spans: 2")


def test_a_decision_at_another_time_says_so() -> None:
    """By a limit, after the fact, or at the end of the process."""
    service = Service(limits=FEW)
    told: list[Decision] = []
    service.tail.told = told.append
    first = service.begin()
    late = service.tracer.start_span("late", set_in(first), start_time=0)  # type: ignore[arg-type]
    service.begin()
    late.set_status(StatusCode.ERROR)
    late.end(1)
    service.front.settle()
    assert [str(each).partition("; ")[2] for each in told] == [
        "spans: 0; decided early, too many traces were open",
        "spans: 1; this span came after the decision",
        "spans: 0; decided early, the process ended",
    ]


def test_nobody_listens_to_the_tail_by_default() -> None:
    """The hook is empty; a request pays for a look at it and no more."""
    assert Service(limits=AMPLE).tail.told is None


@pytest.mark.usefixtures("debugging")
def test_each_batch_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """Signal, count, bytes, status and duration; then what is lost, and why."""
    replies = (Reply(), Reply(status=400), Reply(status=503, headers={"retry-after": "7"}))
    with ScriptedServer(*replies) as server:
        exporter = BearOtlpSpanExporter(endpoint=f"{server.url}/v1/traces", losses=Losses())
        for _ in replies:
            exporter.try_export([create_span(EMAIL), create_span("two")])
        exporter.shutdown()
    assert read_lines(capfd) == [
        "traces: 2 spans in N: 200 after N",
        "traces: 2 spans in N: 400 after N",
        "traces: 2 spans dropped: rejected",
        "traces: 2 spans in N: 503 after N",
        "traces: busy, asked again in N",
    ]


@pytest.mark.usefixtures("debugging")
def test_a_batch_for_the_exporter_of_others_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """By its class and what it has answered, since its bytes are not known."""
    processor = BatchingSpanProcessor(InMemorySpanExporter(), losses=Losses())
    processor.on_end(create_span("one"))
    processor.shutdown()
    assert read_lines(capfd) == ["traces: 1 spans to InMemorySpanExporter: SUCCESS"]


@pytest.mark.usefixtures("debugging")
def test_each_move_to_and_from_disk_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the reason, and how much lies there."""
    exporter = BearOtlpSpanExporter(
        endpoint=f"http://127.0.0.1:{get_refused_port()}/v1/traces",
        losses=Losses(),
        spool=create_options(tmp_path),
    )
    for _ in range(2):
        exporter.try_export([create_span("one")])
    exporter.forward(eager=True)
    exporter.shutdown()
    assert [line for line in read_lines(capfd) if "asked again" not in line] == [
        "traces: 1 spans in N: connection refused after N",
        "traces: 1 spans to disk, they were not taken; N there",
        "traces: 1 spans to disk, the server gets a pause; N there",
        "traces: 1 spans from disk; N there",
        "traces: 1 spans in N: connection refused after N",
        "traces: 1 spans stay on disk; N there",
    ]


@pytest.mark.usefixtures("debugging")
def test_redactions_are_told_by_kind_and_door(capfd: pytest.CaptureFixture[str]) -> None:
    """Counts since the start, or that there are none."""
    tell_redactions({("email", "span.name"): 2, ("secret", "log.body"): 1})
    tell_redactions({})
    assert read_lines(capfd) == [
        "scrubber: 2 email at span.name, 1 secret at log.body redacted so far",
        "scrubber: nothing redacted so far",
    ]


@pytest.mark.usefixtures("debugging")
def test_what_measures_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """Of a problem only its kind: the text of an error may quote anything."""
    tell_start(
        sources={"process": "", "fastapi": "native"},
        instrumentors={"httpx": "", "redis": f"ValueError: {EMAIL}"},
        problems={"health": f"OSError: {EMAIL}"},
        skipped={"sqlalchemy": "a source measures it"},
    )
    assert read_lines(capfd) == [
        "source process: started",
        "source fastapi: started (native)",
        "source health: not started, OSError",
        "instrumentor httpx: loaded",
        "instrumentor redis: not loaded, ValueError",
        "instrumentor sqlalchemy: skipped, a source measures it",
    ]
