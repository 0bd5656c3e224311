"""The service that every variant runs: four endpoints that cost about nothing by themselves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, func, select

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

CHUNKS = 200

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger("service")

engine = create_engine("sqlite://")
metadata = MetaData()
items = Table("items", metadata, Column("id", Integer, primary_key=True), Column("name", String))
metadata.create_all(engine)
with engine.begin() as connection:
    connection.execute(items.insert(), [{"name": f"item {number}"} for number in range(100)])

app = FastAPI()


@app.get("/plain/{number}")
async def plain(number: int) -> dict[str, int]:
    """Touch no database."""
    return {"number": number}


@app.get("/query/{number}")
async def query(number: int) -> dict[str, str]:
    """Send one query."""
    with engine.connect() as connection:
        return {"name": _find_name(connection, number)}


@app.get("/queries/{number}")
async def queries(number: int) -> dict[str, str | int]:
    """Send three queries and log one line."""
    with engine.connect() as connection:
        name = _find_name(connection, number)
        count = connection.execute(select(func.count()).select_from(items)).scalar_one()
        last = connection.execute(select(func.max(items.c.id))).scalar_one()
    logger.info("item %d was looked at", number)
    return {"name": name, "count": count, "last": last}


@app.get("/stream/{number}")
async def stream(number: int) -> StreamingResponse:
    """Answer in many small chunks, as language models do."""

    async def chunks() -> AsyncIterator[str]:
        for position in range(CHUNKS):
            yield f"{number} {position}\n"

    return StreamingResponse(chunks(), media_type="text/plain")


def _find_name(connection: Connection, number: int) -> str:
    statement = select(items.c.id, items.c.name).where(items.c.id == number % 100 + 1)
    return connection.execute(statement).one().name
