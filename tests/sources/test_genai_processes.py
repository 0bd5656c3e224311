"""Under the launcher every installed instrumentor of a GenAI library is loaded, and none twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bear_otel.cli.receiver import Receiver
from tests.lifecycle.lifecycle_harness import PATIENT
from tests.sources.genai_server import GOOD_KEY, ModelServer, serve_model
from tests.virtualenvs import python_with

pytestmark = pytest.mark.server

OPENAI = """
import sys, openai
with openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.argv[2], max_retries=0) as client:
    for _ in range(2):
        stream = client.chat.completions.create(
            model="llama-7b",
            messages=[{"role": "user", "content": "Say one two three"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
"""
LANGCHAIN = """
import sys
from langchain_openai import ChatOpenAI
model = ChatOpenAI(
    model="llama-7b", base_url=sys.argv[1] + "/v1", api_key=sys.argv[2], stream_usage=True
)
print(model.invoke("Say one two three").content)
print("".join(chunk.content for chunk in model.stream("Say one two three")))
"""


UPLOADS = "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK uploads prompts and answers as they are"


class Sink:
    """An OTLP endpoint that keeps what calls of models have sent."""

    def __init__(self) -> None:
        self.spans: list[dict[str, object]] = []
        # Of each series the last value: sums come again with every export.
        self._tokens: dict[tuple[str, str, str], float] = {}
        self.text = ""
        self.receiver = Receiver(
            on_traces=self._keep_spans, on_metrics=self._keep_tokens, on_logs=lambda logs: None
        )

    @property
    def tokens(self) -> dict[str, float]:
        """Return the tokens of all calls by type."""
        totals = dict.fromkeys(("input", "output"), 0.0)
        for (_, _, kind), tokens in self._tokens.items():
            totals[kind] += tokens
        return totals

    def _keep_spans(self, request: object) -> None:
        self.text += str(request)
        for resource in request.resource_spans:  # pyright: ignore[reportAttributeAccessIssue] - protobuf
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {each.key: each.value for each in span.attributes}
                    if any(key.startswith("gen_ai.") for key in attributes):
                        self.spans.append({"name": span.name, **attributes})

    def _keep_tokens(self, request: object) -> None:
        self.text += str(request)
        for resource in request.resource_metrics:  # pyright: ignore[reportAttributeAccessIssue] - protobuf
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "gen_ai.client.token.usage":
                        for point in metric.histogram.data_points:
                            labels = {label.key: label.value for label in point.attributes}
                            kind = labels["gen_ai.token.type"].string_value
                            series = (scope.scope.name, str(point.attributes), kind)
                            self._tokens[series] = point.sum


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """The model."""
    with serve_model() as model:
        yield model


def launch(python: Path, program: str, server: ModelServer, **variables: str) -> tuple[Sink, str]:
    """Run a program under the launcher; return what it sent, and what it said."""
    server.counted()
    sink = Sink()
    with sink.receiver:
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = sink.receiver.endpoint
        environ |= PATIENT | variables
        launcher = python.with_name("bear-otel-instrument")
        result = subprocess.run(
            [launcher, python, "-c", program, server.url, GOOD_KEY],
            env=environ,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert (result.returncode, result.stdout.strip()) == (
        0,
        "Say one two three \nSay one two three",
    ), result.stderr
    return sink, result.stderr


def test_the_official_instrumentor_is_loaded_like_all_others(server: ModelServer) -> None:
    """Without a line of code; and the answer does not leave."""
    sink, said = launch(Path(sys.executable), OPENAI, server)
    counted = server.counted()
    assert [span["name"] for span in sink.spans] == ["chat llama-7b"] * 2
    assert sink.tokens == {
        "input": sum(call.input_tokens for call in counted),
        "output": sum(call.output_tokens for call in counted),
    }
    assert "one two three" not in sink.text
    assert "openai" in said
    assert "genai (without content)" in said
    assert UPLOADS not in said


def test_an_upload_past_the_scrubber_is_warned_of(server: ModelServer) -> None:
    """OpenTelemetry's own hook stores what is said elsewhere; what we send is as before."""
    hook = {"OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK": "upload"}
    sink, said = launch(Path(sys.executable), OPENAI, server, **hook)
    assert UPLOADS in said
    assert "one two three" not in sink.text


@pytest.mark.parametrize("program", [OPENAI, LANGCHAIN], ids=["openai", "langchain"])
def test_a_call_is_counted_once_however_many_instrumentors_see_it(
    server: ModelServer, program: str
) -> None:
    """Another publisher's for the same library is left out; LangChain's owns the client's call."""
    python = python_with(
        "opentelemetry-instrumentation-openai",
        "opentelemetry-instrumentation-genai-openai",
        "opentelemetry-instrumentation-genai-langchain",
        "langchain-openai",
    )
    sink, said = launch(python, program, server)
    counted = server.counted()
    assert [span["name"] for span in sink.spans] == ["chat llama-7b"] * 2
    assert sink.tokens == {
        "input": sum(call.input_tokens for call in counted),
        "output": sum(call.output_tokens for call in counted),
    }
    assert (
        "openai (opentelemetry.instrumentation.openai): "
        "opentelemetry-instrumentation-genai-openai counts the same calls"
    ) in said
