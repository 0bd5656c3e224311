"""Start real servers and programs, drive them, end them, and collect what they have sent."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bear_otel.cli.receiver import Receiver
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

APPS = Path(__file__).parent / "apps"
BIN = Path(sys.executable).parent

# What has begun to arrive is answered, however busy the machine is: nothing is sent twice.
GRACE_SECONDS = 60.0

# Only a flush at the end can deliver anything.
_NEVER = str(3_600_000)
LATE = {
    "OTEL_BSP_SCHEDULE_DELAY": _NEVER,
    "OTEL_BLRP_SCHEDULE_DELAY": _NEVER,
    "OTEL_METRIC_EXPORT_INTERVAL": _NEVER,
}
# A busy machine may need more than the default to send at the end what it has.
PATIENT = {"BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS": "20"}
# The default; so an end takes less than one request may take that nobody answers.
HASTY = {"BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS": ""}
LONGEST_EXIT_SECONDS = 8.0


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120.0) -> None:
    """Return when `condition` holds.

    Raises:
        AssertionError: It did not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)


@contextmanager
def dead_collector(kind: str) -> Iterator[str]:
    """Yield an endpoint that refuses connections, or one that accepts and never answers."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "hanging":
            listener.listen(128)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class Sink:
    """A collector that remembers what it gets; a context that listens while it is open."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.logs: list[Any] = []
        # `service.instance.id` of who has sent a signal.
        self.instances: dict[str, set[str]] = {"traces": set(), "metrics": set(), "logs": set()}
        # How often each process has sent its metrics.
        self.collections: Counter[str] = Counter()
        self._points: dict[tuple[str, str, str], tuple[int, float, dict[str, str]]] = {}
        self._receiver = Receiver(
            on_traces=self._add_traces,
            on_metrics=self._add_metrics,
            on_logs=self._add_logs,
            grace_seconds=GRACE_SECONDS,
        )

    def __enter__(self) -> Self:
        self._receiver.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._receiver.__exit__(*error)

    @property
    def endpoint(self) -> str:
        """The value for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return self._receiver.endpoint

    def trace_ids(self, kind: str) -> Counter[str]:
        """Return how many spans of a kind each trace has."""
        kinds = {"server": 2, "client": 3}
        return Counter(span.trace_id.hex() for span in self.spans if span.kind == kinds[kind])

    def log_lines(self) -> Counter[tuple[str, str]]:
        """Return text and trace of each log record."""
        return Counter((log.body.string_value, log.trace_id.hex()) for log in self.logs)

    def total(self, metric: str, **attributes: str) -> float:
        """Return the last value of a sum, or count of a histogram, over all processes and series.

        Args:
            metric: Its name.
            attributes: What a series must have to be counted, with `_` for `.`.
        """
        wanted = {key.replace("_", "."): value for key, value in attributes.items()}
        return sum(
            value
            for (_, name, _), (_, value, found) in self._points.items()
            if name == metric and wanted.items() <= found.items()
        )

    def measured_instances(self) -> set[str]:
        """Return the `service.instance.id` of the processes that sent process metrics."""
        return {instance for instance, name, _ in self._points if name == "process.uptime"}

    def _add_traces(self, request: Any) -> None:
        for part in request.resource_spans:
            self.instances["traces"].add(_attributes(part.resource)["service.instance.id"])
            self.spans += [span for scope in part.scope_spans for span in scope.spans]

    def _add_logs(self, request: Any) -> None:
        for part in request.resource_logs:
            self.instances["logs"].add(_attributes(part.resource)["service.instance.id"])
            self.logs += [log for scope in part.scope_logs for log in scope.log_records]

    def _add_metrics(self, request: Any) -> None:
        for part in request.resource_metrics:
            instance = _attributes(part.resource)["service.instance.id"]
            self.instances["metrics"].add(instance)
            self.collections[instance] += 1
            for metric in (each for scope in part.scope_metrics for each in scope.metrics):
                data = getattr(metric, metric.WhichOneof("data"))
                for point in data.data_points:
                    attributes = _attributes(point)
                    key = (instance, metric.name, repr(sorted(attributes.items())))
                    value = point.count if hasattr(point, "count") else _number(point)
                    before = self._points.get(key, (0, 0, {}))
                    self._points[key] = max(before, (point.time_unix_nano, value, attributes))


def _attributes(owner: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in owner.attributes}


def _number(point: Any) -> float:
    return getattr(point, point.WhichOneof("value"))


@dataclass
class Program:
    """A program in a process group of its own, with its output in files.

    Args:
        command: What to run; `{port}` stands for a free port.
        directory: For the output files.
        environment: Variables besides `PATH` and `HOME`.
        bare: Whether to run it without our launcher.
        cwd: Working directory.
    """

    command: str | Sequence[str]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    bare: bool = False
    cwd: Path = APPS

    def __post_init__(self) -> None:
        self.port = free_port()
        words = self.command.split() if isinstance(self.command, str) else self.command
        words = [word.replace("{port}", str(self.port)) for word in words]
        self.directory.mkdir(parents=True, exist_ok=True)
        self._output = self.directory / "stdout", self.directory / "stderr"
        with self._output[0].open("wb") as stdout, self._output[1].open("wb") as stderr:
            self.process = subprocess.Popen(
                words if self.bare else ["bear-otel-instrument", *words],
                cwd=self.cwd,
                env={
                    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
                    "HOME": str(self.directory),
                    # Without one, any Python in between would choose this, and pass it on.
                    "LANG": "C.UTF-8",
                    "OTEL_SERVICE_NAME": "lifecycle",
                    **PATIENT,
                    **self.environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        """What it has written to stdout so far."""
        return self._output[0].read_text()

    @property
    def stderr(self) -> str:
        """What it has written to stderr so far."""
        return self._output[1].read_text()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """Return the answer to one request on a new connection.

        Raises:
            OSError: There was none.
        """
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as client:
            client.request("GET", path, headers={"Connection": "close", **(headers or {})})
            answer = client.getresponse()
            body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)

    def find_workers(self, count: int) -> set[int]:
        """Return the pids of the workers when `count` of them have answered."""
        pids: set[int] = set()

        def look() -> bool:
            assert self.process.poll() is None, self.stderr
            with ThreadPoolExecutor(2 * count) as pool:
                asked = [pool.submit(self.try_pid) for _ in range(2 * count)]
                pids.update(pid for each in asked if (pid := each.result()))
            return len(pids) >= count

        wait_until(look, f"{count} workers answer")
        return pids

    def try_pid(self) -> int | None:
        """Return the pid of a worker, or None when nobody answers."""
        try:
            return self.get("/pid")
        except (OSError, http.client.HTTPException):
            return None

    def order(self, count: int) -> Sent:
        """Make requests one after the other; those that get no answer are tried again."""
        sent = Sent()
        for number in range(count):

            def answered(number: int = number) -> bool:
                trace_id = secrets.token_hex(16)
                traceparent = f"00-{trace_id}-{secrets.token_hex(8)}-01"
                try:
                    assert self.get(f"/orders/{number}", {"traceparent": traceparent}) == number
                except (OSError, http.client.HTTPException):
                    sent.unanswered.add(trace_id)
                    assert self.process.poll() is None, self.stderr
                    return False
                sent.answered[trace_id] = number
                return True

            wait_until(answered, f"order {number} is answered")
        return sent

    def signal(self, how: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to it, or to all its processes, as a terminal does."""
        if group:
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)

    def wait(self, seconds: float = 60.0) -> int:
        """Return its exit code."""
        return self.process.wait(seconds)

    def close(self) -> None:
        """Leave no process of its group behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)


@dataclass
class Sent:
    """The requests that were made, by trace id."""

    answered: dict[str, int] = field(default_factory=dict)
    # The server may have begun to work on them.
    unanswered: set[str] = field(default_factory=set)

    def __or__(self, other: Sent) -> Sent:
        return Sent(self.answered | other.answered, self.unanswered | other.unanswered)


def check_received(sink: Sink, sent: Sent) -> None:
    """Assert that all there is to know about the requests has arrived, and once."""
    expected = Counter(dict.fromkeys(sent.answered, 1))
    assert _without(sink.trace_ids("client"), sent.unanswered) == expected
    orders = Counter({(f"order {n}", trace): 1 for trace, n in sent.answered.items()})
    lines = Counter({key: n for key, n in sink.log_lines().items() if key[0].startswith("order ")})
    assert Counter({key: n for key, n in lines.items() if key[1] not in sent.unanswered}) == orders
    server = sink.trace_ids("server")
    assert {trace: server[trace] for trace in expected} == expected
    # Requests that were begun and not answered have been counted, too.
    begun = expected.total() + sum(line[1] in sent.unanswered for line in lines)
    assert sink.total("service.orders") == begun
    assert sink.total("db.client.operation.duration") == begun
    if not sent.unanswered:
        assert sink.total("http.server.request.duration", http_route="/orders/{number}") == begun


def _without(counts: Counter[str], keys: set[str]) -> Counter[str]:
    return Counter({key: count for key, count in counts.items() if key not in keys})


def normalize(output: str) -> set[str]:
    """Return the kinds of lines of an output: without numbers, each once."""
    return {re.sub(r"\d+", "N", line) for line in output.splitlines()}
