"""A small service on FastAPI and SQLAlchemy, for every server to serve."""

from __future__ import annotations

import logging
import os
import time

from fastapi import FastAPI
from opentelemetry import metrics
from sqlalchemy import create_engine, literal, select

logger = logging.getLogger("service")
orders = metrics.get_meter("service").create_counter("service.orders")
engine = create_engine("sqlite://")
app = FastAPI()


@app.get("/orders/{number}")
async def order(number: int) -> int:
    """Leave one server span, one database span, one log line and one count."""
    with engine.connect() as connection:
        found = connection.execute(select(literal(number))).scalar_one()
    logger.info("order %d", found)
    orders.add(1)
    return found


@app.get("/pid")
async def pid() -> int:
    """Return who answers; slowly, so that requests at the same time reach other workers, too."""
    time.sleep(0.02)  # noqa: ASYNC251 - a worker that waits would take the next request as well
    return os.getpid()
