"""The shop, and beside it one route that lets each source tell all that it can tell.

It needs `POSTGRES`, SQLAlchemy's address of a database; `MODEL_URL` and `MODEL_KEY`, a server with
OpenAI's interface; and `NOBODY`, a port where nobody listens.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pynvml
import sqlalchemy as sa
from fastapi import WebSocket
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util.genai.types import Text
from shop import app
from sqlalchemy import text

import bear_otel
from bear_otel.sources import gpu

__all__ = ["app"]

logger = logging.getLogger("everything")

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Say how the weather is",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
NOBODY = int(os.environ["NOBODY"])
engine = sa.create_engine(os.environ["POSTGRES"], pool_size=2, max_overflow=0, pool_timeout=0.1)
moods = iter(("low", "bad"))


def add_gpu() -> None:
    """Play the driver of a GPU, below NVIDIA's own library."""
    replies: dict[str, Any] = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda number: number,
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(used=2**30, total=2**33),
        "nvmlDeviceGetName": lambda _: "NVIDIA T4",
    }
    for name, reply in replies.items():
        setattr(pynvml, name, reply)
    gpu._load_driver.cache_clear()  # it may have been looked for already


add_gpu()
bear_otel.watch_model_memory("llama-7b", lambda: 4_200_000_000)
bear_otel.user_consent(lambda _: True)


@bear_otel.health_check("moody", interval_seconds=0.2)
def check_mood() -> bear_otel.Health:
    """Be degraded, fail, then be well."""
    mood = next(moods, "good")
    if mood == "bad":
        raise RuntimeError("not today")
    if mood == "good":
        return bear_otel.Health()
    return bear_otel.Health(state="degraded", details={"mood": mood})


@app.get("/pid")
async def tell_pid() -> int:
    """Say who answers."""
    return os.getpid()


@app.get("/everything")
async def tell_everything() -> None:
    """Let each source tell all that it can tell."""
    await asyncio.to_thread(use_database)
    await call_others()
    call_models()
    follow_user()
    fail()
    time.sleep(0.6)  # noqa: ASYNC251 - blocks the loop, for the watch to see


@app.get("/flood")
async def flood() -> None:
    """Make more spans than the queue can hold."""
    for _ in range(5000):
        trace.get_tracer("everything").start_span("much", Context()).end()


@app.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    """Fail after the first message."""
    await websocket.accept()
    await websocket.receive_text()
    raise RuntimeError("nothing to say")


def use_database() -> None:
    """Wait, deadlock, give up, and connect to nobody."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE accounts (id INT PRIMARY KEY, n INT)"))
        connection.execute(text("INSERT INTO accounts VALUES (1, 0), (2, 0)"))
        connection.execute(text("SELECT pg_sleep(0.6)"))
    both_hold_one = threading.Barrier(2, timeout=60)
    update = text("UPDATE accounts SET n = n + 1 WHERE id = :id")

    def transfer(first: int, second: int) -> None:
        with suppress(sa.exc.DBAPIError), engine.begin() as connection:
            connection.execute(update, {"id": first})
            both_hold_one.wait()
            connection.execute(update, {"id": second})

    threads = [threading.Thread(target=transfer, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.begin() as one, engine.begin() as other:
        one.execute(update, {"id": 1})
        other.execute(text("SET LOCAL lock_timeout = '600ms'"))
        with suppress(sa.exc.DBAPIError):
            other.execute(update, {"id": 1})
        with suppress(sa.exc.TimeoutError), engine.connect():
            pass
    nobody = sa.create_engine(f"postgresql+psycopg://127.0.0.1:{NOBODY}/nothing")
    with suppress(sa.exc.DBAPIError), nobody.connect():
        pass


async def call_others() -> None:
    """Call another service, which answers, and one that does not."""
    async with httpx.AsyncClient() as client:
        await client.get(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
        with suppress(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{NOBODY}/")


def call_models() -> None:
    """Stream an answer over OpenAI's client, with a tool; fail in between; say how good it is."""
    url, key = os.environ["MODEL_URL"], os.environ["MODEL_KEY"]
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        for model in ("llama-7b", "broken"):
            with suppress(openai.APIConnectionError):
                list(
                    client.chat.completions.create(
                        model=model,
                        messages=[
                            {"role": "system", "content": "You are brief"},
                            {"role": "user", "content": "Say one two three"},
                        ],
                        tools=[TOOL],
                        stream=True,
                        stream_options={"include_usage": True},
                    )
                )
    with suppress(MemoryError), bear_otel.inference("llama-7b", provider="vllm") as call:
        call.invocation.system_instruction = [Text(content="You are brief")]
        call.input_tokens = 512
        raise MemoryError
    bear_otel.record_evaluation(
        "accuracy", 0.94, model="llama-7b", dataset="validation", label="pass"
    )


def follow_user() -> None:
    """Tell of a visit from its beginning to its end."""
    device = {
        "type": "desktop",
        "os": "Windows 10",
        "browser": "Chrome 91",
        "screen_resolution": "1920x1080",
        "viewport": "1200x800",
    }
    begin = {"session_id": "s", "session": {"started": True}, "device": device}
    end = {
        "session_id": "s",
        "session": {
            "duration_seconds": 300,
            "page_views": 3,
            "interactions": 15,
            "bounced": False,
        },
        "performance": {"page_load_seconds": 1.2, "first_contentful_paint_seconds": 0.8},
        "behavior": {
            "click_count": 15,
            "scroll_depth_percent": 75,
            "time_on_page_seconds": 120,
            "errors_encountered": 0,
            "features_used": ["chat"],
        },
        "device": device,
    }
    for interaction in (begin, end):
        assert bear_otel.record_user_interaction(interaction, consent=True)


def fail() -> None:
    """Capture one exception, and log another one."""
    try:
        raise KeyError("lost")
    except KeyError as error:
        bear_otel.capture_exception(error)
    try:
        raise ValueError("found")
    except ValueError:
        logger.exception("it failed")
