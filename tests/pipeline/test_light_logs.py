"""A light log record is the one that the SDK would have made, whatever is logged."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry._logs import Logger, LogRecord, SeverityNumber
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, ReadWriteLogRecord
from opentelemetry.sdk._logs._internal import _LoggerConfig
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from pipeline_harness import EMAIL

from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.light_logs import LightLogger, lighten_logs
from bear_otel.pipeline.logs import ScrubbingLogRecordProcessor
from bear_otel.pipeline.raw_logs import RawLogRecord
from bear_otel.privacy import Scrubber

SPAN = SpanContext(7, 8, False, TraceFlags(1))
IN_SPAN = set_span_in_context(NonRecordingSpan(SPAN), Context())


class Processor(ScrubbingLogRecordProcessor):
    """Keeps what has been logged, and whether the SDK was asked to make a record of it."""

    def __init__(self) -> None:
        super().__init__(Cleaner(Scrubber()))
        self.raw: list[RawLogRecord] = []
        self.by_sdk = 0

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Count the SDK's record."""
        self.by_sdk += 1
        super().on_emit(log_record)

    def take(self, record: RawLogRecord) -> None:
        """Keep it."""
        self.raw.append(record)


def create_provider(light: bool, **options: Any) -> tuple[LoggerProvider, Processor]:
    """Return a provider with our processor."""
    processor = Processor()
    provider = LoggerProvider(
        shutdown_on_exit=False,
        multi_log_record_processor=processor,  # pyright: ignore[reportArgumentType] - duck typed
        **options,
    )
    if light:
        lighten_logs(provider, processor)
    return provider, processor


# Each gets the logger and logs; what arrived is compared, but for the time at which it did.
def a_line(logger: Logger) -> None:
    """Log as the standard library's handler does."""
    logger.emit(
        timestamp=17,
        observed_timestamp=18,
        context=IN_SPAN,
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body=f"a letter to {EMAIL}",
        attributes={"customer": EMAIL, "count": 1, "share": 0.5, "late": True},
    )


def nothing_at_all(logger: Logger) -> None:
    """Log without an argument, and with as little as there is."""
    logger.emit()
    logger.emit(body="", attributes={}, context=Context())


def an_event(logger: Logger) -> None:
    """Log what has a name, and a body with parts."""
    logger.emit(event_name="cart.filled", body={"items": [1, {"name": EMAIL}]})


def the_current_span(logger: Logger) -> None:
    """Leave the span to the context that is current."""
    token = attach(IN_SPAN)
    try:
        logger.emit(body="inside")
    finally:
        detach(token)
    logger.emit(body="outside")


def values_of_every_type(logger: Logger) -> None:
    """Give attributes that are no text and no number, too."""
    for value in ("text", 1, 0.5, True, None, b"bytes", [1, 2], ("a", "b"), {"a": {"b": [1]}}):
        logger.emit(body="line", attributes={"first": 1, "value": value})


def keys_of_every_type(logger: Logger) -> None:
    """Give keys that are none."""
    logger.emit(body="line", attributes={"": 1, "good": 2})
    logger.emit(body="line", attributes={3: 1, "good": 2})  # pyright: ignore[reportArgumentType] - on purpose


def very_many_attributes(logger: Logger) -> None:
    """Give more than the SDK keeps."""
    logger.emit(body="line", attributes={f"number.{n}": n for n in range(200)})


def an_exception(logger: Logger) -> None:
    """Give an exception, which becomes attributes."""
    logger.emit(body="line", exception=ValueError(EMAIL))


def a_record(logger: Logger) -> None:
    """Give a record that is made already."""
    logger.emit(LogRecord(timestamp=17, body="line", context=IN_SPAN, attributes={"first": 1}))


DEEDS = [
    a_line,
    nothing_at_all,
    an_event,
    the_current_span,
    values_of_every_type,
    keys_of_every_type,
    very_many_attributes,
    an_exception,
    a_record,
]


def describe(record: RawLogRecord) -> dict[str, Any]:
    """Return all of a record but when it was seen and by which provider's limits."""
    described = record._asdict()
    assert described.pop("observed_timestamp") > 0
    described["limits"] = vars(described["limits"])
    return described


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_whatever_is_logged_gives_the_sdks_record(
    deed: Callable[[Logger], None], caplog: pytest.LogCaptureFixture
) -> None:
    """But for the time at which it was seen; and the SDK warns of the same."""
    found = []
    for light in (False, True):
        caplog.clear()
        provider, processor = create_provider(light)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            deed(provider.get_logger("scope", "1", "https://example.com/schema"))
        texts = [str(each.message) for each in warned]
        found.append(([describe(each) for each in processor.raw], caplog.messages, texts))
    by_sdk, by_us = found
    assert by_us == by_sdk
    assert by_us[0]


def test_a_plain_record_needs_no_object_of_the_sdk() -> None:
    """Else all of this would be for nothing; what is not plain goes through the SDK."""
    provider, processor = create_provider(light=True)
    logger = provider.get_logger("scope")
    a_line(logger)
    assert (len(processor.raw), processor.by_sdk) == (1, 0)
    an_exception(logger)
    assert (len(processor.raw), processor.by_sdk) == (2, 1)


def test_attributes_are_a_copy() -> None:
    """The application may change its own afterwards."""
    provider, processor = create_provider(light=True)
    attributes = {"first": 1}
    provider.get_logger("scope").emit(body="line", attributes=attributes)
    attributes["first"] = 2
    assert processor.raw[0].attributes == {"first": 1}


def test_a_logger_is_found_once() -> None:
    """By name, version and schema; one with attributes of its own is always another."""
    provider, _ = create_provider(light=True)
    logger = provider.get_logger("scope", "1")
    assert provider.get_logger("scope", version="1") is logger
    assert provider.get_logger("scope", "2") is not logger
    assert provider.get_logger("scope", "1", attributes={"a": 1}) is not logger


@pytest.mark.filterwarnings("ignore:Log record attributes were dropped")
@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ({"log_record_limits": LogRecordLimits(max_log_record_attribute_length=10)}, {}),
        ({"log_record_limits": LogRecordLimits(max_log_record_attributes=2)}, {}),
        ({}, {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"}),
    ],
    ids=["a limit of length", "a limit of number", "self-metrics"],
)
def test_what_makes_a_difference_is_left_to_the_sdk(
    options: dict[str, Any], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It alone knows what to do about it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    provider, processor = create_provider(light=True, **options)
    logger: Any = provider.get_logger("scope")
    a_line(logger)
    assert processor.by_sdk == 1
    assert not isinstance(getattr(logger.emit, "__self__", None), LightLogger)


def test_a_logger_that_is_off_stays_silent() -> None:
    """Also one that is switched off later."""
    provider, processor = create_provider(light=True)
    logger: Any = provider.get_logger("scope")
    a_line(logger)
    logger._set_logger_config(_LoggerConfig(is_enabled=False))
    a_line(logger)
    assert len(processor.raw) == 1


def test_a_child_process_speaks_for_itself() -> None:
    """What a fork changes in the resource is in the records that follow."""
    provider, processor = create_provider(light=True)
    logger: Any = provider.get_logger("scope")
    changed = provider.resource.merge(type(provider.resource)({"process.pid": 17}))
    logger._set_resource(changed)
    a_line(logger)
    resource = processor.raw[0].resource
    assert resource is not None
    assert resource.attributes["process.pid"] == 17
