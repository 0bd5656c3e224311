"""A collector that comes and goes, programs that count what they leave, and the sum of both."""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bear_otel.cli.receiver import Receiver
from tests.lifecycle.lifecycle_harness import GRACE_SECONDS, Program, wait_until
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

APPS = Path(__file__).parent / "apps"

# The magic word and the checksum before the body.
_HEADER_BYTES = 8


class Collector:
    """A collector on one port that can be up or down; it remembers what it got, and when."""

    def __init__(self) -> None:
        self.port = free_port()
        self.spans: list[tuple[str, float]] = []
        self.logs: list[tuple[str, float]] = []
        self.sums: dict[tuple[str, str, str], int] = {}
        self._receiver: Receiver | None = None

    @property
    def endpoint(self) -> str:
        """The value for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Answer."""
        self._receiver = Receiver(
            port=self.port,
            on_traces=self._add_traces,
            on_logs=self._add_logs,
            on_metrics=self._add_metrics,
            grace_seconds=GRACE_SECONDS,
        )
        self._receiver.__enter__()

    def down(self) -> None:
        """Refuse connections."""
        if self._receiver is not None:
            self._receiver.__exit__()
        self._receiver = None

    def count(self, kind: str = "spans") -> Counter[str]:
        """Return how often each job has arrived."""
        return Counter(job for job, _ in getattr(self, kind) if job.startswith("job-"))

    def sum(self, metric: str, text: str = "") -> int:
        """Return the last value of a sum over all processes and the series with a text in them."""
        return sum(
            value for (_, name, key), value in self.sums.items() if name == metric and text in key
        )

    def _add_traces(self, request: Any) -> None:
        now = time.time()
        for part in request.resource_spans:
            for scope in part.scope_spans:
                self.spans += [(span.name, now) for span in scope.spans]

    def _add_logs(self, request: Any) -> None:
        now = time.time()
        for part in request.resource_logs:
            for scope in part.scope_logs:
                self.logs += [(record.body.string_value, now) for record in scope.log_records]

    def _add_metrics(self, request: Any) -> None:
        for part in request.resource_metrics:
            instance = str(part.resource)
            for metric in (each for scope in part.scope_metrics for each in scope.metrics):
                for point in metric.sum.data_points:
                    key = (instance, metric.name, str(point.attributes))
                    self.sums[key] = max(self.sums.get(key, 0), point.as_int)


@dataclass
class Emitters:
    """Programs that send to one collector and share one spool.

    Args:
        directory: For journals, output and spool.
        collector: Where they send.
        environment: More variables.
    """

    directory: Path
    collector: Collector
    environment: Mapping[str, str] = field(default_factory=dict)
    programs: list[Program] = field(default_factory=list)

    @property
    def spool(self) -> Path:
        """The directory of the spool."""
        return self.directory / "spool"

    def start(self, name: str, *, rate: float = 100, seconds: float = 600, **more: str) -> Program:
        """Start a program that leaves `rate` jobs a second for some seconds."""
        script = APPS / "emitter.py"
        program = Program(
            ["python", str(script), str(self._journal(name)), name, str(rate), str(seconds)],
            self.directory / f"output-{name}",
            environment={
                "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.endpoint,
                "OTEL_SERVICE_NAME": "emitter",
                "BEAR_OTEL_SPOOL_DIRECTORY": str(self.spool),
                "BEAR_OTEL_HOST_METRICS_ENABLED": "false",
                **self.environment,
                **more,
            },
        )
        self.programs.append(program)
        return program

    def left(self, *names: str) -> dict[str, float]:
        """Return the jobs that some programs have left, and when."""
        jobs = {}
        for name in names:
            path = self._journal(name)
            for line in path.read_text().splitlines() if path.exists() else ():
                moment, job = line.split()
                jobs[job] = float(moment)
        return jobs

    def files(self, signals: str = "*") -> int:
        """Return how many bodies wait on disk."""
        return len(list(self.spool.glob(f"{signals}-*/[!.]*.otlp")))

    def wait_until_kept(self, *names: str) -> float:
        """Return a moment; all that some programs had left until then has arrived or is on disk."""
        now = time.time()
        jobs = {job for job, moment in self.left(*names).items() if moment <= now}

        def are_kept() -> bool:
            spans, logs = read_spool(self.spool)
            kept = spans | self.collector.count("spans"), logs | self.collector.count("logs")
            return all(jobs <= each.keys() for each in kept)

        wait_until(are_kept, "all has arrived or is on disk")
        return now

    def close(self) -> None:
        """End all programs."""
        for program in self.programs:
            program.close()

    def _journal(self, name: str) -> Path:
        return self.directory / f"{name}.journal"


def read_spool(directory: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the names of the spans, and the texts of the log records, that wait on disk."""

    def read(signal: str, kind: Any) -> Iterator[Any]:
        for path in directory.glob(f"{signal}-*/[!.]*.otlp"):
            with suppress(FileNotFoundError):  # it has been sent meanwhile
                body = path.read_bytes()[_HEADER_BYTES:]
                yield kind.FromString(
                    gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
                )

    spans = Counter(
        span.name
        for request in read("traces", ExportTraceServiceRequest)
        for part in request.resource_spans
        for scope in part.scope_spans
        for span in scope.spans
    )
    logs = Counter(
        record.body.string_value
        for request in read("logs", ExportLogsServiceRequest)
        for part in request.resource_logs
        for scope in part.scope_logs
        for record in scope.log_records
    )
    return spans, logs


def check_arrived(
    collector: Collector, left: Mapping[str, float], *, kept_until: float | None = None
) -> None:
    """Assert that all jobs have arrived, and once, but for the last before a kill.

    Args:
        collector: What has arrived.
        left: What has been left, and when.
        kept_until: From when on a kill may have cost what was left.
    """
    for kind in ("spans", "logs"):
        arrived = collector.count(kind)
        missing = sorted(left[job] for job in left if job not in arrived)
        if kept_until is not None:
            missing = [moment for moment in missing if moment <= kept_until]
        assert missing == [], f"{len(missing)} {kind} are missing"
        assert {job: n for job, n in arrived.items() if job in left and n > 1} == {}


def running_as_root() -> bool:
    """Return whether folders can be mounted and given away."""
    return sys.platform == "linux" and os.geteuid() == 0
