"""The batching queue: nothing blocks, nothing is lost uncounted, every deadline holds."""

from __future__ import annotations

import io
import itertools
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter, InMemoryLogRecordExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from bear_otel.pipeline.batch import Batcher
from bear_otel.pipeline.batch_processors import BatchingLogRecordProcessor, BatchingSpanProcessor
from bear_otel.pipeline.losses import Losses
from tests.pipeline.running import run_script, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = 60.0


class Sink:
    """Takes batches as a test tells it."""

    def __init__(self, *answers: float | None) -> None:
        self.batches: list[list[int]] = []
        self.offered = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()
        self._answers = list(answers)

    def export(self, batch: list[int]) -> float | None:
        self.offered.release()
        self.open.wait()
        answer = self._answers.pop(0) if self._answers else None
        if answer is None:
            self.batches.append(batch)
        return answer

    @property
    def items(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


@contextmanager
def running(sink: Sink, losses: Losses | None = None, **options: float) -> Iterator[Batcher[int]]:
    """Give a batcher before the sink; its thread ends with the block."""
    before = set(threading.enumerate())
    arguments = {"delay_seconds": LONG, **options}
    batcher = Batcher(sink.export, signal="traces", losses=losses or Losses(), **arguments)  # type: ignore[arg-type]
    try:
        yield batcher
    finally:
        sink.open.set()
        batcher.stop(0.0, lambda: None)
        for thread in set(threading.enumerate()) - before:
            thread.join(60)


def test_a_full_batch_goes_at_once_and_a_part_waits() -> None:
    """Size starts an export; what does not fill a batch waits for the delay."""
    sink = Sink()
    with running(sink, batch_size=3) as batcher:
        for item in range(4):
            batcher.put(item)
        wait_for(lambda: bool(sink.batches))
        assert sink.batches == [[0, 1, 2]]


def test_a_part_goes_after_the_delay() -> None:
    """No item waits longer than the delay."""
    sink = Sink()
    with running(sink, batch_size=3, delay_seconds=0.02) as batcher:
        batcher.put(1)
        wait_for(lambda: sink.batches == [[1]])


def test_what_comes_in_during_an_export_waits_for_others() -> None:
    """A service that is always busy does not make a request of each record."""
    exported_at: list[float] = []

    def export(_: list[int]) -> None:
        exported_at.append(time.monotonic())
        if len(exported_at) < 4:
            batcher.put(1)

    batcher = Batcher(export, signal="traces", losses=Losses(), delay_seconds=0.2)
    batcher.put(1)
    wait_for(lambda: len(exported_at) == 4)
    batcher.stop(1.0, lambda: None)
    gaps = [later - earlier for earlier, later in itertools.pairwise(exported_at)]
    assert min(gaps) > 0.1


def test_the_oldest_give_way_and_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """A full queue keeps the newest items; the number of lost ones is exact and said once."""
    sink, losses = Sink(), Losses()
    sink.open.clear()
    with running(sink, losses, capacity=10, batch_size=5) as batcher:
        for item in range(5):
            batcher.put(item)
        assert sink.offered.acquire(timeout=60)
        for item in range(5, 40):
            batcher.put(item)
        sink.open.set()
        assert batcher.flush(LONG)
    assert sink.items == [*range(5), *range(30, 40)]
    assert losses.counts() == {("traces", "queue_full"): 25}
    assert caplog.messages == [
        "traces: the queue of 10 spans is full; the oldest give way",
        "traces: keeping up again after 0 s; 25 spans were dropped",
    ]


def test_a_batch_that_should_come_again_comes_again_in_order() -> None:
    """While the exporter asks to wait, its batch stays first in the queue."""
    sink, losses = Sink(0.01, 0.01), Losses()
    with running(sink, losses, batch_size=2) as batcher:
        for item in range(5):
            batcher.put(item)
        wait_for(lambda: len(sink.batches) == 3)
    assert sink.items == list(range(5))
    assert losses.counts() == {}


def test_an_outage_costs_only_what_the_queue_cannot_hold() -> None:
    """Items put during an outage push out the oldest, those of the failed batch included."""
    sink, losses = Sink(LONG, LONG), Losses()
    with running(sink, losses, capacity=6, batch_size=4) as batcher:
        for item in range(4):
            batcher.put(item)
        assert batcher.flush(LONG) is False
        for item in range(4, 10):
            batcher.put(item)
        assert batcher.flush(LONG)
    assert sink.items == list(range(4, 10))
    assert losses.counts() == {("traces", "queue_full"): 4}


def test_flush_ends_at_its_deadline() -> None:
    """A hanging exporter cannot hold a flush."""
    sink = Sink()
    sink.open.clear()
    with running(sink) as batcher:
        batcher.put(1)
        start = time.monotonic()
        assert batcher.flush(0.05) is False
        assert time.monotonic() - start < LONG / 2


def test_flush_without_anybody_there_does_not_wait() -> None:
    """Where no batch ever got through, the end of a process is not delayed."""
    sink = Sink(*[LONG] * 100)
    with running(sink) as batcher:
        batcher.put(1)
        start = time.monotonic()
        assert batcher.flush(LONG) is False
        assert time.monotonic() - start < LONG / 2


def test_flush_retries_where_batches_got_through_before() -> None:
    """A short outage at the end of a process costs nothing."""
    sink = Sink(None, 0.01, 0.01)
    with running(sink) as batcher:
        batcher.put(1)
        assert batcher.flush(LONG)
        batcher.put(2)
        assert batcher.flush(LONG)
    assert sink.items == [1, 2]


def test_flush_of_an_empty_queue_is_true_and_starts_no_thread() -> None:
    """A process without telemetry pays nothing."""
    before = threading.active_count()
    with running(Sink()) as batcher:
        assert batcher.flush(0.0) is True
        assert threading.active_count() == before


def test_stop_ends_at_its_deadline_and_counts_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    """What a hanging exporter did not take is counted, and so is what comes later."""
    sink, losses = Sink(), Losses()
    sink.open.clear()
    with running(sink, losses, batch_size=2) as batcher:
        for item in range(5):
            batcher.put(item)
        assert sink.offered.acquire(timeout=60)
        interrupted = threading.Event()
        assert batcher.stop(0.05, interrupted.set) is False
        batcher.put(6)
        assert interrupted.is_set()
        assert losses.counts() == {("traces", "shutdown"): 4}
    assert caplog.messages == ["traces: 3 spans were not sent before the end"]


def test_stop_delivers_what_it_can() -> None:
    """A healthy exporter gets everything before the end, and the thread is gone."""
    sink, losses = Sink(), Losses()
    before = set(threading.enumerate())
    with running(sink, losses) as batcher:
        batcher.put(1)
        assert batcher.stop(5.0, lambda: None) is True
        assert set(threading.enumerate()) <= before
    assert sink.items == [1]
    assert losses.counts() == {}


def test_put_from_many_threads_is_counted_exactly() -> None:
    """Every item is either delivered or counted."""
    sink, losses = Sink(), Losses()
    with running(sink, losses, capacity=100, batch_size=10) as batcher:
        threads = [
            threading.Thread(target=lambda: [batcher.put(item) for item in range(2000)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert batcher.flush(LONG)
    assert len(sink.items) + losses.counts().get(("traces", "queue_full"), 0) == 8000


def test_a_signal_handler_may_flush_whatever_it_interrupts() -> None:
    """`put` holds no lock that a flush in a signal handler would wait for."""
    sink = Sink()
    flushed: list[bool] = []
    with running(sink, capacity=100_000) as batcher:
        before = signal.signal(signal.SIGALRM, lambda *_: flushed.append(batcher.flush(LONG)))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            for item in range(50_000):
                batcher.put(item)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert batcher.flush(LONG)
    assert flushed
    assert all(flushed)
    assert sink.items == list(range(50_000))


def test_a_forked_child_starts_empty_and_works() -> None:
    """What the parent queued leaves once, and the child has a thread of its own."""
    script = """
        import os
        from bear_otel.pipeline.batch import Batcher
        from bear_otel.pipeline.losses import Losses

        def export(batch):
            os.write(1, f"{name} {batch}\\n".encode())

        batcher = Batcher(export, signal="traces", losses=Losses(), delay_seconds=60)
        name = "parent"
        batcher.put(1)
        assert batcher.flush(60)
        batcher.put(2)
        if (pid := os.fork()) == 0:
            name = "child"
            batcher.put(3)
            os._exit(0 if batcher.flush(60) else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert batcher.flush(60)
    """
    output = run_script(script)
    assert output.splitlines() == ["parent [1]", "child [3]", "parent [2]"]


class FailingExporter(SpanExporter):
    """Fails in each way that an exporter can."""

    def __init__(self, error: bool) -> None:
        self.batches = 0
        self.enabled: list[bool] = []
        self._error = error

    def export(self, spans: object) -> SpanExportResult:
        self.batches += 1
        self.enabled.append(is_instrumentation_enabled())
        if self._error:
            raise RuntimeError("secret")
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        raise RuntimeError("secret")


@pytest.mark.parametrize("error", [True, False], ids=["raises", "says failure"])
def test_a_failing_foreign_exporter_is_counted(
    error: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its batches are lost, but the thread lives on and the application hears no exception."""
    exporter, losses = FailingExporter(error), Losses()
    processor = BatchingSpanProcessor(exporter, losses=losses)
    for _ in range(2):
        end_span(processor)
        assert processor.force_flush(60_000)
    processor.shutdown()
    assert exporter.batches == 2
    assert losses.counts() == {("traces", "export_failed"): 2}
    assert caplog.messages == ["traces: the exporter failed to shut down"]


def test_exporting_is_not_instrumented() -> None:
    """The exporter's own requests make no spans."""
    exporter = FailingExporter(error=False)
    processor = BatchingSpanProcessor(exporter)
    end_span(processor)
    assert processor.force_flush(60_000)
    processor.stop(5.0)
    assert exporter.enabled == [False]
    assert is_instrumentation_enabled()


def test_only_sampled_spans_are_exported() -> None:
    """A span that was recorded but not sampled stays here."""
    exporter = InMemorySpanExporter()
    processor = BatchingSpanProcessor(exporter)
    end_span(processor)
    processor.on_end(ReadableSpan("no context"))
    unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("tests")
    processor.on_end(ReadableSpan("unsampled", unsampled.start_span("x").get_span_context()))
    assert processor.force_flush(60_000)
    assert [span.name for span in exporter.get_finished_spans()] == ["sampled"]
    processor.shutdown()


def test_log_exporters_of_the_sdk_get_readable_records() -> None:
    """Any log exporter works: the record is converted on the export thread."""
    memory, console = InMemoryLogRecordExporter(), io.StringIO()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(BatchingLogRecordProcessor(memory))
    provider.add_log_record_processor(
        BatchingLogRecordProcessor(ConsoleLogRecordExporter(out=console))
    )
    provider.get_logger("tests").emit(LogRecord(body="hello"))
    assert provider.force_flush(60_000)
    (record,) = memory.get_finished_logs()
    assert isinstance(record, ReadableLogRecord)
    assert record.log_record.body == "hello"
    assert '"body": "hello"' in console.getvalue()
    provider.shutdown()


def test_an_exporter_that_keeps_gets_records_as_they_are() -> None:
    """Our exporter encodes queued records without a conversion, and may ask for them again."""

    class Keeping:
        def __init__(self) -> None:
            self.records: list[object] = []

        def try_export(self, batch: list[object]) -> None:
            self.records += batch

        def export(self, batch: object) -> None:
            raise AssertionError

        def shutdown(self) -> None:
            pass

    exporter = Keeping()
    processor = BatchingLogRecordProcessor(exporter)
    record = ReadWriteLogRecord(LogRecord(body="hello"))
    processor.on_emit(record)
    assert processor.force_flush(60_000)
    processor.shutdown()
    assert exporter.records == [record]


@pytest.mark.parametrize("option", ["capacity", "batch_size", "delay_seconds"])
def test_useless_sizes_are_refused(option: str) -> None:
    """A queue that can hold nothing is a mistake, not a choice."""
    with pytest.raises(ValueError, match="must be positive"):
        Batcher(Sink().export, signal="traces", losses=Losses(), **{option: 0})  # type: ignore[arg-type]


def end_span(processor: BatchingSpanProcessor) -> None:
    """End one sampled span of a provider that has this processor."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    provider.get_tracer("tests").start_span("sampled").end()
