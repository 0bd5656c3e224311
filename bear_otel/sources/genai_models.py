"""Tell what is known of a model besides its calls: how good it is, and how much memory it takes."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, SupportsFloat

from opentelemetry._logs import SeverityNumber, get_logger
from opentelemetry.metrics import Observation, get_meter_provider

from bear_otel import catalogue
from bear_otel.settings import ConfigurationError
from bear_otel.sources.custom import read_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider

_SCOPE = "bear_otel.genai"
_MODEL = "gen_ai.request.model"

_logger = logging.getLogger("bear_otel")

# What to ask for the memory of each model. One in a process, and before telemetry starts.
_memory: dict[str, Callable[[], int | None]] = {}


def record_evaluation(
    name: str, score: SupportsFloat, *, model: str, dataset: str, label: str | None = None
) -> None:
    """Record how well a model did, as the event `gen_ai.evaluation.result` and as a gauge.

    Args:
        name: What was evaluated: `accuracy`, `faithfulness`.
        score: Its value. What is no finite number is left out and said once.
        model: Which model, as in `bear_otel.inference`.
        dataset: On which data: `validation`.
        label: The verdict in a word: `pass`.
    """
    number = read_number(score)
    if number is None:
        _warn(f"evaluation {name}", "a score that is no finite number is left out")
        return
    labels = {"gen_ai.evaluation.name": name, _MODEL: model, "bear.gen_ai.dataset": dataset}
    _find_gauge(get_meter_provider()).set(number, labels)
    attributes: dict[str, Any] = {**labels, "gen_ai.evaluation.score.value": number}
    if label:
        attributes["gen_ai.evaluation.score.label"] = label
    get_logger(_SCOPE).emit(
        event_name=catalogue.GEN_AI_EVALUATION_RESULT.name,
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        attributes=attributes,
    )


def watch_model_memory(model: str, callback: Callable[[], int | None]) -> None:
    """Report the memory of a model, each time that metrics are collected.

    Args:
        model: Which model, as in `bear_otel.inference`. A second callback replaces the first.
        callback: Returns bytes, or None while the model is not loaded. It is called in another
            thread, so it should only read a number. What it raises is said once.

    Raises:
        ConfigurationError: A callback that cannot be called.
    """
    if not callable(callback):
        where = f"memory of {model}"
        raise ConfigurationError(where, callback, "a function that returns bytes")
    _memory[model] = callback


def report_models(meter: Meter, *, active: Callable[[], bool]) -> None:
    """Create the gauge of what `watch_model_memory` has been told, or will be.

    Args:
        meter: Meter that records it.
        active: Whether this process works; a supervisor has no model.
    """

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        for model, callback in list(_memory.items()) if active() else ():
            size = _read_memory(model, callback)
            if size is not None:
                yield Observation(size, {_MODEL: model})

    catalogue.create(meter, catalogue.GEN_AI_MODEL_MEMORY_USAGE, observe)


def _read_memory(model: str, callback: Callable[[], int | None]) -> float | None:
    try:
        size = callback()
    except Exception as error:  # noqa: BLE001 - the application's code; the others are still read
        _warn(f"memory of {model}", f"the callback raised {type(error).__name__}")
        return None
    number = read_number(size)
    if number is None and size is not None:
        _warn(f"memory of {model}", "a size that is no finite number is left out")
    return number


@functools.lru_cache(maxsize=1)
def _find_gauge(provider: MeterProvider) -> Any:
    """Return the gauge of the global provider, which changes once: at the start."""
    return catalogue.create(provider.get_meter(_SCOPE), catalogue.GEN_AI_EVALUATION_SCORE)


@functools.lru_cache(maxsize=100)
def _warn(what: str, problem: str) -> None:
    """Say a problem once."""
    _logger.warning("%s: %s", what, problem)
