"""Send OTLP bodies to one endpoint and judge the answers."""

from __future__ import annotations

import gzip
import http.client
import random
import socket
import ssl
import time
import zlib
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from bear_otel import __version__
from bear_otel.pipeline.debugging import tell
from bear_otel.pipeline.losses import UNITS
from bear_otel.pipeline.otlp_http import Answer, HttpConnection, TlsFiles, place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bear_otel.pipeline.losses import Losses, Signal

# https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
_RETRYABLE: Final = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 5.0
# A server that asks for no pause at all would be asked in a loop.
_SHORTEST_RETRY_AFTER_SECONDS: Final = 0.05
_LONGEST_RETRY_AFTER_SECONDS: Final = 300.0
# A refused key is mended by people, on the server or here with a restart.
_UNAUTHORIZED_PAUSE_SECONDS: Final = 60.0
# Level 6 takes three times as long and saves a few per cent of the size on OTLP.
_GZIP_LEVEL: Final = 1

_DOCTOR: Final = "check with: bear-otel doctor"
_ADVICE: Final[dict[int, str]] = {
    400: "the server finds them malformed",
    404: "the endpoint has no such path",
    413: "they are too large: lower the size of a batch",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a body.

    Attributes:
        delivered: Whether the server took it.
        retry_seconds: When it was not delivered: how long to wait before sending it again, or
            None when the server refused it for good.
    """

    delivered: bool
    retry_seconds: float | None = None


class Sender:
    """Posts bodies to one OTLP endpoint over one kept-alive connection.

    Args:
        signal: What the bodies hold.
        endpoint: Full URL, with the path of the signal.
        headers: Sent with every request.
        timeout_seconds: Longest time for one request.
        compression: `gzip`, `deflate` or `none`.
        losses: Counts what the server refuses.
        tls: Certificate files.
        proxy: URL of an HTTP proxy, or None.

    Raises:
        ConfigurationError: If one of these cannot be used.
    """

    def __init__(
        self,
        *,
        signal: Signal,
        endpoint: str,
        losses: Losses,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 10.0,
        compression: str = "gzip",
        tls: TlsFiles | None = None,
        proxy: str | None = None,
    ) -> None:
        self._connection = HttpConnection(
            endpoint,
            headers={
                "content-type": "application/x-protobuf",
                "user-agent": f"bear-otel/{__version__}",
                **(headers or {}),
            },
            tls=tls,
            proxy=proxy,
        )
        self._signal: Signal = signal
        self.place = place(endpoint)
        self._timeout_seconds = timeout_seconds
        self._compression = compression
        self._losses = losses
        self._failures = 0
        self.ever_delivered = False

    def pack(self, message: bytes) -> bytes:
        """Return the body for an encoded message."""
        if self._compression == "gzip":
            return gzip.compress(message, _GZIP_LEVEL, mtime=0)
        if self._compression == "deflate":
            return zlib.compress(message, _GZIP_LEVEL)
        return message

    def send(self, body: bytes, items: int) -> Outcome:
        """Try once to deliver a body; never raises.

        Args:
            body: What `pack` returned.
            items: How many spans, data points or log records it holds, for the counts.
        """
        begun = time.monotonic()
        try:
            answer = self._connection.post(body, self._timeout_seconds, _describe_encoding(body))
        except Exception as error:  # noqa: BLE001 - whatever it is, the application must not see it
            if self._connection.aborted:
                self._tell(body, items, "aborted", begun)
                return Outcome(delivered=False, retry_seconds=_LONGEST_PAUSE_SECONDS)
            why = _name_error(error, self._timeout_seconds)
            self._tell(body, items, why, begun)
            return self._retry("unreachable", f"cannot reach {self.place} ({why})")
        self._tell(body, items, str(answer.status), begun)
        if 200 <= answer.status < 300:
            return self._accept(answer)
        if answer.status in _RETRYABLE:
            return self._retry(
                "busy",
                f"{self.place} takes no data now ({answer.status})",
                _parse_retry_after(answer.retry_after),
            )
        if answer.status in (401, 403):
            variable = f"OTEL_EXPORTER_OTLP_{self._signal.upper()}_HEADERS"
            return self._retry(
                str(answer.status),
                f"{self.place} refuses the key ({answer.status})",
                _UNAUTHORIZED_PAUSE_SECONDS * _jitter(),
                advice=f"check the key in OTEL_EXPORTER_OTLP_HEADERS or {variable}",
            )
        return self._refuse(answer, items)

    def abort(self) -> None:
        """End the request in progress; later ones fail at once. Callable from any thread."""
        self._connection.abort()

    def _tell(self, body: bytes, items: int, result: str, begun: float) -> None:
        seconds = time.monotonic() - begun
        words = (self._signal, items, UNITS[self._signal], len(body), result, seconds)
        tell("%s: %d %s in %d bytes: %s after %.3f s", *words)

    def _accept(self, answer: Answer) -> Outcome:
        self._failures = 0
        self.ever_delivered = True
        rejected = _count_rejected(self._signal, answer.body) if answer.body else 0
        if rejected:
            self._losses.say_trouble(
                self._signal,
                "delivery",
                "partial_success",
                f"{self.place} refuses a part of each batch; {_DOCTOR}",
            )
            self._losses.add(self._signal, "partial_success", rejected)
        else:
            self._losses.say_recovered(self._signal, "delivery")
        return Outcome(delivered=True)

    def _retry(
        self,
        kind: str,
        what: str,
        retry_after_seconds: float | None = None,
        *,
        advice: str = _DOCTOR,
    ) -> Outcome:
        waiting = self._losses.describe_waiting(self._signal)
        self._losses.say_trouble(self._signal, "delivery", kind, f"{what}; {waiting}; {advice}")
        pause = min(_FIRST_PAUSE_SECONDS * 2**self._failures, _LONGEST_PAUSE_SECONDS) * _jitter()
        self._failures = min(self._failures + 1, 10)
        if retry_after_seconds is not None:
            pause = retry_after_seconds
        tell("%s: %s, asked again in %.2f s", self._signal, kind, pause)
        return Outcome(delivered=False, retry_seconds=pause)

    def _refuse(self, answer: Answer, items: int) -> Outcome:
        status = answer.status
        if 300 <= status < 400:
            advice = "the endpoint redirects: set it to the final address"
        else:
            advice = _ADVICE.get(status, _DOCTOR)
        self._losses.say_trouble(
            self._signal,
            "delivery",
            str(status),
            f"{self.place} refuses them ({status}), so they are dropped; {advice}",
        )
        self._losses.add(self._signal, "rejected", items)
        return Outcome(delivered=False)


def _jitter() -> float:
    # Many processes lose the same server at once; they should not come back at once.
    return random.uniform(0.8, 1.2)  # noqa: S311 - not for security


def _describe_encoding(body: bytes) -> dict[str, str]:
    """Return the header that says how a body is packed; it may be older than our settings."""
    # By the first byte: that of a gzip member, of a zlib stream (a plain request starts with 0a).
    encoding = {0x1F: "gzip", 0x78: "deflate"}.get(body[0]) if body else None
    return {"content-encoding": encoding} if encoding else {}


def _name_error(error: Exception, timeout_seconds: float) -> str:
    match error:
        case ConnectionRefusedError():
            return "connection refused"
        case TimeoutError():
            return f"no answer within {timeout_seconds:g} s"
        case socket.gaierror():
            return "unknown host"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return "TLS failed"
        case ConnectionError() | http.client.HTTPException():
            return "connection lost"
        case _:
            return type(error).__name__


def _parse_retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110 section 10.2.3), or None."""
    if value is None:
        return None
    if value.strip().isdecimal():
        seconds = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = moment.timestamp() - time.time()
    return min(max(seconds, _SHORTEST_RETRY_AFTER_SECONDS), _LONGEST_RETRY_AFTER_SECONDS)


def _count_rejected(signal: Signal, body: bytes) -> int:
    """Return how many items a server refused in an otherwise accepted request."""
    # Only now: most answers are empty, and protobuf is slow to import.
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    try:
        if signal == "traces":
            traces = trace_service_pb2.ExportTraceServiceResponse.FromString(body)
            return traces.partial_success.rejected_spans
        if signal == "logs":
            logs = logs_service_pb2.ExportLogsServiceResponse.FromString(body)
            return logs.partial_success.rejected_log_records
        metrics = metrics_service_pb2.ExportMetricsServiceResponse.FromString(body)
    except Exception:  # noqa: BLE001 - a server may answer in JSON, or with a page
        return 0
    return metrics.partial_success.rejected_data_points
