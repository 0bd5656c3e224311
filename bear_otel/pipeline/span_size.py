"""Estimate how much memory a finished span holds."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

# What the SDK makes for a span, an event and an attribute, but for its value; measured.
_SPAN_BYTES = 2700
_EVENT_BYTES = 500
_ENTRY_BYTES = 80


def estimate_bytes(span: ReadableSpan) -> int:
    """Return about how many bytes a span holds."""
    events = span.events
    return (
        _SPAN_BYTES
        + _measure(span.attributes or {})
        + sum(_EVENT_BYTES + _measure(event.attributes or {}) for event in events)
        + _EVENT_BYTES * len(span.links)
    )


def _measure(value: Any) -> int:
    if isinstance(value, str):
        return sys.getsizeof(value)
    if isinstance(value, Mapping):
        return sum(_ENTRY_BYTES + _measure(each) for each in value.values())
    if isinstance(value, tuple | list):
        return sys.getsizeof(value) + sum(map(_measure, value))
    return sys.getsizeof(value)
