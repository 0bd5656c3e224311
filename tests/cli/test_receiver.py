"""The local OTLP receiver: what it accepts, what it refuses, how it answers."""

from __future__ import annotations

import errno
import gzip
import http.client
import json
import socket
import struct
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from bear_otel.cli.otlp_json import ExportTraceServiceRequest, dump_json, parse_json
from bear_otel.cli.receiver import Receiver, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
TRACES_JSON = json.dumps(
    {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": TRACE_ID,
                                "spanId": SPAN_ID,
                                "name": "GET /",
                                "startTimeUnixNano": "1700000000000000000",
                                "kind": 2,
                                "aFieldOfTheFuture": True,
                            }
                        ]
                    }
                ]
            }
        ]
    }
).encode()
TRACES = parse_json(ExportTraceServiceRequest, TRACES_JSON)
LIMIT = 100_000


class Sink:
    """What one receiver was handed."""

    def __init__(self) -> None:
        self.traces: list[Any] = []
        self.metrics: list[Any] = []
        self.logs: list[Any] = []
        self.refused: list[str] = []


@pytest.fixture
def sink() -> Sink:
    """An empty sink."""
    return Sink()


@pytest.fixture
def receiver(sink: Sink) -> Iterator[Receiver]:
    """A receiver with a small size limit that fills the sink."""
    with Receiver(
        on_traces=sink.traces.append,
        on_metrics=sink.metrics.append,
        on_logs=sink.logs.append,
        on_refused=sink.refused.append,
        max_bytes=LIMIT,
    ) as receiver:
        yield receiver


@pytest.fixture
def client(receiver: Receiver) -> Iterator[http.client.HTTPConnection]:
    """One kept-alive connection."""
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
    yield connection
    connection.close()


def _post(
    client: http.client.HTTPConnection,
    body: Any,
    headers: dict[str, str],
    path: str = "/v1/traces",
    **options: Any,
) -> tuple[int, bytes]:
    client.request("POST", path, body, headers, **options)
    answer = client.getresponse()
    assert answer.headers["Content-Type"] == headers.get("Content-Type", PROTOBUF["Content-Type"])
    return answer.status, answer.read()


@pytest.mark.parametrize("compression", Compression, ids=lambda c: c.name)
def test_the_official_exporters_are_understood(
    receiver: Receiver, sink: Sink, compression: Compression
) -> None:
    """Each signal of the official exporter arrives, with each compression it knows."""
    url = receiver.endpoint
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(
        SimpleSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces", compression=compression))
    )
    meter_provider = MeterProvider(
        [
            PeriodicExportingMetricReader(
                OTLPMetricExporter(f"{url}/v1/metrics", compression=compression)
            )
        ]
    )
    logger_provider = LoggerProvider()
    logger_provider.add_log_record_processor(
        SimpleLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs", compression=compression))
    )

    with tracer_provider.get_tracer("t").start_as_current_span("a span"):
        logger_provider.get_logger("t").emit(body="a line", severity_number=SeverityNumber.INFO)
    meter_provider.get_meter("t").create_counter("a.counter").add(7)
    for provider in (tracer_provider, meter_provider, logger_provider):
        provider.shutdown()

    (traces,), (metrics,), (logs,) = sink.traces, sink.metrics, sink.logs
    assert traces.resource_spans[0].scope_spans[0].spans[0].name == "a span"
    point = metrics.resource_metrics[0].scope_metrics[0].metrics[0]
    assert (point.name, point.sum.data_points[0].as_int) == ("a.counter", 7)
    assert logs.resource_logs[0].scope_logs[0].log_records[0].body.string_value == "a line"
    assert sink.refused == []


@pytest.mark.parametrize(
    ("body", "headers", "answer"),
    [
        pytest.param(TRACES.SerializeToString(), PROTOBUF, b"", id="protobuf"),
        pytest.param(TRACES_JSON, JSON, b"{}", id="json"),
        pytest.param(
            gzip.compress(TRACES_JSON), JSON | {"Content-Encoding": "gzip"}, b"{}", id="gzip"
        ),
        pytest.param(
            zlib.compress(TRACES_JSON), JSON | {"Content-Encoding": "deflate"}, b"{}", id="deflate"
        ),
        pytest.param(
            TRACES_JSON, {"Content-Type": "application/json; charset=utf-8"}, b"{}", id="charset"
        ),
        pytest.param(TRACES_JSON, JSON | {"Expect": "100-continue"}, b"{}", id="expect"),
    ],
)
def test_a_request_is_parsed_and_answered_in_its_own_form(
    client: http.client.HTTPConnection,
    sink: Sink,
    body: bytes,
    headers: dict[str, str],
    answer: bytes,
) -> None:
    """Protobuf and JSON give the same message, and the answer has the form of the request."""
    client.request("POST", "/v1/traces", body, headers)
    response = client.getresponse()

    assert (response.status, response.read()) == (200, answer)
    assert sink.traces == [TRACES]


