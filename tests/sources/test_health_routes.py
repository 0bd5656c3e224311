"""The health routes answer where they may, what they should, and leave no trace."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from bear_otel.sources.health import Health, HealthCheck, State
from bear_otel.sources.health_declarations import HEALTH_ROUTES, HEALTH_RUNNER, health_routes
from bear_otel.testing import capture
from tests.sources.health_harness import serving, wait_until

pytestmark = pytest.mark.server

TOKEN = "a-token-for-tests"
ALL = ("/livez", "/readyz", "/health")


@pytest.fixture(autouse=True)
def no_checks() -> Iterator[None]:
    """Begin and end without checks and paths; they belong to the process."""
    HEALTH_RUNNER._checks.clear()
    HEALTH_ROUTES._paths.clear()
    yield
    HEALTH_RUNNER.stop()
    HEALTH_RUNNER._checks.clear()
    HEALTH_ROUTES._paths.clear()


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    """Return the status and the JSON, or the text, of an answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=names)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            status, body = response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read().decode()
        error.close()
    try:
        return status, json.loads(body)
    except ValueError:
        return status, body


@contextmanager
def health(*, enabled: bool = True, token: str | None = None) -> Iterator[Any]:
    """Capture telemetry, with the health routes on or off."""
    settings: dict[str, Any] = {"enabled": enabled}
    if token:
        settings["token"] = token
    with capture({"health": settings}) as captured:
        yield captured


def add(name: str, state: State, **options: Any) -> None:
    """Declare a check that says the same again and again."""
    run = lambda: Health(state=state, details={"used": 5})  # noqa: E731 - a check
    HEALTH_RUNNER.add(HealthCheck(name=name, run=run, **{"interval_seconds": 0.01, **options}))


def create_fastapi() -> FastAPI:
    """Return a service with one route."""
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def get_item(item_id: int) -> int:
        return item_id

    return app


def create_starlette() -> Starlette:
    """Return the same with Starlette alone."""
    return Starlette(
        routes=[Route("/items/{item_id}", lambda request: PlainTextResponse("1"))],
    )


CREATE = pytest.mark.parametrize("create", [create_fastapi, create_starlette])


@CREATE
def test_the_three_paths_answer_when_they_are_switched_on(create: Callable[[], Any]) -> None:
    """On FastAPI and on Starlette, to GET and to HEAD."""
    with health(), serving(create()) as url:
        add("database", "healthy", critical=True)
        wait_until(lambda: get(f"{url}/readyz")[0] == 200, "the service is ready")
        assert get(f"{url}/livez") == (200, {"status": "alive"})
        status, body = get(f"{url}/readyz")
        assert (status, body["status"], body["ready"]) == (200, "healthy", True)
        assert get(f"{url}/health", "HEAD") == (200, "")
        # Only these paths, and only to be read.
        assert get(f"{url}/items/1")[0] == 200
        for path, method in (("/livez", "POST"), ("/nowhere", "GET"), ("/livez/x", "GET")):
            assert get(f"{url}{path}", method)[0] == 404


@CREATE
def test_nothing_answers_when_they_are_switched_off(create: Callable[[], Any]) -> None:
    """Which is the default: telemetry does not change what a service answers."""
    with health(enabled=False), serving(create()) as url:
        assert [get(f"{url}{path}")[0] for path in ALL] == [404, 404, 404]


@pytest.mark.parametrize(
    ("state", "critical", "expected"),
    [
        ("healthy", True, 200),
        ("degraded", True, 200),
        ("unhealthy", False, 200),
        ("unhealthy", True, 503),
        ("critical", False, 503),
    ],
)
def test_only_what_is_critical_takes_the_service_out(
    state: State, critical: bool, expected: int
) -> None:
    """A dependency that all instances share must not end all of them; they stay alive anyhow."""
    with health(), serving(create_fastapi()) as url:
        add("x", state, critical=critical)
        get(f"{url}/readyz")
        wait_until(lambda: HEALTH_RUNNER.results()["x"][1], "it was made")
        status, body = get(f"{url}/readyz")
        assert (status, body["ready"]) == (expected, expected == 200)
        assert get(f"{url}/health")[0] == expected
        assert get(f"{url}/livez")[0] == 200


def test_a_path_of_the_application_stays_its_own() -> None:
    """Also one that is added later, another method of it, and one that catches everything."""
    app = FastAPI()
    with health():
        mounted = FastAPI()
        mounted.mount("/", Starlette(routes=[Route("/{path:path}", PlainTextResponse("mine"))]))
        catching = Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("mine"))])
        app = FastAPI()

        @app.get("/health")
        async def own() -> str:
            return "mine"

        @app.post("/readyz")
        async def other() -> str:
            return "mine"

        with serving(app) as url:
            assert get(f"{url}/health") == (200, "mine")
            assert get(f"{url}/readyz")[0] == 405
            assert get(f"{url}/livez") == (200, {"status": "alive"})
        for theirs in (catching, mounted):
            with serving(theirs) as url:
                assert [get(f"{url}{path}") for path in ALL] == [(200, "mine")] * 3


