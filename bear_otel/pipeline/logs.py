"""Clean every log record once, before anything that could send it sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.trace import NonRecordingSpan, set_span_in_context
from typing_extensions import override

from bear_otel.pipeline.cleaning import Cleaner, Isolation
from bear_otel.pipeline.raw_logs import read_record

if TYPE_CHECKING:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.sdk._logs import LogRecordLimits
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from bear_otel.pipeline.raw_logs import RawLogRecord

_FAILED = "[REDACTED:error]"


class CleanLogRecord(ReadWriteLogRecord):
    """A log record as it may leave, scrubbed when somebody first looks at it.

    What makes up a `ReadWriteLogRecord` are properties here, so there is nothing raw to read.
    A processor may change the clean record; later processors see the change.
    """

    def __init__(self, raw: RawLogRecord, cleaner: Cleaner) -> None:
        # Not super().__init__(): its fields are the properties below.
        self._bear_raw = raw
        self._bear_cleaner = cleaner
        self._bear_clean: LogRecord | None = None

    @property
    @override
    def log_record(self) -> LogRecord:  # pyright: ignore[reportIncompatibleVariableOverride] - lazy
        if self._bear_clean is None:
            raw = self._bear_raw
            try:
                self._bear_clean = _scrub_record(raw, self._bear_cleaner)
            except Exception:  # noqa: BLE001 - fail closed: nothing leaves but the skeleton
                self._bear_cleaner.scrubber.errors += 1
                self._bear_clean = _keep_skeleton(raw, self._bear_cleaner)
        return self._bear_clean

    @property
    @override
    def resource(self) -> Resource:  # pyright: ignore[reportIncompatibleVariableOverride] - lazy
        return self._bear_cleaner.clean_resource(self._bear_raw.resource)

    @property
    @override
    def instrumentation_scope(self) -> InstrumentationScope | None:  # pyright: ignore[reportIncompatibleVariableOverride] - lazy
        return self._bear_cleaner.clean_scope(self._bear_raw.scope)

    @property
    @override
    def limits(self) -> LogRecordLimits:  # pyright: ignore[reportIncompatibleVariableOverride] - lazy
        return self._bear_raw.limits

    @property
    @override
    def dropped_attributes(self) -> int:
        return self._bear_raw.dropped_attributes


class ScrubbingLogRecordProcessor(LogRecordProcessor):
    """The one processor that the provider knows; all others stand behind it."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner
        self._isolation = Isolation()
        self._downstream: tuple[LogRecordProcessor, ...] = ()

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Put a processor behind the scrubber."""
        self._downstream += (log_record_processor,)

    def remove_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Take a processor out again."""
        self._downstream = tuple(p for p in self._downstream if p is not log_record_processor)

    @override
    def enabled(
        self,
        *,
        context: Context | None = None,
        instrumentation_scope: InstrumentationScope | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,
    ) -> bool:
        return any(
            processor.enabled(
                context=context,
                instrumentation_scope=instrumentation_scope,
                severity_number=severity_number,
                event_name=event_name,
            )
            for processor in self._downstream
        )

    @override
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self.take(read_record(log_record))

    def take(self, record: RawLogRecord) -> None:
        """Take a record that has been emitted."""
        clean = CleanLogRecord(record, self._cleaner)
        for processor in self._downstream:
            self._isolation.call(processor, processor.on_emit, clean)

    @override
    def shutdown(self) -> None:
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


def _scrub_record(raw: RawLogRecord, cleaner: Cleaner) -> LogRecord:
    scrubber = cleaner.scrubber
    clean = _copy_facts(raw, cleaner)
    clean.body = scrubber.scrub_body(raw.body, door="log.body")
    clean.attributes = scrubber.scrub_attributes(raw.attributes, door="log.attribute")
    if raw.event_name:
        clean.event_name = scrubber.scrub_name(raw.event_name, door="log.event_name")
    if raw.severity_text:
        clean.severity_text = scrubber.scrub_name(raw.severity_text, door="log.severity")
    return clean


def _keep_skeleton(raw: RawLogRecord, cleaner: Cleaner) -> LogRecord:
    clean = _copy_facts(raw, cleaner)
    clean.body = _FAILED
    return clean


def _copy_facts(raw: RawLogRecord, cleaner: Cleaner) -> LogRecord:
    """Return a record with what holds no text that a person could have written.

    Its context says which span was current and no more, for processors behind us that ask.
    """
    current = NonRecordingSpan(cleaner.clean_context(raw.current) or raw.current)
    clean = LogRecord(
        timestamp=raw.timestamp,
        observed_timestamp=raw.observed_timestamp,
        context=set_span_in_context(current, Context()),
        severity_number=raw.severity_number,
    )
    # Set, not passed: a record without a trace must not take that of the thread that cleans it.
    clean.trace_id, clean.span_id, clean.trace_flags = raw.trace
    return clean
