"""What browsers tell is taken from whom, how much and how often the settings say; no more."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from bear_otel import rum_routes, user_consent
from bear_otel.sources import browser
from bear_otel.sources.browser import BROWSER_ENDPOINT
from bear_otel.sources.rate_limits import RateLimiter
from bear_otel.testing import capture
from tests.sources.health_harness import serving
from tests.sources.users_harness import RECORD, analytics, events, outcomes

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/156.0.8078.79 Safari/537.36"
)
HEADERS = {
    "origin": "http://testserver",
    "content-type": "application/json",
    "user-agent": CHROME,
}
TOLD: dict[str, Any] = {
    "consent": True,
    "session_id": "4d6c0c3e",
    "performance": {"largest_contentful_paint_seconds": 3.1},
    "device": {"screen_resolution": "1920x1080", "viewport": "1200x800"},
}


@pytest.fixture(autouse=True)
def no_route() -> Any:
    """Begin and end without a route of the application's own; it belongs to the process."""
    BROWSER_ENDPOINT._routed = False
    yield
    BROWSER_ENDPOINT._routed = False


def create_fastapi() -> FastAPI:
    """Return a service with one route."""
    app = FastAPI()
    app.get("/items/{item_id}")(lambda item_id: item_id)
    return app


def create_starlette() -> Starlette:
    """Return the same with Starlette alone."""
    return Starlette(routes=[Route("/items/{item_id}", lambda request: PlainTextResponse("1"))])


def post(app: Any, told: Any = TOLD, **headers: str | None) -> int:
    """Tell something; return the status."""
    sent = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    body = told if isinstance(told, bytes) else json.dumps(told)
    known = {name: value for name, value in sent.items() if value is not None}
    response = TestClient(app).post("/bear/rum", content=body, headers=known)
    assert response.content == b""
    return response.status_code


@pytest.mark.parametrize("create", [create_fastapi, create_starlette])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain;charset=UTF-8"])
def test_what_a_browser_tells_is_recorded(create: Callable[[], Any], content_type: str) -> None:
    """As `fetch` sends it, and as `sendBeacon` does; what it is, its own header says."""
    with analytics(rum_enabled=True) as telemetry:
        assert post(create(), content_type=content_type) == 204
        ((name, attributes),) = events(telemetry)
        assert attributes.pop("session.id").startswith("ps1.")
        assert (name, attributes) == (
            "browser.web_vital",
            {
                "browser.web_vital.name": "lcp",
                "browser.web_vital.value": 3100.0,
                "browser.web_vital.delta": 3100.0,
                "browser.web_vital.rating": "needs-improvement",
                "bear.device.class": "desktop",
                "bear.device.screen.width": "1920+",
                "bear.device.viewport.width": "1024-1439",
                "user_agent.name": "Chrome",
                "user_agent.os.name": "Linux",
                "user_agent.version": "156",
            },
        )
        assert outcomes(telemetry) == {"recorded": 1}
        telemetry.assert_nothing_of("4d6c0c3e", CHROME)


@pytest.mark.parametrize(
    ("told", "headers", "outcome"),
    [
        ({}, {}, "recorded"),
        ({"consent": False}, {}, "no_consent"),
        ({"consent": None}, {}, "no_consent"),
        ({"consent": "true"}, {}, "no_consent"),
        ({"consent": 1}, {}, "no_consent"),
        ({}, {"sec_gpc": "1"}, "gpc"),
        ({}, {"dnt": "1"}, "dnt"),
    ],
    ids=str,
)
def test_consent_and_signals_decide(told: Any, headers: dict[str, str], outcome: str) -> None:
    """The answer is the same: it says nothing about the person."""
    with analytics(rum_enabled=True) as telemetry:
        assert post(create_fastapi(), {**TOLD, **told}, **headers) == 204
        assert outcomes(telemetry) == {outcome: 1}
        assert bool(events(telemetry)) is (outcome == "recorded")


@pytest.mark.parametrize(
    ("known", "told", "recorded"),
    [(False, True, False), (None, True, True), (True, None, True), (True, False, False)],
)
def test_the_application_may_know_better(
    known: bool | None, told: bool | None, recorded: bool
) -> None:
    """One refusal is a refusal, the browser's or the application's."""
    with analytics(rum_enabled=True) as telemetry:
        user_consent(lambda _: known)
        assert post(create_fastapi(), {**TOLD, "consent": told}) == 204
        assert bool(events(telemetry)) is recorded