def test_an_application_below_another_does_not_answer() -> None:
    """Its paths are not those that a probe asks for."""
    with health():
        app = FastAPI()
        app.mount("/below", create_fastapi())
        with serving(app) as url:
            assert get(f"{url}/below/health")[0] == 404
            assert get(f"{url}/health")[0] == 200


def test_a_root_path_does_not_matter() -> None:
    """A proxy may put the service below a path."""
    with health() as captured, serving(create_fastapi(), root_path="/shop") as url:
        assert get(f"{url}/livez") == (200, {"status": "alive"})
    assert captured.spans == ()


@pytest.mark.parametrize("explicit", [True, False], ids=["health_routes()", "switched on"])
def test_health_requests_are_not_measured(explicit: bool) -> None:
    """No span, no count, no log line; the others have theirs."""
    with health(enabled=not explicit) as captured:
        app = create_fastapi()
        if explicit:
            app.include_router(health_routes(prefix="/internal"))
        prefix = "/internal" if explicit else ""
        with serving(app) as url:
            for path in ALL:
                assert get(f"{url}{prefix}{path}")[0] == 200
            assert get(f"{url}/items/1")[0] == 200
            wait_until(lambda: captured.spans, "the other request was measured")
        assert [span.name for span in captured.spans] == ["GET /items/{item_id}"]
        (point,) = captured.metrics()["http.server.request.duration"]
        assert (point.count, point.attributes["http.route"]) == (1, "/items/{item_id}")
        assert not [log for log in captured.logs if "/livez" in str(log.log_record.body)]


@pytest.mark.parametrize("framework", ["FastAPI", "Starlette"])
def test_routes_in_the_code_work_without_telemetry(framework: str) -> None:
    """Whoever switches telemetry off must not lose what the orchestrator asks."""
    add("x", "critical")
    if framework == "FastAPI":
        app: Any = FastAPI()
        app.include_router(health_routes())
        assert "/health" not in app.openapi()["paths"]
    else:
        app = Starlette(routes=[Mount("/", routes=health_routes().routes)])
    with serving(app) as url:
        wait_until(lambda: get(f"{url}/readyz")[0] == 503, "the check was made")
        status, body = get(f"{url}/health")
        assert (status, body["status"]) == (503, "critical")
        # Nothing has scrubbed them.
        assert "details" not in body["checks"]["x"]
        assert get(f"{url}/livez") == (200, {"status": "alive"})


@pytest.mark.parametrize(
    ("token", "headers", "shown"),
    [
        (None, {}, True),
        (None, {"X_Forwarded_For": "203.0.113.9"}, False),
        (None, {"Forwarded": "for=203.0.113.9"}, False),
        (TOKEN, {"X_Forwarded_For": "203.0.113.9"}, False),
        (TOKEN, {"X_Forwarded_For": "203.0.113.9", "Authorization": f"Bearer {TOKEN}"}, True),
        (TOKEN, {"X_Forwarded_For": "203.0.113.9", "Authorization": "Bearer other"}, False),
        (TOKEN, {"X_Forwarded_For": "203.0.113.9", "Authorization": TOKEN}, False),
        (None, {"X_Forwarded_For": "203.0.113.9", "Authorization": "Bearer "}, False),
    ],
    ids=str,
)
def test_details_are_for_this_host_and_for_those_with_the_token(
    token: str | None, headers: dict[str, str], shown: bool
) -> None:
    """A proxy on this host is not this host; all others get the state alone."""
    with health(token=token), serving(create_fastapi(), proxy_headers=False) as url:
        add("x", "healthy")
        get(f"{url}/health")
        wait_until(lambda: HEALTH_RUNNER.results()["x"][1], "it was made")
        _, body = get(f"{url}/health", **headers)
    assert set(body) == {"status", "ready"} | ({"checks"} if shown else set())
    if shown:
        check = body["checks"]["x"]
        assert (check["status"], check["critical"]) == ("healthy", False)
        assert check["details"] == {"used": 5}
        assert set(check) == {
            "status",
            "critical",
            "seconds_ago",
            "duration_seconds",
            "details",
        }


def test_a_critical_check_that_was_not_made_yet_is_not_ready() -> None:
    """And it is said that it has no state."""
    begun = threading.Event()
    with health(), serving(create_fastapi()) as url:
        check = HealthCheck(name="x", run=lambda: begun.wait(60), critical=True, timeout_seconds=90)
        HEALTH_RUNNER.add(check)
        answer = get(f"{url}/readyz")
        begun.set()
        wait_until(lambda: get(f"{url}/readyz")[0] == 200, "the check has passed")
    checks = {"x": {"status": None, "critical": True}}
    assert answer == (503, {"status": "healthy", "ready": False, "checks": checks})
