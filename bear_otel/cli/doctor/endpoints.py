"""Send one real, empty request for each signal, and explain what comes back."""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bear_otel.cli.doctor.finding import Finding, note, ok, problem
from bear_otel.pipeline.otlp_environment import OtlpOptions, load_otlp_options
from bear_otel.pipeline.otlp_http import Answer, HttpConnection, place
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bear_otel.pipeline.losses import Signal

_TIMEOUT_SECONDS = 5.0
# Tokens and time windows of back ends allow for about this much.
_SKEW_SECONDS = 30.0

_CORRECT = "correct the OTEL_EXPORTER_OTLP_ or _PROXY variable that says so"

_VENDORS = {
    "datadoghq": "Datadog wants the header dd-api-key",
    "nr-data.net": "New Relic wants the header api-key",
    "sentry.io": "Sentry wants the header x-sentry-auth",
    "grafana.net": "Grafana Cloud wants the header authorization=Basic ...",
}


def check_endpoint(signal: Signal, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Send the endpoint of a signal an empty request, as the exporter sends its own."""
    topic = f"endpoint of {signal}"
    options = load_otlp_options(signal, environ)
    variable = f"OTEL_EXPORTER_OTLP_ENDPOINT (or ..._{signal.upper()}_ENDPOINT)"
    try:
        answer = _ask(options)
    except ConfigurationError as error:
        mend = f"set {variable} to http://host:4318" if error.setting == "endpoint" else _CORRECT
        yield problem(topic, str(error), mend)
    except socket.gaierror:
        host = urlsplit(options.proxy or options.endpoint).hostname
        mend = f"correct {'HTTPS_PROXY or HTTP_PROXY' if options.proxy else variable}"
        yield problem(topic, f"the host {host} is not known", mend)
    except ConnectionRefusedError:
        text = f"nobody listens at {place(options.proxy or options.endpoint)}"
        yield problem(topic, text, "start one: bear-otel tail, or bear-otel collector run")
    except TimeoutError:
        text = f"{place(options.endpoint)} does not answer within {_TIMEOUT_SECONDS:.0f} s"
        yield problem(topic, text, "look at the collector, or at a firewall between")
    except ssl.SSLCertVerificationError as error:
        text = f"its certificate is not trusted ({error.verify_message})"
        yield problem(topic, text, "export OTEL_EXPORTER_OTLP_CERTIFICATE=/path/to/authority.pem")
    except ssl.SSLError:
        yield problem(topic, "it speaks no TLS", f"write http:// in {variable}")
    except (http.client.HTTPException, ConnectionError) as error:
        text = f"it hangs up ({type(error).__name__}); it may want TLS, or speak gRPC"
        yield problem(topic, text, f"write https:// in {variable}, or use the port for HTTP (4318)")
    except OSError as error:
        # What a proxy says to CONNECT has no number.
        yield problem(topic, f"cannot connect ({error.strerror or error})", f"check {variable}")
    else:
        yield _judge(topic, signal, answer.status, options)
        skew = _find_skew(answer)
        if abs(skew) > _SKEW_SECONDS:
            text = f"this clock is {skew:+.0f} s off that of the endpoint"
            yield problem("clock", text, "timedatectl set-ntp true")


def check_proxy(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Say when a proxy stands between, since it is easily forgotten."""
    options = load_otlp_options("traces", environ)
    if options.proxy:
        host = urlsplit(options.endpoint).hostname
        text = f"requests to {host} go through the proxy {place(options.proxy)}"
        yield note("proxy", text, f"export NO_PROXY={host}")


def _ask(options: OtlpOptions) -> Answer:
    """Send an empty export, and return what the endpoint says."""
    connection = HttpConnection(
        options.endpoint, headers=options.headers, tls=options.tls, proxy=options.proxy
    )
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
    try:
        return connection.post(gzip.compress(b""), _TIMEOUT_SECONDS, headers)
    finally:
        connection.abort()


def _find_skew(answer: Answer) -> float:
    """Return how far our clock is ahead, in seconds; 0 where the answer has no readable date."""
    try:
        return time.time() - parsedate_to_datetime(answer.date or "").timestamp()
    except ValueError:
        return 0.0


def _judge(topic: str, signal: str, status: int, options: OtlpOptions) -> Finding:
    where = place(options.endpoint)
    if 200 <= status < 300:
        return ok(topic, f"{where} takes {signal}")
    if status in (401, 403):
        host = urlsplit(options.endpoint).hostname or ""
        hint = next((text for part, text in _VENDORS.items() if part in host), "")
        text = f"{where} refuses the key ({status})" + (f"; {hint}" if hint else "")
        return problem(topic, text, "export OTEL_EXPORTER_OTLP_HEADERS=<header>=<key>")
    if status == 404:
        text = f"{where} has no path {urlsplit(options.endpoint).path} (404)"
        return problem(topic, text, "set OTEL_EXPORTER_OTLP_ENDPOINT to the address without a path")
    if status in (429, 502, 503, 504):
        return problem(topic, f"{where} is overloaded or down ({status})", "look at the collector")
    return problem(topic, f"{where} answers {status}", "look at the collector's log")
