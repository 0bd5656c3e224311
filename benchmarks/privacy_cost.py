"""Time the scrubber on what a service sends: spans, log lines, stack traces, hostile texts.

    python benchmarks/privacy_cost.py

Prints microseconds of processor time a call: the best of several rounds, on this machine.
"""

# Tables read best with one case a line.
# ruff: noqa: E501

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from bear_otel.privacy import Scrubber

if TYPE_CHECKING:
    from collections.abc import Callable

_FRAME = (
    '  File "/app/venv/lib/python3.12/site-packages/starlette/{module}.py", line {line}, in app\n'
    "    await self.{module}(scope, receive, sender)\n"
)
_ROUNDS = 5


def server_span(number: int) -> dict[str, Any]:
    """Return the twelve attributes of one request; two of them are new with each."""
    return {
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": f"/api/v1/orders/{number}",
        "url.query": f"page=2&customer=c{number}",
        "http.route": "/api/v1/orders/{order_id}",
        "http.response.status_code": 200,
        "client.address": f"203.0.{number % 250}.{number % 199}",
        "client.port": 43210,
        "server.address": "api.example.com",
        "server.port": 443,
        "user_agent.original": f"Mozilla/5.0 (X11; Linux x86_64) Chrome/{number % 90 + 40}.0.0.0 Safari/537.36",
        "network.protocol.version": "1.1",
    }


def log_line(number: int, *, words: bool = False) -> str:
    """Return a log line without anything to remove: a new number in it, or a new word."""
    name = _letters(number) if words else number
    return f"order {name} accepted for tenant acme in 12.5 ms, status=200 items=3 request_id=0f8fad5b-d9cb-469f-a165-7086772{number % 90000 + 10000}"


def dirty_log_line(number: int) -> str:
    """Return a log line with an address and a secret."""
    return f"login {number} of alice{number}@example.com failed, token=s3cr3t{number}"


def stack_trace(number: int, modules: int = 1) -> str:
    """Return a stack trace of 2.5 KB; of each `modules` of them the same frames."""
    frames = "".join(
        _FRAME.format(line=number + n, module="routing" + _letters(number % modules * 17 + n))
        for n in range(17)
    )
    return f"Traceback (most recent call last):\n{frames}ValueError: order {number} is not open"


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def microseconds(call: Callable[[], object], times: int) -> float:
    """Return the processor time of one call, the best round: waiting for others does not count."""
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.thread_time()
        for _ in range(times):
            call()
        best = min(best, time.thread_time() - started)
    return best / times * 1e6


def main() -> None:
    """Print the table."""
    scrubber = Scrubber()
    numbers = itertools.count(1_000)
    same = server_span(1)
    ten = {f"app.label{n}": f"value {n}" for n in range(10)}
    unseen_traces = [stack_trace(number, 1_000_000) for number in range(_ROUNDS * 200)]
    megabyte = {
        "letters": "a" * 1_000_000,
        "digits": "1" * 1_000_000,
        "addresses": "a@b.co " * 150_000,
        "pairs": "password=x," * 90_000,
        "brackets": "{[(" * 330_000,
        "quotes": "'\\\"" * 330_000,
        "SQL": "SELECT '" * 120_000,
    }
    span = Scrubber.scrub_attributes
    text = Scrubber.scrub_text
    rows: list[tuple[str, str, Callable[[], object], int]] = [
        (
            "server span, 12 attributes, first sight",
            "60",
            lambda: span(scrubber, server_span(next(numbers)), door="span.attribute"),
            400,
        ),
        (
            "server span, 12 attributes, repeated",
            "8",
            lambda: span(scrubber, same, door="span.attribute"),
            20_000,
        ),
        (
            "10 text attributes, repeated",
            "4",
            lambda: span(scrubber, ten, door="metric.attribute"),
            20_000,
        ),
        (
            "log line, its template seen before",
            "15",
            lambda: text(scrubber, log_line(next(numbers)), door="log.body"),
            2_000,
        ),
        (
            "log line, first of its template",
            "",
            lambda: text(scrubber, log_line(next(numbers), words=True), door="log.body"),
            2_000,
        ),
        (
            "log line with two findings, first sight",
            "",
            lambda: text(scrubber, dirty_log_line(next(numbers)), door="log.body"),
            2_000,
        ),
        (
            "stack trace of 2.5 KB, no frame seen before",
            "300",
            lambda: text(scrubber, unseen_traces.pop(), door="exception.stacktrace"),
            200,
        ),
        (
            "stack trace of 2.5 KB, from a place seen before",
            "",
            lambda: text(scrubber, stack_trace(next(numbers)), door="exception.stacktrace"),
            200,
        ),
    ]
    rows += [
        (
            f"hostile text of 1 MB: {name}",
            "",
            lambda hostile=hostile: text(scrubber, hostile, door="log.body"),
            1,
        )
        for name, hostile in megabyte.items()
    ]
    print(f"{'':48}{'us':>12}{'target':>8}")
    for name, target, call, times in rows:
        print(f"{name:48}{microseconds(call, times):12.1f}{target:>8}")


if __name__ == "__main__":
    main()
