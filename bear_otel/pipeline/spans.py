"""Clean every span once, before anything that could send it sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Link, Status
from typing_extensions import override

from bear_otel.pipeline.cleaning import Cleaner, Isolation, strip_trace_state
from bear_otel.pipeline.raw_spans import is_root, read_span
from bear_otel.pipeline.resource import CleanResource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

    from bear_otel.pipeline.raw_spans import RawSpan
    from bear_otel.pipeline.tail import Kept, Tail
    from bear_otel.privacy import Scrubber

_FAILED = "[REDACTED:error]"
_FRAGMENT = "bear.sampling.fragment"


class CleanSpan(ReadableSpan):
    """A finished span as it may leave.

    It is made in a few microseconds on the thread of the request and scrubbed when somebody
    first looks at it: with a batching processor, on the export thread. What is read is always
    clean, also by code that reaches for the underscore attributes, since they do not exist before
    the scrubber has run: `__getattr__` fills them by calling `ReadableSpan.__init__`.

    Args:
        raw: The span as it was recorded.
        cleaner: Cleans it.
        context: Replaces the span's own context, if the tail has something to add to it.
        fragment: Value of `bear.sampling.fragment`, if the span is to have that attribute.
    """

    def __init__(
        self,
        raw: RawSpan,
        cleaner: Cleaner,
        context: SpanContext | None = None,
        fragment: str | None = None,
    ) -> None:
        # Not super().__init__(): that is what `__getattr__` does later.
        self._bear_raw = raw
        self._bear_cleaner = cleaner
        self._bear_context = cleaner.clean_context(context or raw.context)
        self._bear_fragment = fragment
        self._bear_scrubbed = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_bear") or self._bear_scrubbed:
            raise AttributeError(name)
        try:
            arguments = _scrub_span(self._bear_raw, self._bear_cleaner)
        except Exception:  # noqa: BLE001 - fail closed: nothing leaves but the skeleton
            self._bear_cleaner.scrubber.errors += 1
            arguments = _keep_skeleton(self._bear_raw)
            arguments["context"] = strip_trace_state(self._bear_context)
        else:
            arguments["context"] = self._bear_context
        if self._bear_fragment:
            arguments.setdefault("attributes", {})[_FRAGMENT] = self._bear_fragment
        super().__init__(**arguments)
        # Last: another thread that looks at the same time scrubs as well, to the same result.
        self._bear_scrubbed = True
        return getattr(self, name)

    # A batching processor asks for these on the thread of the request: answer without scrubbing
    # the rest.
    @property
    @override
    def context(self) -> SpanContext | None:
        return self._bear_context

    @override
    def get_span_context(self) -> SpanContext | None:
        return self._bear_context

    @property
    @override
    def dropped_attributes(self) -> int:
        return self._bear_raw.dropped_attributes

    @property
    @override
    def dropped_events(self) -> int:
        return self._bear_raw.dropped_events

    @property
    @override
    def dropped_links(self) -> int:
        return self._bear_raw.dropped_links


class ScrubbingSpanProcessor(SpanProcessor):
    """The one processor that the provider knows; all others stand behind it.

    A processor added later gets the live span in `on_start`, as the specification asks, and clean
    spans only in `on_end`. `_on_ending` is not passed on: it would hand out the raw span. An
    exception in one processor reaches neither the application nor the other processors.

    Attributes:
        tail: Holds spans back until their trace is decided, before anything is cleaned.
        watches_starts: Whether a processor wants to see each span when it starts.
    """

    def __init__(self, cleaner: Cleaner) -> None:
        self.tail: Tail | None = None
        self._cleaner = cleaner
        self._isolation = Isolation()
        self._put(())

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Put a processor behind the scrubber."""
        self._put((*self._downstream, span_processor))

    def remove_span_processor(self, span_processor: SpanProcessor) -> None:
        """Take a processor out again."""
        self._put(tuple(p for p in self._downstream if p is not span_processor))

    def _put(self, downstream: tuple[SpanProcessor, ...]) -> None:
        self._downstream = downstream
        # Most take no interest in what starts, and need not be asked on every span.
        self._starters = tuple(
            p for p in downstream if type(p).on_start is not SpanProcessor.on_start
        )
        self.watches_starts = bool(self._starters)

    @override
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if is_root(span.parent):
            self.start_root(span.get_span_context())
        for processor in self._starters:
            self._isolation.call(processor, processor.on_start, span, parent_context)

    def start_root(self, context: SpanContext) -> None:
        """Note that a local root has started: all that there is to do if nobody watches starts."""
        if self.tail is not None and (kept := self.tail.start(context)):
            self._hand_out(kept)

    @override
    def on_end(self, span: ReadableSpan) -> None:
        self.take(read_span(span))

    def take(self, span: RawSpan) -> None:
        """Take a span that has ended."""
        if self.tail is None:
            self._fan_out(CleanSpan(span, self._cleaner))
        elif kept := self.tail.end(span):
            self._hand_out(kept)

    def expire(self) -> None:
        """Let go of traces that the tail has held for too long."""
        if self.tail is not None:
            self._hand_out(self.tail.expire())

    def settle(self) -> None:
        """Let go of all that the tail holds: the process ends."""
        if self.tail is not None:
            self._hand_out(self.tail.settle())

    @override
    def shutdown(self) -> None:
        self.settle()
        for processor in self._downstream:
            self._isolation.call(processor, processor.shutdown)

    @override
    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        # All of them, even if an earlier one failed.
        flushed = [
            self._isolation.call(processor, processor.force_flush, timeout_millis)
            for processor in self._downstream
        ]
        return all(flushed)

    def _hand_out(self, kept: Iterable[Kept]) -> None:
        for span, context, fragment in kept:
            self._fan_out(CleanSpan(span, self._cleaner, context, fragment))

    def _fan_out(self, clean: CleanSpan) -> None:
        for processor in self._downstream:
            self._isolation.call(processor, processor.on_end, clean)


