"""Start spans as the SDK's tracers do, and make light ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
)

from bear_otel.pipeline import seams
from bear_otel.pipeline.light_spans import UNSET, LightSpan
from bear_otel.pipeline.plain import MOST_ATTRIBUTES
from bear_otel.pipeline.raw_spans import RawSpan
from bear_otel.pipeline.sampling import ShareSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link, Span, Tracer

    from bear_otel.pipeline.spans import ScrubbingSpanProcessor

# By whether the trace is kept and whether its id is random.
_FLAGS = {
    (sampled, random): TraceFlags(
        sampled * TraceFlags.SAMPLED | random * TraceFlags.RANDOM_TRACE_ID
    )
    for sampled in (False, True)
    for random in (False, True)
}
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
        if is_new and seams.makes_plain_spans(tracer, MOST_ATTRIBUTES):
            # `start_as_current_span` calls it, too.
            tracer.start_span = LightTracer(tracer, processor).start_span
        return tracer

    provider.get_tracer = get_light_tracer  # pyright: ignore[reportAttributeAccessIssue] - as declared


def find_recorder(tracer: Tracer) -> Callable[..., None] | None:
    """Return `LightTracer.record_span` of a tracer that makes light spans, else None."""
    light = getattr(tracer.start_span, "__self__", None)
    return light.record_span if isinstance(light, LightTracer) else None


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
        self._share = sdk.sampler if isinstance(sdk.sampler, ShareSampler) else None
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
        above = seams.find_span(context)
        parent: SpanContext | None = above.get_span_context()
        if above.is_recording() and self._follows(parent):
            own = self._create_below(parent)
        else:
            # A span context is a tuple, of which each property takes a call.
            trace_id, _, is_remote, flags, _, is_valid = parent
            random = flags & TraceFlags.RANDOM_TRACE_ID
            if not is_valid:
                parent = None
                trace_id = self._ids.generate_trace_id()
                random = self._ids.is_trace_id_random()
            if self._share is not None:
                recorded = True
                sampled, state = self._share.decide(parent, trace_id)
            else:
                result = self.sdk.sampler.should_sample(
                    context, trace_id, name, kind, attributes, links or ()
                )
                recorded, sampled = result.decision.is_recording(), result.decision.is_sampled()
                state, attributes = result.trace_state, result.attributes
            span_id = self._ids.generate_span_id()
            own = SpanContext(trace_id, span_id, False, _FLAGS[sampled, bool(random)], state)
            if not recorded:
                return NonRecordingSpan(own)
            if is_remote or not is_valid:
                self.processor.start_root(own)
        span = LightSpan(self, name, own, parent, kind, start_time, on_exception)
        if attributes:
            span.set_attributes(attributes)
        return span

    def record_span(
        self,
        name: str,
        context: Context,
        kind: SpanKind,
        attributes: dict[str, Any],
        start_time: int,
        end_time: int,
    ) -> None:
        """Record a span that is over, of which nobody has known.

        Args:
            name: As for `start_span`.
            context: Holds the span above it.
            kind: As for `start_span`.
            attributes: At most 64, with texts, numbers and booleans as values. They are kept as
                they are, and so must not change any more.
            start_time: Unix time in nanoseconds.
            end_time: Unix time in nanoseconds.
        """
        above = seams.find_span(context)
        parent = above.get_span_context()
        if self.processor.watches_starts or not above.is_recording() or not self._follows(parent):
            self.start_span(name, context, kind, attributes, start_time=start_time).end(end_time)
            return
        self.processor.take(
            RawSpan(
                name,
                self._create_below(parent),
                parent,
                self.sdk.resource,
                attributes,
                (),
                (),
                kind,
                UNSET,
                start_time,
                end_time,
                self.scope,
            )
        )

    def _follows(self, parent: SpanContext) -> bool:
        """Return whether a span below a recorded one needs no sampler: it fares the same."""
        return self._share is not None or (self._follows_sampled and parent.trace_flags.sampled)

    def _create_below(self, parent: SpanContext) -> SpanContext:
        trace_id, _, _, flags, state, _ = parent
        return SpanContext(trace_id, self._ids.generate_span_id(), False, flags, state)
