"""Build the three providers with the scrubber in front of everything that could send."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from bear_otel.pipeline import canary, seams
from bear_otel.pipeline.batch_processors import BatchingLogRecordProcessor, BatchingSpanProcessor
from bear_otel.pipeline.cleaning import Cleaner
from bear_otel.pipeline.exporters import DEFAULT, load_exporter
from bear_otel.pipeline.light_logs import lighten_logs
from bear_otel.pipeline.light_tracers import lighten
from bear_otel.pipeline.logs import ScrubbingLogRecordProcessor
from bear_otel.pipeline.metrics import ScrubbingMeterProvider
from bear_otel.pipeline.resource import CleanResource
from bear_otel.pipeline.spans import ScrubbingSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bear_otel.pipeline.losses import Losses, Signal
    from bear_otel.pipeline.sampling import Sampling
    from bear_otel.pipeline.spool import SpoolOptions
    from bear_otel.privacy import Scrubber


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `OTEL_*` variables say about exporters and their queues.

    Args:
        exporters: Entry point names of the exporters by signal; none means that the signal goes
            nowhere.
        queues: Keyword arguments of the batching processors by signal.
        metrics_interval_seconds: Time between two exports of metrics; None leaves it to the SDK.
        spool: Where our own exporter keeps on disk what cannot be sent.
    """

    exporters: Mapping[Signal, tuple[str, ...]]
    queues: Mapping[Signal, Mapping[str, Any]] = field(default_factory=dict)
    metrics_interval_seconds: float | None = None
    spool: SpoolOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """The three providers, not yet global."""

    tracer: TracerProvider
    meter: ScrubbingMeterProvider
    logger: LoggerProvider
    cleaner: Cleaner
    # What every span passes.
    spans: ScrubbingSpanProcessor
    # Where each signal goes, for people to read.
    destinations: Mapping[Signal, str]
    # None where a declarative configuration leaves the propagator out.
    propagator: Any = None


def create_providers(
    plan: Plan,
    resource: Resource,
    scrubber: Scrubber,
    losses: Losses,
    sampling: Sampling | None = None,
) -> Providers:
    """Create the providers that the environment describes.

    Args:
        plan: Exporters and queues.
        resource: Who is speaking.
        scrubber: Cleans everything.
        losses: Counts what does not arrive.
        sampling: Decides which traces are kept, or None for OpenTelemetry's own sampler.

    Raises:
        ConfigurationError: An exporter that is not there.
        CanaryError: A planted personal value came out of a provider.
    """
    cleaner = Cleaner(scrubber)
    clean = cleaner.clean_resource(resource)

    spans = ScrubbingSpanProcessor(cleaner)
    components = seams.create_trace_components()
    if sampling is not None:
        components["sampler"] = sampling.sampler
    tracer = TracerProvider(
        resource=clean,
        shutdown_on_exit=False,
        active_span_processor=spans,  # pyright: ignore[reportArgumentType] - duck typed
        **components,
    )
    lighten(tracer, spans)
    canary.check_spans(tracer, spans)
    if sampling is not None:
        spans.tail = sampling.tail

    logs = ScrubbingLogRecordProcessor(cleaner)
    logger = LoggerProvider(
        resource=clean,
        shutdown_on_exit=False,
        multi_log_record_processor=logs,  # pyright: ignore[reportArgumentType] - duck typed
        **seams.create_log_components(),
    )
    lighten_logs(logger, logs)
    canary.check_logs(logger, logs)

    exporters = _Exporters(plan, losses, str(clean.attributes.get("service.name", "")))

    def create_meter_provider() -> MeterProvider:
        return MeterProvider(
            metric_readers=[
                _create_reader(each, plan.metrics_interval_seconds)
                for each in exporters.create("metrics")
            ],
            resource=tracer.resource,
            shutdown_on_exit=False,
            **seams.create_metric_components(),
        )

    meter = _create_scrubbing_meter_provider(create_meter_provider, clean, scrubber)
    # Only now can anything be sent.
    for exporter in exporters.create("traces"):
        queue = plan.queues.get("traces", {})
        spans.add_span_processor(BatchingSpanProcessor(exporter, losses=losses, **queue))
    for exporter in exporters.create("logs"):
        queue = plan.queues.get("logs", {})
        logs.add_log_record_processor(BatchingLogRecordProcessor(exporter, losses=losses, **queue))
    return Providers(
        tracer=tracer,
        meter=meter,
        logger=logger,
        cleaner=cleaner,
        spans=spans,
        destinations=exporters.destinations,
    )


