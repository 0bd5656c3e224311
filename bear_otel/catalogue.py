"""The catalogue: every metric and event that a service under bear-otel emits, one row each.

Names, units and attributes follow the OpenTelemetry semantic conventions
(https://opentelemetry.io/docs/specs/semconv/); what they do not know starts with `bear.`.
Instruments are created from these rows only, and the documentation is generated from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackT, Meter

Kind = Literal[
    "counter",
    "up_down_counter",
    "histogram",
    "gauge",
    "observable_counter",
    "observable_up_down_counter",
    "observable_gauge",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: what `create` needs, and what the reader of a dashboard must know."""

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    boundaries: tuple[float, ...] | None = None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One log record with an event name."""

    name: str
    severity: str
    description: str
    attributes: tuple[str, ...] = ()
    source: str


def create(meter: Meter, row: Metric, callback: CallbackT | None = None) -> Any:
    """Create the instrument of a row.

    Args:
        meter: Meter of the source that records it.
        row: A row of this catalogue.
        callback: Yields the observations of an observable instrument.
    """
    arguments: dict[str, Any] = {"unit": row.unit, "description": row.description}
    if row.boundaries is not None:
        arguments["explicit_bucket_boundaries_advisory"] = row.boundaries
    if row.kind.startswith("observable"):
        arguments["callbacks"] = [callback] if callback else []
    return getattr(meter, f"create_{row.kind}")(row.name, **arguments)


# Seconds; the boundaries that the HTTP and database conventions advise.
_HTTP_BOUNDARIES = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
_DB_BOUNDARIES = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)

# --- requests: recorded by FastAPI itself, or by the contrib instrumentation below 0.142 --------
HTTP_SERVER_REQUEST_DURATION = Metric(
    name="http.server.request.duration",
    kind="histogram",
    unit="s",
    description="Duration of HTTP server requests.",
    attributes=(
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "url.scheme",
        "network.protocol.version",
        "error.type",
    ),
    boundaries=_HTTP_BOUNDARIES,
    source="fastapi",
)
HTTP_SERVER_ACTIVE_REQUESTS = Metric(
    name="http.server.active_requests",
    kind="up_down_counter",
    unit="{request}",
    description="Number of HTTP server requests in flight.",
    attributes=("http.request.method", "url.scheme"),
    source="fastapi",
)
HTTP_CLIENT_REQUEST_DURATION = Metric(
    name="http.client.request.duration",
    kind="histogram",
    unit="s",
    description="Duration of HTTP client requests.",
    attributes=(
        "http.request.method",
        "http.response.status_code",
        "server.address",
        "server.port",
        "network.protocol.version",
        "error.type",
    ),
    boundaries=_HTTP_BOUNDARIES,
    source="httpx, requests",
)

# --- database: sources/database.py --------------------------------------------------------------
DB_CLIENT_OPERATION_DURATION = Metric(
    name="db.client.operation.duration",
    kind="histogram",
    unit="s",
    description="Duration of database calls, without fetching the rows of a streamed result.",
    attributes=(
        "db.system.name",
        "db.namespace",
        "db.operation.name",
        "server.address",
        "server.port",
        "error.type",
    ),
    boundaries=_DB_BOUNDARIES,
    source="database",
)
DB_CLIENT_CONNECTION_COUNT = Metric(
    name="db.client.connection.count",
    kind="observable_up_down_counter",
    unit="{connection}",
    description="Connections of the pool by state.",
    attributes=("db.client.connection.pool.name", "db.client.connection.state"),
    source="database",
)
DB_CLIENT_CONNECTION_MAX = Metric(
    name="db.client.connection.max",
    kind="observable_up_down_counter",
    unit="{connection}",
    description="Most connections that the pool may open.",
    attributes=("db.client.connection.pool.name",),
    source="database",
)
DB_CLIENT_CONNECTION_IDLE_MAX = Metric(
    name="db.client.connection.idle.max",
    kind="observable_up_down_counter",
    unit="{connection}",
    description="Most connections that the pool keeps open unused.",
    attributes=("db.client.connection.pool.name",),
    source="database",
)
DB_CLIENT_CONNECTION_PENDING_REQUESTS = Metric(
    name="db.client.connection.pending_requests",
    kind="observable_up_down_counter",
    unit="{request}",
    description="Callers that wait for a connection of the pool.",
    attributes=("db.client.connection.pool.name",),
    source="database",
)
DB_CLIENT_CONNECTION_TIMEOUTS = Metric(
    name="db.client.connection.timeouts",
    kind="counter",
    unit="{timeout}",
    description="Callers that gave up waiting for a connection of the pool.",
    attributes=("db.client.connection.pool.name",),
    source="database",
)
DB_CONNECT_ERRORS = Metric(
    name="bear.db.connect_errors",
    kind="counter",
    unit="{error}",
    description="Connections that could not be opened.",
    attributes=("db.system.name", "db.namespace", "server.address", "server.port", "error.type"),
    source="database",
)
DB_DEADLOCKS = Metric(
    name="bear.db.deadlocks",
    kind="counter",
    unit="{deadlock}",
    description="Statements and commits that the database ended because of a deadlock.",
    attributes=(
        "db.system.name",
        "db.namespace",
        "server.address",
        "server.port",
        "db.response.status_code",
    ),
    source="database",
)
DB_LOCK_TIMEOUTS = Metric(
    name="bear.db.lock_timeouts",
    kind="counter",
    unit="{timeout}",
    description="Statements and commits that gave up waiting for a lock.",
    attributes=(
        "db.system.name",
        "db.namespace",
        "server.address",
        "server.port",
        "db.response.status_code",
    ),
    source="database",
)

# --- process and host: sources/process.py -------------------------------------------------------
PROCESS_CPU_TIME = Metric(
    name="process.cpu.time",
    kind="observable_counter",
    unit="s",
    description="CPU time of the process.",
    attributes=("cpu.mode",),
    source="process",
)
PROCESS_CPU_UTILIZATION = Metric(
    name="process.cpu.utilization",
    kind="observable_gauge",
    unit="1",
    description="CPU time since the last collection, as a share of the CPUs open to the process.",
    attributes=("cpu.mode",),
    source="process",
)
PROCESS_MEMORY_USAGE = Metric(
    name="process.memory.usage",
    kind="observable_up_down_counter",
    unit="By",
    description="Physical memory in use (resident set).",
    source="process",
)
PROCESS_MEMORY_VIRTUAL = Metric(
    name="process.memory.virtual",
    kind="observable_up_down_counter",
    unit="By",
    description="Committed virtual memory.",
    source="process",
)
PROCESS_THREAD_COUNT = Metric(
    name="process.thread.count",
    kind="observable_up_down_counter",
    unit="{thread}",
    description="Threads of the process.",
    source="process",
)
PROCESS_FILE_DESCRIPTOR_COUNT = Metric(
    name="process.unix.file_descriptor.count",
    kind="observable_up_down_counter",
    unit="{file_descriptor}",
    description="Open file descriptors.",
    source="process",
)
PROCESS_CONTEXT_SWITCHES = Metric(
    name="process.context_switches",
    kind="observable_counter",
    unit="{context_switch}",
    description="Times the process was switched out.",
    attributes=("process.context_switch.type",),
    source="process",
)
PROCESS_UPTIME = Metric(
    name="process.uptime",
    kind="observable_gauge",
    unit="s",
    description="Time since the process started.",
    source="process",
)
CPYTHON_GC_COLLECTIONS = Metric(
    name="cpython.gc.collections",
    kind="observable_counter",
    unit="{collection}",
    description="Garbage collections by generation.",
    attributes=("cpython.gc.generation",),
    source="process",
)
CPYTHON_GC_COLLECTED_OBJECTS = Metric(
    name="cpython.gc.collected_objects",
    kind="observable_counter",
    unit="{object}",
    description="Objects collected by generation.",
    attributes=("cpython.gc.generation",),
    source="process",
)
CPYTHON_GC_UNCOLLECTABLE_OBJECTS = Metric(
    name="cpython.gc.uncollectable_objects",
    kind="observable_counter",
    unit="{object}",
    description="Objects found uncollectable by generation.",
    attributes=("cpython.gc.generation",),
    source="process",
)
SYSTEM_CPU_UTILIZATION = Metric(
    name="system.cpu.utilization",
    kind="observable_gauge",
    unit="1",
    description="CPU time since the last collection as a share of all the CPUs' time, by mode.",
    attributes=("cpu.mode",),
    source="host",
)
SYSTEM_MEMORY_USAGE = Metric(
    name="system.memory.usage",
    kind="observable_up_down_counter",
    unit="By",
    description="Memory of the host by state.",
    attributes=("system.memory.state",),
    source="host",
)
SYSTEM_MEMORY_UTILIZATION = Metric(
    name="system.memory.utilization",
    kind="observable_gauge",
    unit="1",
    description="Share of the host's memory by state.",
    attributes=("system.memory.state",),
    source="host",
)
SYSTEM_FILESYSTEM_UTILIZATION = Metric(
    name="system.filesystem.utilization",
    kind="observable_gauge",
    unit="1",
    description="Share of the file system in use.",
    attributes=("system.device", "system.filesystem.mountpoint", "system.filesystem.type"),
    source="host",
)
SYSTEM_DISK_IO = Metric(
    name="system.disk.io",
    kind="observable_counter",
    unit="By",
    description="Bytes read from and written to disks.",
    attributes=("system.device", "disk.io.direction"),
    source="host",
)
SYSTEM_NETWORK_IO = Metric(
    name="system.network.io",
    kind="observable_counter",
    unit="By",
    description="Bytes received and sent by network interfaces.",
    attributes=("network.interface.name", "network.io.direction"),
    source="host",
)

# --- event loop: sources/event_loop.py ----------------------------------------------------------
ASYNCIO_LOOP_LAG = Metric(
    name="bear.asyncio.loop.lag",
    kind="histogram",
    unit="s",
    description="How late the event loop runs a timer that is due, ten times a second.",
    boundaries=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    source="event_loop",
)

# --- health checks: sources/health_reporting.py -------------------------------------------------
HEALTH_STATUS = Metric(
    name="bear.health.status",
    kind="observable_gauge",
    unit="1",
    description="1 for the state that a health check is in, 0 for the other three.",
    attributes=("bear.health.check.name", "bear.health.state"),
    source="health",
)
HEALTH_CHECK_DURATION = Metric(
    name="bear.health.check.duration",
    kind="histogram",
    unit="s",
    description="Duration of health checks.",
    attributes=("bear.health.check.name", "error.type"),
    boundaries=_HTTP_BOUNDARIES,
    source="health",
)

# --- errors: sources/errors.py ------------------------------------------------------------------
EXCEPTIONS = Metric(
    name="bear.exceptions",
    kind="observable_counter",
    unit="{exception}",
    description="Exceptions nobody caught, logged as errors, or captured; each counts once.",
    attributes=("error.type", "bear.exception.handled"),
    source="errors",
)

# --- models: opentelemetry-util-genai, sources/genai_models.py, sources/gpu.py ------------------
_GENAI_ATTRIBUTES = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
)
# Seconds and tokens; the boundaries that the GenAI conventions advise.
_GENAI_BOUNDARIES = tuple(0.01 * 2**power for power in range(14))
_TOKEN_BOUNDARIES = tuple(float(4**power) for power in range(14))

GEN_AI_CLIENT_OPERATION_DURATION = Metric(
    name="gen_ai.client.operation.duration",
    kind="histogram",
    unit="s",
    description="Duration of calls to models, to the last chunk of a streamed answer.",
    attributes=(*_GENAI_ATTRIBUTES, "error.type"),
    boundaries=_GENAI_BOUNDARIES,
    source="genai",
)
GEN_AI_CLIENT_TOKEN_USAGE = Metric(
    name="gen_ai.client.token.usage",
    kind="histogram",
    unit="{token}",
    description="Tokens of a call, by type: input and output.",
    attributes=(*_GENAI_ATTRIBUTES, "gen_ai.token.type", "error.type"),
    boundaries=_TOKEN_BOUNDARIES,
    source="genai",
)
GEN_AI_CLIENT_TIME_TO_FIRST_CHUNK = Metric(
    name="gen_ai.client.operation.time_to_first_chunk",
    kind="histogram",
    unit="s",
    description="Time from the call to the first chunk of a streamed answer.",
    attributes=_GENAI_ATTRIBUTES,
    boundaries=_GENAI_BOUNDARIES,
    source="genai",
)
GEN_AI_CLIENT_TIME_PER_OUTPUT_CHUNK = Metric(
    name="gen_ai.client.operation.time_per_output_chunk",
    kind="histogram",
    unit="s",
    description="Time from one chunk of a streamed answer to the next.",
    attributes=_GENAI_ATTRIBUTES,
    boundaries=_GENAI_BOUNDARIES,
    source="genai",
)
GEN_AI_EVALUATION_SCORE = Metric(
    name="bear.gen_ai.evaluation.score",
    kind="gauge",
    unit="1",
    description="Last score of a model in an evaluation, such as its accuracy on a dataset.",
    attributes=("gen_ai.evaluation.name", "gen_ai.request.model", "bear.gen_ai.dataset"),
    source="genai",
)
GEN_AI_MODEL_MEMORY_USAGE = Metric(
    name="bear.gen_ai.model.memory.usage",
    kind="observable_gauge",
    unit="By",
    description="Memory that a model takes, as the application measures it.",
    attributes=("gen_ai.request.model",),
    source="genai",
)
HW_GPU_MEMORY_USAGE = Metric(
    name="hw.gpu.memory.usage",
    kind="observable_up_down_counter",
    unit="By",
    description="Memory of the GPU in use.",
    attributes=("hw.id", "hw.name"),
    source="gpu",
)
HW_GPU_MEMORY_LIMIT = Metric(
    name="hw.gpu.memory.limit",
    kind="observable_up_down_counter",
    unit="By",
    description="Memory of the GPU.",
    attributes=("hw.id", "hw.name"),
    source="gpu",
)

# --- user analytics: sources/users.py -----------------------------------------------------------
USER_INTERACTIONS = Metric(
    name="bear.user.interactions",
    kind="counter",
    unit="{interaction}",
    description="Interactions of users that were recorded, or why they were not.",
    attributes=("bear.reason",),
    source="users",
)
BROWSER_PAGE_LOAD_DURATION = Metric(
    name="bear.browser.page_load.duration",
    kind="histogram",
    unit="s",
    description="Time from the navigation to the end of the page's load event.",
    boundaries=(0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 20.0, 60.0),
    source="users",
)

# --- bear-otel about itself ---------------------------------------------------------------------
EXPORTER_DROPPED = Metric(
    name="bear.exporter.dropped",
    kind="observable_counter",
    unit="{record}",
    description="Spans, log records and data points that did not reach the endpoint.",
    attributes=("bear.signal", "bear.reason"),
    source="bear_otel",
)
PRIVACY_REDACTIONS = Metric(
    name="bear.privacy.redactions",
    kind="observable_counter",
    unit="{redaction}",
    description="Values redacted, by kind and by the door they would have left through.",
    attributes=("bear.privacy.kind", "bear.privacy.door"),
    source="bear_otel",
)
PRIVACY_ERRORS = Metric(
    name="bear.privacy.errors",
    kind="observable_counter",
    unit="{error}",
    description="Values withheld because the scrubber failed on them.",
    source="bear_otel",
)

SAMPLING_TRACES = Metric(
    name="bear.sampling.traces",
    kind="observable_counter",
    unit="{trace}",
    description="Traces that ended here, by why they were kept (share, error, slow) or dropped.",
    attributes=("bear.sampling.decision",),
    source="bear_otel",
)
SAMPLING_EVICTIONS = Metric(
    name="bear.sampling.evictions",
    kind="observable_counter",
    unit="{trace}",
    description="Traces decided before their end, by the limit of the buffer that was reached.",
    attributes=("bear.sampling.limit",),
    source="bear_otel",
)
SAMPLING_BUFFER_SIZE = Metric(
    name="bear.sampling.buffer.size",
    kind="observable_up_down_counter",
    unit="By",
    description="Estimated memory of spans that wait for the end of their trace.",
    source="bear_otel",
)

METRICS: tuple[Metric, ...] = tuple(row for row in globals().values() if isinstance(row, Metric))

# --- events -------------------------------------------------------------------------------------
HTTP_SERVER_REQUEST_EXCEPTION = Event(
    name="http.server.request.exception",
    severity="ERROR",
    description="An exception that no handler of the application caught.",
    attributes=("exception.type", "exception.message", "exception.stacktrace", "http.route"),
    source="fastapi",
)
FASTAPI_VALIDATION_FAILED = Event(
    name="fastapi.validation.failed",
    severity="WARN",
    description="A request that did not match its schema.",
    attributes=("fastapi.validation.error_count", "http.route"),
    source="fastapi",
)
FASTAPI_WEBSOCKET_EXCEPTION = Event(
    name="fastapi.websocket.exception",
    severity="ERROR",
    description="An exception that ended a WebSocket.",
    attributes=("exception.type", "exception.message", "exception.stacktrace", "http.route"),
    source="fastapi",
)

EXCEPTION = Event(
    name="exception",
    severity="ERROR or FATAL",
    description="An exception that nobody caught outside of a request to FastAPI, or captured.",
    attributes=(
        "exception.type",
        "exception.message",
        "exception.stacktrace",
        "bear.exception.handled",
        "bear.exception.source",
    ),
    source="errors",
)

DB_SLOW_QUERY = Event(
    name="bear.db.slow_query",
    severity="WARN",
    description="A database call that took longer than the threshold.",
    attributes=(
        "bear.db.duration",
        "db.system.name",
        "db.namespace",
        "db.operation.name",
        "db.collection.name",
        "db.query.summary",
        "db.query.text",
        "server.address",
        "server.port",
        "db.response.status_code",
        "error.type",
    ),
    source="database",
)

ASYNCIO_BLOCKED = Event(
    name="bear.asyncio.blocked",
    severity="WARN",
    description="Code that keeps the event loop from running anything else.",
    attributes=("code.function.name", "code.file.path", "code.line.number", "code.stacktrace"),
    source="event_loop",
)

HEALTH_STATUS_CHANGED = Event(
    name="bear.health.status.changed",
    severity="INFO, WARN or ERROR",
    description="A health check has changed its state, or was not healthy the first time.",
    attributes=(
        "bear.health.check.name",
        "bear.health.state",
        "bear.health.previous_state",
        "bear.health.details",
        "error.type",
        "error.message",
    ),
    source="health",
)

GEN_AI_EVALUATION_RESULT = Event(
    name="gen_ai.evaluation.result",
    severity="INFO",
    description="A model has been evaluated.",
    attributes=(
        "gen_ai.evaluation.name",
        "gen_ai.evaluation.score.value",
        "gen_ai.evaluation.score.label",
        "gen_ai.request.model",
        "bear.gen_ai.dataset",
    ),
    source="genai",
)
GEN_AI_OPERATION_DETAILS = Event(
    name="gen_ai.client.inference.operation.details",
    severity="none",
    description=(
        "What was asked and answered, scrubbed; only if `genai.content` says so. Also the other "
        "attributes of the call's span, such as `gen_ai.request.temperature`."
    ),
    attributes=(
        *_GENAI_ATTRIBUTES,
        "gen_ai.request.stream",
        "gen_ai.response.id",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.definitions",
        "error.type",
    ),
    source="genai",
)

# What is said of a device, coarsened, with each event about a user.
_DEVICE = (
    "user_agent.name",
    "user_agent.version",
    "user_agent.os.name",
    "bear.device.class",
    "bear.device.screen.width",
    "bear.device.viewport.width",
)
SESSION_START = Event(
    name="session.start",
    severity="INFO",
    description="A visit has begun.",
    attributes=("session.id", *_DEVICE),
    source="users",
)
SESSION_END = Event(
    name="session.end",
    severity="INFO",
    description="A visit has ended.",
    attributes=(
        "session.id",
        "bear.session.duration",
        "bear.session.page_views",
        "bear.session.interactions",
        "bear.session.bounced",
        *_DEVICE,
    ),
    source="users",
)
BROWSER_WEB_VITAL = Event(
    name="browser.web_vital",
    severity="INFO",
    description="How fast a page was: lcp, fcp, inp, fid, ttfb in milliseconds, cls without unit.",
    attributes=(
        "session.id",
        "browser.web_vital.name",
        "browser.web_vital.value",
        "browser.web_vital.delta",
        "browser.web_vital.id",
        "browser.web_vital.rating",
        *_DEVICE,
    ),
    source="users",
)
PAGE_LEFT = Event(
    name="bear.page.left",
    severity="INFO",
    description="Somebody has left a page: what was done there, in numbers.",
    attributes=(
        "session.id",
        "bear.page.duration",
        "bear.page.clicks",
        "bear.page.scroll_depth",
        "bear.page.errors",
        *_DEVICE,
    ),
    source="users",
)
FEATURE_USED = Event(
    name="bear.feature.used",
    severity="INFO",
    description="A part of the application was used.",
    attributes=("session.id", "bear.feature.name", *_DEVICE),
    source="users",
)

EVENTS: tuple[Event, ...] = tuple(row for row in globals().values() if isinstance(row, Event))
