"""A service with a database, which fails in one of forty requests."""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy import create_engine, literal, select

app = FastAPI()
engine = create_engine("sqlite://")


@app.get("/stock/{number}")
async def stock(number: int) -> int:
    """Leave one server span and one database span."""
    with engine.connect() as connection:
        found = connection.execute(select(literal(number))).scalar_one()
    if number % 40 == 0:
        message = "out of stock"
        raise RuntimeError(message)
    return found
