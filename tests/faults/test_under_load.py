"""Servers under load while their collector fails: nothing is lost, and nothing grows."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bear_otel.cli.receiver import Receiver
from bear_otel.pipeline import spool_files
from tests.lifecycle.lifecycle_harness import (
    APPS,
    Program,
    Sent,
    Sink,
    check_received,
    free_port,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.server

UVICORN = "uvicorn service:app --port {port}"
GUNICORN = (
    "gunicorn service:app --bind 127.0.0.1:{port} --no-control-socket "
    "-k uvicorn_worker.UvicornWorker -w 2"
)
QUEUE, BATCH = 60, 10
SPOOL_BYTES = 100_000


class UnreliableSink(Sink):
    """A collector that can refuse connections, or take requests and let them wait."""

    def __init__(self) -> None:
        super().__init__()
        self._port = free_port()
        self._receiver = self._create_receiver()
        self.answers = threading.Event()
        self.answers.set()

    def up(self) -> None:
        """Accept connections."""
        self._receiver = self._create_receiver()
        self._receiver.__enter__()

    def down(self) -> None:
        """Refuse connections."""
        self._receiver.__exit__()

    def _create_receiver(self) -> Receiver:
        return Receiver(
            port=self._port,
            on_traces=self._wait_before(self._add_traces),
            on_metrics=self._wait_before(self._add_metrics),
            on_logs=self._wait_before(self._add_logs),
        )

    def _wait_before(self, add: Callable[[Any], None]) -> Callable[[Any], None]:
        def accept(request: Any) -> None:
            self.answers.wait()
            add(request)

        return accept


@pytest.fixture
def sink() -> Iterator[UnreliableSink]:
    """A collector that is up until a test lets it fail."""
    with UnreliableSink() as sink:
        yield sink
        sink.answers.set()


def start(command: str, sink: Sink, directory: Path, **environment: str) -> Program:
    """Start a server that sends often, and whose requests never time out."""
    return Program(
        command,
        directory,
        environment={
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "60000",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "BEAR_OTEL_SPOOL_DIRECTORY": str(directory / "spool"),
            **environment,
        },
        cwd=APPS,
    )


def order_at_once(program: Program, count: int, clients: int = 4) -> Sent:
    """Let some clients make some requests each."""
    sent = Sent()
    with ThreadPoolExecutor(clients) as pool:
        for each in pool.map(program.order, [count] * clients):
            sent |= each
    return sent


def order_while_dead(program: Program, sink: UnreliableSink) -> Sent:
    """Make requests while nobody listens."""
    sink.down()
    sent = order_at_once(program, 50)
    sink.up()
    return sent


def order_while_silent(program: Program, sink: UnreliableSink) -> Sent:
    """Make requests while the collector takes all and answers nothing."""
    sink.answers.clear()
    sent = order_at_once(program, 50)
    sink.answers.set()
    return sent


def order_while_flapping(program: Program, sink: UnreliableSink) -> Sent:
    """Make requests while the collector comes and goes."""
    sent = Sent()
    for _ in range(5):
        sink.down()
        sent |= order_at_once(program, 5)
        sink.up()
        sent |= order_at_once(program, 5)
    return sent


def look_at_rest(pid: int) -> tuple[int, int]:
    """Return the descriptors and threads that a process has most of the time."""
    process = psutil.Process(pid)
    seen: Counter[tuple[int, int]] = Counter()

    def is_clear() -> bool:
        counts = process.num_fds(), process.num_threads()
        seen[counts] += 1
        return seen[counts] >= 100

    wait_until(is_clear, f"process {pid} is at rest")
    return seen.most_common(1)[0][0]


def wait_for(sink: Sink, sent: Sent, directory: Path) -> None:
    """Return when all has arrived, and nothing waits on disk."""

    def has_arrived() -> bool:
        arrived = sink.trace_ids("server").keys() & sink.trace_ids("client").keys()
        logs = {trace for _, trace in sink.log_lines()}
        return sent.answered.keys() <= arrived & logs and not list(directory.rglob("*.otlp"))

    wait_until(has_arrived, "all has arrived", seconds=60)


def arrived_spans(sink: Sink, sent: Sent) -> Counter[bytes]:
    """Return how often each span of some requests has arrived."""
    return Counter(span.span_id for span in sink.spans if span.trace_id.hex() in sent.answered)


def measure_spool(directory: Path, signal_name: str) -> int:
    """Return how many bytes of the disk the waiting bodies of a signal take."""
    return sum(
        entry.size
        for folder in directory.glob(f"spool/{signal_name}-*")
        for entry, _ in spool_files.list_entries(folder)
    )


@pytest.mark.parametrize(
    ("command", "workers"), [(UVICORN, 1), (GUNICORN, 2)], ids=["uvicorn", "gunicorn"]
)
def test_outages_under_load_lose_nothing_and_leave_nothing_behind(
    tmp_path: Path, sink: UnreliableSink, command: str, workers: int
) -> None:
    """Each record arrives once; threads and descriptors are then as many as before."""
    with closing(start(command, sink, tmp_path)) as program:
        pids = program.find_workers(workers)
        sent = order_at_once(program, 20)
        wait_for(sink, sent, tmp_path)
        before = {pid: look_at_rest(pid) for pid in pids}
        for outage in (order_while_dead, order_while_silent, order_while_flapping):
            sent |= outage(program, sink)
            wait_for(sink, sent, tmp_path)
            after = {pid: look_at_rest(pid) for pid in pids}
            assert after == before, outage.__name__
        program.signal(signal.SIGTERM)
        program.wait()
    check_received(sink, sent)


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"BEAR_OTEL_SPOOL_ENABLED": "false"}, "queue_full"),
        ({"BEAR_OTEL_SPOOL_MAX_BYTES": str(SPOOL_BYTES)}, "spool_full"),
    ],
    ids=["queue", "spool"],
)
def test_limits_hold_under_load(
    tmp_path: Path, sink: UnreliableSink, environment: dict[str, str], reason: str
) -> None:
    """What the queue, or the spool, cannot hold during an outage is counted; the rest arrives."""
    spool_bytes: list[int] = []
    with closing(
        start(
            UVICORN,
            sink,
            tmp_path,
            OTEL_BSP_MAX_QUEUE_SIZE=str(QUEUE),
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE=str(BATCH),
            **environment,
        )
    ) as program:
        sent = program.order(1)
        wait_for(sink, sent, tmp_path)
        sink.down()
        for _ in range(5):
            sent |= order_at_once(program, 10)
            spool_bytes.append(measure_spool(tmp_path, "traces"))
        sink.up()
        wait_until(lambda: len(arrived_spans(sink, sent)) > 2, "something arrives")
        program.signal(signal.SIGTERM)
        program.wait()
    arrived = arrived_spans(sink, sent)
    assert set(arrived.values()) == {1}
    lost = {
        why: sink.total("bear.exporter.dropped", bear_signal="traces", bear_reason=why)
        for why in ("queue_full", "spool_full")
    }
    assert len(arrived) + lost[reason] == 2 * len(sent.answered)
    assert sum(lost.values()) == lost[reason] > 0
    if reason == "queue_full":
        # One batch may have been on its way when the collector came back.
        assert len(arrived) <= 2 + QUEUE + BATCH
        assert max(spool_bytes) == 0
    else:
        assert 0 < max(spool_bytes) <= SPOOL_BYTES
