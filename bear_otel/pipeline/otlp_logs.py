"""Encode one log record as OTLP's `logs.proto` asks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from bear_otel.pipeline.otlp_wire import (
    encode_attributes,
    encode_text,
    encode_value,
    encode_varint,
    sized,
)

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord

_TIMES: Final = struct.Struct("<BQBQ")
_FLAGS: Final = struct.Struct("<BI")


def encode_log_record(record: ReadableLogRecord | ReadWriteLogRecord) -> bytes:
    """Return a log record behind its length."""
    log = record.log_record
    parts = [
        _TIMES.pack(0x09, log.timestamp or 0, 0x59, log.observed_timestamp or 0),
        b"\x2a",
        sized(_encode_body(log.body)),
        encode_attributes(b"\x32", log.attributes),
    ]
    if log.severity_number is not None:
        parts += b"\x10", encode_varint(log.severity_number.value)
    if log.severity_text:
        parts += b"\x1a", encode_text(log.severity_text)
    if record.dropped_attributes:
        parts += b"\x38", encode_varint(record.dropped_attributes)
    if log.trace_flags:
        parts.append(_FLAGS.pack(0x45, log.trace_flags))
    if log.trace_id:
        parts += b"\x4a\x10", log.trace_id.to_bytes(16)
    if log.span_id:
        parts += b"\x52\x08", log.span_id.to_bytes(8)
    if log.event_name:
        parts += b"\x62", encode_text(log.event_name)
    return sized(b"".join(parts))


def _encode_body(body: Any) -> bytes:
    try:
        return encode_value(body)
    except Exception:  # noqa: BLE001 - any object may be logged; the rest of the record is worth sending
        return b""
