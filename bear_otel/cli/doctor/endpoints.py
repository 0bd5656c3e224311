"""Send one real, empty request for each signal, and explain what comes back."""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import http.client
import socket
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from bear_otel.cli.doctor.finding import Finding, note, ok, problem
from bear_otel.pipeline.otlp_environment import OtlpOptions, load_otlp_options
from bear_otel.pipeline.otlp_http import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bear_otel.pipeline.losses import Signal

_TIMEOUT_SECONDS = 5.0
# Tokens and time windows of back ends allow for about this much.
_SKEW_SECONDS = 30.0

_VENDORS = {
    "datadoghq": "Datadog wants the header dd-api-key",
    "nr-data.net": "New Relic wants the header api-key",
    "sentry.io": "Sentry wants the header x-sentry-auth",
    "grafana.net": "Grafana Cloud wants the header authorization=Basic ...",
}


def check_endpoint(signal: Signal, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Probe the endpoint of a signal step by step: name, port, TLS, request."""
    topic = f"endpoint of {signal}"
    options = load_otlp_options(signal, environ)
    url = urlsplit(options.endpoint)
    variable = f"OTEL_EXPORTER_OTLP_ENDPOINT (or ..._{signal.upper()}_ENDPOINT)"
    if url.scheme not in ("http", "https") or not url.hostname:
        mend = f"set {variable} to http://host:4318"
        yield problem(topic, f"{place(options.endpoint)} is no http:// or https:// address", mend)
        return
    try:
        answer, skew = _ask(url, options)
    except socket.gaierror:
        yield problem(topic, f"the host {url.hostname} is not known", f"correct {variable}")
    except ConnectionRefusedError:
        text = f"nobody listens at {place(options.endpoint)}"
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
        yield problem(
            topic, f"cannot connect ({error.strerror or type(error).__name__})", f"check {variable}"
        )
    else:
        yield _judge(topic, signal, answer, options)
        if skew is not None and abs(skew) > _SKEW_SECONDS:
            text = f"this clock is {skew:+.0f} s off that of the endpoint"
            yield problem("clock", text, "timedatectl set-ntp true")


def check_proxy(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Say when a proxy stands between, since it is easily forgotten."""
    options = load_otlp_options("traces", environ)
    if options.proxy:
        host = urlsplit(options.endpoint).hostname
        text = f"requests to {host} go through the proxy {place(options.proxy)}"
        yield note("proxy", text, f"export NO_PROXY={host}")


def _ask(url: SplitResult, options: OtlpOptions) -> tuple[int, float | None]:
    """Send an empty export; return the status and how far our clock is ahead, in seconds."""
    target = urlsplit(options.proxy) if options.proxy else url
    port = target.port or (443 if target.scheme == "https" else 80)
    address = (target.hostname or "", port)
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection(address, timeout=_TIMEOUT_SECONDS))
        if url.scheme == "https" and not options.proxy:
            context = _create_tls_context(options)
            sock = stack.enter_context(context.wrap_socket(sock, server_hostname=url.hostname))
        connection = http.client.HTTPConnection(url.hostname or "", url.port)
        connection.sock = sock
        path = place(options.endpoint) + url.path if options.proxy else url.path
        headers = {
            **options.headers,
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
        }
        connection.request("POST", path or "/", gzip.compress(b""), headers)
        response = connection.getresponse()
        response.read()
    date = response.getheader("date")
    if date is None:
        return response.status, None
    return response.status, time.time() - email.utils.parsedate_to_datetime(date).timestamp()


def _create_tls_context(options: OtlpOptions) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.tls.authorities)
    if options.tls.client_certificate:
        context.load_cert_chain(options.tls.client_certificate, options.tls.client_key)
    return context


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
