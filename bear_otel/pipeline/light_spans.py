"""Record spans at a fraction of the SDK's cost, until one needs what only the SDK's has.

The SDK prepares each span for events, links, limits, hooks and several threads. Most spans end
without having met any of these, and to prepare for them was a third of what a request cost.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
)
from typing_extensions import override

from bear_otel.pipeline import seams
from bear_otel.pipeline.raw_spans import RawSpan
from bear_otel.pipeline.sampling import ShareSampler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link, Span

    from bear_otel.pipeline.spans import ScrubbingSpanProcessor

_UNSET = Status()
# Values that nobody can change, so that they need no copy, and keys that need no check.
_SCALARS = frozenset({str, int, float, bool})
_TEXT = frozenset({str})
# The SDK counts and drops what is beyond its limits, of which this is half the default.
_MOST_ATTRIBUTES = 64
# Below a sampled span of this process it follows that span, whatever else it does.
_FOLLOWS_SAMPLED = "localParentSampled:AlwaysOnSampler"


def lighten(provider: TracerProvider, processor: ScrubbingSpanProcessor) -> None:
    """Let the tracers of a provider make light spans.

    Where a limit or a metric of the SDK's could tell them from its own spans, its tracer stays as
    it is.

    Args:
        provider: Its tracers change from now on.
        processor: Stands in front of all others in that provider.
    """
    get_tracer = provider.get_tracer

    def get_light_tracer(*args: Any, **kwargs: Any) -> Any:
        tracer: Any = get_tracer(*args, **kwargs)
        is_new = isinstance(tracer, SdkTracer) and "start_span" not in vars(tracer)
        if is_new and seams.makes_plain_spans(tracer, _MOST_ATTRIBUTES):
            # `start_as_current_span` calls it, too.
            tracer.start_span = LightTracer(tracer, processor).start_span
        return tracer

    provider.get_tracer = get_light_tracer  # pyright: ignore[reportAttributeAccessIssue] - as declared


class LightTracer:
    """Decides about a span as the SDK's tracer does, and makes a light one.

    Args:
        sdk: Makes the spans that are not light.
        processor: Gets all of them.
    """

    def __init__(self, sdk: SdkTracer, processor: ScrubbingSpanProcessor) -> None:
        self.sdk = sdk
        self.processor = processor
        self.scope, self.limits = seams.read_tracer(sdk)
        self._start_sdk_span = sdk.start_span
        self._ids = sdk.id_generator
        self._follows_recorded = isinstance(sdk.sampler, ShareSampler)
        self._follows_sampled = _FOLLOWS_SAMPLED in sdk.sampler.get_description()

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
        """Start a span, as `Tracer.start_span`."""
        on_exception = record_exception, set_status_on_exception
        # A processor that looks at what starts is told to expect the SDK's span.
        if links or self.processor.watches_starts:
            return self._start_sdk_span(
                name, context, kind, attributes, links, start_time, *on_exception
            )
        above = get_current_span(context)
        parent: SpanContext | None = above.get_span_context()
        if above.is_recording() and (
            self._follows_recorded or (self._follows_sampled and parent.trace_flags.sampled)
        ):
            own = _follow(parent, self._ids.generate_span_id())
        else:
            parent = parent if parent.is_valid else None
            trace_id = parent.trace_id if parent else self._ids.generate_trace_id()
            result = self.sdk.sampler.should_sample(
                context, trace_id, name, kind, attributes, links or ()
            )
            own = SpanContext(
                trace_id,
                self._ids.generate_span_id(),
                is_remote=False,
                trace_flags=self._find_flags(parent, sampled=result.decision.is_sampled()),
                trace_state=result.trace_state,
            )
            if not result.decision.is_recording():
                return NonRecordingSpan(own)
            attributes = result.attributes
        span = LightSpan(self, name, own, parent, kind, start_time, on_exception)
        if attributes:
            span.set_attributes(attributes)
        self.processor.on_start(span, context)
        return span

    def _find_flags(self, parent: SpanContext | None, *, sampled: bool) -> TraceFlags:
        random = parent.trace_flags.random_trace_id if parent else self._ids.is_trace_id_random()
        return TraceFlags(
            (TraceFlags.SAMPLED if sampled else 0) | (TraceFlags.RANDOM_TRACE_ID if random else 0)
        )


class LightSpan(SdkSpan):
    """A span that keeps a name, plain attributes and a status.

    Asked for anything else, an event or a reading of what it holds, it unfolds: the methods and
    properties that it inherits miss an attribute of the SDK's span, and get it from one that is
    made then from what has been recorded so far.
    """

    def __init__(
        self,
        tracer: LightTracer,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        start_time: int | None,
        on_exception: tuple[bool, bool],
    ) -> None:
        # Not super().__init__(): that is what is saved.
        self._bear_tracer = tracer
        self._bear_name = name
        self._bear_context = context
        self._bear_parent = parent
        self._bear_kind = kind
        self._bear_attributes: dict[str, Any] = {}
        self._bear_status = _UNSET
        self._bear_on_exception = on_exception
        self._bear_start_time = time_ns() if start_time is None else start_time
        self._bear_end_time: int | None = None
        # Neither unfolded nor ended. No lock guards it: the interpreter changes threads at calls
        # and loops, and there is none between a check and what depends on it.
        self._bear_open = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_bear"):
            raise AttributeError(name)
        return getattr(self._unfold(), name)

    def _unfold(self) -> SdkSpan:
        mine: Any = self.__dict__
        if "_bear_unfolded" not in mine:
            mine.setdefault("_bear_unfolded", self._create_unfolded())  # of two threads, the first
        return mine["_bear_unfolded"]

    def _create_unfolded(self) -> SdkSpan:
        self._bear_open = False
        tracer = self._bear_tracer
        record_exception, set_status_on_exception = self._bear_on_exception
        span = _UnfoldedSpan(
            self._bear_name,
            self._bear_context,
            self._bear_parent,
            tracer.sdk.sampler,
            resource=tracer.sdk.resource,
            attributes=self._bear_attributes,
            kind=self._bear_kind,
            span_processor=tracer.processor,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
            limits=tracer.limits,
            instrumentation_scope=tracer.scope,
        )
        seams.date_span(span, self._bear_status, self._bear_start_time, self._bear_end_time)
        return span

    @override
    def get_span_context(self) -> SpanContext:
        return self._bear_context

    @property
    @override
    def context(self) -> SpanContext:
        return self._bear_context

    @property
    @override
    def parent(self) -> SpanContext | None:
        return self._bear_parent

    @override
    def is_recording(self) -> bool:
        return self._bear_open or (self._bear_end_time is None and super().is_recording())

    @override
    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        if not self._take(attributes):
            super().set_attributes(attributes)

    @override
    def set_attribute(self, key: str, value: Any) -> None:
        if not self._take({key: value}):
            super().set_attribute(key, value)

    def _take(self, attributes: Mapping[str, Any]) -> bool:
        """Keep attributes, or return False: they are not plain, too many or too late."""
        if (
            self._bear_open
            and _SCALARS.issuperset(map(type, attributes.values()))
            and _TEXT.issuperset(map(type, attributes))
            and "" not in attributes
        ):
            self._bear_attributes.update(attributes)
            # Another thread may have unfolded the span meanwhile, perhaps before they came in.
            return self._bear_open and len(self._bear_attributes) <= _MOST_ATTRIBUTES
        return False

    @override
    def update_name(self, name: str) -> None:
        if self._bear_open:
            self._bear_name = name
        else:
            super().update_name(name)

    @override
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        if isinstance(status, StatusCode):
            status, description = Status(status, description), None
        if not self._bear_open or description is not None or not isinstance(status, Status):
            super().set_status(status, description)
        elif not status.is_unset and self._bear_status.status_code is not StatusCode.OK:
            self._bear_status = status

    @override
    def end(self, end_time: int | None = None) -> None:
        if not self._bear_open:
            super().end(end_time)
            return
        self._bear_open = False
        self._bear_end_time = time_ns() if end_time is None else end_time
        tracer = self._bear_tracer
        tracer.processor.on_end(
            RawSpan(
                self._bear_name,
                self._bear_context,
                self._bear_parent,
                tracer.sdk.resource,
                self._bear_attributes,
                (),
                (),
                self._bear_kind,
                self._bear_status,
                self._bear_start_time,
                self._bear_end_time,
                tracer.scope,
            )
        )


class _UnfoldedSpan(SdkSpan):
    """Only a tracer may make an `SdkSpan` itself."""


def _follow(parent: SpanContext, span_id: int) -> SpanContext:
    """Return the context of a span below another one of this process."""
    return SpanContext(parent.trace_id, span_id, False, parent.trace_flags, parent.trace_state)