def create_file_providers(
    config: Any,
    attributes: Mapping[str, str],
    scrubber: Scrubber,
    sampling: Sampling | None = None,
) -> Providers:
    """Create the providers that an OpenTelemetry configuration file describes.

    The official factories make exporters, samplers, views and limits; the scrubber is put in
    front of what they made, and the same canary is sent.

    Args:
        config: The parsed file.
        attributes: Added to the resource that the file describes.
        scrubber: Cleans everything.
        sampling: Decides which traces are kept, or None where the file does.

    Raises:
        CanaryError: A planted personal value came out of a provider.
    """
    cleaner = Cleaner(scrubber)
    described = seams.create_file_resource(config).merge(Resource(attributes))
    resource = CleanResource(described, scrubber)
    tracer, first_meter_provider, logger = seams.create_file_providers(config, resource)

    spans = ScrubbingSpanProcessor(cleaner)
    senders = seams.replace_span_processor(tracer, spans)
    if sampling is not None:
        tracer.sampler = sampling.sampler
    lighten(tracer, spans)
    canary.check_spans(tracer, spans)
    if sampling is not None:
        spans.tail = sampling.tail
    spans.add_span_processor(senders)

    logs = ScrubbingLogRecordProcessor(cleaner)
    log_senders = seams.replace_log_record_processor(logger, logs)
    lighten_logs(logger, logs)
    canary.check_logs(logger, logs)
    logs.add_log_record_processor(log_senders)

    made = [first_meter_provider]

    def create_meter_provider() -> MeterProvider:
        if made:
            return made.pop()
        return seams.create_file_meter_provider(config, tracer.resource)

    meter = _create_scrubbing_meter_provider(create_meter_provider, resource, scrubber)
    return Providers(
        tracer=tracer,
        meter=meter,
        logger=logger,
        cleaner=cleaner,
        spans=spans,
        destinations=dict.fromkeys(("traces", "metrics", "logs"), "what OTEL_CONFIG_FILE says"),
        propagator=seams.create_file_propagator(config) if config.propagator else None,
    )


def _create_scrubbing_meter_provider(
    create: Callable[[], MeterProvider], resource: Resource, scrubber: Scrubber
) -> ScrubbingMeterProvider:
    """Return the meter provider, after a canary has gone through one that is made alike."""
    probe = canary.MetricProbe()
    tried = MeterProvider([probe.reader], resource, shutdown_on_exit=False)
    canary.check_metrics(ScrubbingMeterProvider(lambda: tried, scrubber), probe)
    return ScrubbingMeterProvider(create, scrubber)


class _Exporters:
    """Creates the exporters of a plan, and remembers for people where they send to."""

    def __init__(self, plan: Plan, losses: Losses, service: str) -> None:
        self._plan = plan
        self._losses = losses
        self._spool = replace(plan.spool, service=service) if plan.spool else None
        self.destinations: dict[Signal, str] = {}

    def create(self, signal: Signal) -> list[Any]:
        names = self._plan.exporters.get(signal, ())
        created = [self._create(signal, name) for name in names]
        places = [
            getattr(exporter, "endpoint", name)
            for exporter, name in zip(created, names, strict=True)
        ]
        self.destinations[signal] = " and ".join(places) or "nowhere"
        return created

    def _create(self, signal: Signal, name: str) -> Any:
        exporter = load_exporter(signal, name)
        if name != DEFAULT:
            return exporter()
        return exporter(losses=self._losses, spool=self._spool)


def _create_reader(exporter: Any, interval_seconds: float | None) -> MetricReader:
    # Pull exporters, such as Prometheus, are readers themselves.
    if isinstance(exporter, MetricReader):
        return exporter
    interval = None if interval_seconds is None else interval_seconds * 1000
    return PeriodicExportingMetricReader(exporter, export_interval_millis=interval)
