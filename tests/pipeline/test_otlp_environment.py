"""OpenTelemetry's variables, read as the official exporter reads them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)
from opentelemetry.util.re import parse_env_headers

from bear_otel.pipeline.otlp_environment import (
    load_aggregation,
    load_otlp_options,
    load_temporality,
)
from bear_otel.pipeline.otlp_http import TlsFiles

if TYPE_CHECKING:
    from bear_otel.pipeline.losses import Signal

GENERAL = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("signal", "environ", "expected"),
    [
        ("traces", {}, "http://localhost:4318/v1/traces"),
        ("metrics", {GENERAL: "http://c:4318"}, "http://c:4318/v1/metrics"),
        ("logs", {GENERAL: "http://c:4318/"}, "http://c:4318/v1/logs"),
        ("logs", {GENERAL: "http://c:4318/base"}, "http://c:4318/base/v1/logs"),
        ("traces", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x"}, "http://t/x"),
        ("logs", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x"}, "http://localhost:4318/v1/logs"),
        ("traces", {GENERAL: "", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ""}, "http://localhost:4318/v1/traces"),
    ],
)  # fmt: skip
def test_the_endpoint(signal: Signal, environ: dict[str, str], expected: str) -> None:
    """The general endpoint gets the path of the signal; the signal's own is taken as it is."""
    assert load_otlp_options(signal, environ).endpoint == expected


def test_a_given_value_wins_over_its_variables() -> None:
    """Code > variable of the signal > general variable > default; headers one by one."""
    environ = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://variable",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=general",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=signal,b=signal",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "4.5",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": "cert",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "key",
    }
    found = load_otlp_options("traces", environ)
    assert found.headers == {"a": "signal", "b": "signal"}
    assert (found.timeout_seconds, found.compression) == (4.5, "none")
    assert found.tls == TlsFiles(authorities="ca", client_certificate="cert", client_key="key")
    given = load_otlp_options(
        "traces",
        environ,
        endpoint="http://given",
        headers={"B": "given"},
        timeout_seconds=1,
        compression="deflate",
        certificate_file="other",
    )
    assert (given.endpoint, given.timeout_seconds, given.compression) == (
        "http://given",
        1,
        "deflate",
    )
    assert given.headers == {"a": "signal", "b": "given"}
    assert given.tls.authorities == "other"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"CURL_CA_BUNDLE": "curl"}, "curl"),
        ({"CURL_CA_BUNDLE": "curl", "REQUESTS_CA_BUNDLE": "requests"}, "requests"),
        ({"REQUESTS_CA_BUNDLE": "requests", "OTEL_EXPORTER_OTLP_CERTIFICATE": "otel"}, "otel"),
    ],
)
def test_the_authorities(environ: dict[str, str], expected: str | None) -> None:
    """The variables that corporate machines set for `requests` count here too."""
    assert load_otlp_options("traces", environ).tls.authorities == expected


@given(
    st.text('ab%41,=; \t"é', max_size=20)
    | st.lists(st.text("aA%20 =1", max_size=6), max_size=4).map(",".join)
)
def test_headers_are_read_as_the_official_parser_reads_them(text: str) -> None:
    """Percent-decoding, spaces and repeated signs, for any text."""
    logging.disable(logging.WARNING)
    try:
        found = load_otlp_options("traces", {"OTEL_EXPORTER_OTLP_HEADERS": text}).headers
        assert found == parse_env_headers(text, liberal=True)
    finally:
        logging.disable(logging.NOTSET)


def test_a_header_that_cannot_be_read_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """It is most likely a key; the official parser logs it."""
    options = load_otlp_options("traces", {"OTEL_EXPORTER_OTLP_HEADERS": 's3cret,a=b"s3cret,c=d'})
    assert options.headers == {"c": "d"}
    assert (
        caplog.messages == ["a pair of OTEL_EXPORTER_OTLP_*HEADERS is not name=value; ignored"] * 2
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TIMEOUT", "soon", "OTEL_EXPORTER_OTLP_*TIMEOUT='soon' is not a number; using 10 s"),
        ("COMPRESSION", "zip", "compression 'zip' is not known; using none"),
    ],
)
def test_a_bad_value_is_named_and_replaced(
    name: str, value: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenTelemetry asks for a warning where its own variables cannot be read."""
    options = load_otlp_options("traces", {f"OTEL_EXPORTER_OTLP_{name}": value})
    assert caplog.messages == [said]
    assert options.timeout_seconds == 10.0


@pytest.mark.parametrize(
    ("preference", "delta"),
    [
        ("cumulative", set()),
        ("Delta", {Counter, Histogram, ObservableCounter}),
        (" lowmemory ", {Counter, Histogram}),
        ("unknown", set()),
    ],
)
def test_the_temporality(preference: str, delta: set[type]) -> None:
    """Up-down counters stay cumulative whatever is preferred."""
    environ = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference}
    found = load_temporality(environ)
    assert {kind for kind, value in found.items() if value is AggregationTemporality.DELTA} == delta
    assert found[UpDownCounter] is AggregationTemporality.CUMULATIVE


@pytest.mark.parametrize(
    ("preference", "expected"),
    [
        ("explicit_bucket_histogram", ExplicitBucketHistogramAggregation),
        ("BASE2_EXPONENTIAL_BUCKET_HISTOGRAM", ExponentialBucketHistogramAggregation),
        ("unknown", ExplicitBucketHistogramAggregation),
    ],
)
def test_the_histogram_aggregation(preference: str, expected: type) -> None:
    """Exponential histograms for back ends that want them."""
    environ = {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": preference}
    assert isinstance(load_aggregation(environ)[Histogram], expected)
