"""Start every source with its settings, one function each."""

from __future__ import annotations

import functools
import logging
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bear_otel import __version__, environment
from bear_otel.configuration import MASK
from bear_otel.pipeline import seams
from bear_otel.pipeline.light_tracers import find_recorder
from bear_otel.privacy import Pseudonymizer
from bear_otel.scrubbing import forget_keys, load_keys
from bear_otel.self_metrics import measure_ourselves
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
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Meter

    from bear_otel.running import Running
    from bear_otel.settings import Settings

_SCOPE = "bear_otel"

_CONTENT_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def start_sources(running: Running, environ: Mapping[str, str]) -> None:
    """Start what the settings ask for; a source that fails costs the others nothing.

    Raises:
        ConfigurationError: A setting that cannot be used.
    """
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
    measure_ourselves(_get_meter(running), running)


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
    def is_ours(scope: Any) -> bool:
        return HEALTH_ROUTES.serves(scope) or browser.BROWSER_ENDPOINT.serves(scope)

    http.exclude_from_contrib(is_ours)
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
        return is_ours(scope) or bool(matches and matches(scope.get("path", "")))

    http.watch_fastapi(excluded=is_excluded)
    return "native"


def _start_sqlalchemy(running: Running, settings: Settings) -> str | None:
    if settings.database.instrumentation == "contrib" or find_spec("sqlalchemy") is None:
        return None
    scrubber = running.scrubber

    def scrub_sql(text: str, system: str) -> str:
        attributes = {"db.system.name": system, "db.query.text": text}
        return str(scrubber.scrub_attributes(attributes, door="span.attribute")["db.query.text"])

    tracer = running.providers.tracer.get_tracer(f"{_SCOPE}.sqlalchemy", __version__)
    undo = watch_database(
        tracer,
        _get_meter(running, ".sqlalchemy"),
        running.providers.logger.get_logger(f"{_SCOPE}.sqlalchemy", __version__),
        record_span=find_recorder(tracer),
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
    keys = load_keys(privacy)
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
        forget=functools.partial(forget_keys, keys, privacy.data_retention_days)
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
