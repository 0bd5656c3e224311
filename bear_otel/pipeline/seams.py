"""Every private OpenTelemetry name that bear-otel touches, in one place.

Each entry says why no public name does and, where one is known, which upstream issue would let it
go. An upgrade of OpenTelemetry is this file and `tests/pipeline/test_seams.py`.
"""

from __future__ import annotations

import atexit
import functools
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import opentelemetry._logs._internal as logs_internal
import opentelemetry.metrics._internal as metrics_internal
import opentelemetry.sdk._configuration as sdk_configuration
from opentelemetry import trace
from opentelemetry._logs import get_logger_provider
from opentelemetry.context import Context, get_current
from opentelemetry.instrumentation.auto_instrumentation import _load
from opentelemetry.metrics import get_meter_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs._internal._logger_metrics import NoOpLoggerMetrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics._internal._view_instrument_match import _hash_attributes
from opentelemetry.sdk.metrics._internal.measurement import Measurement
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace._tracer_metrics import NoOpTracerMetrics
from opentelemetry.trace import INVALID_SPAN, get_tracer_provider
from opentelemetry.trace.propagation import _SPAN_KEY
from opentelemetry.util._once import Once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.instrumentation.distro import BaseDistro
    from opentelemetry.sdk._logs import Logger, LogRecordLimits, LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, Tracer
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Span, Status

# Context key under which instrumentations and log handlers stay silent. The public helper
# `suppress_instrumentation` sets it, but nothing public reads the current value cheaply.
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY as SUPPRESS_KEY

__all__ = ["SUPPRESS_KEY"]


def find_foreign_provider() -> str | None:
    """Return the class of a provider that somebody else has set, or None.

    The proxies that stand in before a provider is set are private for metrics and logs
    (`_ProxyMeterProvider`), so the test is for what is known to be no provider yet.
    """
    for provider in (get_tracer_provider(), get_meter_provider(), get_logger_provider()):
        if not type(provider).__name__.lstrip("_").startswith("Proxy"):
            return f"{type(provider).__module__}.{type(provider).__qualname__}"
    return None


def reset_globals() -> None:
    """Forget the global providers, so that a test can set its own.

    OpenTelemetry lets each be set once in the life of a process.
    """
    for module, name in (
        (trace, "_TRACER_PROVIDER"),
        (metrics_internal, "_METER_PROVIDER"),
        (logs_internal, "_LOGGER_PROVIDER"),
    ):
        setattr(module, name, None)
        setattr(module, f"{name}_SET_ONCE", Once())


def silence_readers(provider: MeterProvider) -> None:
    """Let the readers of a provider find nothing any more, whatever they were about to collect.

    In a forked child, the periodic reader that it has inherited collects once more when it ends,
    and would report again what the parent has counted
    (open-telemetry/opentelemetry-python#3885).
    """
    for reader in provider._metric_readers:
        reader._set_collect_callback(_find_nothing)  # pyright: ignore[reportArgumentType] - as above


def _find_nothing(*_: Any, **__: Any) -> None:
    """Return no metrics, which a reader takes for an empty collection."""


def watch_collections(provider: MeterProvider, watch: Callable[[MetricsData], None]) -> None:
    """Let somebody look at what the readers of a provider collect, whoever adds them.

    Exporters could, but a file may name any, and a reader that is scraped has none.
    """
    consumer = provider._measurement_consumer
    collect = consumer.collect

    def collect_and_watch(*args: Any, **kwargs: Any) -> MetricsData | None:
        collected = collect(*args, **kwargs)
        if collected is not None:
            watch(collected)
        return collected

    consumer.collect = collect_and_watch
    for reader in provider._metric_readers:
        reader._set_collect_callback(collect_and_watch)  # pyright: ignore[reportArgumentType] - as above


def shut_down_foreign_providers() -> None:
    """Stop the providers that somebody else has set, at once and without another export."""
    for provider in (get_tracer_provider(), get_meter_provider(), get_logger_provider()):
        processor = getattr(provider, "_active_span_processor", None) or getattr(
            provider, "_multi_log_record_processor", None
        )
        for attribute in ("_span_processors", "_log_record_processors"):
            if hasattr(processor, attribute):
                setattr(processor, attribute, ())
        _remove_exit_handler(provider)
        for reader in getattr(provider, "_metric_readers", ()):
            provider.remove_metric_reader(reader)  # pyright: ignore[reportAttributeAccessIssue]


