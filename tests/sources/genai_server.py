"""A model behind the OpenAI interface that counts what it does; and how to run and ask it.

`python -m tests.sources.genai_server` serves on a free port of the loopback, and prints it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

GOOD_KEY = "sk-proj-Zx81jvNq0oLw5TgB7yRkD3uHs9EaPc4M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the server counted in one call; `seconds` from its arrival to the end of its answer."""

    input_tokens: int
    output_tokens: int
    chunks: int
    first_chunk_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServer:
    """A running server."""

    url: str

    def counted(self) -> list[Counted]:
        """Return what it has counted since this was asked last."""
        with urllib.request.urlopen(f"{self.url}/counted", timeout=60) as response:
            return [Counted(**call) for call in json.load(response)]


@contextlib.contextmanager
def serve_model() -> Iterator[ModelServer]:
    """Run the server in a process of its own, which no telemetry of the test sees."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sources.genai_server"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        try:
            yield ModelServer(url=f"http://127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.terminate()


app = FastAPI()
_calls: list[Counted] = []


@app.get("/counted")
def tell_counted() -> list[dict[str, Any]]:
    """Return the counts, and forget them."""
    counted = [asdict(call) for call in _calls]
    _calls.clear()
    return counted


@app.post("/v1/chat/completions")
async def complete(request: Request) -> Response:
    """Answer by repeating the question, or by calling the tool with it."""
    started = time.perf_counter()
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if key != GOOD_KEY:
        text = f"Incorrect API key provided: {key}. You can find yours at https://example.com/keys."
        error = {"message": text, "type": "invalid_request_error", "code": "invalid_api_key"}
        return JSONResponse({"error": error}, 401)
    body = await request.json()
    answer = _Answer(body, started)
    if body.get("stream"):
        return StreamingResponse(answer.stream(), media_type="text/event-stream")
    await answer.think()
    whole = answer.whole()
    answer.count(chunks=0)
    return JSONResponse(whole)


class _Answer:
    """One answer, whole or in pieces; a word is a token."""

    def __init__(self, body: dict[str, Any], started: float) -> None:
        self._body = body
        self._started = started
        self._first_seconds = 0.0
        question = body["messages"][-1]["content"]
        self._words = [f"{word} " for word in question.split()]
        prompt = " ".join(message["content"] for message in body["messages"])
        self._usage = {
            "prompt_tokens": len(prompt.split()),
            "completion_tokens": len(self._words),
            "total_tokens": len(prompt.split()) + len(self._words),
        }
        self._finish = "tool_calls" if body.get("tools") else "stop"

    async def think(self) -> None:
        """Take the time that a token takes."""
        await asyncio.sleep(0.002)

    def count(self, *, chunks: int) -> None:
        _calls.append(
            Counted(
                input_tokens=self._usage["prompt_tokens"],
                output_tokens=self._usage["completion_tokens"],
                chunks=chunks,
                first_chunk_seconds=self._first_seconds,
                seconds=time.perf_counter() - self._started,
            )
        )

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._words)}
        if self._body.get("tools"):
            call = {
                "id": "call_1",
                "type": "function",
                "function": self._call("".join(self._words)),
            }
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        return self._envelope("chat.completion", [choice], self._usage)

    async def stream(self) -> AsyncIterator[str]:
        chunks = 0
        for position, word in enumerate(self._words):
            await self.think()
            self._first_seconds = self._first_seconds or time.perf_counter() - self._started
            yield self._chunk(self._delta(position, word))
            chunks += 1
            if self._body["model"] == "broken":
                raise ConnectionResetError
        yield self._chunk({}, finish=self._finish)
        chunks += 1
        if self._body.get("stream_options", {}).get("include_usage"):
            yield self._line(self._envelope("chat.completion.chunk", [], self._usage))
            chunks += 1
        self.count(chunks=chunks)
        yield "data: [DONE]\n\n"

    def _delta(self, position: int, word: str) -> dict[str, Any]:
        if not self._body.get("tools"):
            return {"role": "assistant", "content": word}
        # Name and beginning of the arguments come first, the rest in pieces.
        call: dict[str, Any] = {"index": 0, "function": {"arguments": word}}
        if position == 0:
            call |= {"id": "call_1", "type": "function", "function": self._call(word)}
        return {"role": "assistant", "tool_calls": [call]}

    def _call(self, arguments: str) -> dict[str, str]:
        return {"name": self._body["tools"][0]["function"]["name"], "arguments": arguments}

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return self._line(self._envelope("chat.completion.chunk", [choice], None))

    def _envelope(self, kind: str, choices: list[Any], usage: Any) -> dict[str, Any]:
        model = f"{self._body['model']}-2026"
        head = {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model}
        return {**head, "choices": choices, "usage": usage}

    def _line(self, content: dict[str, Any]) -> str:
        return f"data: {json.dumps(content)}\n\n"


def main() -> None:
    """Serve until the process is ended."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