def test_a_chunked_body_is_read(client: http.client.HTTPConnection, sink: Sink) -> None:
    """Clients that compress on the fly send chunks without a length."""
    pieces = iter([TRACES_JSON[:10], TRACES_JSON[10:]])

    assert _post(client, pieces, JSON, encode_chunked=True) == (200, b"{}")
    assert _post(client, TRACES_JSON, JSON) == (200, b"{}")
    assert sink.traces == [TRACES, TRACES]


def test_json_ids_are_hexadecimal_both_ways() -> None:
    """OTLP JSON writes ids as hex where protobuf's own JSON would write base64."""
    span = TRACES.resource_spans[0].scope_spans[0].spans[0]
    assert (span.trace_id.hex(), span.span_id.hex(), span.kind) == (TRACE_ID, SPAN_ID, 2)

    line = dump_json(TRACES)
    assert f'"traceId":"{TRACE_ID}"' in line
    assert '"kind":2' in line
    assert "\n" not in line
    assert parse_json(ExportTraceServiceRequest, line) == TRACES


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "words"),
    [
        pytest.param("/v1/traces", b"\xff\xff", PROTOBUF, 400, "not an Export", id="garbage"),
        pytest.param("/v1/traces", b"", JSON, 400, "not an Export", id="empty-json"),
        pytest.param("/v1/traces", b"[]", JSON, 400, "not an Export", id="json-list"),
        pytest.param("/v1/traces", b"[" * 90_000, JSON, 400, "not an Export", id="json-deep"),
        pytest.param(
            "/v1/traces", b'{"resourceSpans": 7}', JSON, 400, "not an Export", id="json-shape"
        ),
        pytest.param("/v1/traces", b'{"traceId": 7}', JSON, 400, "not an Export", id="json-id"),
        pytest.param("/", b"", PROTOBUF, 404, "there are /v1/traces", id="path"),
        pytest.param("/v1/traces", b"x", {}, 415, "Content-Type must be", id="no-type"),
        pytest.param("/v1/traces", b"x", {"Content-Type": "text/plain"}, 415, "must be", id="text"),
        pytest.param(
            "/v1/traces", b"x", PROTOBUF | {"Content-Encoding": "br"}, 415, "gzip", id="brotli"
        ),
        pytest.param(
            "/v1/traces",
            b"not",
            PROTOBUF | {"Content-Encoding": "gzip"},
            400,
            "bad gzip",
            id="gzip",
        ),
        pytest.param(
            "/v1/traces",
            gzip.compress(b"x" * 99)[:-9],
            PROTOBUF | {"Content-Encoding": "gzip"},
            400,
            "truncated",
            id="gzip-truncated",
        ),
        pytest.param(
            "/v1/traces",
            gzip.compress(b"\0" * 50_000_000),
            PROTOBUF | {"Content-Encoding": "gzip"},
            413,
            "unpacked body is larger",
            id="bomb",
        ),
    ],
)
def test_a_refusal_explains_itself_and_keeps_the_connection(
    client: http.client.HTTPConnection,
    sink: Sink,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    words: str,
) -> None:
    """Each bad request gets a google.rpc.Status, and the next good one is still served."""
    client.request("POST", path, body, headers)
    answer = client.getresponse()
    content = answer.read()
    as_json = answer.headers["Content-Type"] == "application/json"

    assert answer.status == status
    assert as_json == (headers == JSON)
    message = json.loads(content)["message"] if as_json else Status.FromString(content).message
    assert words in message
    assert sink.refused == [f"{status} to 'POST {path}': {message}"]
    assert _post(client, TRACES_JSON, JSON) == (200, b"{}")
    assert sink.traces == [TRACES]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_not_allowed(client: http.client.HTTPConnection, method: str) -> None:
    """OTLP is POST only; a browser's preflight is refused too, so no web page can send here."""
    client.request(method, "/v1/traces")
    answer = client.getresponse()

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert Status.FromString(answer.read()).message == "only POST is accepted"


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_over_the_limit_is_refused(
    client: http.client.HTTPConnection, sink: Sink, chunked: bool
) -> None:
    """One byte more than the limit is refused, the limit itself is read."""
    at_limit = TRACES_JSON.ljust(LIMIT)
    assert _post(client, at_limit, JSON) == (200, b"{}")

    too_large = at_limit + b" "
    body = iter([too_large]) if chunked else too_large
    status, _ = _post(client, body, JSON, encode_chunked=chunked)

    assert status == 413
    assert sink.traces == [TRACES]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"over gRPC", id="grpc"),
        pytest.param(b"\x16\x03\x01\x02\r\n\r\n", b"Bad request", id="tls"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"bad Content-Length", id="length"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"bad chunk size",
            id="chunk",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", b"inside the body", id="cut"
        ),
    ],
)
def test_a_stream_that_lost_its_framing_is_answered_and_closed(
    receiver: Receiver, sink: Sink, sent: bytes, words: bytes
) -> None:
    """What follows such bytes cannot be a request, so the connection ends with an explanation."""
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=60) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert words in answer
    assert len(sink.refused) == 1


