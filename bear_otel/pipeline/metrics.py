"""Clean every measurement before it is aggregated, through OpenTelemetry's public API alone.

Later is too late: what has become the attribute set of a series also leaves as an exemplar, and
points that are the same after scrubbing must be added up, not reported twice.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import (
    Counter,
    Histogram,
    Meter,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
    _Gauge,
)
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from typing_extensions import override

from bear_otel.pipeline import seams
from bear_otel.pipeline.forking import reset_in_child
from bear_otel.pipeline.instruments import (
    CleanCounter,
    CleanGauge,
    CleanHistogram,
    CleanObservableCounter,
    CleanObservableGauge,
    CleanObservableUpDownCounter,
    CleanUpDownCounter,
    Proxy,
    wrap_callback,
)
from bear_otel.pipeline.losses import logger
from bear_otel.pipeline.overflow import OverflowWatch
from bear_otel.pipeline.series import AttributeCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.metrics import CallbackT
    from opentelemetry.sdk.metrics.export import MetricReader

    from bear_otel.privacy import Scrubber

_FAILED = "[REDACTED:error]"

# A child that records nothing still reports what is observed in it.
_RENEWAL_SECONDS = 1.0


class ScrubbingMeterProvider(MeterProvider):
    """A meter provider whose instruments hand clean attributes to the provider behind it.

    Because every instrument is a proxy, the provider behind can be replaced: a forked child
    starts with a new one and does not report again what its parent had counted
    (open-telemetry/opentelemetry-python#3885).

    Args:
        create_inner: Makes the provider that aggregates and exports; called again in each child.
        scrubber: Cleans attributes, names and descriptions.
    """

    def __init__(self, create_inner: Callable[[], SdkMeterProvider], scrubber: Scrubber) -> None:
        self._overflow_watch = OverflowWatch()

        def create_watched() -> SdkMeterProvider:
            inner = create_inner()
            seams.watch_collections(inner, self._overflow_watch)
            return inner

        self._create_inner = create_watched
        self._inner = create_watched()
        self._outdated = False
        self._renewing = threading.RLock()
        self._scrubber = scrubber
        self._clean_scope = self.create_cache()
        self._meters: dict[tuple[Any, ...], _CleanMeter] = {}
        # After the SDK's own handlers, which were registered when its provider was made.
        reset_in_child(self._expire)

    @override
    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Meter:
        arguments = (
            self.clean_text(name, "scope"),
            self.clean_text(version, "scope"),
            self.clean_text(schema_url, "scope"),
            self._clean_scope(attributes),
        )
        key = (*arguments[:3], repr(arguments[3]))
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = _CleanMeter(arguments, self)
        return meter

    @property
    def inner(self) -> SdkMeterProvider:
        """The provider that aggregates, for readers that want it."""
        self.renew()
        return self._inner

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Add a reader, which gets clean points."""
        self.inner.add_metric_reader(metric_reader)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect and export now."""
        return self.inner.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """End the provider that aggregates."""
        self.inner.shutdown(timeout_millis)

    def close(self) -> None:
        """End the provider after a flush, which has told everything.

        A periodic reader collects once more when it ends, so that sums would be sent twice, or
        not, as the threads run.
        """
        seams.silence_readers(self._inner)
        self.shutdown()

    def _expire(self) -> None:
        """Let the first use, or else a thread, make the provider of a child.

        Not the fork itself: a server that forks a worker has not set the worker's signal handlers
        yet, and a signal that comes before is lost. The less is done until then, the better.
        """
        self._renewing = threading.RLock()
        self._outdated = True
        self._overflow_watch.begin_anew()
        seams.silence_readers(self._inner)
        for meter in list(self._meters.values()):
            meter.expire()
        threading.Thread(target=self._renew_later, daemon=True).start()

    def _renew_later(self) -> None:
        time.sleep(_RENEWAL_SECONDS)
        self.renew()

    def renew(self) -> None:
        """Make the provider of a forked child, unless that has been done."""
        with self._renewing:
            if not self._outdated:
                return
            self._outdated = False
            parents = self._inner
            try:
                self._inner = self._create_inner()
            except Exception:  # noqa: BLE001 - whoever records must not suffer from it
                logger.warning("metrics: this forked process sends none: cannot start anew")
                self._inner = SdkMeterProvider(shutdown_on_exit=False)
            for meter in list(self._meters.values()):
                meter.attach(self._inner)
        # Nothing is left in it to collect. In a thread, since it may wait for a lock that the
        # parent held while it forked.
        threading.Thread(target=_end_quietly, args=(parents,), daemon=True).start()

    # Read by the proxies below.
    def create_cache(self) -> AttributeCache:
        """Return what cleans the attributes of one metric."""
        return AttributeCache(self._scrubber)

    def clean_text(self, text: str | None, door: str) -> str | None:
        """Return a name or description as it may leave; never raises."""
        try:
            return self._scrubber.scrub_name(text, door=door) if text else text
        except Exception:  # noqa: BLE001 - fail closed, also on a bug of the scrubber
            self._scrubber.errors += 1
            return _FAILED


class _CleanMeter(Meter):
    def __init__(self, arguments: tuple[Any, ...], provider: ScrubbingMeterProvider) -> None:
        super().__init__(*arguments[:3])
        self._arguments = arguments
        self._provider = provider
        self._inner = provider.inner.get_meter(*arguments)
        self._instruments: dict[object, Proxy] = {}

    def expire(self) -> None:
        """Let the first use of an instrument make the provider of a child."""
        for instrument in list(self._instruments.values()):
            instrument.expire(self._provider.renew)

    def attach(self, provider: SdkMeterProvider) -> None:
        """Make the meter and all its instruments anew in another provider."""
        self._inner = provider.get_meter(*self._arguments)
        for instrument in list(self._instruments.values()):
            instrument.attach(self._inner)

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        return self._create(CleanCounter, "create_counter", name, unit, description)

    def create_up_down_counter(
        self, name: str, unit: str = "", description: str = ""
    ) -> UpDownCounter:
        return self._create(CleanUpDownCounter, "create_up_down_counter", name, unit, description)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> _Gauge:
        return self._create(CleanGauge, "create_gauge", name, unit, description)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        advisory = explicit_bucket_boundaries_advisory
        extra = {"explicit_bucket_boundaries_advisory": tuple(advisory) if advisory else None}
        return self._create(CleanHistogram, "create_histogram", name, unit, description, **extra)

    def create_observable_counter(
        self,
        name: str,
        callbacks: Sequence[CallbackT] | None = None,
        unit: str = "",
        description: str = "",
    ) -> ObservableCounter:
        extra = {"callbacks": callbacks or ()}
        kind = CleanObservableCounter
        return self._create(kind, "create_observable_counter", name, unit, description, **extra)

    def create_observable_up_down_counter(
        self,
        name: str,
        callbacks: Sequence[CallbackT] | None = None,
        unit: str = "",
        description: str = "",
    ) -> ObservableUpDownCounter:
        extra = {"callbacks": callbacks or ()}
        kind = CleanObservableUpDownCounter
        method = "create_observable_up_down_counter"
        return self._create(kind, method, name, unit, description, **extra)

    def create_observable_gauge(
        self,
        name: str,
        callbacks: Sequence[CallbackT] | None = None,
        unit: str = "",
        description: str = "",
    ) -> ObservableGauge:
        extra = {"callbacks": callbacks or ()}
        kind = CleanObservableGauge
        return self._create(kind, "create_observable_gauge", name, unit, description, **extra)

    def _create(
        self, proxy: type[Any], method: str, name: str, unit: str, description: str, **extra: Any
    ) -> Any:
        clean = self._provider.clean_text
        arguments = {
            "name": clean(name, "metric.name"),
            "unit": clean(unit, "metric.unit"),
            "description": clean(description, "metric.description"),
            **extra,
        }
        if arguments["name"] != name:
            # A marker is no valid instrument name.
            arguments["name"] = "bear.redacted"
        # The same instrument again, perhaps for every request: hand out the one that exists. Each
        # observable is its own, since its callbacks are.
        key = (method, *arguments.values()) if "callbacks" not in extra else object()
        instrument = self._instruments.get(key)
        if instrument is None:
            cache = self._provider.create_cache()
            if "callbacks" in extra:
                arguments["callbacks"] = [wrap_callback(each, cache) for each in extra["callbacks"]]
            instrument = proxy(method, arguments, self._inner, cache)
            self._instruments[key] = instrument
        return instrument


def _end_quietly(provider: SdkMeterProvider) -> None:
    with contextlib.suppress(Exception):  # its readers may miss the deadline, which is no loss
        provider.shutdown(timeout_millis=100)
