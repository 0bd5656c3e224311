"""Put a batching queue between the SDK and any of its exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from typing_extensions import override

from bear_otel.pipeline.batch import Batcher
from bear_otel.pipeline.debugging import tell
from bear_otel.pipeline.losses import UNITS, Losses, Signal, logger

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

# OpenTelemetry has 5 s for spans; but what waits here is lost when the process is killed.
_DELAY_SECONDS = 1.0


class _Exporter(Protocol):
    """What exporters of all signals share.

    An exporter may also have `try_export(batch) -> float | None`, which asks for the same batch
    again by the seconds to wait; with it, an outage of the server loses nothing that the queue
    can hold. And `forward(eager=, patience_seconds=) -> float | None`, which sends something that
    it has kept itself, and returns the seconds after which it wants to be called again.
    """

    def export(self, batch: Any, /) -> Any: ...
    def shutdown(self) -> None: ...


class _BatchingProcessor(Generic[T]):
    """Batches finished records for any exporter of its signal.

    Args:
        exporter: Where the batches go.
        losses: Counts what does not get through.
        max_queue_size: Most records that wait (`OTEL_BSP_MAX_QUEUE_SIZE`,
            `OTEL_BLRP_MAX_QUEUE_SIZE`).
        max_export_batch_size: Most records in a batch (`..._MAX_EXPORT_BATCH_SIZE`).
        schedule_delay_seconds: Longest wait for a batch to fill (`..._SCHEDULE_DELAY`, which is
            in milliseconds).
        shutdown_timeout_seconds: Longest time that `shutdown` takes.
    """

    _signal: ClassVar[Signal]

    def __init__(
        self,
        exporter: _Exporter,
        *,
        losses: Losses | None = None,
        max_queue_size: int = 2048,
        max_export_batch_size: int = 512,
        schedule_delay_seconds: float | None = None,
        shutdown_timeout_seconds: float = 2.0,
    ) -> None:
        self._exporter = exporter
        self._losses = losses or Losses()
        self._shutdown_timeout_seconds = shutdown_timeout_seconds
        self._batcher: Batcher[T] = Batcher(
            getattr(exporter, "try_export", self._export),
            signal=self._signal,
            losses=self._losses,
            capacity=max_queue_size,
            batch_size=max_export_batch_size,
            delay_seconds=schedule_delay_seconds or _DELAY_SECONDS,
            forward=getattr(exporter, "forward", None),
        )

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Export everything queued; return whether it was handed over in time."""
        return self._batcher.flush(30.0 if timeout_millis is None else timeout_millis / 1000)

    def shutdown(self) -> None:
        """Flush and end within `shutdown_timeout_seconds`."""
        self.stop(self._shutdown_timeout_seconds)

    def stop(self, deadline_seconds: float) -> bool:
        """Flush and end within a deadline; return whether everything was handed over."""
        return self._batcher.stop(deadline_seconds, self._shutdown_exporter)

    def _export(self, batch: list[T]) -> None:
        result = self._exporter.export(self._convert(batch))
        # Each signal has a result enum of its own; their members have the same names.
        name = getattr(result, "name", "SUCCESS")
        words = (self._signal, len(batch), UNITS[self._signal], type(self._exporter).__name__, name)
        tell("%s: %d %s to %s: %s", *words)
        if name != "SUCCESS":
            self._losses.add(self._signal, "export_failed", len(batch))

    def _convert(self, batch: list[T]) -> Sequence[object]:
        return batch

    def _shutdown_exporter(self) -> None:
        try:
            self._exporter.shutdown()
        except Exception:  # noqa: BLE001 - a foreign exporter must not break the exit
            logger.warning("%s: the exporter failed to shut down", self._signal)


class BatchingSpanProcessor(_BatchingProcessor[ReadableSpan], SpanProcessor):
    """Batches sampled spans for any span exporter."""

    _signal = "traces"

    @override
    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled:
            self._batcher.put(span)


class BatchingLogRecordProcessor(_BatchingProcessor[ReadWriteLogRecord], LogRecordProcessor):
    """Batches log records for any log exporter."""

    _signal = "logs"

    @override
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self._batcher.put(log_record)

    def _convert(self, batch: list[ReadWriteLogRecord]) -> Sequence[ReadableLogRecord]:
        # Here and not in `on_emit`, so that a record that is cleaned when first looked at is
        # cleaned on this thread.
        return [
            ReadableLogRecord(
                record.log_record,
                record.resource or Resource.get_empty(),
                record.instrumentation_scope,
                record.limits,
            )
            for record in batch
        ]
