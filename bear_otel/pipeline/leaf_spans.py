"""Make spans that nothing can happen in, at a third of the cost of the SDK's."""

# The SDK prepares each span for events, links, limits, hooks and several threads. A query has none
# of these, and most spans are queries: they were half of what a request cost.

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
)
from typing_extensions import override

from bear_otel.pipeline import seams
from bear_otel.pipeline.sampling import ShareSampler
from bear_otel.pipeline.spans import ScrubbingSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, TracerProvider

_UNSET = Status()
# Below a span of this process it follows that span, whatever else it does.
_FOLLOWS_PARENT = "localParentSampled:AlwaysOnSampler"
# More than any leaf has.
_FEW_ATTRIBUTES = 32


def create_leaf_tracer(provider: TracerProvider, name: str, version: str) -> Tracer:
    """Return a tracer for spans without children, events and links.

    Where a sampler, a limit or a processor would make a difference between its spans and the
    SDK's, the SDK makes them.

    Args:
        provider: Has our processor in front.
        name: Of the instrumentation scope.
        version: Of the instrumentation scope.
    """
    tracer = provider.get_tracer(name, version)
    if not isinstance(tracer, SdkTracer):
        return tracer
    follows = isinstance(tracer.sampler, ShareSampler) or (
        _FOLLOWS_PARENT in tracer.sampler.get_description()
    )
    scrubs = isinstance(tracer.span_processor, ScrubbingSpanProcessor)
    if follows and scrubs and seams.makes_plain_spans(tracer, _FEW_ATTRIBUTES):
        return LeafTracer(tracer, InstrumentationScope(name, version))
    return tracer


class LeafTracer(Tracer):
    """Makes leaves below the spans of this process; all others it leaves to the SDK's tracer."""

    def __init__(self, tracer: SdkTracer, scope: InstrumentationScope) -> None:
        self.sdk = tracer
        self.scope = scope
        self.processor: Any = tracer.span_processor
        self._generate_id = tracer.id_generator.generate_span_id

    @override
    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        parent = get_current_span(context)
        # A processor that looks at what starts may also change it.
        if links or not parent.is_recording() or self.processor.watches_starts:
            return self.sdk.start_span(name, context, kind, attributes, links, start_time)
        above = parent.get_span_context()
        own = SpanContext(
            above.trace_id, self._generate_id(), False, above.trace_flags, above.trace_state
        )
        return LeafSpan(self, name, own, above, kind, attributes or {}, start_time or time_ns())

    @property
    @override
    def start_as_current_span(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - the SDK's own
        return self.sdk.start_as_current_span  # what is current may get children


class LeafSpan(NonRecordingSpan):
    """A span that keeps its attributes and its status, but neither events nor links."""

    def __init__(
        self,
        tracer: LeafTracer,
        name: str,
        own: SpanContext,
        parent: SpanContext,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        start_time: int,
    ) -> None:
        super().__init__(own)
        self._bear_tracer = tracer
        self._bear_facts = name, own, parent, kind, start_time
        self._bear_attributes = attributes
        self._bear_status = _UNSET
        self._bear_ended = False

    @override
    def is_recording(self) -> bool:
        return not self._bear_ended

    @override
    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self._bear_attributes = {**self._bear_attributes, **attributes}

    @override
    def set_attribute(self, key: str, value: Any) -> None:
        self.set_attributes({key: value})

    @override
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        self._bear_status = status if isinstance(status, Status) else Status(status, description)

    @override
    def end(self, end_time: int | None = None) -> None:
        if self._bear_ended:
            return
        self._bear_ended = True
        name, own, parent, kind, start_time = self._bear_facts
        tracer = self._bear_tracer
        span = ReadableSpan(
            name,
            own,
            parent,
            tracer.sdk.resource,  # read now: a fork changes it
            self._bear_attributes,
            kind=kind,
            status=self._bear_status,
            start_time=start_time,
            end_time=end_time or time_ns(),
            instrumentation_scope=tracer.scope,
        )
        tracer.processor.on_end(span)