def create_trace_components() -> dict[str, Any]:
    """Return sampler, id generator and tracer configurator as the `OTEL_*` variables name them.

    `TracerProvider` reads the built-in samplers from the environment itself, but not those that
    come from entry points.
    """
    sampler = sdk_configuration._import_sampler(sdk_configuration._get_sampler())
    name = sdk_configuration._get_id_generator()
    configurator = sdk_configuration._get_tracer_configurator()
    return {
        "sampler": sampler,
        "id_generator": sdk_configuration._import_id_generator(name),
        "_tracer_configurator": sdk_configuration._import_tracer_configurator(configurator),
    }


def create_metric_components() -> dict[str, Any]:
    """Return the meter configurator that `OTEL_PYTHON_METER_CONFIGURATOR` names."""
    configurator = sdk_configuration._get_meter_configurator()
    return {"_meter_configurator": sdk_configuration._import_meter_configurator(configurator)}


def create_log_components() -> dict[str, Any]:
    """Return the logger configurator that `OTEL_PYTHON_LOGGER_CONFIGURATOR` names."""
    configurator = sdk_configuration._get_logger_configurator()
    return {"_logger_configurator": sdk_configuration._import_logger_configurator(configurator)}


def find_span(context: Context | None) -> Span:
    """Return the span of a context, or of the current one, as `get_current_span` does.

    It makes one call of five: what it checks besides is who may have put it there.
    """
    return (get_current() if context is None else context).get(_SPAN_KEY, INVALID_SPAN)  # pyright: ignore[reportReturnType] - nothing else is put there


def makes_plain_spans(tracer: Tracer, attributes: int) -> bool:
    """Return whether a tracer neither drops nor counts spans, nor cuts that many attributes.

    A tracer tells nobody its limits, nor whether it is switched off, nor whether it measures
    itself (`OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED`).
    """
    limits = tracer._span_limits
    most = limits.max_span_attributes
    return (
        tracer._is_enabled()
        and isinstance(tracer._tracer_metrics, NoOpTracerMetrics)
        and limits.max_span_attribute_length is None
        and (most is None or most >= attributes)
    )


def read_tracer(tracer: Tracer) -> tuple[InstrumentationScope, SpanLimits]:
    """Return what a tracer gives its spans and tells nobody else."""
    return tracer._instrumentation_scope, tracer._span_limits


def makes_plain_records(logger: Logger, attributes: int) -> bool:
    """Return whether a logger neither counts records, nor cuts that many attributes."""
    limits = logger._log_record_limits
    most = limits.max_log_record_attributes
    return (
        isinstance(logger._logger_metrics, NoOpLoggerMetrics)
        and limits.max_log_record_attribute_length is None
        and (most is None or most >= attributes)
    )


def read_logger(logger: Logger) -> tuple[Callable[[], bool], LogRecordLimits]:
    """Return what tells whether a logger is on, and what it gives its records."""
    return logger._is_enabled, logger._log_record_limits


def date_span(span: SdkSpan, status: Status, start_time: int, end_time: int | None) -> None:
    """Let a span have begun before it was made, and perhaps have ended.

    `Span.start()` tells the processor, and one cannot end without.
    """
    span._status = status
    span._start_time = start_time
    span._end_time = end_time  # pyright: ignore[reportAttributeAccessIssue] - None at first


def read_instrument(instrument: Any) -> tuple[Callable[[], object], Callable[..., bool]]:
    """Return what tells the readers of an instrument, and what decides about its exemplars.

    The readers are another object whenever one has come or gone.
    """
    consumer = instrument._measurement_consumer
    # Faster than a function of our own.
    find_readers = functools.partial(attrgetter("_reader_storages"), consumer)
    return find_readers, consumer._sdk_config.exemplar_filter.should_sample