def test_a_failing_callback_is_the_clients_answer() -> None:
    """A callback may refuse with its own status; any other exception is a 500."""
    errors = iter([Refused(503, "later"), KeyError("oops")])

    def fail(_: object) -> None:
        raise next(errors)

    with Receiver(on_traces=fail) as receiver:
        client = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
        assert _post(client, TRACES_JSON, JSON) == (503, b'{"message": "later"}')
        status, content = _post(client, TRACES_JSON, JSON)
        client.close()

    assert status == 500
    assert b"KeyError('oops')" in content


def test_closing_ends_kept_alive_connections() -> None:
    """A closed receiver is gone also for clients that were connected, as a stopped server is."""
    with Receiver() as receiver:
        client = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
        assert _post(client, TRACES_JSON, JSON) == (200, b"{}")
        kept = client.sock
        assert kept is not None

    assert kept.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", receiver.port), timeout=60)
    client.close()


def test_closing_lets_a_running_request_be_answered() -> None:
    """A request whose callback still runs when the receiver closes is answered first."""
    running, go_on = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        running.set()
        go_on.wait(60)

    answers: list[tuple[int, bytes]] = []
    with Receiver(on_traces=wait, grace_seconds=60) as receiver:
        client = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
        sender = threading.Thread(target=lambda: answers.append(_post(client, TRACES_JSON, JSON)))
        sender.start()
        assert running.wait(60)
        threading.Timer(0.1, go_on.set).start()
    sender.join()
    client.close()

    assert answers == [(200, b"{}")]


def test_a_taken_port_raises_and_a_free_one_is_told() -> None:
    """The port is bound on entering, and two receivers never share it."""
    with (
        Receiver() as receiver,
        pytest.raises(OSError, match="in use") as caught,
        Receiver(port=receiver.port),
    ):
        pass

    assert caught.value.errno == errno.EADDRINUSE
    assert receiver.endpoint == f"http://127.0.0.1:{receiver.port}"


def test_a_receiver_comes_back_on_its_port(sink: Sink) -> None:
    """A restart under the same address works at once, as after an outage of a real back end."""
    with Receiver() as first:
        client = http.client.HTTPConnection("127.0.0.1", first.port, timeout=60)
        assert _post(client, TRACES_JSON, JSON) == (200, b"{}")
    client.close()
    with Receiver(port=first.port, on_traces=sink.traces.append):
        assert _post(client, TRACES_JSON, JSON) == (200, b"{}")
        client.close()

    assert sink.traces == [TRACES]


def test_a_client_that_goes_away_is_no_news(
    receiver: Receiver, sink: Sink, capfd: pytest.CaptureFixture[str]
) -> None:
    """A connection that is reset inside a body is dropped without a word."""
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=60) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        reset = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    receiver.__exit__()

    assert (sink.traces, sink.refused) == ([], [])
    assert capfd.readouterr() == ("", "")


def test_ipv6_is_served() -> None:
    """An IPv6 address is listened on, and its endpoint is a valid URL."""
    with Receiver("::1") as receiver:
        client = http.client.HTTPConnection("::1", receiver.port, timeout=60)
        assert _post(client, TRACES_JSON, JSON) == (200, b"{}")
        client.close()
        assert receiver.endpoint == f"http://[::1]:{receiver.port}"
