"""What a span or log line says of itself: outcome, statement, attributes, exception, oddities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bear_otel.cli.render.records import ENTRY_KINDS, KIND_CLIENT, ExceptionInfo, Log, Span
from bear_otel.cli.render.style import (
    MARKER,
    Piece,
    cells,
    cut_end,
    cut_middle,
    format_duration,
    format_value,
    wrap,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEVEL_COLORS = {"warn": "yellow", "error": "red", "fatal": "bold red", "info": "green"}
_CLOCK_TOLERANCE_NS = 1_000_000

# The conventions' own attributes: what matters of them has its place in the picture. The rest is
# what the app's author added, and that is shown.
_CONVENTIONAL = (
    "client.", "code.", "db.", "error.", "event.", "exception.", "fastapi.", "gen_ai.", "http.",
    "net.", "network.", "otel.", "peer.", "process.", "rpc.", "server.", "service.", "telemetry.",
    "thread.", "url.", "user_agent.",
)  # fmt: skip


def describe_level(log: Log) -> list[Piece]:
    """Return the level, as wide for each."""
    return [(f"{log.level:<5}  ", _LEVEL_COLORS.get(log.level, "dim"))]


def describe_outcome(span: Span) -> Piece:
    """Return the status code, or the type of the error."""
    status = span.attributes.get("http.response.status_code")
    error_type = span.attributes.get("error.type")
    if isinstance(status, int):
        return str(status), "red" if status >= 500 else "yellow" if status >= 400 else "green"
    if span.error and error_type:
        return str(error_type).rpartition(".")[2], "red"
    return "", ""


def describe_statement(span: Span) -> tuple[str, str]:
    """Return the attribute that says what was asked for, and how to write it."""
    attributes = span.attributes
    if model := attributes.get("gen_ai.request.model"):
        tokens = [attributes.get(f"gen_ai.usage.{side}_tokens") for side in ("input", "output")]
        usage = "" if None in tokens else f", {tokens[0]} → {tokens[1]} tokens"
        return "gen_ai.request.model", f"{model}{usage}"
    key = "url.full" if span.kind == KIND_CLIENT and "url.full" in attributes else "db.query.text"
    return key, format_value(attributes.get(key, ""))


def describe_oddities(span: Span, parent: Span | None, *, late: bool) -> Iterable[str]:
    """Yield what is not as it should be: a missing parent, clocks that differ."""
    if span.end_ns < span.start_ns:
        yield "ends before it starts"
    from_afar = span.remote_parent or span.kind in ENTRY_KINDS
    if parent is None and span.parent_id and not from_afar and not late:
        yield f"its parent {span.parent_id} has not arrived"
    if parent is not None and parent.start_ns - span.start_ns > _CLOCK_TOLERANCE_NS:
        early = format_duration(parent.start_ns - span.start_ns)
        yield f"starts {early} before its parent: the clocks differ"


def describe_attributes(attributes: dict[str, Any], width: int) -> list[list[Piece]]:
    """Return the rows of the attributes that are worth a look."""
    rows: list[list[Piece]] = [[]]
    used = 0
    for key, raw in attributes.items():
        value = format_value(raw)
        if key.startswith("exception."):
            continue  # has lines of its own
        # What was redacted is always shown: the reader should see that it was.
        if key.startswith(_CONVENTIONAL) and not MARKER.search(value):
            continue
        name = f"{cut_middle(key, 32)}="
        value = cut_end(value, max(width - cells(name), 10))
        size = cells(name) + cells(value) + 2
        if used and used + size - 2 > width:
            rows.append([])
            used = 0
        rows[-1] += [(name, "dim"), (f"{value}  ", "")]
        used += size
    if len(rows) > 3:
        rows = [*rows[:3], [(f"… {len(rows) - 3} more lines of attributes", "dim")]]
    return [row for row in rows if row]


def describe_exception(exception: ExceptionInfo | None, width: int) -> list[list[Piece]]:
    """Return the rows that tell what was raised, and where."""
    if exception is None:
        return []
    name = exception.type.rpartition(".")[2]
    text = f"{name}: {exception.message}" if exception.message else name
    rows: list[list[Piece]] = [[(line, "red")] for line in wrap(text, width, 3)]
    if exception.where:
        rows.append([(f"at {cut_middle(exception.where, width - 3)}", "dim")])
    return rows
