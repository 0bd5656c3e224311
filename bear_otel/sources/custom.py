"""Record the application's own metrics by name, checked and bounded."""

from __future__ import annotations

import functools
import inspect
import logging
import math
import re
import time
from typing import TYPE_CHECKING, Any, Literal, Self, SupportsFloat, TypeVar, get_args

from opentelemetry.metrics import get_meter_provider
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from opentelemetry.metrics import MeterProvider

    Tags = Mapping[str, str | bool]

Kind = Literal["counter", "gauge", "histogram"]
Function = TypeVar("Function", bound="Callable[..., Any]")

_SCOPE = "bear_otel.custom"

# What OpenTelemetry accepts (https://opentelemetry.io/docs/specs/otel/metrics/api/); its SDK logs
# what is not accepted, and records nothing.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}")
_UNIT = re.compile(r"[\x21-\x7e]{0,63}")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")

# Each combination of labels is a series that every collection sends again. The SDK has a limit of
# its own, 2,000, and says nothing when it is reached.
_MOST_SERIES = 1000
_MOST_METRICS = 1000
_OVERFLOW = {"otel.metric.overflow": True}

# From a cache hit to a long generation; the SDK's default boundaries are made for milliseconds.
_SECONDS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
)  # fmt: skip

_logger = logging.getLogger("bear_otel")


def record_metric(
    name: str,
    value: SupportsFloat,
    kind: Kind = "counter",
    tags: Tags | None = None,
    *,
    unit: str = "",
) -> None:
    """Record one value of a metric of the application.

    The metric exists from the first value on. What is recorded before telemetry starts, or while
    it is switched off, goes nowhere.

    Args:
        name: Letters, digits and `_.-/`, a letter first.
        value: What to add to a counter, to show on a gauge, or to count in a histogram. What is no
            finite number, or negative for a counter, is left out and said once.
        kind: The same for all values of a name.
        tags: Labels: texts and booleans. Numbers, also as text, are left out and said once, since
            each would make a series of its own; so is what comes after 1,000 combinations, which
            is added up under `otel.metric.overflow`.
        unit: UCUM, the same for all values of a name: `s`, `By`, `{signup}`.

    Raises:
        ConfigurationError: A name, kind or unit that cannot be, or that differs from before.
    """
    instrument = _recorder.find(name, kind, unit)
    if instrument is not None:
        instrument.record(value, tags or {})


def timer(name: str, tags: Tags | None = None) -> Timer:
    """Measure how long something takes, as a histogram in seconds.

    As a context manager, or as a decorator of a function, asynchronous or not. What raises is
    measured, too, with the class of the exception as `error.type`.

    Args:
        name: As in `record_metric`.
        tags: As in `record_metric`.

    Raises:
        ConfigurationError: As in `record_metric`.
    """
    return Timer(name, tags)


