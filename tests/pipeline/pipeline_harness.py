"""Secrets that tests plant, and providers whose ends are in memory."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.resource import create_resource
from bear_otel.pipeline.spans import ScrubbingSpanProcessor
from bear_otel.privacy import Scrubber

EMAIL = "ada.lovelace@example.com"


class Keep(SpanProcessor):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.started: list[object] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: object, parent_context: object = None) -> None:
        self.started.append(span)

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


class Broken(SpanProcessor):
    """Fails whenever it is called."""

    def on_start(self, span: object, parent_context: object = None) -> None:
        message = "start"
        raise RuntimeError(message)

    def on_end(self, span: object) -> None:
        message = f"end {EMAIL}"
        raise RuntimeError(message)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        message = "flush"
        raise RuntimeError(message)


class BrokenScrubber(Scrubber):
    """A scrubber with a bug that shows on every name."""

    def scrub_name(self, text: str, *, door: str) -> str:
        raise ZeroDivisionError(text)


def create_tracer_provider(
    scrubber: Scrubber | None = None,
) -> tuple[TracerProvider, ScrubbingSpanProcessor]:
    """Return a provider with the scrubbing processor, and the processor."""
    scrubber = scrubber or Scrubber()
    front = ScrubbingSpanProcessor(Cleaner(scrubber))
    provider = TracerProvider(
        resource=create_resource({}, Scrubber()),
        shutdown_on_exit=False,
        active_span_processor=front,  # type: ignore[arg-type]
    )
    return provider, front
