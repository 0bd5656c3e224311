"""Put everything together: settings in, running telemetry out."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import set_logger_provider
from opentelemetry.metrics import Observation, set_meter_provider
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.trace import set_tracer_provider

from bear_otel import __version__, catalogue, environment
from bear_otel.configuration import MASK
from bear_otel.pipeline import seams
from bear_otel.pipeline.forking import reset_in_child
from bear_otel.pipeline.losses import Losses
from bear_otel.pipeline.propagation import ScrubbingPropagator
from bear_otel.pipeline.providers import Providers, create_file_providers, create_providers
from bear_otel.pipeline.resource import create_resource
from bear_otel.pipeline.sampling import create_sampling
from bear_otel.pipeline.shutdown import Flusher, flush_at_exit
from bear_otel.pipeline.supervisors import watch_supervisors
from bear_otel.privacy import CustomPattern, KeyFile, PrivacyPolicy, Pseudonymizer, Scrubber
from bear_otel.settings import ConfigurationError
from bear_otel.sources import browser, http
from bear_otel.sources.database import watch_database
from bear_otel.sources.error_doors import (
    WatchingLogRecordProcessor,
    create_log_filter,
    watch_uncaught,
)
from bear_otel.sources.errors import ERRORS
from bear_otel.sources.event_loop import watch_event_loop
from bear_otel.sources.genai_models import report_models
from bear_otel.sources.health_declarations import HEALTH_ROUTES, HEALTH_RUNNER
from bear_otel.sources.health_reporting import report_health
from bear_otel.sources.health_routes import PATHS, answer_unrouted
from bear_otel.sources.host import measure_host
from bear_otel.sources.logs import OTelHandler, export_logs
from bear_otel.sources.process import measure_process
from bear_otel.sources.rate_limits import RateLimiter
from bear_otel.sources.sentry_gate import SENTRY_GATE
from bear_otel.sources.user_recorder import UserPolicy
from bear_otel.sources.users import USERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, Meter

    from bear_otel.configuration import Configuration
    from bear_otel.settings import PrivacySettings, ResourceSettings, Settings

_SCOPE = "bear_otel"

# All that a supervisor may have to flush is what it logged before it had workers.
_SUPERVISOR_SECONDS = 0.25

_CONTENT_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

logger = logging.getLogger("bear_otel")


class Running:
    """Telemetry that has been started; what `start` returns.

    Args:
        configuration: The settings it runs with, and where they came from.
        providers: The three providers, which are global now.
        scrubber: What everything passes.
        losses: What did not arrive.
    """

    def __init__(
        self,
        configuration: Configuration,
        providers: Providers,
        scrubber: Scrubber,
        losses: Losses,
    ) -> None:
        self.configuration = configuration
        self.providers = providers
        self.scrubber = scrubber
        self.losses = losses
        # What is measured and by whom, for the line at start: name -> description.
        self.sources: dict[str, str] = {}
        # What could not be started, and why: name -> problem.
        self.problems: dict[str, str] = {}
        # Take sources out again, in the end.
        self.undo: list[Callable[[], object]] = []
        # Send what sources buffer themselves, within the seconds that they are given.
        self.flushes: list[Callable[[float], object]] = []
        self._supervising = False
        self._closed = threading.Event()
        settings = configuration.settings.lifecycle
        self.flusher = Flusher(self._flushes(ending=True), settings.shutdown_timeout_seconds)
        reset_in_child(self._begin)

    def is_active(self) -> bool:
        """Return whether this process has something to tell; a supervisor has not."""
        return not self._supervising

    def stand_down(self) -> None:
        """Fall silent: this process only supervises workers."""
        self._supervising = True
        self.flusher.limit(_SUPERVISOR_SECONDS)

    def flush(self, timeout_seconds: float = 10.0) -> None:
        """Send what is buffered now, and wait for it; traces still under way stay whole.

        Args:
            timeout_seconds: Longest wait.
        """
        Flusher(self._flushes(), timeout_seconds).flush()

    def stop(self) -> None:
        """Take the sources out, flush within the budget of the process, and end the providers."""
        while self.undo:
            self.undo.pop()()
        if not self._closed.is_set():
            self.flusher.flush()
            self.close()

    def close(self) -> None:
        """End the providers without another flush."""
        if self._closed.is_set():
            return
        self._closed.set()
        for provider in (self.providers.tracer, self.providers.meter, self.providers.logger):
            # What is left has had its chance; a provider that waits again must not hold the exit.
            end = threading.Thread(target=provider.shutdown, daemon=True)
            try:
                end.start()
            except RuntimeError:  # some versions of CPython start no thread at the very end
                return

    def _begin(self) -> None:
        """Forget what a forked child has inherited: it works, and has redacted nothing so far."""
        self._supervising = False
        self.scrubber.counts.clear()
        self.scrubber.errors = 0

    def _flushes(self, *, ending: bool = False) -> list[Callable[[float], object]]:
        providers = self.providers

        def flush_spans(seconds: float) -> None:
            if ending:
                providers.spans.settle()
            providers.tracer.force_flush(int(seconds * 1000))

        return [
            flush_spans,
            lambda seconds: providers.meter.force_flush(seconds * 1000),
            lambda seconds: providers.logger.force_flush(int(seconds * 1000)),
            lambda seconds: [flush(seconds) for flush in self.flushes],
        ]


def start(
    configuration: Configuration, environ: Mapping[str, str], file_config: Any = None
) -> Running:
    """Build the providers, make them global, and start every source.

    Args:
        configuration: The merged settings.
        environ: Environment variables, for what is OpenTelemetry's own.
        file_config: The parsed OpenTelemetry configuration file, which then describes the
            providers alone.

    Raises:
        ConfigurationError: A setting that cannot be used; nothing has been set.
        CanaryError: The privacy check failed; nothing has been set.
        RuntimeError: Somebody else has set a provider; nothing has been set.
    """
    if foreign := seams.find_foreign_provider():
        message = (
            f"another OpenTelemetry set-up was here first ({foreign}), so bear-otel stays out: "
            "start bear-otel before it, or remove it"
        )
        raise RuntimeError(message)
    settings = configuration.settings
    scrubber = create_scrubber(settings)
    losses = Losses()
    attributes = _describe_service(settings.resource)
    if file_config is None:
        plan = environment.load_plan(environ, settings.spool)
        plan = replace(plan, metrics_interval_seconds=settings.sampling.metrics_interval_seconds)
        resource = create_resource(attributes, scrubber)
        sampling = (
            None if environ.get("OTEL_TRACES_SAMPLER") else create_sampling(settings.sampling)
        )
        providers = create_providers(plan, resource, scrubber, losses, sampling)
    else:
        described = getattr(file_config.tracer_provider, "sampler", None)
        sampling = None if described else create_sampling(settings.sampling)
        providers = create_file_providers(file_config, attributes, scrubber, sampling)

    scrubber.counts.clear()  # what the canary has left there
    running = run(configuration, environ, providers, scrubber, losses)
    flush_at_exit(running.flusher, running.close)
    watch_supervisors(running.stand_down)
    return running


def run(
    configuration: Configuration,
    environ: Mapping[str, str],
    providers: Providers,
    scrubber: Scrubber,
    losses: Losses,
) -> Running:
    """Make providers global and start every source, without a hook into the process's end."""
    running = Running(configuration, providers, scrubber, losses)
    _set_globals(providers, frozenset(configuration.settings.privacy.baggage_keys))
    _start_sources(running, environ)
    return running


