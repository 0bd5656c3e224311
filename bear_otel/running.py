"""Put everything together: settings in, running telemetry out."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import set_logger_provider
from opentelemetry.metrics import set_meter_provider
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.trace import set_tracer_provider

from bear_otel import __version__, environment
from bear_otel.pipeline import debugging, seams
from bear_otel.pipeline.forking import reset_in_child
from bear_otel.pipeline.losses import Losses
from bear_otel.pipeline.propagation import ScrubbingPropagator
from bear_otel.pipeline.providers import Providers, create_file_providers, create_providers
from bear_otel.pipeline.resource import create_resource
from bear_otel.pipeline.sampling import create_sampling
from bear_otel.pipeline.shutdown import Flusher, flush_all, flush_at_exit
from bear_otel.pipeline.supervisors import watch_supervisors
from bear_otel.scrubbing import create_scrubber
from bear_otel.starting import start_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bear_otel.configuration import Configuration
    from bear_otel.privacy import Scrubber
    from bear_otel.settings import ResourceSettings

# All that a supervisor may have to flush is what it logged before it had workers.
_SUPERVISOR_SECONDS = 0.25


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
        self.flusher = Flusher(self._flush_last, settings.shutdown_timeout_seconds)
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
        self._flush(timeout_seconds, ending=False)

    def stop(self) -> None:
        """Take the sources out, flush within the budget of the process, and end the providers."""
        self.take_out()
        if not self._closed.is_set():
            self.flusher.flush()
            self.close()

    def take_out(self) -> None:
        """Take the sources out of the libraries that they watch."""
        while self.undo:
            self.undo.pop()()

    def close(self) -> None:
        """End the providers without another flush."""
        if self._closed.is_set():
            return
        self._closed.set()
        providers = self.providers
        for close in (providers.tracer.shutdown, providers.meter.close, providers.logger.shutdown):
            # What is left has had its chance; a provider that waits again must not hold the exit.
            end = threading.Thread(target=close, daemon=True)
            try:
                end.start()
            except RuntimeError:  # some versions of CPython start no thread at the very end
                return

    def _begin(self) -> None:
        """Forget what a forked child has inherited: it works, and has redacted nothing so far."""
        self._supervising = False
        self.scrubber.counts.clear()
        self.scrubber.errors = 0

    def _flush_last(self, seconds: float) -> None:
        self._flush(seconds, ending=True)

    def _flush(self, seconds: float, *, ending: bool) -> None:
        providers = self.providers

        def flush_spans(left: float) -> None:
            if ending:
                providers.spans.settle()
            providers.tracer.force_flush(int(left * 1000))

        def flush_others(left: float) -> None:
            for flush in self.flushes:
                flush(left)

        flush_all(
            (
                flush_spans,
                lambda left: providers.logger.force_flush(int(left * 1000)),
                flush_others,
            ),
            lambda left: providers.meter.force_flush(left * 1000),
            seconds,
        )


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
    debugging.configure_debugging(enabled=settings.debug.enabled)
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

    if settings.debug.enabled and sampling is not None:
        sampling.tail.told = debugging.tell_decision
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
    """Start every source and make the providers global, without a hook into the process's end."""
    running = Running(configuration, providers, scrubber, losses)
    try:
        start_sources(running, environ)
    except BaseException:
        running.take_out()
        running.close()
        raise
    _set_globals(providers, frozenset(configuration.settings.privacy.baggage_keys))
    return running


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
