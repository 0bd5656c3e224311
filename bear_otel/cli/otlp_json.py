"""OTLP messages from and to the JSON form of OTLP.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

OtlpRequest = ExportTraceServiceRequest | ExportMetricsServiceRequest | ExportLogsServiceRequest

_Request = TypeVar("_Request", bound=OtlpRequest)
_KINDS: dict[str, type[OtlpRequest]] = {
    "resourceSpans": ExportTraceServiceRequest,
    "resourceMetrics": ExportMetricsServiceRequest,
    "resourceLogs": ExportLogsServiceRequest,
}
_ID_FIELDS = ("traceId", "spanId", "parentSpanId")


def parse_json(kind: type[_Request], text: str | bytes) -> _Request:
    """Parse OTLP JSON, whose ids are hexadecimal where protobuf's own JSON has base64.

    Raises:
        ValueError: when the text is not such a request.
    """
    return _parse(kind, _load(text))


def parse_json_line(text: str) -> OtlpRequest:
    """Parse a line of a file of OTLP JSON, which may be of any signal.

    Raises:
        ValueError: when the line is none of them.
    """
    content = _load(text)
    kind = next((kind for key, kind in _KINDS.items() if key in content), None)
    if kind is None:
        message = f"not OTLP JSON: none of {', '.join(_KINDS)}"
        raise ValueError(message)
    return _parse(kind, content)


def read_saved(path: str) -> Iterator[OtlpRequest]:
    """Yield what `bear-otel tail --save` has written to a file.

    Raises:
        OSError: It cannot be read.
        ValueError: A line is no OTLP JSON; the message names it.
    """
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield parse_json_line(line)
            except ValueError as error:
                message = f"{path}:{number}: {error}"
                raise ValueError(message) from error


def dump_json(request: OtlpRequest) -> str:
    """Return one line of OTLP JSON, as the Collector's `otlpjsonfile` receiver reads it."""
    content = MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(_ids_to_hex(content), separators=(",", ":"), ensure_ascii=False)


def _load(text: str | bytes) -> dict[str, Any]:
    try:
        content = json.loads(text, object_hook=_ids_to_base64)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


def _parse(kind: type[_Request], content: dict[str, Any]) -> _Request:
    try:
        return ParseDict(content, kind(), ignore_unknown_fields=True)
    except (ParseError, AttributeError, TypeError, RecursionError) as error:
        # ParseDict meets a wrong shape (a list for an object) with whatever error comes of it.
        raise ValueError(str(error)) from error


def _ids_to_base64(value: dict[str, Any]) -> dict[str, Any]:
    # Safe on every object: in OTLP, attributes are lists, so user data never becomes a field name.
    for field in _ID_FIELDS:
        if field in value:
            value[field] = base64.b64encode(bytes.fromhex(value[field])).decode()
    return value


def _ids_to_hex(value: Any) -> Any:
    if isinstance(value, list):
        return [_ids_to_hex(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item).hex() if key in _ID_FIELDS else _ids_to_hex(item)
            for key, item in value.items()
        }
    return value