def nest(levels: int) -> bytes:
    """Return JSON that is deep; some versions of Python read it, some do not."""
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("told", "headers", "status", "outcome"),
    [
        (b"", {}, 400, "invalid"),
        (b"no json", {}, 400, "invalid"),
        (b"[]", {}, 400, "invalid"),
        (b"\xff", {}, 400, "invalid"),
        (nest(8_000), {}, 400, "invalid"),
        (b"1" * 10_000, {}, 400, "invalid"),
        ({**TOLD, "device": "Chrome"}, {}, 400, "invalid"),
        ({**TOLD, "url": "https://x/?token=1"}, {}, 400, "invalid"),
        ({**TOLD, "person": "ada@example.com"}, {}, 400, "invalid"),
        ({**TOLD, "performance": {"page_load_seconds": float("nan")}}, {}, 400, "invalid"),
        ({**TOLD, "session_id": "x" * 17_000}, {}, 413, "size"),
        (b"x" * 17_000, {"content_length": "5"}, 413, "size"),
        (TOLD, {"content_type": "multipart/form-data"}, 415, "invalid"),
        (TOLD, {"content_type": None}, 415, "invalid"),
        (TOLD, {"origin": None}, 403, "origin"),
        (TOLD, {"origin": "null"}, 403, "origin"),
        (TOLD, {"origin": "http://evil.example"}, 403, "origin"),
        (TOLD, {"origin": "http://testserver.evil.example"}, 403, "origin"),
        (TOLD, {"origin": "http://[testserver"}, 403, "origin"),
        (TOLD, {"origin": "http://shop.example.evil.example"}, 403, "origin"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_refused(
    told: Any, headers: dict[str, str | None], status: int, outcome: str
) -> None:
    """It is counted, and nothing of it is recorded."""
    with analytics(rum_enabled=True, rum_origins=["http://shop.example"]) as telemetry:
        assert post(create_fastapi(), told, **headers) == status
        assert (events(telemetry), outcomes(telemetry)) == ([], {outcome: 1})


@pytest.mark.parametrize(
    ("origin", "headers", "listed"),
    [
        ("https://shop.example", {}, True),
        ("https://evil.example", {}, False),
        ("http://shop.example", {}, False),
        # Its own pages need no leave; nor do they get any that others could use.
        ("http://testserver", {}, None),
    ],
)
def test_only_pages_of_listed_origins_get_leave(
    origin: str, headers: dict[str, str], listed: bool | None
) -> None:
    """Both when their browser asks first and when it tells; never with cookies."""
    with analytics(rum_enabled=True, rum_origins=["https://SHOP.example/"]):
        client = TestClient(create_fastapi(), headers={**HEADERS, "origin": origin})
        preflight = client.options("/bear/rum", headers={"access-control-request-method": "POST"})
        answer = client.post("/bear/rum", json=TOLD)
    status = 403 if listed is False else 204
    for response in (preflight, answer):
        assert response.status_code == status
        leave = response.headers.get("access-control-allow-origin")
        assert leave == (origin if listed else None)
        assert response.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in response.headers
    if listed:
        assert preflight.headers["access-control-allow-methods"] == "POST"
        assert preflight.headers["access-control-allow-headers"] == "content-type"


def test_who_tells_too_often_is_refused() -> None:
    """By address, and all together."""
    with analytics(rum_enabled=True, rum_requests_per_minute=3) as telemetry:
        app = create_fastapi()
        assert [post(app) for _ in range(5)] == [204, 204, 204, 429, 429]
        assert outcomes(telemetry) == {"recorded": 3, "rate": 2}


def test_limits_by_client_and_for_all() -> None:
    """A minute later, or a second later, there is room again; and nobody is remembered."""
    now = [0.0]
    limiter = RateLimiter(per_minute=2, per_second=3, clock=lambda: now[0])
    assert [limiter.allows("a") for _ in range(3)] == [True, True, False]
    assert [limiter.allows("b") for _ in range(2)] == [True, False]  # the third of all
    now[0] = 1.0
    assert [limiter.allows(each) for each in ("a", "b", "b")] == [False, True, False]
    now[0] = 60.0
    assert [limiter.allows(each) for each in ("a", "b")] == [True, True]
    limiter.allows("203.0.113.7")
    assert "203.0.113.7" not in str(vars(limiter))


def test_it_does_not_answer_unless_it_is_switched_on() -> None:
    """A service answers what it did."""
    with analytics(rum_enabled=False) as telemetry:
        response = TestClient(create_fastapi()).post("/bear/rum", json=TOLD, headers=HEADERS)
        assert (response.status_code, outcomes(telemetry)) == (404, {})


def test_it_needs_user_analytics() -> None:
    """Alone it does nothing."""
    with capture({"users": {"rum_enabled": True}}):
        response = TestClient(create_fastapi()).post("/bear/rum", json=TOLD, headers=HEADERS)
        assert response.status_code == 404


def test_only_this_path_and_only_to_tell() -> None:
    """Everything else is answered as before."""
    with analytics(rum_enabled=True):
        client = TestClient(create_fastapi(), headers=HEADERS)
        assert client.get("/bear/rum").status_code == 404
        assert client.put("/bear/rum").status_code == 404
        assert client.post("/bear/rum/x").status_code == 404
        assert client.post("/bear").status_code == 404
        assert client.get("/items/7").status_code == 200


def test_a_path_of_the_application_is_its_own() -> None:
    """Also one for other methods, one that catches all, and one of an application inside."""
    own = FastAPI()
    own.post("/bear/rum")(lambda: "mine")
    reads = FastAPI()
    reads.get("/bear/rum")(lambda: "mine")
    catches = FastAPI()
    catches.api_route("/{path:path}", methods=["POST"])(lambda path: path)
    mounts = Starlette(routes=[Mount("/inner", create_starlette())])
    with analytics(rum_enabled=True) as telemetry:
        answers = [
            TestClient(app).post(path, json=TOLD, headers=HEADERS)
            for app, path in (
                (own, "/bear/rum"),
                (reads, "/bear/rum"),
                (catches, "/bear/rum"),
                (mounts, "/inner/bear/rum"),
            )
        ]
        assert [answer.status_code for answer in answers] == [200, 405, 200, 404]
        assert outcomes(telemetry) == {}


def test_a_route_in_the_code_comes_before_what_catches_all(tmp_path: Any) -> None:
    """It works with the switch off; with user analytics off it answers, to no effect."""
    app = FastAPI()
    app.include_router(rum_routes())
    app.mount("/", StaticFiles(directory=tmp_path))
    with analytics(rum_enabled=False) as telemetry:
        assert post(app) == 204
        assert outcomes(telemetry) == {"recorded": 1}
        assert telemetry.spans == ()
    with capture():
        assert post(app) == 204


@pytest.mark.server
def test_it_is_not_measured() -> None:
    """Neither span nor count nor log line; the other requests are."""
    with analytics(rum_enabled=True) as telemetry, serving(create_fastapi()) as url:
        port = int(url.rpartition(":")[2])
        assert send(port, json.dumps(TOLD).encode()).startswith(b"HTTP/1.1 204")
        assert send(port, b"x" * 20_000).startswith(b"HTTP/1.1 413")
        assert events(telemetry)
        assert (telemetry.spans, telemetry.metrics().get("http.server.request.duration")) == (
            (),
            None,
        )


def send(port: int, body: bytes, *, length: int | None = None) -> bytes:
    """Send a request as it stands; return the beginning of the answer."""
    head = (
        f"POST /bear/rum HTTP/1.1\r\nHost: shop.test\r\nOrigin: https://shop.test\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {length or len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(head.encode() + body)
        return client.recv(100)


@pytest.mark.server
def test_who_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that says nothing more does not hold a request for long."""
    monkeypatch.setattr(browser, "_READ_SECONDS", 0.1)
    with analytics(rum_enabled=True) as telemetry, serving(create_fastapi()) as url:
        port = int(url.rpartition(":")[2])
        assert send(port, b"{", length=100).startswith(b"HTTP/1.1 408")
        assert outcomes(telemetry) == {"invalid": 1}


def test_what_is_too_large_is_not_read_to_its_end() -> None:
    """It may have none."""
    received = 0

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    assert asyncio.run(browser._read(receive, 5_500)) is None
    assert received == 6


def test_features_and_planted_secrets() -> None:
    """A browser may say what it likes: only what is on the list of features leaves."""
    told = {**TOLD, "behavior": {"features_used": ["chat", "hunter2"], "click_count": 1}}
    with analytics(rum_enabled=True, features=["chat"]) as telemetry:
        assert post(create_fastapi(), told) == 204
        names = [attributes.get("bear.feature.name") for _, attributes in events(telemetry)]
        assert names == [None, "chat", None]
        telemetry.assert_nothing_of("hunter2")
    with analytics(rum_enabled=True) as telemetry:
        assert post(create_fastapi(), told) == 204
        assert "bear.feature.used" not in dict(events(telemetry))


def test_the_record_of_the_application_is_accepted_too() -> None:
    """The names are the same."""
    with analytics(rum_enabled=True) as telemetry:
        assert post(create_fastapi(), {**RECORD, "consent": True}) == 204
        assert outcomes(telemetry) == {"recorded": 1}
