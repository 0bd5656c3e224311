"""A block around a call of a model ends when it should, says what it knows and breaks nothing."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics.export import HistogramDataPoint
from opentelemetry.trace import SpanKind
from opentelemetry.util.genai.types import InputMessage, TextPart

import bear_otel
from bear_otel import ConfigurationError, catalogue
from bear_otel.sources import genai_inference
from bear_otel.testing import Captured, capture


@pytest.fixture(autouse=True)
def _say_again() -> None:
    """What is said once in a process is said once in a test."""
    genai_inference._warn.cache_clear()


def answer(call: genai_inference.Inference, words: str = "a b c") -> Iterator[str]:
    """Stream some words, and count them at the end as a model does."""
    yield from words.split()
    call.output_tokens = len(words.split())


async def answer_later(call: genai_inference.Inference) -> AsyncIterator[str]:
    """Do the same asynchronously."""
    for word in answer(call):
        await asyncio.sleep(0)
        yield word


def describe(captured: Captured) -> list[tuple[str, str, object]]:
    """Return name, status and type of error of each span that has ended."""
    return [
        (span.name, span.status.status_code.name, (span.attributes or {}).get("error.type"))
        for span in captured.spans
    ]


FINE = [("chat llama-7b", "UNSET", None)]


def test_a_call_says_what_the_original_recorded_as_labels(telemetry: Captured) -> None:
    """Model as a label, tokens and duration as values."""
    with bear_otel.inference("llama-7b", provider="vllm") as call:
        call.input_tokens, call.output_tokens = 512, 128
        call.invocation.response_model_name = "llama-7b-q4"
    (span,) = telemetry.spans
    assert (span.name, span.kind) == ("chat llama-7b", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "llama-7b",
        "gen_ai.response.model": "llama-7b-q4",
        "gen_ai.usage.input_tokens": 512,
        "gen_ai.usage.output_tokens": 128,
    }
    tokens = {
        point.attributes["gen_ai.token.type"]: (point.count, point.sum)
        for point in telemetry.metrics()["gen_ai.client.token.usage"]
    }
    assert tokens == {"input": (1, 512), "output": (1, 128)}


@pytest.mark.parametrize("operation", ["text_completion", "embeddings", "rerank"])
def test_another_operation_has_its_name(telemetry: Captured, operation: str) -> None:
    """In the span and in the metric."""
    with bear_otel.inference("llama-7b", provider="vllm", operation=operation):
        pass
    assert describe(telemetry) == [(f"{operation} llama-7b", "UNSET", None)]
    (point,) = telemetry.metrics()["gen_ai.client.operation.duration"]
    assert point.attributes["gen_ai.operation.name"] == operation


def test_what_the_block_raises_is_raised_and_recorded(telemetry: Captured) -> None:
    """In a coroutine, too, where it may be a cancellation."""

    async def main() -> None:
        async with bear_otel.inference("llama-7b", provider="vllm"):
            raise asyncio.CancelledError

    with pytest.raises(TimeoutError), bear_otel.inference("llama-7b", provider="vllm"):
        raise TimeoutError
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert describe(telemetry) == [
        ("chat llama-7b", "ERROR", "TimeoutError"),
        ("chat llama-7b", "ERROR", "asyncio.exceptions.CancelledError"),
    ]


def test_what_runs_in_the_block_is_a_child_and_what_follows_is_not(telemetry: Captured) -> None:
    """The context of the application is what it was."""
    before = trace.get_current_span()
    tracer = trace.get_tracer("test")
    with bear_otel.inference("llama-7b", provider="vllm") as call:
        with tracer.start_as_current_span("inside"):
            pass
        stream = call.stream(answer(call))
    assert trace.get_current_span() is before
    next(stream)
    with tracer.start_as_current_span("between"):
        assert list(stream) == ["b", "c"]
    inside, chat, between = telemetry.spans
    assert inside.parent == chat.context
    assert (chat.parent, between.parent) == (None, None)


def test_a_stream_in_the_block_leaves_time_to_set_the_tokens(telemetry: Captured) -> None:
    """The call ends with its block."""
    with bear_otel.inference("llama-7b", provider="vllm") as call:
        assert list(call.stream(iter("abc"))) == ["a", "b", "c"]
        assert describe(telemetry) == []
        call.output_tokens = 3
    assert describe(telemetry) == FINE
    assert (telemetry.spans[0].attributes or {})["gen_ai.usage.output_tokens"] == 3
    assert count_chunks(telemetry) == (1, 2)


def test_a_stream_that_outlives_the_block_ends_the_call(telemetry: Captured) -> None:
    """As the answer of a route does that is streamed."""
    with bear_otel.inference("llama-7b", provider="vllm") as call:
        stream = call.stream(answer(call))
    assert describe(telemetry) == []
    assert list(stream) == ["a", "b", "c"]
    assert describe(telemetry) == FINE
    assert (telemetry.spans[0].attributes or {})["gen_ai.usage.output_tokens"] == 3
    assert count_chunks(telemetry) == (1, 2)


def test_an_asynchronous_stream_does_the_same(telemetry: Captured) -> None:
    """Consumed in another task than the one that had the block."""

    async def consume(stream: AsyncIterator[str]) -> list[str]:
        return [word async for word in stream]

    async def main() -> None:
        async with bear_otel.inference("llama-7b", provider="vllm") as call:
            stream = call.stream(answer_later(call))
        assert describe(telemetry) == []
        assert await asyncio.create_task(consume(stream)) == ["a", "b", "c"]

    asyncio.run(main())
    assert describe(telemetry) == FINE
    assert (telemetry.spans[0].attributes or {})["gen_ai.usage.output_tokens"] == 3
    assert count_chunks(telemetry) == (1, 2)


def leave_after_one_chunk(end: Callable[[Any], object]) -> None:
    """Consume a part of a stream outside of the block, then end it."""
    with bear_otel.inference("llama-7b", provider="vllm") as call:
        stream = call.stream(answer(call))
    next(stream)
    end(stream)


def test_a_stream_that_is_closed_is_no_error(telemetry: Captured) -> None:
    """Whoever closes it has heard enough."""
    leave_after_one_chunk(lambda stream: stream.close())
    assert describe(telemetry) == FINE


def test_a_stream_that_is_thrown_away_is_told(telemetry: Captured) -> None:
    """Nobody else could end its span."""
    leave_after_one_chunk(lambda stream: None)
    assert describe(telemetry) == [("chat llama-7b", "ERROR", "_OTHER")]


def test_a_stream_that_breaks_outside_of_the_block_is_an_error(telemetry: Captured) -> None:
    """It is raised where it is consumed."""

    def break_off() -> Iterator[str]:
        yield "a"
        raise ConnectionResetError

    with bear_otel.inference("llama-7b", provider="vllm") as call:
        stream = call.stream(break_off())
    with pytest.raises(ConnectionResetError):
        list(stream)
    assert describe(telemetry) == [("chat llama-7b", "ERROR", "ConnectionResetError")]


def test_what_is_caught_in_the_block_is_no_error(telemetry: Captured) -> None:
    """A stream that broke and was asked again, or that was left early: the block decides."""

    def break_off() -> Iterator[str]:
        yield "a"
        raise ConnectionResetError

    with bear_otel.inference("llama-7b", provider="vllm") as call:
        with pytest.raises(ConnectionResetError):
            list(call.stream(break_off()))
        for _ in call.stream(answer(call)):
            break
    assert describe(telemetry) == FINE


def test_chunks_can_be_counted_by_hand(telemetry: Captured) -> None:
    """Where a model calls back instead of yielding."""
    with bear_otel.inference("llama-7b", provider="vllm") as call:
        for _ in range(4):
            call.chunk()
    assert (telemetry.spans[0].attributes or {})["gen_ai.request.stream"] is True
    assert count_chunks(telemetry) == (1, 3)


def count_chunks(captured: Captured) -> tuple[int, int]:
    """Return how many first chunks and how many others were measured."""
    metrics = captured.metrics()
    first, others = (
        sum(point.count for point in metrics.get(f"gen_ai.client.operation.{name}", []))
        for name in ("time_to_first_chunk", "time_per_output_chunk")
    )
    return first, others


def test_a_block_in_a_block_counts_once(telemetry: Captured) -> None:
    """The outer one is the call; the inner one adds what it alone knows."""
    with bear_otel.inference("llama-7b", provider="vllm") as outer:
        outer.input_tokens = 1
        with bear_otel.inference("llama-7b", provider="inner") as inner:
            inner.input_tokens, inner.output_tokens = 100, 2
    (span,) = telemetry.spans
    attributes = dict(span.attributes or {})
    assert [
        attributes[name]
        for name in (
            "gen_ai.provider.name",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
        )
    ] == ["vllm", 1, 2]


@pytest.mark.parametrize("count", [-1, 2.5, "512", object()], ids=str)
def test_a_count_that_is_none_is_left_out_and_said_once(
    telemetry: Captured, caplog: pytest.LogCaptureFixture, count: Any
) -> None:
    """Data are no reason to fail."""
    for _ in range(2):
        with bear_otel.inference("llama-7b", provider="vllm") as call:
            call.input_tokens, call.output_tokens = count, 0
    assert (telemetry.spans[0].attributes or {}).get("gen_ai.usage.input_tokens") is None
    assert (telemetry.spans[0].attributes or {})["gen_ai.usage.output_tokens"] == 0
    assert [record.getMessage() for record in caplog.records] == [
        "inference: a number of tokens that is no whole number, or is negative, is left out"
    ]


def test_what_cannot_be_recorded_does_not_reach_the_application(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever it has set on OpenTelemetry's own object; the span still ends."""
    with capture({"genai": {"content": "SPAN_ONLY"}}) as telemetry:
        with bear_otel.inference("llama-7b", provider="vllm") as call:
            call.invocation.input_messages = [object()]  # pyright: ignore[reportAttributeAccessIssue] - the test
        assert describe(telemetry) == FINE
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage().endswith("could not be recorded")


