"""The exporter against real servers: what arrives, what is tried again, what is counted."""

from __future__ import annotations

import gc
import os
import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality as Temporality
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags

from bear_otel.cli.receiver import Receiver
from bear_otel.pipeline.batch_processors import BatchingLogRecordProcessor, BatchingSpanProcessor
from bear_otel.pipeline.exporter import (
    BearOtlpLogExporter,
    BearOtlpMetricExporter,
    BearOtlpSpanExporter,
)
from bear_otel.pipeline.losses import Losses
from bear_otel.settings import ConfigurationError
from tests.pipeline.running import run_script, wait_for
from tests.pipeline.scripted_server import Reply, ScriptedServer
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def create_span(name: str = "span") -> ReadableSpan:
    """Return a sampled span."""
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
    return ReadableSpan(name, context, resource=Resource({"service.name": "tests"}))


def create_exporter(server: ScriptedServer, **options: Any) -> BearOtlpSpanExporter:
    """Return an exporter to a server."""
    return BearOtlpSpanExporter(endpoint=f"{server.url}/v1/traces", **options)


def get_names(server: ScriptedServer) -> list[str]:
    """Return the names of all spans that a server was sent, accepted or not."""
    return [
        span.name
        for request in server.requests
        for group in ExportTraceServiceRequest.FromString(request.body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def get_refused_port() -> int:
    """Return a port that nobody listens on."""
    return free_port()


def test_all_signals_arrive_by_the_general_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the exporters find the endpoint as the official ones do."""
    got: list[Any] = []
    refused: list[str] = []
    with Receiver(
        on_traces=got.append, on_metrics=got.append, on_logs=got.append, on_refused=refused.append
    ) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(BatchingSpanProcessor(BearOtlpSpanExporter()))
        tracers.get_tracer("tests").start_span("a span").end()
        logs = LoggerProvider(shutdown_on_exit=False)
        logs.add_log_record_processor(BatchingLogRecordProcessor(BearOtlpLogExporter()))
        logs.get_logger("tests").emit(LogRecord(body="a log"))
        reader = PeriodicExportingMetricReader(BearOtlpMetricExporter())
        meters = MeterProvider([reader], shutdown_on_exit=False)
        meters.get_meter("tests").create_counter("a.counter").add(1)
        assert tracers.force_flush(60_000)
        assert logs.force_flush(60_000)
        assert meters.force_flush(60_000)
        for provider in (tracers, logs, meters):
            provider.shutdown()
    assert refused == []
    assert got[0].resource_spans[0].scope_spans[0].spans[0].name == "a span"
    assert got[1].resource_logs[0].scope_logs[0].log_records[0].body.string_value == "a log"
    assert got[2].resource_metrics[0].scope_metrics[0].metrics[0].name == "a.counter"


def test_the_sdks_own_batch_processor_works_with_it() -> None:
    """The exporter keeps the SDK's contract, not only ours."""
    with ScriptedServer(Reply(status=503)) as server:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(create_exporter(server)))
        provider.get_tracer("tests").start_span("a span").end()
        assert provider.force_flush(60_000)
        provider.shutdown()
        assert get_names(server) == ["a span", "a span"]


@pytest.mark.parametrize("compression", ["gzip", "deflate", "none"])
def test_a_request_is_what_the_specification_asks(compression: str) -> None:
    """Path, type, encoding and own headers reach the server; the connection is kept."""
    with ScriptedServer() as server:
        exporter = create_exporter(server, compression=compression, headers={"X-Key": "secret"})
        for _ in range(3):
            assert exporter.export([create_span()]) is SpanExportResult.SUCCESS
        exporter.shutdown()
        request = server.requests[0]
        assert request.target == "/v1/traces"
        assert request.headers["content-type"] == "application/x-protobuf"
        assert request.headers.get("content-encoding", "none") == compression
        assert request.headers["x-key"] == "secret"
        assert get_names(server) == ["span"] * 3
        assert server.connections == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_gets_the_same_body_again(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Retryable answers cost nothing; begin and end of the trouble are said once."""
    losses = Losses()
    replies = [Reply(status=status, headers={"retry-after": "0"})] * 2
    with ScriptedServer(*replies) as server:
        exporter = create_exporter(server, losses=losses)
        assert exporter.export([create_span()]) is SpanExportResult.SUCCESS
        exporter.shutdown()
        assert [request.body for request in server.requests] == [server.requests[0].body] * 3
        assert caplog.messages == [
            (
                f"traces: {server.url} takes no data now ({status}); trying again; "
                "check with: bear-otel doctor"
            ),
            "traces: flowing again after 0 s; nothing was dropped",
        ]
    assert losses.counts() == {}


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        (formatdate(time.time() + 100_000), 300, 300),
        (formatdate(time.time() - 10), 0.05, 0.05),
        ("0", 0.05, 0.05),
        ("soon", 0.2, 0.3),
        ("-1", 0.2, 0.3),
        (None, 0.2, 0.3),
    ],
    ids=[
        "seconds",
        "a date far away",
        "a date gone by",
        "no pause",
        "nonsense",
        "negative",
        "none",
    ],
)
def test_retry_after_decides_the_pause(header: str | None, low: float, high: float) -> None:
    """The server's wish wins, within reason; else the first pause is a quarter second."""
    with ScriptedServer(Reply(status=429, headers={"retry-after": header} if header else {})) as s:
        exporter = create_exporter(s)
        pause = exporter.try_export([create_span()])
        exporter.shutdown()
    assert pause is not None
    assert low <= pause <= high


def test_pauses_grow_and_stay_bounded() -> None:
    """A server that is down for long is asked about every five seconds, not more rarely."""
    exporter = BearOtlpSpanExporter(endpoint=f"http://127.0.0.1:{get_refused_port()}/v1/traces")
    pauses = [exporter.try_export([create_span()]) or 0 for _ in range(8)]
    exporter.shutdown()
    for pause, expected in zip(pauses, [0.25, 0.5, 1, 2, 4, 5, 5, 5], strict=True):
        assert 0.8 * expected <= pause <= 1.2 * expected


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "the server finds them malformed"),
        (404, "the endpoint has no such path"),
        (413, "they are too large: lower the size of a batch"),
        (307, "the endpoint redirects: set it to the final address"),
        (500, "check with: bear-otel doctor"),
    ],
)
def test_a_refusal_is_final_counted_and_explained(
    status: int, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What the server refuses for good is not sent again; the reader learns what to check."""
    losses = Losses()
    with ScriptedServer(Reply(status=status), Reply(status=status), Reply()) as server:
        exporter = create_exporter(server, losses=losses)
        results = [exporter.export([create_span()] * 2) for _ in range(3)]
        exporter.shutdown()
        assert results == [SpanExportResult.FAILURE] * 2 + [SpanExportResult.SUCCESS]
        assert len(server.requests) == 3
        assert caplog.messages == [
            f"traces: {server.url} refuses them ({status}), so they are dropped; {advice}",
            "traces: flowing again after 0 s; 4 spans were dropped",
        ]
    assert losses.counts() == {("traces", "rejected"): 4}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_tried_again_after_a_minute(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A key is mended by people: what is refused with it is kept, and nobody asks in a loop."""
    losses = Losses()
    with ScriptedServer(Reply(status=status), Reply(status=status)) as server:
        exporter = create_exporter(server, losses=losses)
        pauses = [exporter.try_export([create_span()]) or 0 for _ in range(3)]
        exporter.shutdown()
        assert [48 <= pause <= 72 for pause in pauses] == [True, True, False]
        assert caplog.messages == [
            (
                f"traces: {server.url} refuses the key ({status}); trying again; "
                "check the key in OTEL_EXPORTER_OTLP_HEADERS or OTEL_EXPORTER_OTLP_TRACES_HEADERS"
            ),
            "traces: flowing again after 0 s; nothing was dropped",
        ]
    assert losses.counts() == {}


def test_partial_success_is_counted() -> None:
    """Spans that the server refuses inside an accepted request are losses."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 3
    losses = Losses()
    with ScriptedServer(
        Reply(body=response.SerializeToString()), Reply(body=b"<html>not protobuf</html>")
    ) as server:
        exporter = create_exporter(server, losses=losses)
        assert exporter.export([create_span()] * 5) is SpanExportResult.SUCCESS
        assert exporter.export([create_span()]) is SpanExportResult.SUCCESS
        exporter.shutdown()
    assert losses.counts() == {("traces", "partial_success"): 3}


def test_partial_success_of_logs_is_counted() -> None:
    """Each signal has a field of its own for it."""
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = 2
    losses = Losses()
    with ScriptedServer(Reply(body=response.SerializeToString())) as server:
        exporter = BearOtlpLogExporter(endpoint=f"{server.url}/v1/logs", losses=losses)
        assert exporter.export([]) is LogRecordExportResult.SUCCESS
        exporter.shutdown()
    assert losses.counts() == {("logs", "partial_success"): 2}


def test_nobody_there_is_said_without_credentials(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the password nor the path of an endpoint is shown."""
    losses = Losses()
    port = get_refused_port()
    exporter = BearOtlpSpanExporter(
        endpoint=f"http://user:s3cret@127.0.0.1:{port}/tenant-key/v1/traces",
        timeout_seconds=2.0,
        losses=losses,
    )
    assert exporter.export([create_span()]) is SpanExportResult.FAILURE
    assert exporter.export([create_span()]) is SpanExportResult.FAILURE
    exporter.shutdown()
    assert caplog.messages == [
        (
            f"traces: cannot reach http://127.0.0.1:{port} (connection refused); trying again; "
            "check with: bear-otel doctor"
        )
    ]
    assert losses.counts() == {("traces", "unreachable"): 2}


def test_a_password_in_the_endpoint_becomes_a_header() -> None:
    """As with the official exporter."""
    with ScriptedServer() as server:
        url = server.url.replace("//", "//user:p%40ss@")
        exporter = BearOtlpSpanExporter(endpoint=f"{url}/v1/traces")
        exporter.export([create_span()])
        exporter.shutdown()
        assert server.requests[0].headers["authorization"] == "Basic dXNlcjpwQHNz"
        assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


def test_an_unknown_host_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A typing error in the endpoint is told from a server that is down."""
    exporter = BearOtlpSpanExporter(endpoint="http://collector.invalid/v1/traces")
    exporter.try_export([create_span()])
    exporter.shutdown()
    assert "cannot reach http://collector.invalid (unknown host)" in caplog.text


def test_a_silent_server_holds_a_request_no_longer_than_its_timeout() -> None:
    """Accepting and never answering is a failure like any other."""
    with ScriptedServer(Reply(hang=True)) as server:
        exporter = create_exporter(server, timeout_seconds=0.1)
        start = time.monotonic()
        assert exporter.try_export([create_span()]) is not None
        assert time.monotonic() - start < 8.0  # by itself it may take ten
        exporter.shutdown()


def test_shutdown_ends_a_request_in_progress(caplog: pytest.LogCaptureFixture) -> None:
    """A hanging server cannot hold the end of a process, and nobody blames the server for it."""
    with ScriptedServer(Reply(hang=True)) as server:
        exporter = create_exporter(server, timeout_seconds=60)
        thread = threading.Thread(target=exporter.export, args=([create_span()],))
        thread.start()
        assert server.asked.acquire(timeout=60)
        exporter.shutdown()
        thread.join(60)
        assert not thread.is_alive()
        assert exporter.export([create_span()]) is SpanExportResult.FAILURE
        assert len(server.requests) == 1
    assert caplog.messages == []


def test_shutdown_ends_a_pause() -> None:
    """A server that asks to wait cannot hold the end of a process either."""
    losses = Losses()
    with ScriptedServer(Reply(status=429, headers={"retry-after": "50"})) as server:
        exporter = create_exporter(server, timeout_seconds=60, losses=losses)
        thread = threading.Thread(target=exporter.export, args=([create_span()],))
        thread.start()
        assert server.asked.acquire(timeout=60)
        exporter.shutdown()
        thread.join(60)
        assert not thread.is_alive()
    assert losses.counts() == {("traces", "shutdown"): 1}


@pytest.mark.parametrize("hang", [True, False], ids=["silent server", "refused port"])
def test_a_pipeline_ends_within_its_deadline(hang: bool) -> None:
    """Queue, thread, connection and server together: the end is on time and all is counted."""
    losses = Losses()
    with ScriptedServer(*[Reply(hang=True)] * 9) as server:
        port = server.port if hang else get_refused_port()
        exporter = BearOtlpSpanExporter(
            endpoint=f"http://127.0.0.1:{port}/v1/traces", losses=losses
        )
        processor = BatchingSpanProcessor(exporter, losses=losses, shutdown_timeout_seconds=0.3)
        for _ in range(600):
            processor.on_end(create_span())
        start = time.monotonic()
        processor.shutdown()
        assert time.monotonic() - start < 8.0  # a request may take ten
        wait_for(lambda: losses.counts() == {("traces", "shutdown"): 600})


def test_a_connection_closed_while_idle_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The server may close a kept connection at any time; the next batch takes a new one."""
    losses = Losses()
    with ScriptedServer(Reply(hang_up=True), Reply(hang_up=True)) as server:
        exporter = create_exporter(server, losses=losses)
        for number in range(3):
            assert exporter.try_export([create_span(f"span {number}")]) is None
        exporter.shutdown()
        assert get_names(server) == ["span 0", "span 1", "span 2"]
        assert server.connections == 3
    assert (losses.counts(), caplog.messages) == ({}, [])


def test_a_flapping_server_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Every span arrives, and what comes and goes quickly is said only once a minute."""
    losses = Losses()
    down = Reply(status=503, headers={"retry-after": "0"})
    with ScriptedServer(Reply(), down, down, Reply(), down, Reply()) as server:
        processor = BatchingSpanProcessor(create_exporter(server, losses=losses), losses=losses)
        for number in range(3):
            processor.on_end(create_span(f"span {number}"))
            assert processor.force_flush(60_000)
        processor.shutdown()
        names = get_names(server)
    assert list(dict.fromkeys(names)) == ["span 0", "span 1", "span 2"]
    assert losses.counts() == {}
    said = [message.split(";")[0].split(" after")[0] for message in caplog.messages]
    trouble = f"traces: {server.url} takes no data now (503)"
    assert said == [trouble, "traces: flowing again"]  # The second time follows too soon.
    assert "keeping up to 2048 spans" in caplog.messages[0]


def test_a_server_that_comes_back_gets_what_was_kept() -> None:
    """An outage that fits the queue loses nothing."""
    port = get_refused_port()
    losses = Losses()
    exporter = BearOtlpSpanExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces", losses=losses)
    processor = BatchingSpanProcessor(exporter, losses=losses, max_export_batch_size=10)
    for _ in range(35):
        processor.on_end(create_span())
    wait_for(lambda: not processor.force_flush(1000))
    got: list[ExportTraceServiceRequest] = []
    with Receiver(port=port, on_traces=got.append):
        assert processor.force_flush(60_000)
        processor.shutdown()
    counts = [len(request.resource_spans[0].scope_spans[0].spans) for request in got]
    assert (sum(counts), losses.counts()) == (35, {})


def test_a_burst_is_delivered_or_counted() -> None:
    """Ten thousand spans at once: none disappears without a count."""
    losses = Losses()
    with ScriptedServer() as server:
        processor = BatchingSpanProcessor(create_exporter(server, losses=losses), losses=losses)
        for _ in range(10_000):
            processor.on_end(create_span())
        assert processor.force_flush(10_000)
        processor.shutdown()
        delivered = len(get_names(server))
    assert delivered + losses.counts().get(("traces", "queue_full"), 0) == 10_000
    assert delivered >= 2048


def test_nothing_leaks() -> None:
    """A stopped pipeline leaves neither a thread nor a file descriptor."""

    def run_once() -> None:
        with ScriptedServer() as server:
            processor = BatchingSpanProcessor(create_exporter(server))
            processor.on_end(create_span())
            assert processor.force_flush(60_000)
            processor.shutdown()

    def count() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    run_once()
    before = count()
    for _ in range(10):
        run_once()
    wait_for(lambda: count() <= before)


def test_a_forked_child_has_a_connection_of_its_own() -> None:
    """Parent and child do not write into one socket, and each batch arrives once."""
    with ScriptedServer() as server:
        run_script(f"""
            import os
            from bear_otel.pipeline.exporter import BearOtlpSpanExporter
            from bear_otel.pipeline.batch_processors import BatchingSpanProcessor
            from opentelemetry.sdk.trace import TracerProvider

            provider = TracerProvider(shutdown_on_exit=False)
            exporter = BearOtlpSpanExporter(endpoint="{server.url}/v1/traces")
            provider.add_span_processor(BatchingSpanProcessor(exporter))
            tracer = provider.get_tracer("tests")
            tracer.start_span("before").end()
            assert provider.force_flush(60_000)
            tracer.start_span("kept by the parent").end()
            if (pid := os.fork()) == 0:
                tracer.start_span("child").end()
                os._exit(0 if provider.force_flush(60_000) else 1)
            assert os.waitpid(pid, 0)[1] == 0
            tracer.start_span("after").end()
            provider.shutdown()
        """)
        assert get_names(server) == ["before", "child", "kept by the parent", "after"]
        assert server.connections == 2
        assert server.requests[0].connection == server.requests[2].connection


@pytest.fixture
def metrics() -> Iterator[MetricsData]:
    """Return a collection with one data point."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("tests").create_counter("c").add(1)
    data = reader.get_metrics_data()
    assert data is not None
    yield data
    provider.shutdown()


def test_metrics_do_not_wait_for_a_server_that_was_never_there(metrics: MetricsData) -> None:
    """The last collection of a process without a collector costs no time."""
    losses = Losses()
    port = get_refused_port()
    exporter = BearOtlpMetricExporter(endpoint=f"http://127.0.0.1:{port}/v1/metrics", losses=losses)
    start = time.monotonic()
    assert exporter.export(metrics) is MetricExportResult.FAILURE
    assert time.monotonic() - start < 8.0  # where it tries again, it does for ten
    assert losses.counts() == {("metrics", "unreachable"): 1}


def test_metrics_are_tried_again_where_the_server_answered_before(metrics: MetricsData) -> None:
    """A short outage costs no collection."""
    with ScriptedServer(Reply(), Reply(status=503)) as server:
        exporter = BearOtlpMetricExporter(endpoint=f"{server.url}/v1/metrics")
        assert exporter.export(metrics) is MetricExportResult.SUCCESS
        assert exporter.export(metrics) is MetricExportResult.SUCCESS
        exporter.shutdown(timeout=1.0)
        assert len(server.requests) == 3


def test_metrics_respect_the_readers_deadline(metrics: MetricsData) -> None:
    """A flush with a deadline is not kept longer by the exporter's own timeout."""
    with ScriptedServer(Reply(), *[Reply(status=503)] * 99) as server:
        exporter = BearOtlpMetricExporter(endpoint=f"{server.url}/v1/metrics")
        assert exporter.export(metrics) is MetricExportResult.SUCCESS
        start = time.monotonic()
        assert exporter.export(metrics, timeout_millis=100) is MetricExportResult.FAILURE
        assert time.monotonic() - start < 8.0  # by itself it may take ten
        exporter.shutdown()


@pytest.mark.parametrize(
    ("preference", "expected"),
    [("delta", "DELTA"), ("low_memory", "DELTA"), ("LOWMEMORY", "DELTA"), (None, "CUMULATIVE")],
)
def test_the_preferred_temporality_reaches_the_server(
    preference: str | None, expected: str
) -> None:
    """Delta counters for back ends that want them, from an argument, a variable or a file."""
    with ScriptedServer() as server:
        exporter = BearOtlpMetricExporter(
            endpoint=f"{server.url}/v1/metrics", temporality_preference=preference
        )
        provider = MeterProvider([PeriodicExportingMetricReader(exporter)], shutdown_on_exit=False)
        provider.get_meter("tests").create_counter("c").add(1)
        assert provider.force_flush(60_000)
        provider.shutdown()
        request = ExportMetricsServiceRequest.FromString(server.requests[0].body)
    metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
    temporality = metric.sum.aggregation_temporality
    assert Temporality.Name(temporality) == f"AGGREGATION_TEMPORALITY_{expected}"


@pytest.mark.parametrize(
    "options",
    [
        {"endpoint": "localhost:4318"},
        {"endpoint": "grpc://localhost:4317"},
        {"endpoint": "http://"},
        {"endpoint": "http://localhost:99999"},
        {"headers": {"x-key": "s3cret\nx: y"}},
        {"headers": {"x-key": "s3cret\u20ac"}},
        {"certificate_file": "/does/not/exist"},
    ],
    ids=["no scheme", "scheme", "no host", "port", "header line", "header text", "file"],
)
def test_what_can_never_work_is_refused_at_once(options: dict[str, Any]) -> None:
    """A configuration error is said at start, without the secret, not for each batch."""
    with pytest.raises(ConfigurationError) as error:
        BearOtlpSpanExporter(**options)
    assert "s3cret" not in str(error.value)
