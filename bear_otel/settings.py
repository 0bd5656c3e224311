"""Every setting with its default, its unit and the reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


class ConfigurationError(ValueError):
    """A setting that cannot be used: names the setting, the value and what is accepted."""

    def __init__(self, setting: str, value: object, accepted: str) -> None:
        self.setting = setting
        self.accepted = accepted
        super().__init__(f"{setting}={value!r} is not usable: {accepted}")


def setting(
    default: Any,
    doc: str,
    *,
    env: str | None = None,
    secret: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Declare one setting: the single source of its default, its variable and its documentation.

    Args:
        default: Value when no door sets it.
        doc: One sentence for the reference page, with the unit.
        env: Environment variable, or None where OpenTelemetry's own variable does the job.
        secret: Whether the value must be masked wherever it is shown.
        minimum: Smallest number accepted.
        maximum: Largest number accepted.
    """
    metadata = {"doc": doc, "env": env, "secret": secret, "minimum": minimum, "maximum": maximum}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSettings:
    """Who is speaking: the attributes that every back end groups by."""

    environment: str | None = setting(
        None, "Deployment environment, `deployment.environment.name` (any text)."
    )
    version: str | None = setting(None, "Version of the service, `service.version`.")
    region: str | None = setting(None, "Cloud region, `cloud.region`.", env="BEAR_OTEL_REGION")
    deployment_id: str | None = setting(
        None,
        "One roll-out of the service, `bear.deployment.id`.",
        env="BEAR_OTEL_DEPLOYMENT_ID",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    """What may leave. Secrets never do, whatever stands here."""

    allow_personal_data: bool = setting(
        False,
        "Let personal data leave in clear; secrets still never leave. Said as a warning at start.",
        env="BEAR_OTEL_PERSONAL_DATA_ENABLED",
    )
    anonymize_data: bool = setting(
        False,
        "Replace personal data by keyed pseudonyms instead of dropping them.",
        env="BEAR_OTEL_PSEUDONYMS_ENABLED",
    )
    allow_keys: tuple[str, ...] = setting(
        (),
        "Attribute keys whose personal values may leave in clear, comma separated.",
        env="BEAR_OTEL_PRIVACY_ALLOW_KEYS",
    )
    deny_keys: tuple[str, ...] = setting(
        (),
        "Attribute keys that never leave, comma separated.",
        env="BEAR_OTEL_PRIVACY_DENY_KEYS",
    )
    patterns: tuple[str, ...] = setting(
        (),
        "Own patterns to redact, `name=regular expression`; one a line in the variable.",
        env="BEAR_OTEL_PRIVACY_PATTERNS",
    )
    strict: bool = setting(
        False,
        "Drop every attribute whose key is not known to be harmless.",
        env="BEAR_OTEL_PRIVACY_STRICT_ENABLED",
    )
    baggage_keys: tuple[str, ...] = setting(
        (),
        "Baggage keys that may be sent to other services; all others stay here.",
        env="BEAR_OTEL_BAGGAGE_KEYS",
    )
    key_file: str | None = setting(
        None,
        "File of the pseudonym keys (mode 0600), shared by all workers and hosts.",
        env="BEAR_OTEL_PSEUDONYM_KEY_FILE",
    )
    # The original's example; what a month's comparison with the two before it takes.
    data_retention_days: int = setting(
        90,
        "Days after which a key in `key_file` is destroyed, so that its pseudonyms lead nowhere.",
        env="BEAR_OTEL_DATA_RETENTION_DAYS",
        minimum=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """Which traces are kept. Metrics count everything, and logs are never sampled."""

    decided_by: Literal["app", "collector"] = setting(
        "app",
        "Who samples: this process (`app`), or a Collector that gets everything (`collector`).",
        env="BEAR_OTEL_SAMPLING_DECIDED_BY",
    )
    performance_sampling: float = setting(
        1.0,
        "Share of traces kept whatever happens in them, 0 to 1; below 1, errors and slow traces "
        "are kept besides. `OTEL_TRACES_SAMPLER` replaces all of it.",
        env="BEAR_OTEL_SAMPLING_PERFORMANCE",
        minimum=0.0,
        maximum=1.0,
    )
    error_sampling: float = setting(
        1.0,
        "Share of traces with an error that is kept, 0 to 1; never below `performance_sampling`.",
        env="BEAR_OTEL_SAMPLING_ERROR",
        minimum=0.0,
        maximum=1.0,
    )
    # The value from which a response time is a warning.
    slow_seconds: float = setting(
        1.0,
        "Duration in seconds from which a trace is slow, and kept.",
        env="BEAR_OTEL_SAMPLING_SLOW_SECONDS",
        minimum=0.0,
    )
    metrics_interval_seconds: float | None = setting(
        None,
        "Time in seconds between two exports of metrics; without it what "
        "`OTEL_METRIC_EXPORT_INTERVAL` says, in milliseconds.",
        minimum=0.1,
    )
    # More requests at the same time than a process can serve, and memory that it can spare.
    max_traces: int = setting(
        2_000,
        "Most traces held back until they are decided; the oldest is decided early.",
        env="BEAR_OTEL_SAMPLING_MAX_TRACES",
        minimum=1,
    )
    max_spans: int = setting(
        10_000,
        "Most spans held back; the oldest trace, or one that has a tenth of them, is decided "
        "early.",
        env="BEAR_OTEL_SAMPLING_MAX_SPANS",
        minimum=10,
    )
    max_bytes: int = setting(
        32_000_000,
        "Most memory in bytes that held back spans take, estimated; as with `max_spans`.",
        env="BEAR_OTEL_SAMPLING_MAX_BYTES",
        minimum=100_000,
    )
    max_age_seconds: float = setting(
        60.0,
        "Longest time in seconds that a trace is held back.",
        env="BEAR_OTEL_SAMPLING_MAX_AGE_SECONDS",
        minimum=0.1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Requests to the service."""

    instrumentation: Literal["auto", "native", "contrib"] = setting(
        "auto",
        "Who measures FastAPI: itself (`native`, since 0.142) or opentelemetry-instrumentation-"
        "fastapi (`contrib`); `auto` takes the first that is possible.",
        env="BEAR_OTEL_FASTAPI_INSTRUMENTATION",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Calls to databases through SQLAlchemy."""

    instrumentation: Literal["bear_otel", "contrib"] = setting(
        "bear_otel",
        "Who measures SQLAlchemy: our listener or opentelemetry-instrumentation-sqlalchemy.",
        env="BEAR_OTEL_SQLALCHEMY_INSTRUMENTATION",
    )
    slow_query_seconds: float = setting(
        0.5,
        "Duration in seconds from which a query is told as the event `bear.db.slow_query`.",
        env="BEAR_OTEL_SLOW_QUERY_SECONDS",
        minimum=0.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """Process and host metrics."""

    host_metrics_enabled: bool = setting(
        True,
        "Measure the host (once per host); switch off where a Collector does it.",
        env="BEAR_OTEL_HOST_METRICS_ENABLED",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """The application's own log records."""

    level: str = setting(
        "INFO",
        "Lowest level exported where the application sets none itself.",
        env="OTEL_PYTHON_LOG_LEVEL",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """Health checks and the paths that answer for them."""

    # Off: telemetry must not change what an application answers. And an orchestrator that relies
    # on these paths would end every instance once telemetry is switched off; what it asks should
    # be in the code (`bear_otel.health_routes`).
    enabled: bool = setting(
        False,
        "Answer `/livez`, `/readyz` and `/health` where the application has no such path.",
        env="BEAR_OTEL_HEALTH_ENABLED",
    )
    token: str | None = setting(
        None,
        "Whoever sends it as `Authorization: Bearer ...` sees details, not only this host.",
        env="BEAR_OTEL_HEALTH_TOKEN",
        secret=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SentrySettings:
    """Errors to Sentry, by Sentry's own variables; traces and logs take the Collector."""

    dsn: str | None = setting(
        None,
        "Send errors, and nothing else, through `sentry-sdk` and our scrubber.",
        env="SENTRY_DSN",
        secret=True,
    )
    environment: str | None = setting(
        None,
        "Environment of the errors; by default `deployment.environment.name`.",
        env="SENTRY_ENVIRONMENT",
    )
    release: str | None = setting(
        None, "Release of the errors; by default `service.version`.", env="SENTRY_RELEASE"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GenAISettings:
    """Calls to models; OpenTelemetry's own variable decides about what is said in them."""

    content: Literal["NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"] = setting(
        "NO_CONTENT",
        "Where prompts, answers and tool arguments stand, scrubbed; nowhere by default.",
        env="OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings:
    """User analytics: off, and what is on is pseudonymous, sampled and agreed to."""

    enabled: bool = setting(
        False,
        "Record interactions of users who have agreed.",
        env="BEAR_OTEL_USER_TRACKING_ENABLED",
    )
    respect_dnt: bool = setting(
        True,
        "Take `DNT: 1` for a refusal; `Sec-GPC: 1` always is one.",
        env="BEAR_OTEL_USER_DNT_ENABLED",
    )
    # The original's share: enough to see how people fare, without following most of them.
    sampling: float = setting(
        0.05,
        "Share of people that is recorded, 0 to 1; all that one of them does, or nothing.",
        env="BEAR_OTEL_USER_SAMPLING",
        minimum=0.0,
        maximum=1.0,
    )
    device_min_sessions: int = setting(
        20,
        "Sessions a day in this process that must share a description of a device before it is "
        "told.",
        env="BEAR_OTEL_USER_DEVICE_MIN_SESSIONS",
        minimum=1,
    )
    features: tuple[str, ...] = setting(
        (),
        "Names of features that may be told, comma separated; without it browsers may tell none, "
        "the application any.",
        env="BEAR_OTEL_USER_FEATURES",
    )
    rum_enabled: bool = setting(
        False,
        "Answer `POST /bear/rum`, where browsers tell how pages are, if the application has no "
        "such path.",
        env="BEAR_OTEL_RUM_ENABLED",
    )
    rum_origins: tuple[str, ...] = setting(
        (),
        "Other origins whose pages may tell, `https://shop.example`, comma separated.",
        env="BEAR_OTEL_RUM_ORIGINS",
    )
    rum_max_bytes: int = setting(
        16_384,
        "Size in bytes from which what a browser tells is refused.",
        env="BEAR_OTEL_RUM_MAX_BYTES",
        minimum=256,
        maximum=1_000_000,
    )
    # A page tells about four times; an office behind one address has room.
    rum_requests_per_minute: int = setting(
        120,
        "Most requests a minute that one address may make to one process.",
        env="BEAR_OTEL_RUM_REQUESTS_PER_MINUTE",
        minimum=1,
    )
    rum_requests_per_second: int = setting(
        50,
        "Most requests a second that all addresses together may make to one process.",
        env="BEAR_OTEL_RUM_REQUESTS_PER_SECOND",
        minimum=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """Where telemetry waits on disk while it cannot be sent."""

    enabled: bool = setting(
        True,
        "Keep on disk what cannot be sent, instead of in memory alone.",
        env="BEAR_OTEL_SPOOL_ENABLED",
    )
    directory: str | None = setting(
        None,
        "Folder of the spool, ours alone; by default `bear-otel/spool` in `$STATE_DIRECTORY` "
        "(systemd), `$XDG_STATE_HOME` or `~/.local/state`.",
        env="BEAR_OTEL_SPOOL_DIRECTORY",
    )
    # Two hours of a busy service (100 spans a second, 80 bytes each when packed) take 58 MB.
    max_bytes: int = setting(
        64_000_000,
        "Most bytes on disk for one signal of one service; then the oldest give way.",
        env="BEAR_OTEL_SPOOL_MAX_BYTES",
        minimum=100_000,
    )
    # Two nights; most back ends refuse older data anyway.
    max_age_hours: float = setting(
        48.0,
        "Age in hours at which what waits is deleted.",
        env="BEAR_OTEL_SPOOL_MAX_AGE_HOURS",
        minimum=0.1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleSettings:
    """Start and end of a process."""

    # One budget for everything at exit: a worker and its supervisor add up, servers need some of
    # the time themselves, and orchestrators lose patience after three seconds.
    shutdown_timeout_seconds: float = setting(
        1.5,
        "Time in seconds that all flushes at the end of a process may take together.",
        env="BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS",
        minimum=0.0,
        maximum=60.0,
    )
    children_enabled: bool = setting(
        False,
        "Instrument every Python child process, not only spawned and forked workers.",
        env="BEAR_OTEL_CHILDREN_ENABLED",
    )
    banner_enabled: bool = setting(
        True,
        "Say on stderr at start what is instrumented and where data goes.",
        env="BEAR_OTEL_BANNER_ENABLED",
    )
    required_enabled: bool = setting(
        False,
        "Stop all telemetry when another OpenTelemetry distribution has configured it.",
        env="BEAR_OTEL_REQUIRED_ENABLED",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugSettings:
    """What bear-otel tells about itself."""

    enabled: bool = setting(
        False,
        "Tell on stderr what is sent, dropped, redacted and decided, by the logger "
        "`bear_otel.debug`: names, counts and decisions, never values.",
        env="BEAR_OTEL_DEBUG_ENABLED",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of bear-otel; what OpenTelemetry has itself is set through OpenTelemetry."""

    enabled: bool = setting(True, "Switch everything off (`OTEL_SDK_DISABLED` does so, too).")
    resource: ResourceSettings = field(default_factory=ResourceSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    process: ProcessSettings = field(default_factory=ProcessSettings)
    logs: LogSettings = field(default_factory=LogSettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    sentry: SentrySettings = field(default_factory=SentrySettings)
    genai: GenAISettings = field(default_factory=GenAISettings)
    users: UserSettings = field(default_factory=UserSettings)
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    lifecycle: LifecycleSettings = field(default_factory=LifecycleSettings)
    debug: DebugSettings = field(default_factory=DebugSettings)
