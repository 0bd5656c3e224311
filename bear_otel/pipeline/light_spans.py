"""Record spans at a fraction of the SDK's cost, until one needs what only the SDK's has.

The SDK prepares each span for events, links, limits, hooks and several threads. Most spans end
without having met any of these, and to prepare for them was a third of what a request cost.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import Status, StatusCode
from typing_extensions import override

from bear_otel.pipeline import seams
from bear_otel.pipeline.plain import MOST_ATTRIBUTES, are_plain
from bear_otel.pipeline.raw_spans import RawSpan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext, SpanKind

    from bear_otel.pipeline.light_tracers import LightTracer

UNSET = Status()


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
        self._bear_status = UNSET
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
        if self._bear_open and are_plain(attributes):
            mine = self._bear_attributes
            mine.update(attributes)
            # Another thread may have unfolded the span meanwhile, perhaps before they came in.
            return self._bear_open and len(mine) <= MOST_ATTRIBUTES
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
        tracer.processor.take(
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