def create_scrubber(settings: Settings) -> Scrubber:
    """Return the scrubber that the settings describe.

    Raises:
        ConfigurationError: A pattern that cannot be used, or two settings that exclude each other.
    """
    privacy = settings.privacy
    if privacy.allow_personal_data and privacy.anonymize_data:
        accepted = "not together with privacy.anonymize_data: choose clear text or pseudonyms"
        raise ConfigurationError("privacy.allow_personal_data", value=True, accepted=accepted)
    personal = "drop"
    if privacy.allow_personal_data:
        personal = "clear"
    elif privacy.anonymize_data:
        personal = "pseudonym"
    policy = PrivacyPolicy(
        personal=personal,
        allow_keys=frozenset(privacy.allow_keys),
        deny_keys=frozenset(privacy.deny_keys),
        patterns=tuple(_create_pattern(text) for text in privacy.patterns),
        strict=privacy.strict,
        content_allowed=settings.genai.content != "NO_CONTENT",
    )
    pseudonymizer = Pseudonymizer(_load_keys(privacy)) if privacy.anonymize_data else None
    return Scrubber(policy, pseudonymizer)


def _load_keys(settings: PrivacySettings) -> KeyFile | None:
    """Return the keys that processes share, without those that are too old."""
    if settings.key_file is None:
        return None
    try:
        keys = KeyFile(
            settings.key_file,
            # In periods, of which the shortest is a day; `_forget_keys` is exact.
            kept_periods=settings.data_retention_days,
            destroyed=lambda period: logger.info("destroyed the pseudonym key of %s", period),
        )
        _forget_keys(keys, settings.data_retention_days)
    except (OSError, ValueError) as error:
        accepted = f"a file that only this user may read and write ({error})"
        raise ConfigurationError("privacy.key_file", settings.key_file, accepted) from None
    return keys


