"""Instruments that clean attributes and hand the measurement to the one that aggregates."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import (
    CallbackOptions,
    Counter,
    Histogram,
    Meter,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    Observation,
    UpDownCounter,
    _Gauge,
)
from opentelemetry.sdk.metrics import Counter as SdkCounter
from opentelemetry.sdk.metrics import Histogram as SdkHistogram
from typing_extensions import override

from bear_otel.pipeline import seams
from bear_otel.pipeline.bound import BoundInstrument
from bear_otel.pipeline.series import MAX_SERIES
from bear_otel.pipeline.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackT

    from bear_otel.pipeline.series import AttributeCache

    Observe = Callable[[CallbackOptions], Iterable[Observation]]


class Proxy:
    """An instrument in front of the one that aggregates."""

    def __init__(
        self, method: str, arguments: dict[str, Any], meter: Meter, clean: AttributeCache
    ) -> None:
        self._method = method
        self._arguments = arguments
        self._clean = clean
        self.attach(meter)

    def expire(self, renew: Callable[[], None]) -> None:
        """Wait for the provider of a forked child, which the first use makes."""
        self._inner = _Expired(self, renew)

    def attach(self, meter: Meter) -> None:
        """Make the instrument behind this one, or make it anew in another provider."""
        arguments = dict(self._arguments)
        if "callbacks" in arguments:
            arguments["callbacks"] = [self._bind(each, meter) for each in arguments["callbacks"]]
        self._meter = meter
        self._inner: Any = getattr(meter, self._method)(**arguments)

    @property
    def inner(self) -> Any:
        """The instrument that aggregates."""
        return self._inner

    def _bind(self, callback: Observe, meter: Meter) -> Observe:
        """Return a callback that observes for one meter only, and falls silent after the next."""

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            return callback(options) if self._meter is meter else ()

        return observe


class _Expired:
    """Stands behind a proxy in a forked child until the child's own instrument is there."""

    def __init__(self, proxy: Proxy, renew: Callable[[], None]) -> None:
        self._proxy = proxy
        self._renew = renew

    def __getattr__(self, name: str) -> Any:
        self._renew()
        return getattr(self._proxy.inner, name)


class _Bound(Proxy):
    """An instrument whose series are found once; see `BoundInstrument`."""

    _record = ""

    @override
    def attach(self, meter: Meter) -> None:
        super().attach(meter)
        # A provider that is switched off makes instruments that do nothing.
        if isinstance(self._inner, SdkCounter | SdkHistogram):
            self._inner = BoundInstrument(self._inner, self._record)


class _Adding(Proxy):
    """Adds with clean attributes."""

    def add(
        self,
        amount: float,
        attributes: Mapping[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        self._inner.add(amount, self._clean(attributes), context)


class CleanCounter(_Adding, _Bound, Counter):
    """Records clean attributes."""

    _record = "add"


class CleanUpDownCounter(_Adding, UpDownCounter):
    """Sums up here and lets the SDK observe; see `Sums` for why."""

    @override
    def attach(self, meter: Meter) -> None:
        self._meter = meter
        sums = self._inner = Sums(self._arguments["name"])
        callbacks = [self._bind(sums.observe, meter)]
        twin = meter.create_observable_up_down_counter(callbacks=callbacks, **self._arguments)
        sums.limit = seams.find_cardinality_limit(twin, MAX_SERIES)


class CleanHistogram(_Bound, Histogram):
    """Records clean attributes."""

    _record = "record"

    @override
    def record(
        self,
        amount: float,
        attributes: Mapping[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        self._inner.record(amount, self._clean(attributes), context)


class CleanGauge(Proxy, _Gauge):
    """Records clean attributes."""

    @override
    def set(
        self,
        amount: float,
        attributes: Mapping[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        self._inner.set(amount, self._clean(attributes), context)


class CleanObservableCounter(Proxy, ObservableCounter):
    """Observes through callbacks that are clean already."""


class CleanObservableUpDownCounter(Proxy, ObservableUpDownCounter):
    """Observes through callbacks that are clean already."""


class CleanObservableGauge(Proxy, ObservableGauge):
    """Observes through callbacks that are clean already."""


def wrap_callback(callback: CallbackT, clean: AttributeCache) -> Observe:
    """Return the callback with clean observations; it may be a function or a generator."""
    observe = _start_generator(callback) if isinstance(callback, Generator) else callback

    def observe_clean(options: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(each.value, clean(each.attributes), each.context)
            for each in observe(options)
        ]

    return observe_clean


def _start_generator(
    generator: Generator[Iterable[Observation], CallbackOptions, None],
) -> Observe:
    """Return a function that asks a generator, as the SDK would.

    The SDK starts a generator once for each instrument that it is given to; a forked child makes
    its instruments anew, so it must not see the generator.
    """
    started = False

    def observe(options: CallbackOptions) -> Iterable[Observation]:
        nonlocal started
        if not started:
            started = True
            next(generator)
        try:
            return generator.send(options)
        except StopIteration:
            return ()

    return observe
