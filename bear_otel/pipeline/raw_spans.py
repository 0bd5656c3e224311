"""What a span has recorded, without the span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status


class RawSpan(NamedTuple):
    """A finished span as it was recorded.

    A span waits for seconds to be exported, and the SDK keeps a lock, a list or a proxy for each
    part of it. The garbage collector goes through all of them, again and again: of what a request
    cost, a sixth. Here are two objects, of which it forgets one.
    """

    name: str
    context: SpanContext | None
    parent: SpanContext | None
    resource: Resource
    attributes: dict[str, Any]
    events: Sequence[Event]
    links: Sequence[Link]
    kind: SpanKind
    status: Status
    start_time: int | None
    end_time: int | None
    scope: InstrumentationScope | None
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0


def read_span(span: ReadableSpan) -> RawSpan:
    """Return what a span of the SDK has recorded."""
    attributes = span.attributes
    return RawSpan(
        span.name,
        span.context,
        span.parent,
        span.resource,
        # The SDK's own mapping takes a Python call for each key; its copy is a dict.
        {} if attributes is None else attributes.copy(),  # pyright: ignore[reportAttributeAccessIssue] - a proxy
        span.events,
        span.links,
        span.kind,
        span.status,
        span.start_time,
        span.end_time,
        span.instrumentation_scope,
        span.dropped_attributes,
        span.dropped_events,
        span.dropped_links,
    )


def is_root(parent: SpanContext | None) -> bool:
    """Return whether a span below this one is a local root: it has no parent in this process."""
    return parent is None or parent.is_remote
