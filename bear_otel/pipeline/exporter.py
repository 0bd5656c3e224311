"""The named exporter `bear_otlp`: OTLP over HTTP, quick to encode and quick to stop."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from typing_extensions import override

from bear_otel.pipeline import otlp
from bear_otel.pipeline.losses import Losses, Signal
from bear_otel.pipeline.otlp_environment import (
    load_aggregation,
    load_otlp_options,
    load_temporality,
)
from bear_otel.pipeline.sender import Sender
from bear_otel.pipeline.spool import Spool, SpoolOptions
from bear_otel.pipeline.spool_sender import SpoolingSender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

T = TypeVar("T")


class _OtlpExporter(Generic[T]):
    """Sends one signal to one OTLP endpoint.

    Without arguments it reads OpenTelemetry's variables, like the official exporter: that is what
    OpenTelemetry asks of a named exporter, and the one place of the pipeline that reads the
    environment.

    Args:
        endpoint: Full URL with the path of the signal (`OTEL_EXPORTER_OTLP_ENDPOINT` and
            `..._<SIGNAL>_ENDPOINT`).
        headers: Added to those of `OTEL_EXPORTER_OTLP_HEADERS`.
        timeout_seconds: Longest time for one batch (`OTEL_EXPORTER_OTLP_TIMEOUT`, in seconds).
        compression: `gzip`, `deflate` or `none` (`OTEL_EXPORTER_OTLP_COMPRESSION`). Unlike the
            official exporter the default is gzip: every OTLP receiver understands it.
        certificate_file: Authorities to trust (`OTEL_EXPORTER_OTLP_CERTIFICATE`).
        client_key_file: Key of the client certificate.
        client_certificate_file: Client certificate.
        losses: Counts what does not arrive.
        spool: Where to keep on disk what cannot be sent; nowhere by default.

    Raises:
        ConfigurationError: If one of these cannot be used.
    """

    _signal: ClassVar[Signal]
    # Whether back ends refuse what is older than what they have.
    _in_order: ClassVar[bool] = False

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        compression: str | None = None,
        certificate_file: str | None = None,
        client_key_file: str | None = None,
        client_certificate_file: str | None = None,
        losses: Losses | None = None,
        spool: SpoolOptions | None = None,
    ) -> None:
        options = load_otlp_options(
            self._signal,
            os.environ,
            endpoint=endpoint,
            headers=headers,
            timeout_seconds=timeout_seconds,
            compression=compression,
            certificate_file=certificate_file,
            client_key_file=client_key_file,
            client_certificate_file=client_certificate_file,
        )
        self._losses = losses or Losses()
        self._timeout_seconds = options.timeout_seconds
        self._stopped = threading.Event()
        self._sender = Sender(
            signal=self._signal,
            endpoint=options.endpoint,
            headers=options.headers,
            timeout_seconds=options.timeout_seconds,
            compression=options.compression,
            tls=options.tls,
            proxy=options.proxy,
            losses=self._losses,
        )
        self._spooling: SpoolingSender | None = None
        if spool is not None:
            kept = Spool(spool, signal=self._signal, endpoint=options.endpoint, losses=self._losses)
            self._spooling = SpoolingSender(self._sender, kept, in_order=self._in_order)

    @property
    def endpoint(self) -> str:
        """Where the signal goes, without credentials; for people to read."""
        return self._sender.place

    def encode(self, records: T) -> tuple[bytes, int]:
        """Return the body to send, and how many items it holds."""
        raise NotImplementedError

    def send(self, body: bytes, items: int) -> float | None:
        """Try once to deliver a body.

        Returns:
            None when done with it, delivered, refused or kept on disk, or the seconds to wait
            before sending it again.
        """
        if self._spooling is not None:
            return self._spooling.send(body, items)
        return self._sender.send(body, items).retry_seconds

    def try_export(self, records: T) -> float | None:
        """Encode and send once; see `send`."""
        return self.send(*self.encode(records))

    def forward(self, *, eager: bool = False, patience_seconds: float = 0.0) -> float | None:
        """Send a body that waits on disk; see `SpoolingSender.forward`."""
        if self._spooling is None:
            return None
        return self._spooling.forward(eager=eager, patience_seconds=patience_seconds)

    def _deliver(self, records: T, deadline_seconds: float, *, patient: bool = True) -> bool:
        """Send until it is delivered, refused, kept on disk or, if patient, out of time."""
        deadline = time.monotonic() + deadline_seconds
        body, items = self.encode(records)
        if self._spooling is not None:
            kept = self.send(body, items) is None
            self._losses.add(self._signal, "unreachable", 0 if kept else items)
            while self.forward() == 0 and time.monotonic() < deadline:
                pass
            return kept
        while True:
            outcome = self._sender.send(body, items)
            pause = outcome.retry_seconds
            if pause is None:
                return outcome.delivered
            late = not patient or time.monotonic() + pause > deadline
            if late or self._stopped.wait(pause):
                reason = "shutdown" if self._stopped.is_set() else "unreachable"
                self._losses.add(self._signal, reason, items)
                return False

    def _pack(self, encoded: otlp.Encoded) -> tuple[bytes, int]:
        self._losses.add(self._signal, "unencodable", encoded.unencodable)
        return self._sender.pack(encoded.message), encoded.items

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - the SDK's
        """Return at once: nothing is kept here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ARG002 - the SDK's
        """End the request in progress and refuse later ones."""
        self._stopped.set()
        self._sender.abort()
        if self._spooling is not None:
            self._spooling.close()


