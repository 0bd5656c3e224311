"""The page of Prometheus names is what the real Collector makes of the catalogue."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from collector_harness import ROOT, Collector, wait_until
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from bear_otel.catalogue import METRICS, create
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.server

PAGE = ROOT / "docs" / "collector" / "prometheus-names.md"
WRITE = "BEAR_OTEL_TEST_WRITE"
HEAD = f"""\
# Names in Prometheus
<!-- Written by: {WRITE}=1 pytest tests/collector/test_collector_names.py -->

What each metric of the catalogue is called on the Collector's page for Prometheus, and through
remote write. `_total` marks a counter; the unit is part of the name. Histograms have `_bucket`,
`_sum` and `_count` behind it.

| metric | in Prometheus | type |
|---|---|---|
"""


def _record_all(port: int) -> None:
    """Send one point for each row of the catalogue, by the stock SDK and exporter."""
    exporter = OTLPMetricExporter(endpoint=f"http://127.0.0.1:{port}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], resource=Resource({"service.name": "shop"}))
    meter = provider.get_meter("catalogue")
    for row in METRICS:
        observed = create(meter, row, lambda _: [Observation(1)])
        for method in ("add", "record", "set"):
            if hasattr(observed, method):
                getattr(observed, method)(1)
                break
    provider.shutdown()


def test_the_page_of_names_is_what_comes_out(collector: Callable[..., Collector]) -> None:
    """Dashboards and alerts are written with these names, so a change must be seen."""
    page = free_port()
    one = collector(environment={"BEAR_OTEL_COLLECTOR_PROMETHEUS_LISTEN": f"127.0.0.1:{page}"})
    _record_all(one.http)
    names: dict[str, str] = {}
    types: dict[str, str] = {}

    def are_there() -> bool:
        lines = one._get(page, "/metrics")[1].decode().splitlines()
        helps = [line.split(" ", 3)[2:] for line in lines if line.startswith("# HELP")]
        names.update({text: name for name, text in helps})
        types.update(line.split(" ", 3)[2:] for line in lines if line.startswith("# TYPE"))
        return names.keys() >= {row.description for row in METRICS}

    wait_until(are_there, what="the metrics")
    rows = [
        f"| `{row.name}` | `{names[row.description]}` | {types[names[row.description]]} |"
        for row in METRICS
    ]
    assert len({row.description for row in METRICS}) == len(METRICS)
    text = HEAD + "\n".join(rows) + "\n"
    if os.environ.get(WRITE):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, f"stale: run with {WRITE}=1"
