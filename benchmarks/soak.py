"""Servers under steady load while their collector comes and goes: do they stay as they are?

Run: python benchmarks/soak.py [--cycles 3] [--scale 1.0]

uvicorn with one worker and gunicorn with two run under the launcher and share one small spool; one
more uvicorn runs bare beside them, to tell what is noise of the machine. The phases take turns, so
that noise meets all of them. Prints the tables of SOAK.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bear_otel.cli.receiver import Receiver  # noqa: E402 - needs the path
from bear_otel.pipeline.spool_files import list_entries  # noqa: E402
from tests.lifecycle.lifecycle_harness import Program, free_port, wait_until  # noqa: E402

# Seconds in one cycle; the first phase of a cycle also empties what the one before has left.
PHASES = {"healthy": 75, "dead": 60, "slow": 40, "flapping": 40}
SLOW_SECONDS = 5.0
FLAP_SECONDS = 3.0
SAMPLE_SECONDS = 5.0
SPOOL_BYTES = 600_000
SPANS_A_REQUEST = 4
# Of the trace ids of the load: the servers leave some spans of their own when they start.
OURS = "50a4"
UVICORN = "uvicorn service:app --port {port} --no-access-log --log-level warning"
GUNICORN = (
    "gunicorn service:app --bind 127.0.0.1:{port} --no-control-socket --log-level warning "
    "-k uvicorn_worker.UvicornWorker -w 2"
)
RATES = {"uvicorn": 14, "gunicorn": 18, "bare": 10}


class Collector:
    """A receiver that counts, and answers, refuses or dawdles as it is told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._receiver: Receiver | None = None
        self._lock = threading.Lock()
        self._delay_seconds = 0.0
        self._changed = threading.Event()
        self._flapper: threading.Thread | None = None
        self.spans: Counter[str] = Counter()
        self.logs: Counter[str] = Counter()
        self.values: dict[tuple[str, str, str], int] = {}

    def turn(self, phase: str) -> None:
        """Begin a phase."""
        self._changed.set()
        if self._flapper is not None:
            self._flapper.join()
            self._flapper = None
        self._changed.clear()
        self._delay_seconds = SLOW_SECONDS if phase == "slow" else 0.0
        self._listen(phase != "dead")
        if phase == "flapping":
            self._flapper = threading.Thread(target=self._flap)
            self._flapper.start()

    def report(self) -> dict[str, Any]:
        """Return what has arrived: distinct records, those that came again, last values."""
        values: Counter[str] = Counter()
        for (_, name, attributes), value in self.values.items():
            values[f"{name} {attributes}".strip()] += value
        return {
            "spans": len(self.spans),
            "spans again": self.spans.total() - len(self.spans),
            "logs": len(self.logs),
            "logs again": self.logs.total() - len(self.logs),
            "values": values,
        }

    def _flap(self) -> None:
        up = True
        while not self._changed.wait(FLAP_SECONDS):
            up = not up
            self._listen(up)

    def _listen(self, up: bool) -> None:
        if self._receiver is not None and not up:
            self._receiver.__exit__()
            self._receiver = None
        elif self._receiver is None and up:
            self._receiver = Receiver(
                port=self._port,
                on_traces=self._add_traces,
                on_logs=self._add_logs,
                on_metrics=self._add_metrics,
            ).__enter__()

    def _add_traces(self, request: Any) -> None:
        time.sleep(self._delay_seconds)
        with self._lock:
            for part in request.resource_spans:
                for scope in part.scope_spans:
                    self.spans.update(
                        span.span_id.hex()
                        for span in scope.spans
                        if span.trace_id.hex().startswith(OURS)
                    )

    def _add_logs(self, request: Any) -> None:
        time.sleep(self._delay_seconds)
        with self._lock:
            for part in request.resource_logs:
                for scope in part.scope_logs:
                    self.logs.update(
                        record.trace_id.hex()
                        for record in scope.log_records
                        if record.trace_id.hex().startswith(OURS)
                    )

    def _add_metrics(self, request: Any) -> None:
        time.sleep(self._delay_seconds)
        with self._lock:
            for part in request.resource_metrics:
                instance = str(part.resource)
                for metric in (each for scope in part.scope_metrics for each in scope.metrics):
                    if metric.name == "bear.exporter.dropped":
                        for point in metric.sum.data_points:
                            words = sorted(each.value.string_value for each in point.attributes)
                            self._keep(instance, metric.name, " ".join(words), point.as_int)
                    elif metric.name == "http.server.request.duration":
                        for point in metric.histogram.data_points:
                            self._keep(instance, metric.name, "", point.count)

    def _keep(self, instance: str, name: str, attributes: str, value: int) -> None:
        key = (instance, name, attributes)
        self.values[key] = max(self.values.get(key, 0), value)


