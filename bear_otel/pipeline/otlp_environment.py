"""Read OpenTelemetry's variables for OTLP/HTTP exporters, as the official exporter does.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import ipaddress
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)

from bear_otel.pipeline.otlp_http import TlsFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bear_otel.pipeline.losses import Signal

_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
_TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_HISTOGRAM: Final = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
_DELTA: Final[dict[str, set[type]]] = {
    "CUMULATIVE": set(),
    "DELTA": {Counter, Histogram, ObservableCounter},
    "LOWMEMORY": {Counter, Histogram},
}
_INSTRUMENTS: Final[tuple[type, ...]] = (
    Counter,
    UpDownCounter,
    Histogram,
    ObservableCounter,
    ObservableUpDownCounter,
    ObservableGauge,
)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE: Final = re.compile(r"[ !#-+\--:<-\[\]-~]*")

_logger = logging.getLogger("bear_otel")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpOptions:
    """Where and how one signal is sent."""

    endpoint: str
    headers: dict[str, str]
    timeout_seconds: float
    compression: str
    tls: TlsFiles
    proxy: str | None


def load_otlp_options(
    signal: Signal,
    environ: Mapping[str, str],
    *,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float | None = None,
    compression: str | None = None,
    certificate_file: str | None = None,
    client_key_file: str | None = None,
    client_certificate_file: str | None = None,
) -> OtlpOptions:
    """Return the options of a signal: what is given, else its variable, else the general one.

    Args:
        signal: Chooses the variables and the path that the general endpoint is given.
        environ: The environment.
        endpoint: Full URL, with the path of the signal.
        headers: Win over those of the variables, one by one.
        timeout_seconds: Longest time for one batch.
        compression: `gzip`, `deflate` or `none`; gzip when no variable is set either.
        certificate_file: Authorities to trust, PEM.
        client_key_file: Key of the client certificate, PEM.
        client_certificate_file: Client certificate, PEM.
    """

    def read(name: str) -> str | None:
        return environ.get(f"{_PREFIX}{signal.upper()}_{name}") or environ.get(_PREFIX + name)

    if not endpoint:
        endpoint = environ.get(f"{_PREFIX}{signal.upper()}_ENDPOINT")
    if not endpoint:
        base = environ.get(_PREFIX + "ENDPOINT") or "http://localhost:4318"
        endpoint = f"{base.removesuffix('/')}/v1/{signal}"
    merged = _parse_headers(read("HEADERS") or "")
    merged.update({name.lower(): value for name, value in (headers or {}).items()})
    return OtlpOptions(
        endpoint=endpoint,
        headers=merged,
        timeout_seconds=_parse_timeout(read("TIMEOUT"))
        if timeout_seconds is None
        else timeout_seconds,
        compression=_parse_compression(compression or read("COMPRESSION")),
        tls=TlsFiles(
            authorities=certificate_file
            or read("CERTIFICATE")
            or environ.get("REQUESTS_CA_BUNDLE")
            or environ.get("CURL_CA_BUNDLE"),
            client_certificate=client_certificate_file or read("CLIENT_CERTIFICATE"),
            client_key=client_key_file or read("CLIENT_KEY"),
        ),
        proxy=_find_proxy(endpoint),
    )


def load_temporality(
    environ: Mapping[str, str], given: str | None = None
) -> dict[type, AggregationTemporality]:
    """Return the temporality of each kind of instrument: what is given, else its variable."""
    preference = given or environ.get(_TEMPORALITY, "CUMULATIVE")
    preference = preference.strip().upper().replace("_", "")
    if preference not in _DELTA:
        _logger.warning("%s=%r is not known; using CUMULATIVE", _TEMPORALITY, preference)
    delta = _DELTA.get(preference, set())
    return {
        kind: AggregationTemporality.DELTA if kind in delta else AggregationTemporality.CUMULATIVE
        for kind in _INSTRUMENTS
    }


def load_aggregation(
    environ: Mapping[str, str], given: str | None = None
) -> dict[type, Aggregation]:
    """Return the aggregation of histograms: what is given, else its variable."""
    preference = given or environ.get(_HISTOGRAM, "explicit_bucket_histogram")
    preference = preference.strip().lower()
    if preference == "base2_exponential_bucket_histogram":
        return {Histogram: ExponentialBucketHistogramAggregation()}
    if preference != "explicit_bucket_histogram":
        _logger.warning("%s=%r is not known; using explicit buckets", _HISTOGRAM, preference)
    return {Histogram: ExplicitBucketHistogramAggregation()}


def _parse_headers(text: str) -> dict[str, str]:
    # Not `opentelemetry.util.re.parse_env_headers`, which logs what it cannot read: often a key.
    headers = {}
    for pair in text.split(","):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not pair.strip():
            continue
        if not equals or not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            _logger.warning("a pair of OTEL_EXPORTER_OTLP_*HEADERS is not name=value; ignored")
        elif " " in value:  # Not percent-encoded, as the specification asks, so taken as it is.
            headers[name.lower()] = value
        else:
            headers[unquote(name).strip().lower()] = unquote(value).strip()
    return headers


def _parse_timeout(text: str | None) -> float:
    try:
        return float(text or 10.0)
    except ValueError:
        _logger.warning("OTEL_EXPORTER_OTLP_*TIMEOUT=%r is not a number; using 10 s", text)
        return 10.0


def _parse_compression(text: str | None) -> str:
    compression = (text or "gzip").strip().lower()
    if compression in ("gzip", "deflate", "none"):
        return compression
    _logger.warning("compression %r is not known; using none", compression)
    return "none"


def _find_proxy(endpoint: str) -> str | None:
    """Return the proxy that the environment (or the system) names for a URL."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    bypass = (
        proxy_bypass(host)
        or proxy_bypass(parts.netloc.rpartition("@")[2])  # NO_PROXY may name a port.
        or _is_in_no_proxy_network(host, proxies.get("no", ""))
    )
    if not proxy or bypass:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_in_no_proxy_network(host: str, no_proxy: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in no_proxy.split(","):
        try:
            if address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False
