"""Errors reach Sentry once, clean and with their trace, and nothing else does."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import os
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
import sentry_sdk
import sentry_sdk.crons
import sentry_sdk.logger
import sentry_sdk.metrics
from opentelemetry import trace

import bear_otel
from bear_otel.capture import Captured, capture
from bear_otel.privacy import Scrubber
from bear_otel.settings import ConfigurationError
from bear_otel.sources.sentry_gate import SENTRY_GATE, SentryGate
from tests.sources.test_errors import CustomError, catch

ADA = "ada.lovelace@example.com"
CARD = "4111111111111111"
SECRETS = (ADA, CARD)
SHOP = logging.getLogger("shop")


class Ingest:
    """What speaks Sentry's protocol on loopback, and keeps the bytes that it got."""

    def __init__(self) -> None:
        self.envelopes: list[bytes] = []
        keep = self.envelopes.append

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                keep(gzip.decompress(body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://0123456789abcdef@127.0.0.1:{self._server.server_port}/1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def items(self) -> list[tuple[str, Any]]:
        """Return type and content of all that has arrived, in order."""
        found = []
        for envelope in self.envelopes:
            lines = envelope.splitlines()[1:]
            for header, content in zip(lines[::2], lines[1::2], strict=True):
                found.append((json.loads(header)["type"], json.loads(content)))
        return found

    def events(self) -> list[Any]:
        """Return the errors."""
        return [content for kind, content in self.items() if kind == "event"]


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    """Receive what goes to Sentry."""
    with Ingest() as ingest:
        yield ingest


@pytest.fixture(autouse=True)
def forget_clients() -> Iterator[None]:
    """Leave no client to other tests, and none of the hooks that Sentry never takes out."""
    hooks = logging.Logger.callHandlers, sys.excepthook, threading.excepthook
    with sentry_sdk.isolation_scope():
        yield
    logging.Logger.callHandlers, sys.excepthook, threading.excepthook = hooks
    sentry_sdk.get_global_scope().set_client(None)
    sentry_sdk.get_global_scope().clear()


@pytest.fixture
def threads_before() -> set[threading.Thread]:
    """Return the threads that run before telemetry starts."""
    return set(threading.enumerate())


@pytest.fixture
def telemetry(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Captured]:
    """Run with a DSN; what Sentry gets has arrived once this fixture is left."""
    monkeypatch.setenv("SENTRY_DSN", ingest.dsn)
    monkeypatch.setenv("SENTRY_RELEASE", "shop@1.2.3")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    with capture() as captured:
        yield captured


def flush() -> None:
    """Wait until all has arrived."""
    sentry_sdk.flush(timeout=60)


def assert_clean(ingest: Ingest) -> None:
    """Fail if a secret has arrived, in any usual encoding."""
    arrived = b"\n".join(ingest.envelopes).decode()
    for secret in SECRETS:
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
        for form in (secret, urllib.parse.quote(secret, safe=""), encoded):
            assert form not in arrived


def test_an_error_arrives_with_its_trace_and_without_the_rest(
    telemetry: Captured, ingest: Ingest
) -> None:
    """Nothing of the machine, the command line, the packages, the variables or the source."""
    with trace.get_tracer("t").start_as_current_span("request") as span:
        error = catch(CustomError(f"no card {CARD}"))
        bear_otel.capture_exception(error, order=7, who=ADA)
    flush()
    (event,) = ingest.events()
    frames = event["exception"]["values"][0].pop("stacktrace")["frames"]
    assert len(event.pop("event_id")) == 32
    assert event.pop("timestamp") > "2020"
    event["sdk"].pop("packages"), event["sdk"].pop("version")
    context = span.get_span_context()
    assert event == {
        "level": "error",
        "platform": "python",
        "environment": "staging",
        "release": "shop@1.2.3",
        "sdk": {"name": "sentry.python", "integrations": []},
        "contexts": {
            "trace": {
                "trace_id": f"{context.trace_id:032x}",
                "span_id": f"{context.span_id:016x}",
            }
        },
        "exception": {
            "values": [
                {
                    "mechanism": {"type": "captured", "handled": True},
                    "module": CustomError.__module__,
                    "type": "CustomError",
                    "value": "no card [REDACTED:card]",
                }
            ]
        },
        "extra": {"order": 7, "who": "[REDACTED:email]"},
        "breadcrumbs": {"values": []},
        "transaction_info": {},
    }
    assert [frame["function"] for frame in frames] == ["catch"]
    assert set(frames[0]) <= {"filename", "abs_path", "function", "module", "lineno", "in_app"}


TELLERS: dict[str, tuple[Callable[[BaseException], object], dict[str, Any]]] = {
    "captured": (bear_otel.capture_exception, {"type": "captured", "handled": True}),
    "logged": (
        lambda error: SHOP.error("failed for %s", ADA, exc_info=error),
        {"type": "log", "handled": True},
    ),
    "server": (
        lambda error: logging.getLogger("hypercorn.error").error("x", exc_info=error),
        {"type": "request", "handled": False},
    ),
    "thread": (
        lambda error: threading.excepthook(
            threading.ExceptHookArgs((type(error), error, None, None))
        ),
        {"type": "thread", "handled": False},
    ),
    "sentry": (
        sentry_sdk.capture_exception,
        {"type": "generic", "handled": True},
    ),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("first", TELLERS)
@pytest.mark.parametrize("second", TELLERS)
def test_an_exception_arrives_once(
    telemetry: Captured, ingest: Ingest, first: str, second: str
) -> None:
    """Whoever tells it, also Sentry's own function, and in whatever order."""
    error = catch(CustomError(ADA))
    TELLERS[first][0](error)
    TELLERS[second][0](error)
    flush()
    (event,) = ingest.events()
    assert event["exception"]["values"][0]["mechanism"] == TELLERS[first][1]
    assert [point.value for point in telemetry.metrics()["bear.exceptions"]] == [1]
    assert_clean(ingest)


def test_a_logged_error_is_grouped_by_its_text_without_arguments(
    telemetry: Captured, ingest: Ingest
) -> None:
    """Also without an exception; warnings, and what Sentry says itself, are no errors."""
    SHOP.critical("order %d of %s failed", 7, ADA)
    SHOP.warning("slow")
    logging.getLogger("sentry_sdk.errors").error("own")
    flush()
    (event,) = ingest.events()
    assert (event["level"], event["logger"]) == ("error", "shop")
    assert event["logentry"] == {
        "message": "order %d of %s failed",
        "formatted": "order 7 of [REDACTED:email] failed",
    }


def leak_everywhere() -> None:
    """Put secrets into everything that the Sentry SDK offers."""
    text = f"{ADA} pays with {CARD}"
    data = {"email": ADA, "text": text, "nested": [{"card": CARD}], "sys.argv": [text]}
    sentry_sdk.set_user({"id": ADA, "email": ADA, "username": ADA, "ip_address": "203.0.113.7"})
    sentry_sdk.set_tag("who", ADA)
    sentry_sdk.set_extra("sys.argv", ["app", text])
    sentry_sdk.set_extra("data", data)
    sentry_sdk.set_context("shop", data)
    sentry_sdk.add_breadcrumb(message=text, category=ADA, data=data)
    scope = sentry_sdk.get_isolation_scope()
    scope.set_transaction_name(text)
    scope.fingerprint = [text]
    scope.add_attachment(bytes=text.encode(), filename=f"{ADA}.txt")
    sentry_sdk.capture_message(text)
    error = catch(CustomError(text))
    error.__cause__ = catch(ValueError(text))
    bear_otel.capture_exception(error, **data)
    sentry_sdk.capture_exception(catch(ExceptionGroup(text, [error, ValueError(text)])))
    SHOP.error("failed for %s", text, extra=data)
    request = {"url": f"http://x/{ADA}?card={CARD}", "data": data, "headers": data, "cookies": data}
    sentry_sdk.capture_event({"message": text, "request": request, "threads": {"values": [
        {"name": text, "stacktrace": {"frames": [{"function": "f", "vars": data}]}}
    ]}})  # fmt: skip
    with sentry_sdk.start_transaction(name=text, op=text) as transaction:
        transaction.set_data("data", text)
        with sentry_sdk.start_span(op="x", name=text) as span:
            span.set_data("email", ADA)
    sentry_sdk.crons.capture_checkin(monitor_slug=ADA, status="ok")
    sentry_sdk.logger.error("log of {who}", who=ADA, attributes=data)
    sentry_sdk.metrics.count("sold", 1, attributes={"who": ADA})


def test_nothing_personal_leaves_through_any_door(telemetry: Captured, ingest: Ingest) -> None:
    """Of our own client: errors, and what the application hands to Sentry itself; no traces."""
    leak_everywhere()
    flush()
    kinds = {kind for kind, _ in ingest.items()}
    assert len(ingest.events()) == 5
    assert kinds <= {"event", "check_in", "client_report", "trace_metric", "log"}
    assert_clean(ingest)


def test_a_client_of_the_application_takes_over_behind_the_gate(
    telemetry: Captured, ingest: Ingest
) -> None:
    """It does what it was told to, with everything switched on; what it sends is scrubbed."""
    with Ingest() as theirs:
        sentry_sdk.init(
            theirs.dsn,
            traces_sample_rate=1.0,
            enable_logs=True,
            auto_enabling_integrations=False,
            data_collection={"user_info": True},
        )
        name, card = ADA, CARD  # noqa: F841 - local variables are sent, too
        leak_everywhere()
        flush()
        kinds = {kind for kind, _ in theirs.items()}
        sentry_sdk.get_client().close(timeout=0)
    assert {"event", "transaction", "log"} <= kinds
    assert "attachment" not in kinds
    assert "vars" not in str(theirs.events())
    assert_clean(theirs)
    assert ingest.envelopes == []


def test_a_client_that_is_there_before_is_left_in_charge(ingest: Ingest) -> None:
    """With a transport of its own; telemetry that starts later stands in front of it."""
    sent: list[Any] = []

    class Own(sentry_sdk.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.append(envelope.serialize())

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTRY_DSN", ingest.dsn)
        sentry_sdk.init(ingest.dsn, transport=Own, default_integrations=False)
        client = sentry_sdk.get_client()
        with capture():
            assert sentry_sdk.get_client() is client
            sentry_sdk.capture_message(f"hello {ADA}")
    assert len(sent) == 1
    assert b"hello [REDACTED:email]" in sent[0]
    assert sentry_sdk.get_client() is client


def test_an_error_is_linked_to_the_trace_in_a_client_of_the_application(ingest: Ingest) -> None:
    """Unless Sentry traces itself: then it belongs to Sentry's own span."""
    with capture(), trace.get_tracer("t").start_as_current_span("request") as span:
        for rate in (None, 1.0):
            sentry_sdk.init(ingest.dsn, traces_sample_rate=rate, default_integrations=False)
            sentry_sdk.capture_message("hello")
            flush()
    linked, own = (event["contexts"]["trace"]["trace_id"] for event in ingest.events())
    assert linked == f"{span.get_span_context().trace_id:032x}"
    assert own != linked


def test_sentry_changes_nothing_in_the_process(
    threads_before: set[threading.Thread], telemetry: Captured
) -> None:
    """No hook, no integration, no thread before there is something to send."""
    client = sentry_sdk.get_client()
    assert client.integrations == {}
    assert "sentry" not in f"{sys.excepthook} {threading.excepthook} {logging.Logger.callHandlers}"
    started = set(threading.enumerate()) - threads_before
    assert not [thread for thread in started if "sentry" in thread.name]


class Sender:
    """What stands behind a gate."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.capture_envelope: Any = self.sent.append


class FailingScrubber(Scrubber):
    """One that breaks its promise never to raise."""

    def scrub_attributes(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise RuntimeError


def put_through(scrubber: Scrubber | None, *items: Any) -> list[Any]:
    """Send items through a gate; return what came out."""
    gate, sender, spotlight = SentryGate(), Sender(), Sender()
    gate.scrubber = scrubber
    client: Any = type("Client", (), {"transport": sender, "spotlight": spotlight})()
    gate.guard(client)
    gate.guard(client)  # again does no harm
    for each in (sender, spotlight):
        each.capture_envelope(sentry_sdk.envelope.Envelope(headers={"trace": ADA}, items=items))
    assert [sent.serialize() for sent in sender.sent] == [
        sent.serialize() for sent in spotlight.sent
    ]
    assert ADA not in str([sent.serialize() for sent in sender.sent])
    return [(item.type, item.get_bytes()) for sent in sender.sent for item in sent.items]


def make_item(kind: str, content: Any) -> Any:
    """Return an item of an envelope."""
    return sentry_sdk.envelope.Item(content, type=kind, filename=ADA)


@pytest.mark.parametrize(
    ("scrubber", "kind", "content"),
    [
        (None, "event", b'{"message": "x"}'),
        (FailingScrubber(), "event", b'{"message": "x"}'),
        (Scrubber(), "event", b"[]"),
        (Scrubber(), "event", b'{"exception": ["no values"]}'),
        (Scrubber(), "event", b"\xff no JSON"),
        (Scrubber(), "attachment", b"{}"),
        (Scrubber(), "profile_chunk", b"{}"),
        (Scrubber(), "replay_recording", b"\x00"),
        (Scrubber(), "of tomorrow", b"{}"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_gate_fails_closed(scrubber: Scrubber | None, kind: str, content: bytes) -> None:
    """What cannot be judged stays here, and so does all while there is nobody to judge."""
    assert put_through(scrubber, make_item(kind, content)) == []


def test_one_bad_item_does_not_cost_the_others() -> None:
    """An error with an attachment arrives without it."""
    event, attachment = make_item("event", b'{"level": "error"}'), make_item("attachment", b"x")
    assert put_through(Scrubber(), event, attachment) == [("event", b'{"level":"error"}')]


def test_the_innermost_frames_of_a_deep_stack_arrive(telemetry: Captured, ingest: Ingest) -> None:
    """A scrubber that gives up on something large would cut just them."""

    def fall(depth: int) -> None:
        if depth:
            fall(depth - 1)
        raise CustomError(ADA)

    try:
        fall(90)
    except CustomError as error:
        error.__cause__ = catch(ValueError())
        bear_otel.capture_exception(error)
    flush()
    (event,) = ingest.events()
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert len(frames) == 92
    assert {frame["function"] for frame in frames[1:]} == {fall.__qualname__.rpartition(".")[2]}
    assert "REDACTED:cut" not in str(event)


def test_a_forked_child_sends_its_own_errors_only(telemetry: Captured, ingest: Ingest) -> None:
    """Neither what waits in the parent's queue, nor over the parent's connection."""
    bear_otel.capture_exception(catch(CustomError("parent")))
    child = os.fork()
    if child == 0:
        bear_otel.capture_exception(catch(ValueError("child")))
        flush()
        os._exit(0)
    os.waitpid(child, 0)
    flush()
    texts = [event["exception"]["values"][0]["value"] for event in ingest.events()]
    assert sorted(texts) == ["child", "parent"]


@pytest.mark.parametrize(
    "dsn",
    [
        "hunter2",
        "https://sentry.example.com/1",
        "https://hunter2@sentry.example.com/project",
        "https://hunter2@sentry.example.com:port/1",
        "ftp://hunter2@sentry.example.com/1",
    ],
)
def test_a_dsn_that_is_none_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    """At start, with what is accepted."""
    monkeypatch.setenv("SENTRY_DSN", dsn)
    with pytest.raises(ConfigurationError) as raised, capture():
        pass
    assert str(raised.value) == (
        "SENTRY_DSN='********' is not usable: https://<public key>@<host>/<project id>"
    )


@pytest.mark.usefixtures("ingest")
def test_without_a_dsn_the_gate_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a client that the application makes by itself."""
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    with capture():
        assert not sentry_sdk.get_client().is_active()
    assert SENTRY_GATE.scrubber is not None
