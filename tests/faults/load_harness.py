"""Put a server under load while its collector fails, and look what it leaves behind."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psutil

from bear_otel.cli.receiver import Receiver
from bear_otel.pipeline import spool_files
from tests.lifecycle.lifecycle_harness import APPS, GRACE_SECONDS, Program, Sent, Sink, wait_until
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
            grace_seconds=GRACE_SECONDS,
        )

    def _wait_before(self, add: Callable[[Any], None]) -> Callable[[Any], None]:
        def accept(request: Any) -> None:
            self.answers.wait()
            add(request)

        return accept


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


def wait_for_rest(pid: int, before: tuple[int, int], what: str) -> None:
    """Return when a process has for a while had the descriptors and threads that it had before."""
    process = psutil.Process(pid)
    seen: Counter[tuple[int, int]] = Counter()

    def is_as_before() -> bool:
        seen[process.num_fds(), process.num_threads()] += 1
        return seen[before] >= 100

    try:
        wait_until(is_as_before, "threads and descriptors are as before")
    except AssertionError as error:
        error.add_note(f"{what}: {before} before, then {seen.most_common(3)}")
        raise


def measure_memory(pid: int) -> float:
    """Return the megabytes that a process has to itself."""
    return psutil.Process(pid).memory_full_info().uss / 1e6


def wait_for(sink: Sink, sent: Sent, directory: Path) -> None:
    """Return when all has arrived, and nothing waits on disk."""

    def missing() -> dict[str, int]:
        logs = {trace for _, trace in sink.log_lines()}
        arrived = {kind: sink.trace_ids(kind).keys() for kind in ("server", "client")}
        found = {what: len(sent.answered.keys() - ids) for what, ids in arrived.items()}
        found["logs"] = len(sent.answered.keys() - logs)
        found["files"] = len(list(directory.rglob("*.otlp")))
        return {what: count for what, count in found.items() if count}

    try:
        wait_until(lambda: not missing(), "all has arrived")
    except AssertionError as error:
        error.add_note(f"missing of {len(sent.answered)}: {missing()}")
        raise


def arrived_spans(sink: Sink, sent: Sent) -> Counter[bytes]:
    """Return how often each span of some requests has arrived."""
    return Counter(span.span_id for span in sink.spans if span.trace_id.hex() in sent.answered)


def forget_repeats(sink: Sink) -> None:
    """Keep each span and log record once."""
    sink.spans = list({span.span_id: span for span in sink.spans}.values())
    sink.logs = list({(log.trace_id, log.time_unix_nano): log for log in sink.logs}.values())


def measure_spool(directory: Path, signal_name: str) -> int:
    """Return how many bytes of the disk the waiting bodies of a signal take."""
    return sum(
        entry.size
        for folder in directory.glob(f"spool/{signal_name}-*")
        for entry, _ in spool_files.list_entries(folder)
    )
