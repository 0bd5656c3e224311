"""A provider that lets a secret through is found before it can send anything."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, SynchronousMultiLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from bear_otel.pipeline import canary
from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.logs import ScrubbingLogRecordProcessor
from bear_otel.pipeline.metrics import ScrubbingMeterProvider
from bear_otel.pipeline.spans import ScrubbingSpanProcessor
from bear_otel.privacy import PrivacyPolicy, Scrubber

POLICIES = {
    "default": PrivacyPolicy(),
    "personal data in clear": PrivacyPolicy(personal="clear"),
    "strict": PrivacyPolicy(strict=True),
}


class LeakyFanOut(SynchronousMultiSpanProcessor):
    """What the SDK would do without us, with the one method that the check needs."""

    def remove_span_processor(self, processor: object) -> None:
        """Keep it; the provider is thrown away."""


class LeakyLogFanOut(SynchronousMultiLogRecordProcessor):
    """What the SDK would do without us, with the one method that the check needs."""

    def remove_log_record_processor(self, processor: object) -> None:
        """Keep it; the provider is thrown away."""


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_the_clean_providers_pass(policy: PrivacyPolicy) -> None:
    """With every policy: a secret never leaves."""
    scrubber = Scrubber(policy)
    spans, logs = (
        ScrubbingSpanProcessor(Cleaner(scrubber)),
        ScrubbingLogRecordProcessor(Cleaner(scrubber)),
    )
    options: dict[str, Any] = {"shutdown_on_exit": False}
    canary.check_spans(TracerProvider(active_span_processor=spans, **options), spans)
    canary.check_logs(LoggerProvider(multi_log_record_processor=logs, **options), logs)
    probe = canary.MetricProbe()
    inner = MeterProvider([probe.reader], **options)
    canary.check_metrics(ScrubbingMeterProvider(lambda: inner, scrubber), probe)


def test_a_leak_of_spans_is_found() -> None:
    """A provider that uses another processor than ours hands out the raw span."""
    leaky: Any = LeakyFanOut()
    provider = TracerProvider(shutdown_on_exit=False, active_span_processor=leaky)
    with pytest.raises(canary.CanaryError, match=r"traces failed at start .a planted secret"):
        canary.check_spans(provider, leaky)


def test_a_leak_of_logs_is_found() -> None:
    """A provider that uses another processor than ours hands out the raw record."""
    leaky: Any = LeakyLogFanOut()
    provider = LoggerProvider(shutdown_on_exit=False, multi_log_record_processor=leaky)
    with pytest.raises(canary.CanaryError, match=r"logs failed at start .a planted secret"):
        canary.check_logs(provider, leaky)


def test_a_leak_of_metrics_is_found() -> None:
    """The SDK's own provider aggregates the raw attributes."""
    probe = canary.MetricProbe()
    provider = MeterProvider([probe.reader], shutdown_on_exit=False)
    with pytest.raises(canary.CanaryError, match=r"metrics failed at start .a planted secret"):
        canary.check_metrics(provider, probe)


def test_a_processor_that_is_never_called_is_found() -> None:
    """An SDK that ignored the processor would be silent, which must not look like success."""
    front = ScrubbingSpanProcessor(Cleaner(Scrubber()))
    with pytest.raises(canary.CanaryError, match="did not arrive"):
        canary.check_spans(TracerProvider(shutdown_on_exit=False), front)


def test_a_sampler_that_drops_everything_is_no_failure() -> None:
    """Nothing can leak out of a span that is not recorded."""
    front: Any = ScrubbingSpanProcessor(Cleaner(Scrubber()))
    provider = TracerProvider(
        sampler=ALWAYS_OFF, shutdown_on_exit=False, active_span_processor=front
    )
    canary.check_spans(provider, front)


def test_the_error_says_nothing_of_the_secret() -> None:
    """It goes to stderr."""
    assert canary.CANARY not in str(canary.CanaryError("traces", "a planted secret came out"))
