"""A collector in a process of its own that keeps what it gets, and says on request what it was.

It answers at once and unpacks later, so that it takes no time from the server while that is
measured. `GET /counts` returns the number of spans, log records, data points, requests and bytes
since the last time.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_received: list[tuple[str, str, bytes]] = []


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
            body = await _read_body(reader, headers)
            path = first.split()[1]
            if path == "/counts":
                answer = json.dumps(_count()).encode()
            else:
                _received.append((path, headers.get("content-encoding", ""), body))
                answer = b"{}" if "json" in headers.get("content-type", "json") else b""
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(answer), answer)
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


def _count() -> dict[str, int]:
    counts = {"spans": 0, "logs": 0, "points": 0, "requests": len(_received), "bytes": 0}
    for path, encoding, body in _received:
        counts["bytes"] += len(body)
        content: Any = gzip.decompress(body) if encoding == "gzip" else body
        if path.endswith("/v1/traces"):
            for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
                counts["spans"] += sum(len(scope.spans) for scope in resource.scope_spans)
        elif path.endswith("/v1/logs"):
            for resource in ExportLogsServiceRequest.FromString(content).resource_logs:
                counts["logs"] += sum(len(scope.log_records) for scope in resource.scope_logs)
        elif path.endswith("/v1/metrics"):
            for resource in ExportMetricsServiceRequest.FromString(content).resource_metrics:
                counts["points"] += sum(
                    len(getattr(metric, str(metric.WhichOneof("data"))).data_points)
                    for scope in resource.scope_metrics
                    for metric in scope.metrics
                )
    _received.clear()
    return counts


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