class BearOtlpSpanExporter(_OtlpExporter["Sequence[ReadableSpan]"], SpanExporter):
    """Exports spans."""

    _signal = "traces"

    @override
    def encode(self, records: Sequence[ReadableSpan]) -> tuple[bytes, int]:
        return self._pack(otlp.encode_spans(records))

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        delivered = self._deliver(spans, self._timeout_seconds)
        return SpanExportResult.SUCCESS if delivered else SpanExportResult.FAILURE


class BearOtlpLogExporter(_OtlpExporter["Sequence[ReadableLogRecord]"], LogRecordExporter):
    """Exports log records."""

    _signal = "logs"

    @override
    def encode(self, records: Sequence[ReadableLogRecord]) -> tuple[bytes, int]:
        return self._pack(otlp.encode_logs(records))

    @override
    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        delivered = self._deliver(batch, self._timeout_seconds)
        return LogRecordExportResult.SUCCESS if delivered else LogRecordExportResult.FAILURE


class BearOtlpMetricExporter(_OtlpExporter[MetricsData], MetricExporter):
    """Exports metrics.

    Args:
        temporality_preference: `cumulative`, `delta` or `lowmemory`
            (`OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`).
        default_histogram_aggregation: `explicit_bucket_histogram` or
            `base2_exponential_bucket_histogram`
            (`OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`).
        options: The arguments that all signals share.
    """

    _signal = "metrics"
    _in_order = True

    def __init__(
        self,
        *,
        temporality_preference: str | None = None,
        default_histogram_aggregation: str | None = None,
        **options: Any,
    ) -> None:
        _OtlpExporter.__init__(self, **options)
        MetricExporter.__init__(
            self,
            preferred_temporality=load_temporality(os.environ, temporality_preference),
            preferred_aggregation=load_aggregation(os.environ, default_histogram_aggregation),
        )

    @override
    def encode(self, records: MetricsData) -> tuple[bytes, int]:
        return self._pack(otlp.encode_metrics(records))

    @override
    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,
        **kwargs: Any,
    ) -> MetricExportResult:
        delivered = self._deliver(
            metrics_data,
            min(self._timeout_seconds, timeout_millis / 1000),
            # Nobody ever answered: most likely nobody is there, and the end of the process should
            # not wait. Nothing is lost by it: the next collection has the sums of this one.
            patient=self._sender.ever_delivered,
        )
        return MetricExportResult.SUCCESS if delivered else MetricExportResult.FAILURE
