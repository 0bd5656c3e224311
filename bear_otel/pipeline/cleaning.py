"""Clean copies of the parts that spans and log records share."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext
from opentelemetry.trace.span import TraceState

from bear_otel.pipeline.resource import CleanResource

if TYPE_CHECKING:
    from collections.abc import Callable

    from bear_otel.privacy import Scrubber

_logger = logging.getLogger("bear_otel")

# Scopes and resources are few and long-lived; the limit only guards against code that makes one
# for each request.
_MAX_CACHED = 1024


class Cleaner:
    """Turns the parts of a record into clean ones; what repeats comes from a cache.

    The same input gives the same object, so that what is encoded once can be reused.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self.scrubber = scrubber
        self._scopes: dict[int, tuple[InstrumentationScope, InstrumentationScope]] = {}
        self._resources: dict[int, tuple[Resource, CleanResource]] = {}
        # Headers without a finding. Those with one pass the scrubber each time, which counts.
        self._clean_states: dict[str, None] = {}

    def clean_scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        """Return the scope with clean names and attributes."""
        if scope is None:
            return None
        # Keyed by identity, since hashing hashes all of it; the scope is kept beside its copy, so
        # its identity cannot be taken over by another one.
        known = self._scopes.get(id(scope))
        if known is None:
            if len(self._scopes) >= _MAX_CACHED:
                self._scopes.clear()
            known = self._scopes[id(scope)] = (scope, self._create_scope(scope))
        return known[1]

    def clean_resource(self, resource: Resource | None) -> Resource:
        """Return the clean copy of a resource, or the resource if it is one."""
        if isinstance(resource, CleanResource):
            return resource
        if resource is None:
            return Resource.get_empty()
        # By identity, too: hashing a resource encodes all of it as JSON.
        known = self._resources.get(id(resource))
        if known is None:
            if len(self._resources) >= _MAX_CACHED:
                self._resources.clear()
            known = self._resources[id(resource)] = (
                resource,
                CleanResource(resource, self.scrubber),
            )
        return known[1]

    def clean_context(self, context: SpanContext | None) -> SpanContext | None:
        """Return the span context with a clean trace state."""
        if context is None or not context.trace_state:
            return context
        header = context.trace_state.to_header()
        if header in self._clean_states:
            return context
        clean = self.scrubber.scrub_tracestate(header)
        if clean == header:
            if len(self._clean_states) >= _MAX_CACHED:
                self._clean_states.clear()
            self._clean_states[header] = None
            return context
        state = TraceState.from_header([clean])
        return SpanContext(
            context.trace_id, context.span_id, context.is_remote, context.trace_flags, state
        )

    def _create_scope(self, scope: InstrumentationScope) -> InstrumentationScope:
        scrub = self.scrubber.scrub_name
        return InstrumentationScope(
            scrub(scope.name, door="scope"),
            scrub(scope.version, door="scope") if scope.version else scope.version,
            scrub(scope.schema_url, door="scope") if scope.schema_url else scope.schema_url,
            self.scrubber.scrub_attributes(scope.attributes, door="scope.attribute"),
        )


def strip_trace_state(context: SpanContext | None) -> SpanContext | None:
    """Return the context without the one part of it that is text."""
    if context is None:
        return None
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


class Isolation:
    """Keeps an exception of a processor away from the application, and says it once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def call(self, owner: object, method: Callable[..., object], *arguments: object) -> bool:
        """Call a method of a processor; return False if it says so or raises, else True."""
        try:
            return method(*arguments) is not False
        except Exception as error:  # noqa: BLE001 - foreign code between the application and us
            name = f"{type(owner).__module__}.{type(owner).__qualname__}"
            if name not in self._said:
                self._said.add(name)
                # The text of the exception may hold the record.
                _logger.error("%s failed with %s; its records are lost", name, type(error).__name__)
            return False
