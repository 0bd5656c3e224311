"""Names, units and kinds in the catalogue are those of the semantic conventions."""

from __future__ import annotations

import importlib
import pkgutil
import re

import opentelemetry.semconv._incubating.attributes
import opentelemetry.semconv._incubating.metrics
import opentelemetry.semconv.attributes
import opentelemetry.semconv.metrics
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from bear_otel.catalogue import EVENTS, METRICS, Event, Metric, create

# FastAPI's own, outside of the conventions; and events, which they name in prose alone.
FOREIGN = re.compile(
    r"^(fastapi\.|((http\.server\.request\.)?exception|session\.(start|end)|browser\.web_vital"
    r"|gen_ai\.(evaluation\.result|client\.inference\.operation\.details))$)"
)


def load_constants() -> frozenset[str]:
    """Return every text that the installed conventions define: names and attribute keys."""
    stable, incubating = opentelemetry.semconv, opentelemetry.semconv._incubating
    packages = (stable.attributes, stable.metrics, incubating.attributes, incubating.metrics)
    return frozenset(
        value
        for package in packages
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, str)
    )


CONVENTIONS = load_constants()


@pytest.mark.parametrize("row", [*METRICS, *EVENTS], ids=lambda row: row.name)
def test_a_name_is_in_the_conventions_or_starts_with_bear(row: Metric | Event) -> None:
    """Also every attribute."""
    for name in (row.name, *row.attributes):
        assert name.startswith("bear.") or name in CONVENTIONS or FOREIGN.match(name), name


def test_names_are_unique() -> None:
    """One row a metric."""
    names = [row.name for row in METRICS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_every_row_makes_an_instrument(row: Metric) -> None:
    """The SDK accepts name, unit and kind."""
    provider = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    create(provider.get_meter("test"), row)
