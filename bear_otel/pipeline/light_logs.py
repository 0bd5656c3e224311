"""Emit log records at a fraction of the SDK's cost, where there is nothing for it to do.

The SDK makes two objects of each record, and copies its attributes one by one into a mapping with
limits and a lock; we then take all of it apart again.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import Logger as SdkLogger

from bear_otel.pipeline import seams
from bear_otel.pipeline.plain import MOST_ATTRIBUTES, are_plain
from bear_otel.pipeline.raw_logs import RawLogRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import LoggerProvider

    from bear_otel.pipeline.logs import ScrubbingLogRecordProcessor


def lighten_logs(provider: LoggerProvider, processor: ScrubbingLogRecordProcessor) -> None:
    """Let the loggers of a provider emit light records, and find each logger once.

    FastAPI asks for its logger on every request.

    Args:
        provider: Its loggers change from now on.
        processor: Gets the records.
    """
    get_logger = provider.get_logger
    known: dict[tuple[Any, ...], Any] = {}

    def get_light_logger(
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Any:
        key = name, version, schema_url
        if attributes is None and (logger := known.get(key)) is not None:
            return logger
        logger: Any = get_logger(name, version, schema_url, attributes)
        if isinstance(logger, SdkLogger) and seams.makes_plain_records(logger, MOST_ATTRIBUTES):
            logger.emit = LightLogger(logger, processor).emit
        if attributes is None:
            known[key] = logger
        return logger

    provider.get_logger = get_light_logger  # pyright: ignore[reportAttributeAccessIssue] - as declared


class LightLogger:
    """Emits what is plain itself, and has the SDK emit all else.

    Args:
        sdk: Emits the records that are not plain.
        processor: Gets the others.
    """

    def __init__(self, sdk: SdkLogger, processor: ScrubbingLogRecordProcessor) -> None:
        self._sdk = sdk
        self._emit_by_sdk = sdk.emit
        self._is_enabled, self._limits = seams.read_logger(sdk)
        self._scope = sdk.instrumentation_scope
        self._processor = processor

    def emit(
        self,
        record: LogRecord | None = None,
        *,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: Any = None,
        attributes: Mapping[str, Any] | None = None,
        event_name: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Emit a record, as `Logger.emit`."""
        if (
            record is not None
            or exception is not None
            or (attributes and not (len(attributes) <= MOST_ATTRIBUTES and are_plain(attributes)))
        ):
            self._emit_by_sdk(
                record,  # pyright: ignore[reportArgumentType] - None, where there are the others
                timestamp=timestamp,
                observed_timestamp=observed_timestamp,
                context=context,
                severity_number=severity_number,
                severity_text=severity_text,
                body=body,
                attributes=attributes,
                event_name=event_name,
                exception=exception,
            )
        elif self._is_enabled():
            current = seams.find_span(context or None).get_span_context()
            trace_id, span_id, _, flags, _, _ = current
            self._processor.take(
                RawLogRecord(
                    timestamp,
                    time_ns() if observed_timestamp is None else observed_timestamp,
                    severity_number,
                    severity_text,
                    body,
                    {**attributes} if attributes else {},
                    event_name,
                    current,
                    (trace_id, span_id, flags),
                    self._sdk.resource,
                    self._scope,
                    self._limits,
                    0,
                )
            )
