"""The collector of the soak: it counts, and answers, refuses or dawdles as it is told.

It runs in a process of its own: python benchmarks/soak_collector.py PORT; one word a line in, one
line of JSON out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bear_otel.cli.receiver import Receiver  # noqa: E402 - needs the path
from tests.lifecycle.lifecycle_harness import free_port  # noqa: E402

SLOW_SECONDS = 5.0
FLAP_SECONDS = 3.0
# Of the trace ids of the load; others are of what the servers do when they start.
OURS = "50a4"


class Arrived:
    """The records of one kind that have arrived, by id."""

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()
        self._others: Counter[str] = Counter()
        # Taken, but the connection was gone before the answer: the sender cannot know.
        self._unanswered: set[str] = set()

    def add(self, records: list[tuple[str, str, str]], *, answered: bool) -> None:
        """Count records: id, id of the trace, and name."""
        ours = [record_id for record_id, trace_id, _ in records if trace_id.startswith(OURS)]
        self._times.update(ours)
        self._others.update(name for _, trace_id, name in records if not trace_id.startswith(OURS))
        if not answered:
            self._unanswered.update(ours)

    def report(self) -> dict[str, Any]:
        """Return how many are distinct, how many came again, and what else came.

        `once, unanswered` is what came once although its sender had to take it for lost: it has
        dropped it, or keeps it on disk.
        """
        once = sum(self._times[each] == 1 for each in self._unanswered)
        return {
            "distinct": len(self._times),
            "again": self._times.total() - len(self._times),
            "once, unanswered": once,
            "others": self._others,
        }


class Collector:
    """A receiver that counts, and answers, refuses or dawdles as it is told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._receiver: Receiver | None = None
        self._lock = threading.Lock()
        self._delay_seconds = 0.0
        self._changed = threading.Event()
        self._flapper: threading.Thread | None = None
        self._closed = 0
        self.spans = Arrived()
        self.logs = Arrived()
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
        """Return what has arrived, and the last values of metrics."""
        values: Counter[str] = Counter()
        for (_, name, attributes), value in self.values.items():
            values[f"{name} {attributes}".strip()] += value
        return {"spans": self.spans.report(), "logs": self.logs.report(), "values": values}

    def _flap(self) -> None:
        up = True
        while not self._changed.wait(FLAP_SECONDS):
            up = not up
            self._listen(up)

    def _listen(self, up: bool) -> None:
        if self._receiver is not None and not up:
            self._receiver.__exit__()
            self._receiver = None
            self._closed += 1
        elif self._receiver is None and up:
            self._receiver = Receiver(
                port=self._port,
                on_traces=self._add_traces,
                on_logs=self._add_logs,
                on_metrics=self._add_metrics,
            ).__enter__()

    def _add_traces(self, request: Any) -> None:
        spans = [
            (span.span_id.hex(), span.trace_id.hex(), span.name)
            for part in request.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ]
        self._add(self.spans, spans)

    def _add_logs(self, request: Any) -> None:
        # One line a request, so that its trace identifies it.
        records = [
            (record.trace_id.hex(), record.trace_id.hex(), record.body.string_value)
            for part in request.resource_logs
            for scope in part.scope_logs
            for record in scope.log_records
        ]
        self._add(self.logs, records)

    def _add(self, arrived: Arrived, records: list[tuple[str, str, str]]) -> None:
        closed = self._closed
        time.sleep(self._delay_seconds)
        with self._lock:
            arrived.add(records, answered=self._closed == closed)

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
            [sys.executable, __file__, str(self.port)],
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


def main() -> None:
    """Be the collector."""
    collector = Collector(int(sys.argv[1]))
    for line in sys.stdin:
        word = line.strip()
        if word != "report":
            collector.turn(word)
        print(json.dumps(collector.report() if word == "report" else word), flush=True)


if __name__ == "__main__":
    main()
