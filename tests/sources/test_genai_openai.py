"""Calls through the real `openai` client: one span each, with the numbers that the server counted.

Three may be the ones that measure: the client's official instrumentation, a block of ours around a
client that nobody instruments, and such a block around an instrumented client.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

import openai
import pytest
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.trace import StatusCode

import bear_otel
from bear_otel.testing import Captured, capture
from tests.sources.genai_server import GOOD_KEY, ModelServer, serve_model

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.server

Owner = Literal["client", "block", "block around client"]
OWNERS: tuple[Owner, ...] = ("client", "block", "block around client")

CANARY = "ada.lovelace@example.com"
QUESTION = f"What is the weather in Paris for {CANARY} today"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Asks the weather of Grace Hopper",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """The model."""
    with serve_model() as model:
        yield model


@pytest.fixture(autouse=True)
def _forget(server: ModelServer) -> None:
    """Start each test with nothing counted."""
    server.counted()


class Asker:
    """An application that asks the model, sync or async, whole or streamed."""

    def __init__(
        self,
        server: ModelServer,
        owner: Owner,
        *,
        asynchronous: bool = False,
        stream: bool = False,
        tools: bool = False,
        key: str = GOOD_KEY,
        model: str = "llama-7b",
    ) -> None:
        self._owner = owner
        self._asynchronous = asynchronous
        self._stream = stream
        self._model = model
        self._client = {"base_url": f"{server.url}/v1", "api_key": key, "max_retries": 0}
        self._arguments: dict[str, Any] = {
            "model": model,
            "messages": [
                {"role": "system", "content": "You are brief"},
                {"role": "user", "content": QUESTION},
            ],
        }
        if stream:
            self._arguments |= {"stream": True, "stream_options": {"include_usage": True}}
        if tools:
            self._arguments["tools"] = [TOOL]

    def ask(self) -> float:
        """Ask once; return the seconds that it took the application."""
        started = time.perf_counter()
        if self._owner != "block":
            OpenAIInstrumentor().instrument()
        try:
            if self._asynchronous:
                asyncio.run(self._ask_async())
            else:
                self._ask_sync()
        finally:
            if self._owner != "block":
                OpenAIInstrumentor().uninstrument()
        return time.perf_counter() - started

    def _ask_sync(self) -> None:
        with openai.OpenAI(**self._client) as client, self._block() as call:
            answer: Any = client.chat.completions.create(**self._arguments)
            if not self._stream:
                self._keep(call, answer)
                return
            for chunk in call.stream(answer) if call else answer:
                self._keep(call, chunk)

    async def _ask_async(self) -> None:
        async with openai.AsyncOpenAI(**self._client) as client:
            with self._block() as call:
                answer: Any = await client.chat.completions.create(**self._arguments)
                if not self._stream:
                    self._keep(call, answer)
                    return
                async for chunk in call.stream(answer) if call else answer:
                    self._keep(call, chunk)

    def _block(self) -> Any:
        if self._owner == "client":
            return nullcontext()
        return bear_otel.inference(self._model, provider="openai")

    def _keep(self, call: Any, answer: Any) -> None:
        # An instrumented client has told it already.
        if self._owner == "block" and answer.usage:
            call.input_tokens = answer.usage.prompt_tokens
            call.output_tokens = answer.usage.completion_tokens


def histogram(captured: Captured, name: str, **labels: str) -> tuple[int, float]:
    """Return count and sum of a metric, over the points that have the labels."""
    points = [
        point
        for point in captured.metrics().get(name, [])
        if labels.items() <= {k.rpartition(".")[2]: v for k, v in point.attributes.items()}.items()
    ]
    return sum(point.count for point in points), sum(point.sum for point in points)


@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("owner", OWNERS)
def test_a_call_is_one_span_with_the_numbers_of_the_server(
    telemetry: Captured,
    server: ModelServer,
    owner: Owner,
    asynchronous: bool,
    stream: bool,
    tools: bool,
) -> None:
    """Whoever measures, there is one span, and each metric counts the call once."""
    seconds = Asker(server, owner, asynchronous=asynchronous, stream=stream, tools=tools).ask()
    (counted,) = server.counted()
    (span,) = telemetry.spans
    attributes = dict(span.attributes or {})
    assert (span.name, span.status.status_code) == ("chat llama-7b", StatusCode.UNSET)
    assert (
        attributes["gen_ai.usage.input_tokens"],
        attributes["gen_ai.usage.output_tokens"],
    ) == (counted.input_tokens, counted.output_tokens)
    for kind, tokens in (("input", counted.input_tokens), ("output", counted.output_tokens)):
        assert histogram(telemetry, "gen_ai.client.token.usage", type=kind) == (1, tokens)
    # Longer than the server needed, shorter than the application had to wait.
    count, measured = histogram(telemetry, "gen_ai.client.operation.duration")
    assert count == 1
    assert counted.seconds <= measured <= seconds
    count, first = histogram(telemetry, "gen_ai.client.operation.time_to_first_chunk")
    assert count == int(stream)
    assert counted.first_chunk_seconds <= first <= measured
    count, rest = histogram(telemetry, "gen_ai.client.operation.time_per_output_chunk")
    assert count == max(0, counted.chunks - 1)
    assert first + rest <= measured
    if owner != "block":
        finish = "tool_calls" if tools else "stop"
        assert attributes["gen_ai.response.finish_reasons"] == (finish,)
        assert attributes["gen_ai.response.model"] == "llama-7b-2026"
    telemetry.assert_nothing_of(CANARY, "weather in Paris", "You are brief", "Grace Hopper")


def test_calls_that_follow_each_other_are_counted_one_by_one(
    telemetry: Captured, server: ModelServer
) -> None:
    """The opposite of counting twice."""
    for owner in OWNERS:
        Asker(server, owner, stream=True).ask()
    counted = server.counted()
    assert len(telemetry.spans) == len(counted) == 3
    tokens = sum(call.output_tokens for call in counted)
    assert histogram(telemetry, "gen_ai.client.token.usage", type="output") == (3, tokens)


@pytest.mark.parametrize(
    "key",
    ["sk-proj-aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY", "correct-horse-battery-staple-7"],
    ids=["a known format", "any format"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("owner", OWNERS)
def test_the_key_in_the_text_of_an_error_does_not_leave(
    telemetry: Captured, server: ModelServer, owner: Owner, stream: bool, key: str
) -> None:
    """A 401 of OpenAI repeats it."""
    with pytest.raises(openai.AuthenticationError, match=key):
        Asker(server, owner, stream=stream, key=key).ask()
    (span,) = telemetry.spans
    attributes = dict(span.attributes or {})
    assert span.status.status_code is StatusCode.ERROR
    assert "Error code: 401" in (span.status.description or "")
    assert attributes["error.type"] == "openai.AuthenticationError"
    assert (
        histogram(telemetry, "gen_ai.client.operation.duration", type="openai.AuthenticationError")[
            0
        ]
        == 1
    )
    telemetry.assert_nothing_of(key)


@pytest.mark.parametrize("owner", OWNERS)
def test_an_answer_that_breaks_off_is_an_error(
    telemetry: Captured, server: ModelServer, owner: Owner
) -> None:
    """One span, with what the client raised."""
    with pytest.raises(openai.APIConnectionError):
        Asker(server, owner, stream=True, model="broken").ask()
    (span,) = telemetry.spans
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "openai.APIConnectionError"


@pytest.mark.parametrize("door", ["code", "variable"])
@pytest.mark.parametrize(
    ("mode", "on_span", "on_event"),
    [
        ("SPAN_ONLY", True, False),
        ("event_only", False, True),
        ("SPAN_AND_EVENT", True, True),
        ("NO_CONTENT", False, False),
    ],
)
def test_content_leaves_where_it_is_wanted_and_scrubbed(
    server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    on_span: bool,
    on_event: bool,
    door: str,
) -> None:
    """By the official variable, or in code: what is said, but not who is named in it."""
    if door == "variable":
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", mode)
    config = {"genai": {"content": mode}} if door == "code" else {}
    with capture(config) as telemetry:
        Asker(server, "client", stream=True).ask()
        Asker(server, "client", tools=True).ask()
        found = telemetry.find("weather in Paris")
        assert any(place.startswith("span") for place in found) is on_span
        assert any(place.startswith("log record") for place in found) is on_event
        telemetry.assert_nothing_of(CANARY)


def test_code_may_forbid_what_the_environment_allows(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code wins, as for every setting."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_AND_EVENT")
    with capture({"genai": {"content": "NO_CONTENT"}}) as telemetry:
        Asker(server, "client").ask()
        assert len(telemetry.spans) == 1
        telemetry.assert_nothing_of("weather in Paris", CANARY)
