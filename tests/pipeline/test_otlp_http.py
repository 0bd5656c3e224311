"""TLS and proxies, as with the official exporter."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pytest

from bear_otel.pipeline.losses import Losses
from bear_otel.pipeline.otlp_environment import load_otlp_options
from bear_otel.pipeline.otlp_http import HttpConnection, TlsFiles
from bear_otel.pipeline.sender import Sender
from bear_otel.settings import ConfigurationError
from tests.pipeline.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files of a server at 127.0.0.1 and of a client, each its own authority."""

    server: str
    server_key: str
    client: str
    client_key: str


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make certificates that live for a day."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("server", "client"):
        create_certificate(folder, name)
    return Certificates(
        server=str(folder / "server.pem"),
        server_key=str(folder / "server.key"),
        client=str(folder / "client.pem"),
        client_key=str(folder / "client.key"),
    )


def create_certificate(folder: Path, name: str) -> None:
    """Write a self-signed certificate and its key."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "1", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={name}"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")),
        ],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def tls_server(certificates: Certificates) -> Iterator[ScriptedServer]:
    """Return a server with a certificate that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    with ScriptedServer(tls=context) as server:
        yield server


def test_a_custom_authority_is_trusted(
    tls_server: ScriptedServer, certificates: Certificates
) -> None:
    """`OTEL_EXPORTER_OTLP_CERTIFICATE` makes a private server reachable."""
    connection = HttpConnection(
        tls_server.url, headers={}, tls=TlsFiles(authorities=certificates.server)
    )
    assert connection.post(b"body", 5.0).status == 200
    connection.abort()


def test_an_unknown_authority_is_refused_and_named(
    tls_server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent to a server that cannot show who it is."""
    sender = Sender(signal="logs", endpoint=f"{tls_server.url}/v1/logs", losses=Losses())
    assert sender.send(b"body", 1).retry_seconds is not None
    sender.abort()
    assert tls_server.requests == []
    assert "its certificate is not trusted: self" in caplog.text


@pytest.mark.parametrize("shown", [True, False], ids=["with certificate", "without"])
def test_a_client_certificate_opens_the_door(certificates: Certificates, shown: bool) -> None:
    """Mutual TLS works, and is what made the difference."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    context.load_verify_locations(certificates.client)
    context.verify_mode = ssl.CERT_REQUIRED
    with ScriptedServer(tls=context) as server:
        files = TlsFiles(
            authorities=certificates.server,
            client_certificate=certificates.client if shown else None,
            client_key=certificates.client_key if shown else None,
        )
        sender = Sender(signal="logs", endpoint=server.url, losses=Losses(), tls=files)
        assert sender.send(sender.pack(b"body"), 1).delivered is shown
        sender.abort()


def test_plain_http_through_a_proxy() -> None:
    """The proxy gets the whole URL and its own credentials, which the server never sees."""
    with ScriptedServer() as proxy:
        connection = HttpConnection(
            "http://collector.invalid:4318/v1/traces?a=b",
            headers={"x-key": "secret"},
            proxy=proxy.url.replace("//", "//user:pass@"),
        )
        assert connection.post(b"body", 5.0).status == 200
        connection.abort()
        (request,) = proxy.requests
        assert request.target == "http://collector.invalid:4318/v1/traces?a=b"
        assert request.headers["host"] == "collector.invalid:4318"
        assert request.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
        assert request.body == b"body"


def test_https_through_a_proxy_is_a_tunnel(
    tls_server: ScriptedServer, certificates: Certificates
) -> None:
    """The proxy sees the address of the server, and neither headers nor data."""
    with TunnelingProxy() as proxy:
        connection = HttpConnection(
            tls_server.url,
            headers={"x-key": "secret"},
            tls=TlsFiles(authorities=certificates.server),
            proxy=f"http://user:pass@127.0.0.1:{proxy.port}",
        )
        assert connection.post(b"body", 5.0).status == 200
        connection.abort()
        assert proxy.head.startswith(f"CONNECT 127.0.0.1:{tls_server.port} ".encode())
        assert b"Proxy-Authorization: Basic dXNlcjpwYXNz" in proxy.head
        assert b"x-key" not in proxy.head
        assert tls_server.requests[0].headers["x-key"] == "secret"


def test_a_proxy_that_refuses_is_a_trouble() -> None:
    """The batch is kept while a proxy does not let it pass."""
    with ScriptedServer(Reply(status=407)) as proxy:
        sender = Sender(
            signal="logs", endpoint="https://collector.invalid", losses=Losses(), proxy=proxy.url
        )
        assert sender.send(b"body", 1).retry_seconds is not None
        sender.abort()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "https://127.0.0.1:3128"])
def test_a_proxy_that_cannot_work_is_refused_at_once(proxy: str) -> None:
    """Neither SOCKS nor TLS inside TLS: said at start, without the password."""
    with pytest.raises(ConfigurationError) as error:
        HttpConnection(
            "https://collector.invalid", headers={}, proxy=proxy.replace("//", "//user:s3cret@")
        )
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("variables", "endpoint", "expected"),
    [
        ({"HTTP_PROXY": "http://p:1"}, "http://a.example", "http://p:1"),
        ({"http_proxy": "p:1"}, "http://a.example", "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, "http://a.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "https://a.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://a.example", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "a.example"}, "http://a.example", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": ".example"}, "http://a.example", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "b.example"}, "http://a.example", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, "http://a.example", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "x, 10.0.0.0/8"}, "http://10.1.2.3:4318", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "http://11.0.0.1", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "a.example:4318"}, "http://a.example:4318", None),
        ({}, "http://a.example", None),
    ],
)
def test_the_proxy_is_found_by_the_usual_variables(
    variables: dict[str, str],
    endpoint: str,
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, with networks in the last."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load_otlp_options("traces", {}, endpoint=endpoint).proxy == expected


class TunnelingProxy:
    """Tunnels one connection and remembers how it was asked to."""

    def __init__(self) -> None:
        self.head = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += client.recv(1)
        host, port = self.head.split()[1].decode().split(":")
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=self._copy, args=(server, client))
        back.start()
        self._copy(client, server)
        back.join()
        client.close()
        server.close()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The other side is gone; so is the test.
