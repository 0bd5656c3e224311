"""A service in which every source tells all that it can emits the catalogue, and nothing else.

It is the example, with the routes of `tests/apps/everything.py` beside it, under the launcher, with
a real PostgreSQL and a server with OpenAI's interface. Nothing stands in for anything but the
driver of a GPU (`hw.gpu.memory.*`), which is played below NVIDIA's library.
"""

from __future__ import annotations

import http.client
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed

from bear_otel.catalogue import EVENTS, METRICS, Event, Metric
from bear_otel.cli.receiver import Receiver
from tests.lifecycle.lifecycle_harness import Program, wait_until
from tests.ports import free_port
from tests.postgres import running_postgres
from tests.sources.genai_server import GOOD_KEY, serve_model
from tests.test_catalogue import CONVENTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.server

ROOT = Path(__file__).parent.parent

# What OTLP makes of a kind: the data, and whether a sum only grows.
KINDS = {
    "counter": ("sum", True),
    "up_down_counter": ("sum", False),
    "histogram": ("histogram", None),
    "gauge": ("gauge", None),
}

SETTINGS = {
    "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    "OTEL_BLRP_SCHEDULE_DELAY": "200",
    # So small that a flood of spans is dropped, and traces are decided early.
    "OTEL_BSP_MAX_QUEUE_SIZE": "100",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100",
    "BEAR_OTEL_SAMPLING_PERFORMANCE": "0.999",
    "BEAR_OTEL_SAMPLING_MAX_SPANS": "10",
    # All that is off by default.
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY",
    "BEAR_OTEL_USER_TRACKING_ENABLED": "true",
    "BEAR_OTEL_USER_SAMPLING": "1",
    "BEAR_OTEL_USER_DEVICE_MIN_SESSIONS": "1",
}


@dataclass
class Emitted:
    """What has arrived, by name: how a metric is made, with which severities, which attributes."""

    metrics: dict[str, set[Any]] = field(default_factory=lambda: defaultdict(set))
    events: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    attributes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    # Attributes of all spans.
    of_spans: set[str] = field(default_factory=set)

    def add_traces(self, request: Any) -> None:
        """Take what the receiver hands over."""
        scopes = [scope for each in request.resource_spans for scope in each.scope_spans]
        for span in (span for scope in scopes for span in scope.spans):
            self.of_spans |= {each.key for each in span.attributes}

    def add_metrics(self, request: Any) -> None:
        """Take what the receiver hands over."""
        scopes = [scope for each in request.resource_metrics for scope in each.scope_metrics]
        for metric in (metric for scope in scopes for metric in scope.metrics):
            kind = metric.WhichOneof("data")
            data = getattr(metric, kind)
            for point in data.data_points:
                bounds = tuple(point.explicit_bounds) if kind == "histogram" else None
                grows = data.is_monotonic if kind == "sum" else None
                self.metrics[metric.name].add((kind, grows, metric.unit, bounds))
                self.attributes[metric.name] |= {each.key for each in point.attributes}

    def add_logs(self, request: Any) -> None:
        """Take what the receiver hands over."""
        scopes = [scope for each in request.resource_logs for scope in each.scope_logs]
        for log in (log for scope in scopes for log in scope.log_records):
            if log.event_name:
                self.events[log.event_name].add(log.severity_text or "none")
                self.attributes[log.event_name] |= {each.key for each in log.attributes}


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emitted]:
    """Run the service once, through all that it can do."""
    emitted, directory = Emitted(), tmp_path_factory.mktemp("everything")
    with (
        running_postgres() as postgres,
        serve_model() as model,
        Receiver(
            on_traces=emitted.add_traces,
            on_metrics=emitted.add_metrics,
            on_logs=emitted.add_logs,
        ) as receiver,
    ):
        environment = {
            **SETTINGS,
            "PYTHONPATH": str(ROOT / "examples" / "shop"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            # Where the process that measures the host is elected.
            "TMPDIR": str(directory),
            "POSTGRES": postgres.url("psycopg"),
            "MODEL_URL": model.url,
            "MODEL_KEY": GOOD_KEY,
            "NOBODY": str(free_port()),
        }
        command = "uvicorn --port {port} everything:app"
        app = Path(__file__).parent / "apps"
        program = Program(command, directory, environment=environment, cwd=app)
        try:
            drive(program, emitted)
            program.process.terminate()
            program.wait()
        finally:
            program.close()
        yield emitted


def drive(program: Program, emitted: Emitted) -> None:
    """Make the requests, and wait for what comes by itself."""

    def is_up() -> bool:
        assert program.process.poll() is None, program.stderr
        return program.try_pid() is not None

    wait_until(is_up, "the service answers")
    order = b'{"email": "ada@example.com", "item": "Engine", "cents": 1}'
    assert ask(program, "POST", "/orders", order) == 201
    assert ask(program, "POST", "/orders", b"{}") == 422
    assert ask(program, "POST", "/orders/1/pay?card=4111111111111111") == 500
    url = f"ws://127.0.0.1:{program.port}/socket"
    with websockets.sync.client.connect(url) as websocket:
        websocket.send("hello")
        with pytest.raises(ConnectionClosed):
            websocket.recv()
    assert ask(program, "GET", "/everything") == 200, program.stderr
    wait_until(lambda: "bear.asyncio.blocked" in emitted.events, "the loop was blocked")
    wait_until(
        lambda: "INFO" in emitted.events["bear.health.status.changed"], "the check has recovered"
    )
    wait_until(lambda: "gen_ai.request.model" in emitted.of_spans, "the spans of the request")
    assert ask(program, "GET", "/flood") == 200
    wait_until(lambda: "bear.exporter.dropped" in emitted.metrics, "spans were dropped")


def ask(program: Program, method: str, path: str, body: bytes = b"") -> int:
    """Return the status of the answer to a request."""
    with closing(http.client.HTTPConnection("127.0.0.1", program.port, timeout=60)) as client:
        client.request(method, path, body, {"Content-Type": "application/json"})
        return client.getresponse().status


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_a_metric_is_what_its_row_says(row: Metric, emitted: Emitted) -> None:
    """Kind, unit and boundaries; all its attributes, and no other."""
    kind = KINDS[row.kind.removeprefix("observable_")]
    assert emitted.metrics[row.name] == {(*kind, row.unit, row.boundaries)}
    assert emitted.attributes[row.name] == set(row.attributes)


@pytest.mark.parametrize("row", EVENTS, ids=lambda row: row.name)
def test_an_event_is_what_its_row_says(row: Event, emitted: Emitted) -> None:
    """Its severities are among those of the row; all its attributes, and no other."""
    severities = set(row.severity.replace(" or ", ", ").split(", "))
    assert emitted.events[row.name]
    assert emitted.events[row.name] <= severities
    assert emitted.attributes[row.name] == set(row.attributes)


def test_nothing_else_is_emitted(emitted: Emitted) -> None:
    """What we, FastAPI and the instrumentors tell is in the catalogue."""
    assert set(emitted.metrics) <= {row.name for row in METRICS}
    assert set(emitted.events) <= {row.name for row in EVENTS}


def test_attributes_of_spans_are_in_the_conventions(emitted: Emitted) -> None:
    """Spans have no rows: their attributes are OpenTelemetry's, or start with `bear.`."""
    assert {"http.route", "db.query.text", "gen_ai.request.model"} <= emitted.of_spans
    names = {name for name in emitted.of_spans if not name.startswith(("bear.", "fastapi."))}
    assert names <= CONVENTIONS
