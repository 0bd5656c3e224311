"""How good a model is, and how much memory it takes, arrives as back ends can chart it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import bear_otel
from bear_otel import ConfigurationError
from bear_otel.sources import genai_models
from bear_otel.testing import Captured, capture


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Each test has its own models, and hears each problem."""
    genai_models._memory.clear()
    genai_models._warn.cache_clear()
    yield
    genai_models._memory.clear()


def read_memory(captured: Captured) -> dict[str, float]:
    """Return the memory of each model."""
    points = captured.metrics().get("bear.gen_ai.model.memory.usage", [])
    return {point.attributes["gen_ai.request.model"]: point.value for point in points}


def test_an_evaluation_is_an_event_and_a_gauge(telemetry: Captured) -> None:
    """The event is the convention's; the gauge is what a dashboard needs."""
    labels = {
        "gen_ai.evaluation.name": "accuracy",
        "gen_ai.request.model": "llama-7b",
        "bear.gen_ai.dataset": "validation",
    }
    for score in (0.9, Decimal("0.94")):
        bear_otel.record_evaluation("accuracy", score, model="llama-7b", dataset="validation")
    (point,) = telemetry.metrics()["bear.gen_ai.evaluation.score"]
    assert (point.value, dict(point.attributes)) == (0.94, labels)
    records = [log.log_record for log in telemetry.logs]
    assert [(record.event_name, dict(record.attributes or {})) for record in records] == [
        ("gen_ai.evaluation.result", {**labels, "gen_ai.evaluation.score.value": score})
        for score in (0.9, 0.94)
    ]


def test_an_evaluation_may_have_a_verdict(telemetry: Captured) -> None:
    """In a word; it is no label of the gauge, or each verdict would be a series."""
    bear_otel.record_evaluation("safety", 1, model="llama-7b", dataset="red", label="pass")
    (log,) = telemetry.logs
    assert (log.log_record.attributes or {})["gen_ai.evaluation.score.label"] == "pass"
    (point,) = telemetry.metrics()["bear.gen_ai.evaluation.score"]
    assert "gen_ai.evaluation.score.label" not in point.attributes


@pytest.mark.parametrize("score", [float("nan"), None, "0.9"], ids=str)
def test_a_score_that_is_none_is_left_out_and_said_once(
    telemetry: Captured, caplog: pytest.LogCaptureFixture, score: Any
) -> None:
    """Data are no reason to fail."""
    for _ in range(2):
        bear_otel.record_evaluation("accuracy", score, model="llama-7b", dataset="validation")
    assert telemetry.logs == ()
    assert "bear.gen_ai.evaluation.score" not in telemetry.metrics()
    assert [record.getMessage() for record in caplog.records] == [
        "evaluation accuracy: a score that is no finite number is left out"
    ]


def test_the_memory_of_a_model_is_asked_for_at_each_collection(telemetry: Captured) -> None:
    """One value a model; none while it is not loaded."""
    sizes: list[int | None] = [4_200_000_000, None, 4_300_000_000]
    bear_otel.watch_model_memory("llama-7b", lambda: sizes.pop(0))
    bear_otel.watch_model_memory("clip", lambda: 1)
    assert read_memory(telemetry) == {"llama-7b": 4_200_000_000, "clip": 1}
    assert read_memory(telemetry) == {"clip": 1}
    assert read_memory(telemetry) == {"llama-7b": 4_300_000_000, "clip": 1}


def test_a_model_may_be_told_before_telemetry_starts() -> None:
    """And again: the last callback counts."""
    bear_otel.watch_model_memory("llama-7b", lambda: 1)
    bear_otel.watch_model_memory("llama-7b", lambda: 2)
    with capture() as telemetry:
        assert read_memory(telemetry) == {"llama-7b": 2}


@pytest.mark.parametrize(
    ("callback", "problem"),
    [
        (lambda: 1 / 0, "memory of llama-7b: the callback raised ZeroDivisionError"),
        (lambda: "4 GB", "memory of llama-7b: a size that is no finite number is left out"),
    ],
    ids=["raises", "no number"],
)
def test_a_callback_that_fails_is_said_once_and_costs_the_others_nothing(
    telemetry: Captured, caplog: pytest.LogCaptureFixture, callback: Any, problem: str
) -> None:
    """It is the application's code, in our thread."""
    bear_otel.watch_model_memory("llama-7b", callback)
    bear_otel.watch_model_memory("clip", lambda: 1)
    for _ in range(2):
        assert read_memory(telemetry) == {"clip": 1}
    assert [record.getMessage() for record in caplog.records] == [problem]


def test_a_callback_that_is_none_is_refused() -> None:
    """Where it is given."""
    with pytest.raises(ConfigurationError, match="a function that returns bytes"):
        bear_otel.watch_model_memory("llama-7b", 4_200_000_000)  # pyright: ignore[reportArgumentType] - the test