def _scrub_span(raw: RawSpan, cleaner: Cleaner) -> dict[str, Any]:
    scrubber = cleaner.scrubber
    status = raw.status
    if status.description:
        status = Status(
            status.status_code, scrubber.scrub_text(status.description, door="span.status")
        )
    return {
        "name": scrubber.scrub_name(raw.name, door="span.name"),
        "parent": cleaner.clean_context(raw.parent),
        "resource": cleaner.clean_resource(raw.resource),
        "attributes": scrubber.scrub_attributes(raw.attributes, door="span.attribute"),
        "events": tuple(_CleanEvent(event, scrubber) for event in raw.events) if raw.events else (),
        "links": tuple(_CleanLink(link, cleaner) for link in raw.links) if raw.links else (),
        "kind": raw.kind,
        "status": status,
        "start_time": raw.start_time,
        "end_time": raw.end_time,
        "instrumentation_scope": cleaner.clean_scope(raw.scope),
    }


class _CleanEvent(Event):
    """An event that still knows how many attributes a limit cut from its raw copy."""

    def __init__(self, raw: Event, scrubber: Scrubber) -> None:
        self._bear_dropped = raw.dropped_attributes
        name = scrubber.scrub_name(raw.name, door="span.event")
        attributes = scrubber.scrub_attributes(raw.attributes, door="span.event.attribute")
        super().__init__(name, attributes, raw.timestamp, limit=None)

    @property
    def dropped_attributes(self) -> int:
        return self._bear_dropped


class _CleanLink(Link):
    """A link that still knows how many attributes a limit cut from its raw copy."""

    def __init__(self, raw: Link, cleaner: Cleaner) -> None:
        self._bear_dropped = raw.dropped_attributes
        attributes = cleaner.scrubber.scrub_attributes(raw.attributes, door="span.link.attribute")
        super().__init__(cleaner.clean_context(raw.context) or raw.context, attributes)

    @property
    def dropped_attributes(self) -> int:
        return self._bear_dropped


def _keep_skeleton(raw: RawSpan) -> dict[str, Any]:
    """Return what holds no text: ids, times and kind, so that the trace keeps its shape."""
    return {
        "name": _FAILED,
        "parent": strip_trace_state(raw.parent),
        "resource": raw.resource
        if isinstance(raw.resource, CleanResource)
        else Resource.get_empty(),
        "kind": raw.kind,
        "status": Status(raw.status.status_code),
        "start_time": raw.start_time,
        "end_time": raw.end_time,
    }