def _forget_keys(keys: KeyFile, days: int) -> None:
    keys.destroy(before=int(time.time() // 86_400) - days)


def _create_pattern(text: str) -> CustomPattern:
    name, separator, expression = text.partition("=")
    if not separator:
        raise ConfigurationError("privacy.patterns", text, "name=regular expression")
    try:
        return CustomPattern(name=name.strip(), pattern=expression.strip())
    except ValueError as error:
        raise ConfigurationError("privacy.patterns", text, str(error)) from None


def _describe_service(settings: ResourceSettings) -> dict[str, str]:
    attributes = {
        "telemetry.distro.name": "bear-otel",
        "telemetry.distro.version": __version__,
        "deployment.environment.name": settings.environment,
        "service.version": settings.version,
        "cloud.region": settings.region,
        "bear.deployment.id": settings.deployment_id,
    }
    return {key: value for key, value in attributes.items() if value}


def _set_globals(providers: Providers, baggage_keys: frozenset[str]) -> None:
    set_tracer_provider(providers.tracer)
    set_meter_provider(providers.meter)
    set_logger_provider(providers.logger)
    propagator = providers.propagator or get_global_textmap()
    set_global_textmap(ScrubbingPropagator(propagator, providers.cleaner, baggage_keys))


def _start_sources(running: Running, environ: Mapping[str, str]) -> None:
    settings = running.configuration.settings
    disabled = environment.load_list(environ, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    wanted: dict[str, Callable[[Running, Settings], str | None]] = {
        "process": _start_process,
        "host": _start_host,
        "fastapi": functools.partial(_start_fastapi, environ=environ),
        "sqlalchemy": _start_sqlalchemy,
        "logging": _start_logging,
        "errors": _start_errors,
        "sentry-sdk": _start_sentry,
        "health": _start_health,
        "event loop": _start_event_loop,
        "users": _start_users,
        "browser": _start_browser,
        "genai": _start_genai,
    }
    for name, start_source in wanted.items():
        if name in disabled or "*" in disabled:
            continue
        try:
            detail = start_source(running, settings)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - one source must not cost the others
            running.problems[name] = f"{type(error).__name__}: {error}"
            continue
        if detail is not None:
            running.sources[name] = detail
    _measure_ourselves(_get_meter(running), running)


def _get_meter(running: Running, part: str = "") -> Meter:
    return running.providers.meter.get_meter(f"{_SCOPE}{part}", __version__)


def _start_process(running: Running, _: Settings) -> str:
    measure_process(_get_meter(running), active=running.is_active)
    return ""


def _start_host(running: Running, settings: Settings) -> str | None:
    if not settings.process.host_metrics_enabled:
        return None
    measure_host(_get_meter(running), active=running.is_active)
    return ""


def _start_fastapi(_: Running, settings: Settings, *, environ: Mapping[str, str]) -> str | None:
    installed = http.find_fastapi()
    wanted = settings.http.instrumentation
    if installed is None or wanted == "contrib":
        return None
    if not http.measures_itself(installed):
        if wanted == "native":
            accepted = f"FastAPI measures itself since 0.142; {installed} is installed"
            raise ConfigurationError("http.instrumentation", wanted, accepted)
        return None
    patterns = environment.load_list(
        environ, "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS"
    )
    matches = http.create_exclusion(patterns)

    def is_excluded(scope: Any) -> bool:
        ours = HEALTH_ROUTES.serves(scope) or browser.BROWSER_ENDPOINT.serves(scope)
        return ours or bool(matches and matches(scope.get("path", "")))

    http.watch_fastapi(excluded=is_excluded)
    return "native"


def _start_sqlalchemy(running: Running, settings: Settings) -> str | None:
    if settings.database.instrumentation == "contrib" or find_spec("sqlalchemy") is None:
        return None
    scrubber = running.scrubber

    def scrub_sql(text: str, system: str) -> str:
        attributes = {"db.system.name": system, "db.query.text": text}
        return str(scrubber.scrub_attributes(attributes, door="span.attribute")["db.query.text"])

    undo = watch_database(
        running.providers.tracer.get_tracer(f"{_SCOPE}.sqlalchemy", __version__),
        _get_meter(running, ".sqlalchemy"),
        running.providers.logger.get_logger(f"{_SCOPE}.sqlalchemy", __version__),
        scrub_sql=scrub_sql,
        slow_query_seconds=settings.database.slow_query_seconds,
    )
    running.undo.append(undo)
    return "bear_otel"


def _start_logging(running: Running, settings: Settings) -> str:
    level = _find_level(settings.logs.level)
    handler = OTelHandler(
        running.providers.logger.get_logger,
        active=running.is_active,
        suppress_key=seams.SUPPRESS_KEY,
    )
    handler.addFilter(create_log_filter(ERRORS))
    running.undo.append(export_logs(handler, level=level))
    return logging.getLevelName(level)


def _start_errors(running: Running, _: Settings) -> str:
    undo = ERRORS.open(
        _get_meter(running, ".errors"),
        running.providers.logger.get_logger(f"{_SCOPE}.errors", __version__),
        active=running.is_active,
    )
    watch = WatchingLogRecordProcessor(ERRORS)
    watch.behind = seams.replace_log_record_processor(running.providers.logger, watch)
    running.undo += [undo, watch_uncaught(ERRORS)]
    return ""


def _start_sentry(running: Running, settings: Settings) -> str | None:
    SENTRY_GATE.open(running.scrubber)
    dsn = settings.sentry.dsn
    if dsn is None:
        return None
    try:
        from bear_otel.sources.sentry import BadDsn, SentryErrors, is_taken
    except ModuleNotFoundError:
        problem = "SENTRY_DSN is set, sending errors needs: pip install 'bear-otel[sentry]'"
        running.problems["sentry-sdk"] = problem
        return None
    if is_taken():
        return "set up by the application, scrubbed"
    resource = running.providers.tracer.resource.attributes
    try:
        sentry = SentryErrors(
            dsn,
            environment=settings.sentry.environment
            or str(resource.get("deployment.environment.name", "")),
            release=settings.sentry.release or str(resource.get("service.version", "")),
            errors=ERRORS,
        )
    except (BadDsn, ValueError):  # a port that is no number
        accepted = "https://<public key>@<host>/<project id>"
        raise ConfigurationError("SENTRY_DSN", MASK, accepted) from None
    running.undo.append(sentry.start())
    running.flushes.append(sentry.flush)
    return "errors only, scrubbed; an application's own sentry_sdk.init takes over, scrubbed too"


def _start_health(running: Running, settings: Settings) -> str:
    answers = settings.health.enabled
    undo = report_health(
        HEALTH_RUNNER,
        _get_meter(running, ".health"),
        running.providers.logger.get_logger(f"{_SCOPE}.health", __version__),
        scrub=functools.partial(running.scrubber.scrub_attributes, door="health"),
        active=running.is_active,
    )
    HEALTH_ROUTES.open(token=settings.health.token, unrouted=answers)
    running.undo += [undo, HEALTH_ROUTES.close]
    http.watch_application_start(HEALTH_RUNNER.attach)
    if not answers:
        return ""
    answer_unrouted(HEALTH_ROUTES)
    return ", ".join(PATHS)


def _start_event_loop(running: Running, _: Settings) -> str:
    name = f"{_SCOPE}.asyncio"
    watch = watch_event_loop(
        _get_meter(running, ".asyncio"),
        running.providers.logger.get_logger(name, __version__),
    )
    http.watch_application_start(watch.attach)
    running.undo.append(watch.stop)
    return ""


def _start_genai(running: Running, settings: Settings) -> str:
    report_models(_get_meter(running, ".genai"), active=running.is_active)
    content = settings.genai.content
    before = os.environ.get(_CONTENT_VARIABLE)
    if (before or "NO_CONTENT").upper() != content:
        # Set in code or in a file; opentelemetry-util-genai knows no other door than the variable.
        os.environ[_CONTENT_VARIABLE] = content
        running.undo.append(functools.partial(_restore, _CONTENT_VARIABLE, before))
    return "without content" if content == "NO_CONTENT" else f"content scrubbed, {content}"


def _restore(variable: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = value


def _start_users(running: Running, settings: Settings) -> str | None:
    users, privacy = settings.users, settings.privacy
    if not users.enabled:
        return None
    keys = _load_keys(privacy)
    pseudonymizer = Pseudonymizer(keys)
    # Made now, and so before workers are forked: they share it.
    pseudonymizer.pseudonym("sampling", "")
    pseudonymizer.pseudonym("session", "")
    policy = UserPolicy(
        pseudonymizer=pseudonymizer,
        sampling=users.sampling,
        respect_dnt=users.respect_dnt,
        features=frozenset(users.features),
        crowd=users.device_min_sessions,
        forget=functools.partial(_forget_keys, keys, privacy.data_retention_days)
        if keys
        else lambda: None,
    )
    undo = USERS.open(
        _get_meter(running, ".users"),
        running.providers.logger.get_logger(f"{_SCOPE}.users", __version__),
        policy,
    )
    running.undo.append(undo)
    http.watch_requests()
    shared = "" if keys else ", keys of this process alone: set BEAR_OTEL_PSEUDONYM_KEY_FILE"
    return f"{users.sampling:.0%} of those who agree{shared}"


def _start_browser(running: Running, settings: Settings) -> str | None:
    users = settings.users
    if not users.enabled:
        if users.rum_enabled:
            problem = "BEAR_OTEL_RUM_ENABLED has no effect without BEAR_OTEL_USER_TRACKING_ENABLED"
            running.problems["browser"] = problem
        return None
    policy = browser.BrowserPolicy(
        unrouted=users.rum_enabled,
        origins=frozenset(origin.rstrip("/").lower() for origin in users.rum_origins),
        max_bytes=users.rum_max_bytes,
        limiter=RateLimiter(
            per_minute=users.rum_requests_per_minute, per_second=users.rum_requests_per_second
        ),
    )
    browser.BROWSER_ENDPOINT.open(policy)
    running.undo.append(browser.BROWSER_ENDPOINT.close)
    if not users.rum_enabled:
        return None
    browser.answer_browsers(browser.BROWSER_ENDPOINT)
    return browser.PATH


def _find_level(name: str) -> int:
    level = logging.getLevelName(name.upper())
    if not isinstance(level, int):
        accepted = "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"
        raise ConfigurationError("OTEL_PYTHON_LOG_LEVEL", name, accepted)
    return level


def _measure_ourselves(meter: Meter, running: Running) -> None:
    """Count what was lost and what was withheld: what is dropped is never dropped in silence."""

    def observe_losses(_: CallbackOptions) -> Iterable[Observation]:
        for (signal, reason), count in running.losses.counts().items():
            yield Observation(count, {"bear.signal": signal, "bear.reason": reason})

    def observe_redactions(_: CallbackOptions) -> Iterable[Observation]:
        for (kind, door), count in list(running.scrubber.counts.items()):
            yield Observation(count, {"bear.privacy.kind": kind, "bear.privacy.door": door})

    def observe_errors(_: CallbackOptions) -> Iterable[Observation]:
        # Zero is news from a worker, but would make an instance of a supervisor.
        if running.is_active():
            yield Observation(running.scrubber.errors)

    _measure_tail(meter, running)
    catalogue.create(meter, catalogue.EXPORTER_DROPPED, observe_losses)
    catalogue.create(meter, catalogue.PRIVACY_REDACTIONS, observe_redactions)
    catalogue.create(meter, catalogue.PRIVACY_ERRORS, observe_errors)


def _measure_tail(meter: Meter, running: Running) -> None:
    """Count what sampling has decided."""
    spans = running.providers.spans
    tail = spans.tail
    if tail is None:
        return

    def observe_decisions(_: CallbackOptions) -> Iterable[Observation]:
        spans.expire()  # a process that starts no trace has no other occasion
        for decision, count in list(tail.decisions.items()):
            yield Observation(count, {"bear.sampling.decision": decision})

    def observe_evictions(_: CallbackOptions) -> Iterable[Observation]:
        for limit, count in list(tail.evictions.items()):
            yield Observation(count, {"bear.sampling.limit": limit})

    def observe_size(_: CallbackOptions) -> Iterable[Observation]:
        if running.is_active():
            yield Observation(tail.held_bytes)

    catalogue.create(meter, catalogue.SAMPLING_TRACES, observe_decisions)
    catalogue.create(meter, catalogue.SAMPLING_EVICTIONS, observe_evictions)
    catalogue.create(meter, catalogue.SAMPLING_BUFFER_SIZE, observe_size)
