"""A real browser for tests: Chromium without a window, driven by its DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import websockets.sync.client

from tests.sources.health_harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# It looks for updates, synchronises and measures itself otherwise.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


def find_chromium() -> str | None:
    """Return the program, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """Run a browser with an empty profile in a folder."""
    program = find_chromium()
    assert program is not None
    with (folder / "chromium.log").open("w") as log:
        process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdout=log,
            stderr=log,
        )
        try:
            port_file = folder / "DevToolsActivePort"
            wait_until(
                lambda: port_file.exists() and port_file.read_text().count("\n"),
                "Chromium has started",
            )
            port, path = port_file.read_text().split("\n")
            with websockets.sync.client.connect(
                f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None
            ) as socket:
                yield Chromium(socket)
        finally:
            process.terminate()
            process.wait(60)


class Chromium:
    """A browser that runs."""

    def __init__(self, socket: websockets.sync.client.ClientConnection) -> None:
        self._socket = socket
        self._number = 0

    @contextlib.contextmanager
    def page(self, *, script: str = "", headers: Mapping[str, str] | None = None) -> Iterator[Page]:
        """Open a tab that shares nothing with those before.

        Args:
            script: JavaScript that runs before any other in each document.
            headers: Sent with every request.
        """
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, session["sessionId"])
        page.call("Page.enable")
        page.call("Network.enable")
        page.call("Network.setExtraHTTPHeaders", headers=dict(headers or {}))
        page.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        yield page
        self.call("Target.disposeBrowserContext", browserContextId=context)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]


class Page:
    """A tab."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol for this tab."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Go to an address; return when the page and what it needs has loaded and was painted."""
        # The document that is left may have the same address, and be there for a while.
        self.evaluate("window.isLeft = true")
        self.call("Page.navigate", url=url)
        here = f"!window.isLeft && location.href === {json.dumps(url)}"

        def has_loaded() -> bool:
            with contextlib.suppress(AssertionError):  # between two documents
                return self.evaluate(f"{here} && document.readyState === 'complete'")
            return False

        wait_until(has_loaded, f"{url} has loaded")
        self.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def measure(self, what: str) -> None:
        """Return when the browser has measured this kind of `PerformanceEntry`."""
        options = json.dumps({"type": what, "buffered": True})
        self.evaluate(
            f"new Promise((done) => new PerformanceObserver(() => done()).observe({options}))"
        )

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """Click on an element as a person does."""
        x, y = self.evaluate(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Type into the element that has the focus."""
        self.call("Input.insertText", text=text)
