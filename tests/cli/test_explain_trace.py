"""`bear-otel explain TRACE_ID`: each rule with its result, and what the received spans prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import StatusCode

from bear_otel.cli.explain import main
from bear_otel.cli.otlp_json import dump_json
from bear_otel.pipeline import otlp
from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.resource import create_resource
from bear_otel.pipeline.sampling import create_sampling
from bear_otel.pipeline.spans import ScrubbingSpanProcessor
from bear_otel.privacy import Scrubber
from bear_otel.settings import SamplingSettings

if TYPE_CHECKING:
    from pathlib import Path

TENTH = {"BEAR_OTEL_SAMPLING_PERFORMANCE": "0.1"}
# Random values from the two ends.
LUCKY, UNLUCKY = (1 << 56) - 1, 1 << 100
IF_FAILED = ", if a span of it here ended in an error"
FRAGMENT = (
    "bear.sampling.fragment=error: not in the share, so other services may have dropped their part"
)
DROPPED = "so it was dropped, unless it had an error or it took 1 s or its caller has kept it"
FILE = """
file_format: "1.0"
tracer_provider:
  {sampler}
  processors: [{{batch: {{exporter: {{console: {{}}}}}}}}]
distribution: {{bear_otel: {{sampling: {{performance_sampling: 0.1}}}}}}
"""


def save(path: Path, trace_id: int, *, failing: bool = False, seconds: float = 0.1) -> None:
    """Let a service that keeps a tenth serve one request, and save what it sends."""
    sampling = create_sampling(SamplingSettings(performance_sampling=0.1))
    assert sampling is not None
    front = ScrubbingSpanProcessor(Cleaner(Scrubber()))
    front.tail = sampling.tail
    ids = RandomIdGenerator()
    ids.generate_trace_id = lambda: trace_id
    provider = TracerProvider(
        resource=create_resource({"service.name": "shop"}, Scrubber()),
        sampler=sampling.sampler,
        id_generator=ids,
        shutdown_on_exit=False,
        active_span_processor=front,  # type: ignore[arg-type]
    )
    sent = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(sent))
    span = provider.get_tracer("shop").start_span("order", start_time=0)
    if failing:
        span.set_status(StatusCode.ERROR)
    span.end(int(seconds * 1e9))
    spans = sent.get_finished_spans()
    request = ExportTraceServiceRequest.FromString(otlp.encode_spans(spans).message)
    path.write_text(dump_json(request) + "\n" if spans else "")


def explain(
    trace_id: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    *options: str,
) -> list[str]:
    """Return the lines that the command prints."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main([f"{trace_id:032x}", *options]) == 0
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("trace_id", "variables", "lines"),
    [
        pytest.param(
            UNLUCKY,
            TENTH,
            [
                "its random number, the same in every service, is 0.0000 of 1",
                "share   no: sampling.performance_sampling=0.1 keeps from 0.9 on",
                f"error   yes{IF_FAILED}: sampling.error_sampling=1 keeps from 0 on",
                DROPPED,
                f"trace {UNLUCKY:032x}: dropped: no error, not slow, not in the share",
            ],
            id="not in the share",
        ),
        pytest.param(
            LUCKY,
            TENTH,
            [
                "share   yes: sampling.performance_sampling=0.1 keeps from 0.9 on",
                "so it was kept, if it began in this service; else its caller has decided",
                f"trace {LUCKY:032x}: kept: in the share, or a caller has kept it",
            ],
            id="in the share",
        ),
        pytest.param(
            UNLUCKY,
            TENTH | {"BEAR_OTEL_SAMPLING_ERROR": "0.5", "BEAR_OTEL_SAMPLING_SLOW_SECONDS": "3"},
            [
                f"error   no{IF_FAILED}: sampling.error_sampling=0.5 keeps from 0.5 on",
                "so it was dropped, unless it took 3 s or its caller has kept it",
            ],
            id="errors are sampled, too",
        ),
        pytest.param(
            UNLUCKY, {}, ["kept like every trace: sampling.performance_sampling is 1"], id="all"
        ),
        pytest.param(
            UNLUCKY,
            TENTH | {"BEAR_OTEL_SAMPLING_DECIDED_BY": "collector"},
            ["sent like every trace; the Collector decides (sampling.decided_by)"],
            id="collector",
        ),
        pytest.param(
            UNLUCKY,
            TENTH | {"OTEL_TRACES_SAMPLER": "always_off"},
            ["OTEL_TRACES_SAMPLER=always_off decides, not bear-otel"],
            id="another sampler",
        ),
    ],
)
def test_each_rule_is_stated_with_its_result(
    trace_id: int,
    variables: dict[str, str],
    lines: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the trace id and the settings alone."""
    said = explain(trace_id, capsys, monkeypatch, variables)
    assert [line for line in lines if line not in said] == []


@pytest.mark.parametrize(
    ("sampler", "line"),
    [
        ("", DROPPED),
        (
            "sampler: {always_on: {}}",
            "the sampler in the file that OTEL_CONFIG_FILE names decides, not bear-otel",
        ),
    ],
    ids=["ours", "the file's"],
)
def test_a_configuration_file_is_read(
    sampler: str,
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its sampler wins; without one, its part of ours holds, and OTEL_TRACES_SAMPLER is void."""
    path = tmp_path / "otel.yaml"
    path.write_text(FILE.format(sampler=sampler))
    variables = {"OTEL_CONFIG_FILE": str(path), "OTEL_TRACES_SAMPLER": "always_off"}
    assert line in explain(UNLUCKY, capsys, monkeypatch, variables)


@pytest.mark.parametrize(
    ("trace_id", "request_", "lines"),
    [
        pytest.param(
            UNLUCKY,
            {"failing": True},
            [
                "received from shop: 1 spans, 1 with an error, the longest took 0.100 s",
                "ot=th:0, each span counts 1 times: kept for an error",
                FRAGMENT,
            ],
            id="error",
        ),
        pytest.param(
            LUCKY,
            {"seconds": 2},
            [
                "received from shop: 1 spans, 0 with an error, the longest took 2.000 s",
                "ot=th:0, each span counts 1 times: kept for being slow",
            ],
            id="slow",
        ),
        pytest.param(
            LUCKY,
            {},
            [
                "received from shop: 1 spans, 0 with an error, the longest took 0.100 s",
                "ot=th:e6666666666666, each span counts 10 times: kept, in the share",
            ],
            id="share",
        ),
        pytest.param(UNLUCKY, {}, ["{path} has no span of it"], id="dropped"),
    ],
)
def test_what_was_received_proves_why(
    trace_id: int,
    request_: dict[str, float],
    lines: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the weight and the attributes of the spans that `bear-otel tail --save` has written."""
    path = tmp_path / "saved.jsonl"
    save(path, trace_id, **request_)  # type: ignore[arg-type]
    said = explain(trace_id, capsys, monkeypatch, TENTH, "--saved", str(path))
    received = [line.format(path=path) for line in lines]
    assert said[-len(lines) :] == received


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "No such file"), ("no json\n", "saved.jsonl:1: ")],
    ids=["no file", "another file"],
)
def test_a_file_that_cannot_be_read_is_named(
    text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, with the place."""
    path = tmp_path / "saved.jsonl"
    if text is not None:
        path.write_text(text)
    assert main([f"{LUCKY:032x}", "--saved", str(path)]) == 1
    assert message in capsys.readouterr().err
