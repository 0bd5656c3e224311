"""A small shop: FastAPI and SQLAlchemy, with nothing of bear-otel or OpenTelemetry in it.

Run it with: bear-otel-instrument uvicorn --app-dir examples/shop shop:app
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import ForeignKey, func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger("shop")

engine = create_async_engine(os.environ.get("DATABASE_URL", "sqlite+aiosqlite://"))
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """Base of the tables."""


class Customer(Base):
    """Somebody who buys."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


class Order(Base):
    """What somebody has bought."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    item: Mapped[str]
    cents: Mapped[int]


class NewOrder(BaseModel):
    """Body of a request for an order."""

    email: str
    item: str
    cents: int


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Create the tables at start, close the connections at the end."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(title="Shop", lifespan=lifespan)


@app.post("/orders", status_code=201)
async def create_order(order: NewOrder) -> dict[str, int]:
    """Take an order; make the customer known if new."""
    async with sessions.begin() as session:
        found = await session.scalar(select(Customer).where(Customer.email == order.email))
        customer = found or Customer(email=order.email)
        session.add(customer)
        await session.flush()
        bought = Order(customer_id=customer.id, item=order.item, cents=order.cents)
        session.add(bought)
        await session.flush()
        logger.info("order %s for %s", bought.id, order.email, extra={"order.item": order.item})
        return {"id": bought.id}


@app.get("/orders/{order_id}")
async def get_order(order_id: int) -> dict[str, object]:
    """Return one order."""
    async with sessions() as session:
        order = await session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, "no such order")
    return {"id": order.id, "item": order.item, "cents": order.cents}


@app.get("/customers/{email}/total")
async def get_total(email: str) -> dict[str, int]:
    """Return what a customer has spent, in cents."""
    async with sessions() as session:
        total = await session.scalar(
            select(func.sum(Order.cents)).join(Customer).where(Customer.email == email)
        )
    return {"cents": total or 0}


@app.post("/orders/{order_id}/pay")
async def pay(order_id: int, card: str) -> dict[str, str]:
    """Charge a card; the bank of this example always refuses."""
    logger.warning("charging card %s for order %s", card, order_id)
    message = f"the bank refused card {card}"
    raise RuntimeError(message)


@app.get("/answer")
async def answer() -> StreamingResponse:
    """Stream an answer word by word, as a language model does."""

    async def words() -> AsyncIterator[str]:
        for word in ("This", "is", "what", "a", "streamed", "answer", "looks", "like"):
            await asyncio.sleep(0.005)
            yield f"data: {word}\n\n"

    return StreamingResponse(words(), media_type="text/event-stream")
