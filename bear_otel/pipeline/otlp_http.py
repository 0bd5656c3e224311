"""One kept-alive HTTP connection that another thread can cut off."""

# From the standard library: importing `requests` costs more CPU than most processes spend on
# telemetry at start, and neither it nor urllib3 has a public way to end a request in progress.

from __future__ import annotations

import base64
import http.client
import os
import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit

from bear_otel.pipeline.forking import reset_in_child
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Answers are empty or a short protobuf message.
_MAX_ANSWER_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said to a request."""

    status: int
    retry_after: str | None
    date: str | None
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files; they are read for each new connection, so they may be renewed on disk.

    Attributes:
        authorities: Certificates, or a directory of them, to trust instead of the usual ones.
        client_certificate: Certificate that identifies us, perhaps with its key.
        client_key: Key of that certificate, when it stands in a file of its own.
    """

    authorities: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None


class HttpConnection:
    """Posts bodies to one URL, one after the other.

    Args:
        url: Where to; a user and password in it become basic authentication.
        headers: Sent with every request.
        tls: Certificate files.
        proxy: URL of an HTTP proxy, or None.

    Raises:
        ConfigurationError: If the URL, a header, a file or the proxy cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        tls: TlsFiles | None = None,
        proxy: str | None = None,
    ) -> None:
        self._url = _split_url("endpoint", url)
        self._proxy = _split_url("proxy", proxy) if proxy else None
        if self._proxy and self._proxy.scheme == self._url.scheme == "https":
            raise ConfigurationError("proxy", place(proxy or ""), "an http:// proxy for https://")
        self._tls = tls or TlsFiles()
        for path in (self._tls.authorities, self._tls.client_certificate, self._tls.client_key):
            if path and not os.access(path, os.R_OK):
                raise ConfigurationError("certificate file", path, "a readable PEM file")
        self._headers = _check_headers(headers)
        if basic := _basic(self._url):
            self._headers.setdefault("authorization", basic)
        path = self._url._replace(scheme="", netloc="", path=self._url.path or "/", fragment="")
        self._target = path.geturl()
        if self._proxy and self._url.scheme == "http":
            # RFC 9112 section 3.2.2: a request to a proxy names the server.
            self._target = place(url) + self._target
            if basic := _basic(self._proxy):
                self._headers["proxy-authorization"] = basic
        self.aborted = False
        self._inherited: list[http.client.HTTPConnection] = []
        self._connection: http.client.HTTPConnection | None = None
        self._reset()
        reset_in_child(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        if self._connection is not None:
            # The parent still uses the connection: close our copy of the socket without a word
            # to the server, and never run finalizers whose locks a lost thread may hold.
            if self._connection.sock is not None:
                with suppress(OSError):
                    os.close(self._connection.sock.detach())
            self._inherited.append(self._connection)
            self._connection = None

    def post(
        self, body: bytes, timeout_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a body and wait for the answer.

        Args:
            body: The content.
            timeout_seconds: Longest time for all of it.
            headers: Added to those of the connection.

        Raises:
            OSError: If there is no answer in time.
            http.client.HTTPException: If the answer is not HTTP.
        """
        try:
            with self._lock:
                deadline = time.monotonic() + timeout_seconds
                return self._post(body, {**self._headers, **(headers or {})}, deadline)
        finally:
            if self.aborted:
                self._close()  # `abort` could not, if it came while the lock was held.

    def _post(self, body: bytes, headers: dict[str, str], deadline: float) -> Answer:
        reused = self._connection is not None
        try:
            return self._exchange(body, headers, deadline)
        except (OSError, http.client.HTTPException) as error:
            # The server may have closed an idle connection just now: once more on a new one.
            if not reused or self.aborted or isinstance(error, TimeoutError):
                raise
        return self._exchange(body, headers, deadline)

    def abort(self) -> None:
        """End the request in progress and refuse later ones; callable from any thread."""
        self.aborted = True
        connection = self._connection
        if connection is not None and (sock := connection.sock) is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if self._lock.acquire(blocking=False):
            self._close()
            self._lock.release()

    def _exchange(self, body: bytes, headers: dict[str, str], deadline: float) -> Answer:
        try:
            if self.aborted:
                raise ConnectionAbortedError
            response = self._request(body, headers, deadline)
            answer = Answer(
                status=response.status,
                retry_after=response.headers.get("retry-after"),
                date=response.headers.get("date"),
                body=response.read(_MAX_ANSWER_BYTES),
            )
        except Exception:
            self._close()
            raise
        if response.will_close or not response.isclosed():
            self._close()
        return answer

    def _request(
        self, body: bytes, headers: dict[str, str], deadline: float
    ) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = self._create_connection(_remaining(deadline))
            self._connection.connect()
        sock = self._connection.sock
        sock.settimeout(_remaining(deadline))
        self._connection.request("POST", self._target, body, headers)
        sock.settimeout(_remaining(deadline))
        return self._connection.getresponse()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _create_connection(self, timeout_seconds: float) -> http.client.HTTPConnection:
        first = self._proxy or self._url
        host = first.hostname or ""
        if "https" not in (first.scheme, self._url.scheme):
            connection = http.client.HTTPConnection(host, first.port or 80, timeout=timeout_seconds)
        else:
            port = first.port or (443 if first.scheme == "https" else 80)
            connection = http.client.HTTPSConnection(
                host, port, timeout=timeout_seconds, context=_create_tls_context(self._tls)
            )
        if self._proxy is None:
            return connection
        basic = _basic(self._proxy)
        if self._url.scheme == "https":
            headers = {"Proxy-Authorization": basic} if basic else {}
            connection.set_tunnel(self._url.hostname or "", self._url.port or 443, headers)
        return connection


def place(url: str) -> str:
    """Return the part of a URL that may be shown: no credentials, no path, no query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining


def _split_url(setting: str, url: str) -> SplitResult:
    accepted = "http://host:port or https://host:port, perhaps with a path"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable, parts = False, None
    if not usable or parts is None:
        # The value may hold a password, and where it stands is unknown in a malformed URL.
        raise ConfigurationError(setting, url.rpartition("@")[2].partition("?")[0], accepted)
    return parts


def _basic(url: SplitResult) -> str | None:
    if url.username is None:
        return None
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    checked = {}
    for name, value in headers.items():
        text = str(value).strip()
        # What http.client would refuse later, with the value in its message.
        if not re.fullmatch(r"[!-9;-~]+", name) or not re.fullmatch(r"[\t -~\x80-\xff]*", text):
            header = f"header {name!r}"
            raise ConfigurationError(header, "***", "printable Latin-1 characters")
        checked[name.lower()] = text
    return checked


def _create_tls_context(files: TlsFiles) -> ssl.SSLContext:
    if files.authorities is None:
        context = ssl.create_default_context()
        with suppress(ImportError):
            # As the official exporter does; some Python builds have no authorities of their own.
            import certifi  # Only for HTTPS.

            context.load_verify_locations(certifi.where())
    elif os.path.isdir(files.authorities):
        context = ssl.create_default_context(capath=files.authorities)
    else:
        context = ssl.create_default_context(cafile=files.authorities)
    if files.client_certificate:
        context.load_cert_chain(files.client_certificate, files.client_key)
    return context
