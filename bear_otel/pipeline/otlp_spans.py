"""Encode one span as OTLP's `trace.proto` asks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import SpanKind, StatusCode

from bear_otel.pipeline.otlp_wire import encode_attributes, encode_text, encode_varint, sized

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link, SpanContext, Status

_TIMES: Final = struct.Struct("<BQBQ")
_TIME: Final = struct.Struct("<BQ")
_KINDS: Final = {
    SpanKind.INTERNAL: b"\x30\x01",
    SpanKind.SERVER: b"\x30\x02",
    SpanKind.CLIENT: b"\x30\x03",
    SpanKind.PRODUCER: b"\x30\x04",
    SpanKind.CONSUMER: b"\x30\x05",
}
# SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK, and SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK with it.
_LOCAL: Final = b"\x00\x01\x00\x00"
_REMOTE: Final = b"\x00\x03\x00\x00"


def encode_span(span: ReadableSpan) -> bytes:
    """Return a span behind its length."""
    context = span.get_span_context()
    if context is None:
        raise TypeError
    parent = span.parent
    parts = [
        b"\n\x10",  # trace_id
        context.trace_id.to_bytes(16),
        b"\x12\x08",  # span_id
        context.span_id.to_bytes(8),
        b"\x2a",
        encode_text(span.name),
        _KINDS[span.kind],
        _TIMES.pack(0x39, span.start_time or 0, 0x41, span.end_time or 0),
        encode_attributes(b"\x4a", span.attributes),
        b"\x7a",
        _encode_status(span.status),
        b"\x85\x01",  # flags
        _encode_flags(parent),
    ]
    if parent is not None:
        parts += b"\x22\x08", parent.span_id.to_bytes(8)
    if context.trace_state:
        pairs = [f"{key}={value}" for key, value in context.trace_state.items()]
        parts += b"\x1a", encode_text(",".join(pairs))
    for event in span.events:
        parts += b"\x5a", _encode_event(event)
    for link in span.links:
        parts += b"\x6a", _encode_link(link)
    parts += (
        _encode_count(b"\x50", span.dropped_attributes),
        _encode_count(b"\x60", span.dropped_events),
        _encode_count(b"\x70", span.dropped_links),
    )
    return sized(b"".join(parts))


def _encode_flags(other: SpanContext | None) -> bytes:
    return _REMOTE if other is not None and other.is_remote else _LOCAL


def _encode_status(status: Status) -> bytes:
    if status.status_code is StatusCode.UNSET and not status.description:
        return b"\x00"
    content = b"\x18" + encode_varint(status.status_code.value)
    if status.description:
        content += b"\x12" + encode_text(status.description)
    return sized(content)


def _encode_event(event: Event) -> bytes:
    return sized(
        _TIME.pack(0x09, event.timestamp)
        + b"\x12"
        + encode_text(event.name)
        + encode_attributes(b"\x1a", event.attributes)
        + _encode_count(b"\x20", event.dropped_attributes)
    )


def _encode_link(link: Link) -> bytes:
    context = link.context
    return sized(
        b"\n\x10"
        + context.trace_id.to_bytes(16)
        + b"\x12\x08"
        + context.span_id.to_bytes(8)
        + encode_attributes(b"\x22", link.attributes)
        + _encode_count(b"\x28", link.dropped_attributes)
        + b"\x35"
        + _encode_flags(context)
    )


def _encode_count(tag: bytes, count: int) -> bytes:
    return tag + encode_varint(count) if count else b""
