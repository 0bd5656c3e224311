"""A service that asks another one, and fails in one of forty requests by itself."""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
from even_ids import EvenIds
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger("front")
trace.get_tracer_provider().id_generator = EvenIds()  # type: ignore[attr-defined]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the client of the other service."""
    # The server closes a connection on which a request has failed, perhaps under the next one.
    once = httpx.Limits(max_keepalive_connections=0)
    back = httpx.AsyncClient(base_url=os.environ["BACK"], timeout=60, limits=once)
    async with back as app.state.back:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/orders/{number}")
async def order(number: int) -> JSONResponse:
    """Say in which trace it was served."""
    trace_id = f"{trace.get_current_span().get_span_context().trace_id:032x}"
    answer = await app.state.back.get(f"/stock/{number}")
    logger.info("order %d", number)
    status = 500 if number % 40 == 20 else 502 if answer.is_error else 200
    return JSONResponse(trace_id, status)
