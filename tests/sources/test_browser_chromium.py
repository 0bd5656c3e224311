"""A person in a real browser: what they agree to arrives, and nothing else leaves the browser."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import FileResponse

from bear_otel.sources.browser import BROWSER_ENDPOINT
from bear_otel.testing import Captured
from tests.sources.chromium import Chromium, Page, chromium, find_chromium
from tests.sources.health_harness import serving, wait_until
from tests.sources.users_harness import analytics, events, outcomes

pytestmark = pytest.mark.server

EXAMPLE = Path(__file__).parents[2] / "examples" / "browser"
BUILD_SECONDS = 300

# In the query and the fragment of the address, and typed.
SECRETS = {
    "email": "ada.lovelace@example.com",
    "token": "tok-5d41402abc4b2a76",
    "fragment": "frag-98f6bcd4621d",
    "typed": "my card is 4111 1111 1111 1111",
}
VISIT = f"/?email={SECRETS['email']}&token={SECRETS['token']}#{SECRETS['fragment']}"

AGREED = "if (location.protocol !== 'about:') localStorage.setItem('consent', 'yes');"
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true});"
DNT = "Object.defineProperty(Navigator.prototype, 'doNotTrack', {get: () => '1'});"


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of the example's page, bundled as its `package.json` says."""
    if missing := [name for name in ("node", "npm") if shutil.which(name) is None]:
        pytest.skip(f"needs {' and '.join(missing)}")
    folder = tmp_path_factory.mktemp("browser")
    for file in (*EXAMPLE.glob("*.js"), EXAMPLE / "package.json"):
        shutil.copy(file, folder)
    for command in ("install --no-audit --no-fund --no-package-lock", "run build"):
        done = subprocess.run(
            ["npm", *command.split()],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        if done.returncode and "ENOTFOUND" in done.stderr:
            pytest.skip("needs the npm registry")
        assert done.returncode == 0, done.stderr
    return folder / "dist" / "page.js"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests; each opens a tab that knows nothing of the others."""
    if find_chromium() is None:
        pytest.skip("needs chromium: apt-get install chromium")
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


class Service:
    """The example's page, and all that a browser has sent to the endpoint, byte by byte."""

    def __init__(self, script: Path, telemetry: Captured) -> None:
        self.telemetry = telemetry
        self.sent: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self._app = FastAPI()
        self._app.get("/")(lambda: FileResponse(EXAMPLE / "index.html"))
        self._app.get("/page.js")(lambda: FileResponse(script))
        self._app.get("/after")(lambda: "gone")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/bear/rum" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = bytearray()

        async def receive_and_keep() -> Any:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        await self._app(scope, receive_and_keep, send)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.sent.append((headers, bytes(body)))


@contextlib.contextmanager
def service(script: Path, **settings: Any) -> Iterator[Service]:
    """Serve the page, for the length of a block."""
    settings = {"rum_enabled": True, "features": ["chat"], **settings}
    with analytics(**settings) as telemetry:
        served = Service(script, telemetry)
        with serving(served) as url:
            served.url = url
            yield served


def visit(page: Page, url: str, *, agree: bool = False) -> None:
    """Come, perhaps agree, type something, look around, and go."""
    page.open(f"{url}{VISIT}")
    page.measure("largest-contentful-paint")
    if agree:
        page.click("#agree")
    page.click("#note")
    page.type(SECRETS["typed"])
    page.click("#send")
    page.measure("first-input")
    page.evaluate("new Promise((done) => { onscroll = done; scrollTo(0, 300); })")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    page.open(f"{url}/after")
    # A request that comes later than all that the page has sent when it went.
    page.evaluate("fetch('/after').then((answer) => answer.text())")


def assert_nothing_planted(served: Service) -> None:
    """Neither in what left the browser, nor in what would leave the service."""
    # The address of the page, also as a referrer, and the words one by one.
    planted = [*SECRETS.values(), "4111", "lovelace", "email=", "token="]
    for headers, body in served.sent:
        for text in (json.dumps(headers), body.decode()):
            assert not [secret for secret in planted if secret in text]
        assert "referer" not in headers
        assert "cookie" not in headers
    events_alone = json.dumps(events(served.telemetry))
    assert not [secret for secret in planted if secret in events_alone]


@pytest.mark.parametrize("agree", [True, False], ids=["agrees-now", "agreed-before"])
def test_who_agrees_is_measured(browser: Chromium, script: Path, agree: bool) -> None:
    """Vitals, the visit, what was done and used; in numbers, and nothing that was planted."""
    with (
        service(script) as served,
        browser.page(script="" if agree else AGREED) as page,
    ):
        page.call("Page.navigate", url=f"{served.url}/after")
        visit(page, served.url, agree=agree)
        names = {"session.start", "bear.feature.used", "bear.page.left"}
        names |= {"lcp", "fcp", "ttfb", "cls", "inp"}
        telemetry = served.telemetry
        found: dict[str, dict[str, Any]] = {}

        def has_told() -> bool:
            for name, attributes in events(telemetry):
                found[attributes.get("browser.web_vital.name", name)] = attributes
            return names <= found.keys()

        wait_until(has_told, "it has told")
        assert found.keys() == names
        assert len({attributes["session.id"] for attributes in found.values()}) == 1
        assert found["bear.feature.used"]["bear.feature.name"] == "chat"
        page_left = found["bear.page.left"]
        # The agreement itself is not counted.
        assert (page_left["bear.page.clicks"], page_left["bear.page.errors"]) == (2, 0)
        assert 0.5 <= page_left["bear.page.scroll_depth"] <= 1
        for vital in ("lcp", "fcp", "ttfb", "inp"):
            assert 0 <= found[vital]["browser.web_vital.value"] < 60_000
        assert found["cls"]["browser.web_vital.value"] < 1
        device = found["lcp"]
        assert (device["user_agent.name"], device["user_agent.os.name"]) == ("Chrome", "Linux")
        assert device["bear.device.class"] == "desktop"
        (load,) = telemetry.metrics()["bear.browser.page_load.duration"]
        assert (load.count, 0 < load.sum < 60) == (1, True)
        assert outcomes(telemetry).keys() == {"recorded"}
        assert_nothing_planted(served)
        described = ", ".join(
            f"{name} {found[name]['browser.web_vital.value']:g}"
            for name in ("ttfb", "fcp", "lcp", "inp", "cls")
        )
        print(f"{len(served.sent)} requests, {sum(len(b) for _, b in served.sent)} B: {described}")


@pytest.mark.parametrize(
    "before",
    ["", GPC + AGREED, DNT + AGREED],
    ids=["without-consent", "gpc", "dnt"],
)
def test_nothing_is_sent_or_stored_without_leave(
    browser: Chromium, script: Path, before: str
) -> None:
    """The browser does not even ask the endpoint."""
    with service(script) as served, browser.page(script=before) as page:
        visit(page, served.url, agree=before != "")
        assert (served.sent, events(served.telemetry)) == ([], [])
        assert outcomes(served.telemetry) == {}
        assert page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize(
    ("headers", "outcome"), [({"Sec-GPC": "1"}, "gpc"), ({"DNT": "1"}, "dnt")], ids=["gpc", "dnt"]
)
def test_a_header_is_enough(
    browser: Chromium, script: Path, headers: dict[str, str], outcome: str
) -> None:
    """Where a page's script does not see the signal, the service does."""
    with service(script) as served, browser.page(script=AGREED, headers=headers) as page:
        page.open(f"{served.url}{VISIT}")
        page.click("#send")
        # Not by leaving: what is sent then goes without the headers that a test adds.
        page.click("#leave")
        wait_until(lambda: outcomes(served.telemetry), "it was refused")
        assert outcomes(served.telemetry).keys() == {outcome}
        assert events(served.telemetry) == []
        assert_nothing_planted(served)


def test_a_consent_can_be_taken_back(browser: Chromium, script: Path) -> None:
    """From then on nothing is sent or kept, also not of what was measured before."""
    with service(script) as served, browser.page() as page:
        page.open(f"{served.url}{VISIT}")
        page.click("#agree")
        page.click("#send")
        assert page.evaluate("sessionStorage.length") == 1
        page.click("#withdraw")
        assert page.evaluate("sessionStorage.length") == 0
        page.open(f"{served.url}/after")
        page.open(f"{served.url}/")
        page.open(f"{served.url}/after")
        page.evaluate("fetch('/after').then((answer) => answer.text())")
        assert served.sent == []


def test_a_visit_of_several_pages_ends_when_the_person_says_so(
    browser: Chromium, script: Path
) -> None:
    """It begins once, and its end says how it was."""
    with service(script) as served, browser.page(script=AGREED) as page:
        for _ in range(2):
            page.open(f"{served.url}/")
            page.click("#send")
        page.click("#leave")
        telemetry = served.telemetry
        wait_until(lambda: "session.end" in dict(events(telemetry)), "it has ended")
        names = [name for name, _ in events(telemetry)]
        assert (names.count("session.start"), names.count("session.end")) == (1, 1)
        end = dict(events(telemetry))["session.end"]
        assert (
            end["bear.session.page_views"],
            end["bear.session.interactions"],
            end["bear.session.bounced"],
        ) == (2, 3, False)
        assert len({attributes["session.id"] for _, attributes in events(telemetry)}) == 1


@pytest.mark.parametrize("listed", [True, False])
def test_pages_of_other_origins_need_leave(browser: Chromium, script: Path, listed: bool) -> None:
    """By the rules of a real browser, which asks the endpoint first."""
    with service(script) as served, browser.page() as page:
        other = served.url.replace("127.0.0.1", "localhost")
        if listed:
            assert BROWSER_ENDPOINT._policy is not None
            BROWSER_ENDPOINT.open(replace(BROWSER_ENDPOINT._policy, origins=frozenset({other})))
        page.open(f"{other}/after")
        told = {"consent": True, "session_id": "x", "session": {"started": True}}
        status = page.evaluate(
            f"fetch('{served.url}/bear/rum', {{method: 'POST', keepalive: true, "
            f"credentials: 'omit', headers: {{'content-type': 'application/json'}}, "
            f"body: JSON.stringify({json.dumps(told)})}})"
            f".then((answer) => answer.status, () => 'refused')"
        )
        assert (status, bool(events(served.telemetry))) == (
            (204, True) if listed else ("refused", False)
        )