@pytest.mark.parametrize("content", ["NO_CONTENT", "SPAN_ONLY"])
def test_content_leaves_only_where_it_is_wanted_and_scrubbed(content: str) -> None:
    """Also from a block; and from whoever else puts it on a span."""
    with capture({"genai": {"content": content}}) as telemetry:
        with bear_otel.inference("llama-7b", provider="vllm") as call:
            text = TextPart(content="Write to ada@example.com about the weather")
            call.invocation.input_messages = [InputMessage(role="user", parts=[text])]
            trace.get_current_span().set_attribute("gen_ai.prompt.0.content", text.content)
        keys = {found.split()[4] for found in telemetry.find("about the weather")}
        allowed = {"gen_ai.input.messages", "gen_ai.prompt.0.content"}
        assert keys == (set() if content == "NO_CONTENT" else allowed)
        telemetry.assert_nothing_of("ada@example.com")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": ""}, "model of an inference='' is not usable: text that is not empty"),
        ({"model": None}, "model of an inference=None is not usable: text that is not empty"),
        ({"provider": ""}, "provider of an inference='' is not usable: text that is not empty"),
        ({"operation": 7}, "operation of an inference=7 is not usable: text that is not empty"),
    ],
    ids=str,
)
def test_a_name_that_is_none_is_refused(arguments: dict[str, Any], message: str) -> None:
    """Where the block is written, not where it ends."""
    with pytest.raises(ConfigurationError) as raised:
        bear_otel.inference(**{"model": "llama-7b", "provider": "vllm"} | arguments)
    assert str(raised.value) == message


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is optional, so this is the first thing that many will see."""
    monkeypatch.setitem(sys.modules, "opentelemetry.util.genai.handler", None)
    monkeypatch.delitem(sys.modules, "bear_otel.sources.genai_inference")
    with pytest.raises(ConfigurationError, match=r"pip install 'bear-otel\[genai\]'"):
        bear_otel.inference("llama-7b", provider="vllm")


def test_without_telemetry_a_block_does_nothing() -> None:
    """In a process that never starts it; streams pass through."""
    program = (
        "import bear_otel\n"
        "with bear_otel.inference('llama-7b', provider='vllm') as call:\n"
        "    call.input_tokens = 3\n"
        "    print(list(call.stream(iter('ab'))))\n"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=180)
    assert (result.stdout, result.stderr) == ("['a', 'b']\n", "")


@pytest.mark.parametrize(
    "row",
    [
        catalogue.GEN_AI_CLIENT_OPERATION_DURATION,
        catalogue.GEN_AI_CLIENT_TOKEN_USAGE,
        catalogue.GEN_AI_CLIENT_TIME_TO_FIRST_CHUNK,
        catalogue.GEN_AI_CLIENT_TIME_PER_OUTPUT_CHUNK,
    ],
    ids=lambda row: row.name,
)
def test_the_catalogue_says_what_the_library_records(
    telemetry: Captured, row: catalogue.Metric
) -> None:
    """Unit, boundaries and labels, which we do not choose."""
    with bear_otel.inference("llama-7b", provider="vllm") as call:
        list(call.stream(answer(call)))
    data = telemetry.reader.get_metrics_data()
    assert data is not None
    (metric,) = (
        metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == row.name
    )
    (point,) = metric.data.data_points
    assert isinstance(point, HistogramDataPoint)
    assert metric.unit == row.unit
    assert tuple(point.explicit_bounds) == pytest.approx(row.boundaries)
    assert set(point.attributes or {}) <= set(row.attributes)
