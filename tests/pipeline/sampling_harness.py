"""Services that sample, with their ends in memory and trace ids that a test chooses."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.light_tracers import lighten
from bear_otel.pipeline.resource import create_resource
from bear_otel.pipeline.sampling import ShareSampler
from bear_otel.pipeline.spans import ScrubbingSpanProcessor
from bear_otel.pipeline.tail import Limits, Tail
from bear_otel.pipeline.weights import NEVER, find_threshold
from bear_otel.privacy import Scrubber

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span

# Random values from the two ends: the share keeps the one as long as it keeps anything, and drops
# the other unless it keeps everything.
LUCKY = NEVER - 1
UNLUCKY = 1 << 100
SECOND = 1_000_000_000
AMPLE = Limits(traces=1000, spans=10_000, bytes=10_000_000, age_seconds=60.0)

_propagator = TraceContextTextMapPropagator()


class ChosenIds(IdGenerator):
    """Gives the trace ids that it has been told, and even ones after that."""

    def __init__(self) -> None:
        self.chosen: list[int] = []
        # Multiples of the golden ratio lie evenly: what varies in a test is not luck.
        self._even = (n * 0x9E3779B97F4A7C % NEVER | 1 << 100 for n in itertools.count(1))
        self._spans = itertools.count(1)

    def generate_trace_id(self) -> int:
        return self.chosen.pop(0) if self.chosen else next(self._even)

    def generate_span_id(self) -> int:
        return next(self._spans)

    def is_trace_id_random(self) -> bool:
        return True


class KeepEnded(SpanProcessor):
    """Keeps what has ended, and nothing that has only started."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class Service:
    """A service that samples.

    Args:
        share: Of all traces.
        error_share: Of the traces with an error.
        slow_seconds: From when a trace is slow.
        limits: Of the buffer.
    """

    def __init__(
        self,
        share: float = 0.1,
        error_share: float = 1.0,
        slow_seconds: float = 1.0,
        limits: Limits = AMPLE,
    ) -> None:
        self.now = 0.0
        self.tail = Tail(
            error_share=error_share,
            slow_seconds=slow_seconds,
            limits=limits,
            clock=lambda: self.now,
        )
        self.front = ScrubbingSpanProcessor(Cleaner(Scrubber()))
        self.front.tail = self.tail
        self.ids = ChosenIds()
        provider = TracerProvider(
            resource=create_resource({}, Scrubber()),
            sampler=ShareSampler(share),
            id_generator=self.ids,
            shutdown_on_exit=False,
            active_span_processor=self.front,  # type: ignore[arg-type]
        )
        lighten(provider, self.front)
        self._keep = KeepEnded()
        self.front.add_span_processor(self._keep)
        self.tracer = provider.get_tracer("service")

    @property
    def kept(self) -> list[ReadableSpan]:
        """What has left, in that order."""
        return self._keep.spans

    def names(self) -> list[str]:
        """Return the names of what has left."""
        return [span.name for span in self.kept]

    def begin(self, name: str = "request", headers: Mapping[str, str] | None = None) -> Span:
        """Start a server span, for a request with these headers."""
        context = _propagator.extract(dict(headers or {}))
        return self.tracer.start_span(name, context, SpanKind.SERVER, start_time=0)

    def serve(
        self,
        headers: Mapping[str, str] | None = None,
        *,
        failing: str = "",
        seconds: float = 0.0,
        trace_id: int | None = None,
    ) -> dict[str, str]:
        """Serve a request with a query in it; return the headers that another service would get.

        Args:
            headers: Those of the request.
            failing: Name of the span that fails, `request` or `query`.
            seconds: Duration of the request.
            trace_id: Of the trace, if it begins here.
        """
        if trace_id is not None:
            self.ids.chosen.append(trace_id)
        request = self.begin("request", headers)
        query = self.tracer.start_span("query", set_in(request), SpanKind.CLIENT, start_time=0)
        sent: dict[str, str] = {}
        _propagator.inject(sent, set_in(query))
        for span, name in ((query, "query"), (request, "request")):
            if name == failing:
                span.set_status(StatusCode.ERROR)
        query.end(1)
        request.end(int(seconds * SECOND))
        return sent


def set_in(span: Span) -> object:
    """Return a context with a span in it."""
    from opentelemetry.context import Context
    from opentelemetry.trace import set_span_in_context

    return set_span_in_context(span, Context())


def weights(spans: list[ReadableSpan]) -> Iterator[float | None]:
    """Yield how many spans each stands for, None where it does not say."""
    for span in spans:
        assert span.context is not None
        threshold = find_threshold(span.context.trace_state)
        yield None if threshold is None else NEVER / (NEVER - threshold)


def fragments(spans: list[ReadableSpan]) -> list[object]:
    """Return what each span says about being a fragment."""
    return [(span.attributes or {}).get("bear.sampling.fragment") for span in spans]