def find_aggregations(
    instrument: Any, attributes: Mapping[str, Any] | None
) -> tuple[Callable[..., None], ...] | None:
    """Return what adds a measurement to a series, once for each reader and view.

    Returns:
        None if that is not to be kept: a meter that is switched off, or a reader that begins anew
        after each export.
    """
    if not instrument._is_enabled():
        return None
    checked = Measurement(0, 0, instrument, Context(), attributes).attributes or {}
    found = []
    for storage in instrument._measurement_consumer._reader_storages.values():
        for match in storage._get_or_init_view_instrument_match(instrument):
            if match._reset_on_collect:
                return None
            keys = match._view._attribute_keys
            kept = {key: checked[key] for key in checked if keys is None or key in keys}
            with match._lock:
                series = match._get_or_create_aggregation(_hash_attributes(kept), kept)
            found.append(series.aggregate)
    return tuple(found)


def find_cardinality_limit(instrument: Any, default: int) -> int:
    """Return how many series of an instrument its readers and views tell apart at the most."""
    consumer = getattr(instrument, "_measurement_consumer", None)  # none where it does nothing
    storages = consumer._reader_storages.values() if consumer else ()
    matches = (storage._get_or_init_view_instrument_match(instrument) for storage in storages)
    return max((each._cardinality_limit for found in matches for each in found), default=default)


def load_instrumentors(distro: BaseDistro) -> None:
    """Load every installed instrumentor, as `opentelemetry-instrument` does."""
    _load._load_instrumentors(distro)


def create_file_providers(
    config: Any, resource: Resource
) -> tuple[TracerProvider, MeterProvider, LoggerProvider]:
    """Create the three providers of a declarative configuration.

    The public `configure_sdk` sets the globals itself, before anybody could put a scrubber in
    front, and never gives the providers back. A signal that the file leaves out gets a provider
    without a processor, which sends nothing.
    """
    from opentelemetry.configuration import _logger_provider, _meter_provider, _tracer_provider

    limits = config.attribute_limits
    providers = (
        _tracer_provider.create_tracer_provider(config.tracer_provider, resource, limits),
        _meter_provider.create_meter_provider(config.meter_provider, resource),
        _logger_provider.create_logger_provider(config.logger_provider, resource, limits),
    )
    for provider in providers:
        _remove_exit_handler(provider)
    return providers


def create_file_meter_provider(config: Any, resource: Resource) -> MeterProvider:
    """Create the meter provider of a declarative configuration once more, after a fork."""
    from opentelemetry.configuration import _meter_provider

    provider = _meter_provider.create_meter_provider(config.meter_provider, resource)
    _remove_exit_handler(provider)
    return provider


def create_file_resource(config: Any) -> Resource:
    """Create the resource of a declarative configuration."""
    from opentelemetry.configuration import _resource

    return _resource.create_resource(config.resource)


def create_file_propagator(config: Any) -> Any:
    """Create the propagator of a declarative configuration."""
    from opentelemetry.configuration import _propagator

    return _propagator.create_propagator(config.propagator)


def configure_file_instrumentation(config: Any) -> None:
    """Run the instrumentors with the options that a declarative configuration gives them."""
    from opentelemetry.configuration.instrumentation import configure_instrumentation

    configure_instrumentation(config.instrumentation_development)


def replace_span_processor(provider: TracerProvider, front: SpanProcessor) -> SpanProcessor:
    """Put a processor in front of all others of a provider; return what stood there.

    Only the constructor takes one, and providers of a declarative configuration exist already
    (open-telemetry/opentelemetry-python#4424).
    """
    behind = provider._active_span_processor
    provider._active_span_processor = front  # pyright: ignore[reportAttributeAccessIssue] - duck typed
    return behind


def replace_log_record_processor(
    provider: LoggerProvider, front: LogRecordProcessor
) -> LogRecordProcessor:
    """Put a processor in front of all others of a provider; return what stood there."""
    behind = provider._multi_log_record_processor
    provider._multi_log_record_processor = front  # pyright: ignore[reportAttributeAccessIssue] - duck typed
    return behind


def _remove_exit_handler(provider: object) -> None:
    """Take back the exit handler of a provider; `shutdown_on_exit` is no option of the factories.

    Three handlers in a row, each with its own patience, make an exit that takes 13 to 20 seconds
    when nobody listens (open-telemetry/opentelemetry-python#3309).
    """
    for name in ("_atexit_handler", "_at_exit_handler"):
        if handler := getattr(provider, name, None):
            atexit.unregister(handler)
            setattr(provider, name, None)