class CollectorProcess:
    """The collector in a process of its own; a context that runs it."""

    def __enter__(self) -> Self:
        self.port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--collector", str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, word: str) -> Any:
        """Begin a phase, or get the report."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(word, file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def serve_collector(port: int) -> None:
    """Be the collector: one word a line in, one line of JSON out."""
    collector = Collector(port)
    for line in sys.stdin:
        word = line.strip()
        if word != "report":
            collector.turn(word)
        print(json.dumps(collector.report() if word == "report" else word), flush=True)


@dataclass
class Load:
    """A steady number of requests a second to one server, with the time that each took.

    Args:
        program: The server.
        rate: Requests a second.
        seconds: By phase, how long each request took.
    """

    program: Program
    rate: int
    phase: str = "warm-up"
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failed: int = 0

    def run(self, stop: threading.Event) -> None:
        """Make requests, each on a connection of its own, so that all workers get some."""
        due = time.perf_counter()
        while True:
            # A request that had to wait for the one before counts from when it was due.
            if stop.wait(max(0.0, due - time.perf_counter())):
                return
            now = time.perf_counter()
            begun = now if now - due < 1 / self.rate else due
            phase = self.phase
            self._request()
            self.seconds[phase].append(time.perf_counter() - begun)
            due += 1 / self.rate

    def count(self) -> int:
        """Return how many requests were made."""
        return sum(map(len, self.seconds.values()))

    def _request(self) -> None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.program.port, 30)) as client:
                trace_id = OURS + secrets.token_hex(14)
                client.request(
                    "GET",
                    f"/queries/{secrets.randbelow(1_000_000)}",
                    headers={"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"},
                )
                answer = client.getresponse()
                answer.read()
                self.failed += answer.status != 200
        except (OSError, http.client.HTTPException):
            self.failed += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How the workers were at one moment, in the order of their names."""

    at: float
    phase: str
    megabytes: list[float]
    descriptors: list[int]
    threads: list[int]
    spool_bytes: int


def list_spool(directory: Path) -> dict[str, tuple[int, int]]:
    """Return how many bytes of the disk, and how many items, wait of each signal."""
    found = {}
    for folder in directory.glob("*"):
        entries = [entry for entry, _ in list_entries(folder)]
        signal_name = folder.name.partition("-")[0]
        found[signal_name] = (sum(e.size for e in entries), sum(e.items for e in entries))
    return found


def take_sample(
    at: float, phase: str, workers: dict[str, psutil.Process], directory: Path
) -> Sample:
    """Look at all workers, and at the largest folder of the spool."""
    return Sample(
        at=at,
        phase=phase,
        megabytes=[each.memory_info().rss / 1e6 for each in workers.values()],
        descriptors=[each.num_fds() for each in workers.values()],
        threads=[each.num_threads() for each in workers.values()],
        spool_bytes=max((size for size, _ in list_spool(directory).values()), default=0),
    )


