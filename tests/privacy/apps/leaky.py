"""A service that puts a secret and an address into each door through which telemetry leaves."""

from __future__ import annotations

import logging
import os
from contextlib import suppress

import requests
import sentry_sdk
import sqlalchemy as sa
from canaries import email, marker, password, text, token
from fastapi import FastAPI
from opentelemetry import baggage, context, metrics, trace
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags, TraceState
from sqlalchemy.exc import OperationalError

app = FastAPI()
logger = logging.getLogger("leaky")
tracer = trace.get_tracer(text("scope name"), attributes={"note": text("scope attribute")})
meter = metrics.get_meter("leaky")
visits = meter.create_counter("leaky.visits")
waits = meter.create_histogram("leaky.waits")
engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)


@app.get("/open/{what}/{who}")
def open_doors(what: str, who: str) -> str:
    """Open those that an application opens by what it tells OpenTelemetry and Sentry."""
    with tracer.start_as_current_span(text("span name"), links=[_link()]) as span:
        span.set_attribute("note", text("span attribute"))
        span.set_attribute(f"note of {email('attribute key')}", marker("attribute key"))
        span.set_attribute("list", [text("nested attribute"), token("nested attribute")])
        span.add_event(text("event name"), {"note": text("event attribute")})
        span.record_exception(ValueError(text("recorded exception")))
        _log()
        visits.add(1, {"note": text("metric attribute")})
        waits.record(1, {"kind": marker("exemplar"), "note": text("exemplar")})
        _query()
        _send()
        _tell_sentry()
        span.set_status(Status(StatusCode.ERROR, text("status")))
    return "opened"


@app.get("/fail")
def fail() -> None:
    """Let the server log an error with its stack."""
    secret = text("local variable")
    note = marker("local variable")
    raise RuntimeError(text("unhandled exception") + f" {note} {len(secret)}")


def _link() -> Link:
    door = "link tracestate"
    state = TraceState([("marker", marker(door)), ("mail", email(door)), ("token", token(door))])
    linked = SpanContext(7, 7, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    return Link(linked, {"note": text("link attribute")})


def _log() -> None:
    note = {"note": text("log attribute"), "password": password("log attribute")}
    logger.warning("%s", text("log body"), extra=note)
    logger.warning({"note": text("structured body"), "secret": token("structured body")})
    try:
        raise KeyError(text("logged exception"))
    except KeyError:
        logger.exception("failed")


def _query() -> None:
    """Fail with a literal and a parameter in the text of the exception."""
    literal = text("SQL literal").replace(":", " ")
    with engine.connect() as connection:
        connection.execute(sa.text(f"SELECT '{literal}' AS {marker('SQL literal')}"))
        with suppress(OperationalError):
            statement = sa.text(f"SELECT :value FROM {marker('bound parameter')}")
            connection.execute(statement, {"value": text("bound parameter")})


def _send() -> None:
    listed, unlisted = "sent baggage", "unlisted baggage"
    carried = baggage.set_baggage("listed.marker", marker(listed))
    carried = baggage.set_baggage("listed.mail", email(listed), carried)
    carried = baggage.set_baggage("listed.token", token(listed), carried)
    carried = baggage.set_baggage("unlisted", text(unlisted), carried)
    attached = context.attach(carried)
    try:
        requests.get(f"{os.environ['ELSEWHERE']}/third-party", timeout=10)
    finally:
        context.detach(attached)


def _tell_sentry() -> None:
    sentry_sdk.add_breadcrumb(message=text("Sentry breadcrumb"))
    sentry_sdk.set_extra("note", text("Sentry extra"))
    sentry_sdk.capture_message(text("Sentry message"))
