"""Estimate how much memory a finished span holds."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bear_otel.pipeline.raw_spans import RawSpan

# A raw span without attributes, an event and an attribute without its value; measured.
_SPAN_BYTES = 560
_EVENT_BYTES = 500
_ENTRY_BYTES = 30

_SCALARS = frozenset({str, int, float, bool})


def estimate_bytes(span: RawSpan) -> int:
    """Return about how many bytes a span holds."""
    size = _SPAN_BYTES + _measure(span.attributes)
    for event in span.events:
        size += _EVENT_BYTES + _measure(event.attributes)
    return size


def _measure(attributes: Any) -> int:
    if attributes is None:
        return 0
    try:
        # The SDK's own mapping takes a Python call for each key; its copy is a dict.
        values = attributes.copy().values()
    except AttributeError:  # a mapping of somebody else
        values = attributes.values()
    size = _ENTRY_BYTES * len(values)
    for value in values:
        size += getsizeof(value)
        if type(value) in _SCALARS:
            continue
        if isinstance(value, Mapping):
            size += _measure(value)
        elif isinstance(value, tuple | list):
            size += sum(map(getsizeof, value))
    return size
