"""The table of metrics: what counts as a change, and how numbers are written."""

# ruff: noqa: RUF001 - the pictures have a multiplication sign

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from bear_otel.cli.otlp_json import ExportMetricsServiceRequest, parse_json_line
from bear_otel.cli.receiver import Receiver
from bear_otel.cli.render.metrics import MetricMemory, render_metrics
from bear_otel.cli.render.records import Point, read_points
from bear_otel.cli.render.style import Style, cells, format_duration, format_quantity

pytestmark = pytest.mark.usefixtures("utc")
START = 1_700_000_000_000_000_000
TEXT = st.text(max_size=60) | st.sampled_from(["日本語" * 20, "[REDACTED:email]" * 5, "x" * 5000])


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (-1, "?"), (0, "0 µs"), (999_499, "999 µs"), (999_500, "1.00 ms"), (9_994_999, "9.99 ms"),
        (48_300_000, "48.3 ms"), (999_400_000, "999 ms"), (1_234_000_000, "1.23 s"),
        (125e9, "2m 05s"), (7_260e9, "2h 01m"), (float("nan"), "?"), (float("inf"), "?"),
    ],
)  # fmt: skip
def test_durations_have_three_digits(nanoseconds: float, text: str) -> None:
    """A duration is read at a glance, and rounding never jumps over a unit."""
    assert format_duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0483, "s", "48.3 ms"), (84_200_000, "By", "84.2 MB"), (512, "By", "512 B"),
        (1_624, "{token}", "1,624"), (45_600, "1", "45,600"), (0.034, "1", "0.034"),
        (21.5, "Cel", "21.5 Cel"), (-3, "{request}", "-3"), (float("nan"), "1", "nan"),
    ],
)  # fmt: skip
def test_quantities_show_their_unit(value: float, unit: str, text: str) -> None:
    """UCUM units become what people write; a mere count has none."""
    assert format_quantity(value, unit) == text


def _point(name: str, kind: str = "gauge", **more: Any) -> Point:
    return Point(
        **{
            "service": "shop", "instance": "0b9d1f6e-33", "name": name, "unit": "1",
            "kind": kind, "attributes": {}, "time_ns": START, **more,
        }
    )  # fmt: skip


def _table(memory: MetricMemory, *points: Point) -> list[str]:
    return render_metrics(memory.changes(points), Style())


def test_metrics_are_a_table_of_what_changed() -> None:
    """The first export shows all, the second only what moved, as growth."""
    route = {"http.request.method": "GET", "url.scheme": "http", "http.route": "/users/{user_id}",
             "http.response.status_code": 200}  # fmt: skip
    duration = {"unit": "s", "attributes": route}
    memory = MetricMemory()

    assert _table(
        memory,
        _point("process.memory.usage", "gauge", unit="By", value=84.2e6),
        _point("http.server.request.duration", "histogram", count=20, total=0.2, **duration,
               buckets={0.01: 10, 0.1: 10, float("inf"): 0}),
        _point("bear.genai.tokens", "sum", unit="{token}", value=812, attributes={"type": "input"}),
        _point("http.server.active_requests", "gauge", value=0),
    ) == [
        "22:13:20  shop  metrics ─────────────────────────────────────────────── 0b9d1f6e",
        "http.server.request.duration  GET /user…r_id} 200  20×  avg 10.0 ms  p95 91.0 ms",
        "bear.genai.tokens             input                                         +812",
        "process.memory.usage                                                     84.2 MB",
    ]  # fmt: skip
    assert _table(
        memory,
        _point("process.memory.usage", "gauge", unit="By", value=85e6),
        _point("http.server.request.duration", "histogram", count=40, total=2.2, **duration,
               buckets={0.01: 10, 0.1: 28, float("inf"): 2}),
        _point("bear.genai.tokens", "sum", unit="{token}", value=812, attributes={"type": "input"}),
    ) == [
        "22:13:20  shop  metrics ─────────────────────────────────────────────── 0b9d1f6e",
        "http.server.request.duration  GET /users…r_id} 200  20×  avg 100 ms  p95 >100 ms",
    ]  # fmt: skip