class Timer:
    """What `timer` returns: for one `with` block at a time, or any number of calls."""

    def __init__(self, name: str, tags: Tags | None = None) -> None:
        self._name = name
        self._tags = dict(tags or {})
        self._started = 0.0
        _recorder.find(name, "histogram", "s")  # complain here, not where time is measured

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tags = self._tags if kind is None else {**self._tags, ERROR_TYPE: kind.__qualname__}
        record_metric(self._name, time.perf_counter() - self._started, "histogram", tags, unit="s")

    def __call__(self, function: Function) -> Function:
        """Measure every call of a function."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            where, accepted = f"timer {self._name}", "`with timer(...)` inside of a generator"
            raise ConfigurationError(where, function.__qualname__, accepted)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def measure_async(*args: Any, **kwargs: Any) -> Any:
                with Timer(self._name, self._tags):
                    return await function(*args, **kwargs)

            return measure_async  # pyright: ignore[reportReturnType] - same signature

        @functools.wraps(function)
        def measure(*args: Any, **kwargs: Any) -> Any:
            with Timer(self._name, self._tags):
                return function(*args, **kwargs)

        return measure  # pyright: ignore[reportReturnType] - same signature


class _Instrument:
    """One metric, with the combinations of labels that it has seen."""

    def __init__(self, name: str, kind: Kind, unit: str, provider: MeterProvider) -> None:
        self._name = name
        self.kind = kind
        self.unit = unit
        self._series: set[frozenset[tuple[str, str | bool]]] = set()
        self._said: set[str] = set()
        arguments: dict[str, Any] = {"unit": unit}
        if (kind, unit) == ("histogram", "s"):
            arguments["explicit_bucket_boundaries_advisory"] = _SECONDS
        create = getattr(provider.get_meter(_SCOPE), f"create_{kind}")
        verb = {"counter": "add", "gauge": "set", "histogram": "record"}[kind]
        self._record: Callable[..., None] = getattr(create(name, **arguments), verb)

    def record(self, value: object, tags: Mapping[str, object]) -> None:
        number = read_number(value)
        if number is None or (self.kind == "counter" and number < 0):
            self._say("value", "a value that is no finite number, or is negative, is left out")
            return
        self._record(number, self._label(tags))

    def _label(self, tags: Mapping[str, object]) -> Mapping[str, Any]:
        labels: dict[str, Any] = {
            tag: value for tag, value in tags.items() if self._is_label(tag, value)
        }
        series = frozenset(labels.items())
        if series not in self._series:
            if len(self._series) >= _MOST_SERIES:
                self._say("overflow", f"only {_MOST_SERIES} combinations of tags are told apart")
                return _OVERFLOW
            self._series.add(series)
        return labels

    def _is_label(self, tag: str, value: object) -> bool:
        if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
            return True
        if isinstance(value, str | int | float):
            reason = "a number makes a series for each value; record it as a value instead"
        else:
            reason = "it is neither text nor a boolean"
        self._say(f"tag {tag}", f"the tag {tag!r} is left out: {reason}")
        return False

    def _say(self, topic: str, problem: str) -> None:
        if topic not in self._said:
            self._said.add(topic)
            _logger.warning("metric %s: %s", self._name, problem)


class _Recorder:
    """The instruments of this process by name; no lock is needed, nor copied by a fork."""

    def __init__(self) -> None:
        self._provider: MeterProvider | None = None
        self._instruments: dict[str, _Instrument] = {}
        self._full = False

    def find(self, name: str, kind: Kind, unit: str) -> _Instrument | None:
        """Return the instrument of a name, or None if there are too many names."""
        provider = get_meter_provider()
        if provider is not self._provider:  # telemetry has started
            self._instruments, self._provider = {}, provider
        instrument = self._instruments.get(name)
        if instrument is None:
            _check(name, kind, unit)
            if len(self._instruments) >= _MOST_METRICS:
                self._say_full(name)
                return None
            created = _Instrument(name, kind, unit, provider)
            instrument = self._instruments.setdefault(name, created)
        if (instrument.kind, instrument.unit) != (kind, unit):
            where = f"metric {name}"
            accepted = f"it is a {_describe(instrument.kind, instrument.unit)} already"
            raise ConfigurationError(where, _describe(kind, unit), accepted)
        return instrument

    def _say_full(self, name: str) -> None:
        if not self._full:
            self._full = True
            _logger.warning(
                "metric %s and others are left out: only %d can be recorded by name",
                name,
                _MOST_METRICS,
            )


# One in a process, as OpenTelemetry's global meter provider is, of which it is a bounded cache.
_recorder = _Recorder()


def _describe(kind: object, unit: str) -> str:
    return f"{kind} {f'in {unit}' if unit else 'without unit'}"


def _check(name: object, kind: object, unit: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        accepted = "up to 255 letters, digits and _.-/ that begin with a letter"
        raise ConfigurationError("metric name", name, accepted)
    if kind not in get_args(Kind):
        accepted = f"one of {', '.join(get_args(Kind))}; for durations there is bear_otel.timer"
        where = f"kind of metric {name}"
        raise ConfigurationError(where, kind, accepted)
    if not isinstance(unit, str) or not _UNIT.fullmatch(unit):
        accepted = "up to 63 ASCII characters without spaces, such as s, By, {signup}"
        where = f"unit of metric {name}"
        raise ConfigurationError(where, unit, accepted)


def read_number(value: object) -> float | None:
    """Return a finite number, also from a `Decimal` or NumPy's types, or None."""
    if isinstance(value, str | bytes):
        return None
    try:
        number = value if isinstance(value, int | float) else float(value)  # pyright: ignore[reportArgumentType] - hence the try
        return number if math.isfinite(number) else None
    except (TypeError, ValueError, OverflowError):
        return None