def print_curve(samples: list[Sample], names: list[str]) -> None:
    """Print one line a minute: the highest of each number in it."""
    print(f"| minute | phases | RSS MB: {', '.join(names)} | fds | threads | spool MB |")
    print("|---|---|---|---|---|---|")
    minutes: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        minutes[int(sample.at // 60)].append(sample)
    for minute, group in minutes.items():
        phases = ", ".join(dict.fromkeys(sample.phase for sample in group))
        columns = [
            " / ".join(
                format(max(values), ".1f" if name == "megabytes" else "d")
                for values in zip(*(getattr(sample, name) for sample in group), strict=True)
            )
            for name in ("megabytes", "descriptors", "threads")
        ]
        spool = max(sample.spool_bytes for sample in group) / 1e6
        print(f"| {minute + 1} | {phases} | {' | '.join(columns)} | {spool:.2f} |")


def print_latencies(loads: dict[str, Load]) -> None:
    """Print p50 and p99 of each server in each phase, and against the healthy phase."""
    print("\n| phase | server | requests | p50 ms | p99 ms | p50 x healthy | p99 x healthy |")
    print("|---|---|---|---|---|---|---|")
    for phase in PHASES:
        for name, load in loads.items():
            p50, p99 = _percentiles(load.seconds[phase])
            healthy50, healthy99 = _percentiles(load.seconds["healthy"])
            print(
                f"| {phase} | {name} | {len(load.seconds[phase])} | {p50 * 1e3:.1f} "
                f"| {p99 * 1e3:.1f} | {p50 / healthy50:.2f} | {p99 / healthy99:.2f} |"
            )


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49], cuts[98]


def print_counts(
    report: dict[str, Any], loads: dict[str, Load], waiting: dict[str, tuple[int, int]]
) -> None:
    """Print what was sent, and what became of it."""
    requests = sum(load.count() for name, load in loads.items() if name != "bare")
    dropped: Counter[str] = Counter()
    for name, value in report["values"].items():
        if name.startswith("bear.exporter.dropped"):
            dropped[next(kind for kind in ("traces", "metrics", "logs") if kind in name)] += value
    print("\n| | sent | arrived | dropped, as counted | on disk | unexplained | arrived again |")
    print("|---|---|---|---|---|---|---|")
    for kind, key, sent in (
        ("spans", "traces", requests * SPANS_A_REQUEST),
        ("logs", "logs", requests),
    ):
        arrived, again, lost = report[kind], report[f"{kind} again"], dropped[key]
        left = waiting.get(key, (0, 0))[1]
        unexplained = sent - arrived - lost - left
        print(f"| {kind} | {sent} | {arrived} | {lost} | {left} | {unexplained} | {again} |")
    failed = sum(load.failed for load in loads.values())
    print(f"\nrequests to the two instrumented servers {requests}; failed of all {failed}")
    print(f"last values: {json.dumps(report['values'], indent=1)}")


def main() -> None:
    """Run all phases and print the tables."""
    parser = argparse.ArgumentParser(description="Servers under load while a collector fails.")
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the length of each phase")
    parser.add_argument("--collector", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.collector:
        serve_collector(options.collector)
        return
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        collector = stack.enter_context(CollectorProcess())
        spool = directory / "spool"
        environment = {
            "OTEL_SERVICE_NAME": "soak",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "OTEL_METRIC_EXPORT_INTERVAL": "10000",
            "BEAR_OTEL_SPOOL_DIRECTORY": str(spool),
            "BEAR_OTEL_SPOOL_MAX_BYTES": str(SPOOL_BYTES),
        }
        collector.ask("healthy")
        apps = ROOT / "benchmarks" / "apps"
        loads = {}
        for name, command in (("uvicorn", UVICORN), ("gunicorn", GUNICORN), ("bare", UVICORN)):
            program = Program(
                command, directory / name, environment=environment, bare=name == "bare", cwd=apps
            )
            stack.callback(program.close)
            loads[name] = Load(program, RATES[name])
        workers = find_workers(loads)
        stop = threading.Event()
        threads = [threading.Thread(target=load.run, args=[stop]) for load in loads.values()]
        for thread in threads:
            thread.start()
        samples: list[Sample] = []
        started = time.monotonic()
        plan = [("warm-up", 15.0), *PHASES.items()] + [*PHASES.items()] * (options.cycles - 1)
        for phase, seconds in [*plan, ("healthy", 75.0)]:
            collector.ask("healthy" if phase == "warm-up" else phase)
            for load in loads.values():
                load.phase = phase
            ends = time.monotonic() + seconds * options.scale
            while time.monotonic() < ends:
                at = time.monotonic() - started
                samples.append(take_sample(at, phase, workers, spool))
                time.sleep(max(0.0, min(SAMPLE_SECONDS, ends - time.monotonic())))
        stop.set()
        for thread in threads:
            thread.join()
        for load in loads.values():
            load.program.signal(signal.SIGTERM)
            load.program.wait()
        report = collector.ask("report")
        print_curve(samples, list(workers))
        print_latencies(loads)
        print_counts(report, loads, list_spool(spool))
        for name, load in loads.items():
            said = [line for line in load.program.stderr.splitlines() if "looked at" not in line]
            print(f"{name} said {len(said)} lines", *said[:40], sep="\n    ")


def find_workers(loads: dict[str, Load]) -> dict[str, psutil.Process]:
    """Return the processes that answer requests, when there are all."""
    masters = {name: psutil.Process(load.program.process.pid) for name, load in loads.items()}
    wait_until(lambda: len(masters["gunicorn"].children()) == 2, "gunicorn has two workers")
    for load in loads.values():

        def answers(load: Load = load) -> bool:
            assert load.program.process.poll() is None, load.program.stderr
            failed = load.failed
            load._request()  # noqa: SLF001 - the same file
            answered, load.failed = load.failed == failed, failed
            if answered:
                load.seconds["first"].append(0.0)
            return answered

        wait_until(answers, "a server answers")
    first, second = masters["gunicorn"].children()
    return {
        "uvicorn": masters["uvicorn"],
        "gunicorn 1": first,
        "gunicorn 2": second,
        "bare": masters["bare"],
    }


if __name__ == "__main__":
    main()