def test_a_percentile_needs_numbers() -> None:
    """Of few measurements the average is all that can be said."""
    few = _point("m", "histogram", unit="s", count=19, total=1.9, buckets={1.0: 19})

    assert _table(MetricMemory(), few)[1].split() == ["m", "19×", "avg", "100", "ms"]


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        pytest.param({"value": 100}, {"value": 112}, "112", id="gauge-moved"),
        pytest.param({"value": 100}, {"value": 105}, None, id="gauge-hardly-moved"),
        pytest.param({"value": 1}, {"value": 0}, "0", id="gauge-to-zero"),
        pytest.param({"kind": "sum", "value": 5}, {"value": 8}, "+3  of 8", id="sum-grew"),
        pytest.param({"kind": "sum", "value": 5}, {"value": 5}, None, id="sum-same"),
        pytest.param({"kind": "sum", "value": 5}, {"value": 2}, "+2", id="sum-restarted"),
        pytest.param({"kind": "sum", "value": 5, "delta": True}, {}, "+5", id="sum-delta"),
        pytest.param({"value": float("nan")}, {"value": float("nan")}, None, id="nan"),
    ],
)
def test_only_news_is_told(first: dict[str, Any], second: dict[str, Any], told: str | None) -> None:
    """Each kind of series has its own idea of a change."""
    memory = MetricMemory()
    _table(memory, _point("m", **{"kind": "gauge", **first}))
    lines = _table(memory, _point("m", **{"kind": "gauge", **first, **second}))

    assert [line[1:].strip() for line in lines[1:]] == ([told] if told else [])


def test_points_of_the_official_sdk_are_understood() -> None:
    """Explicit and exponential histograms of the SDK give the same average, and p95 in range."""
    requests: list[Any] = []
    with Receiver(on_metrics=requests.append) as receiver:
        exponential = ExponentialBucketHistogramAggregation()
        exporter = OTLPMetricExporter(f"{receiver.endpoint}/v1/metrics")
        provider = MeterProvider(
            [PeriodicExportingMetricReader(exporter)],
            views=[View(instrument_name="exp", aggregation=exponential)],
            resource=Resource({"service.name": "shop", "process.pid": 7}),
        )
        for name in ("exp", "explicit"):
            histogram = provider.get_meter("t").create_histogram(
                name, unit="s", explicit_bucket_boundaries_advisory=[0.5, 0.9, 1.0]
            )
            for value in range(1, 101):
                histogram.record(value / 100)
        provider.get_meter("t").create_up_down_counter("queue").add(-2)
        provider.shutdown()

    points = list(read_points(requests[0]))
    lines = render_metrics(MetricMemory().changes(points), Style())

    assert [(point.service, point.instance, point.count) for point in points[:2]] == [
        ("shop", "7", 100)
    ] * 2
    rows = [re.split(r"\s{2,}", line) for line in lines[1:]]
    assert [row[:3] for row in rows] == [
        ["exp", "100×", "avg 505 ms"],
        ["explicit", "100×", "avg 505 ms"],
        ["queue", "-2"],
    ]
    assert rows[1][3] == "p95 950 ms"
    assert 940 <= float(rows[0][3].split()[1]) <= 960


@given(
    st.lists(
        st.builds(
            Point,
            service=TEXT,
            instance=TEXT,
            name=st.sampled_from(["a", "b.utilization", "日本語" * 20]),
            unit=st.sampled_from(["s", "By", "1", "{x}", "日本"]),
            kind=st.sampled_from(["sum", "gauge", "histogram"]),
            attributes=st.dictionaries(TEXT, TEXT | st.booleans() | st.floats(), max_size=3),
            time_ns=st.integers(0, 2**64 - 1),
            value=st.floats(),
            count=st.integers(0, 2**64 - 1),
            total=st.floats(),
            buckets=st.dictionaries(st.floats(allow_nan=False), st.integers(0, 2**64 - 1)),
        ),
        max_size=8,
    ),
    st.integers(40, 130),
)
@settings(max_examples=200, deadline=None)
def test_no_point_breaks_the_table(points: list[Point], width: int) -> None:
    """Any points are told without an error and within the width."""
    lines = render_metrics(MetricMemory().changes(points), Style(width=width))

    assert all(line.isprintable() and cells(line) <= width for line in lines)


def test_an_impossible_scale_is_no_crash() -> None:
    """The scale of an exponential histogram is the sender's claim; its power may be huge."""
    point = {"count": "1", "scale": -(2**31), "positive": {"offset": 3, "bucketCounts": ["1"]}}
    metric = {"name": "m", "exponentialHistogram": {"dataPoints": [point]}}
    request = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    parsed = parse_json_line(json.dumps(request))
    assert isinstance(parsed, ExportMetricsServiceRequest)

    (read,) = read_points(parsed)
    assert read.buckets == {0.0: 0, float("inf"): 1}
