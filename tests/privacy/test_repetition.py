"""What is remembered to save time never lets anything through: log templates, stack frames."""

from __future__ import annotations

import pytest

from bear_otel.privacy import Scrubber

_HEADER = "Traceback (most recent call last):\n"
_FRAME = '  File "/app/site-packages/starlette/routing.py", line {line}, in {name}\n    {code}\n'


def _trace(*codes: str, line: int = 1, message: str = "ValueError: not open") -> str:
    frames = "".join(
        _FRAME.format(line=line, name=f"call_{n}", code=c) for n, c in enumerate(codes)
    )
    return f"{_HEADER}{frames}{message}"


def _scrub(text: str) -> str:
    return Scrubber().scrub_text(text, door="exception.stacktrace")


@pytest.mark.parametrize(
    ("harmless", "telling", "clean"),
    [
        pytest.param(
            "job 00f067aa0ba902b7 done",
            "job 4111111111111111 done",
            "job [REDACTED:card] done",
            id="card after a span id",
        ),
        pytest.param(
            "job aa68539007547034 done",
            "job be68539007547034 done",
            "job [REDACTED:iban] done",
            id="account after a span id",
        ),
        pytest.param(
            "peer 127.0.0.1 left",
            "peer 203.0.113.9 left",
            "peer 203.0.113.0 left",
            id="foreign address after the own one",
        ),
        pytest.param(
            "lot 415-555 26710 sold",
            "lot 415-555-2671 sold",
            "lot [REDACTED:phone] sold",
            id="phone",
        ),
        pytest.param(
            "tag 111-11-1111-1 seen", "tag 078-05-1121 seen", "tag [REDACTED:id] seen", id="SSN"
        ),
        pytest.param(
            "worker 12 of 40 took 3.1 ms",
            "worker 77 of 12 took 8.9 ms",
            "worker 77 of 12 took 8.9 ms",
            id="nothing",
        ),
    ],
)
def test_a_known_template_is_still_searched_for_numbers(
    harmless: str, telling: str, clean: str
) -> None:
    """Lines of one template differ in their digits, and digits may be a person's."""
    assert [_scrub(harmless) for _ in range(2)] == [harmless] * 2
    assert _scrub(telling) == clean


def test_a_trace_from_a_known_place_is_searched_for_its_message() -> None:
    """The frames come again; the message does not."""
    codes = ("return await self.app(scope)", "raise ValueError(message)")
    first = _trace(*codes)
    assert _scrub(first) == first
    again = _trace(*codes, line=7, message="ValueError: alice@example.com has password=hunter2")
    assert _scrub(again) == _trace(
        *codes, line=7, message="ValueError: [REDACTED:email] has password=[REDACTED:password]"
    )


def test_a_new_frame_between_known_ones_is_searched() -> None:
    """What is left out must not shift where the rest is replaced."""
    known = ("return await self.app(scope)", "return handler(request)")
    _scrub(_trace(*known))
    text = _trace(known[0], 'connect("postgres://app:s3cr3t-pw@db/x")', known[1])
    assert _scrub(text) == text.replace("app:s3cr3t-pw", "[REDACTED:password]")


def test_a_frame_with_a_secret_is_never_remembered() -> None:
    """It is found each time, at whatever line."""
    code = 'login("alice@example.com", password="hunter2x")'
    for line in range(3):
        text = _trace(code, line=line)
        assert _scrub(text) == text.replace("alice@example.com", "[REDACTED:email]").replace(
            "hunter2x", "[REDACTED:password]"
        )


def test_a_frame_is_not_remembered_from_a_search_for_formats_alone() -> None:
    """Under a key that is kept not everything is looked for, so nothing is learned."""
    text = _trace('print("call +49 30 901820")')
    scrubber = Scrubber()
    scrubber.scrub_value("telemetry.sdk.name", text, door="resource")
    assert scrubber.scrub_text(text, door="log.body") == text.replace(
        "+49 30 901820", "[REDACTED:phone]"
    )
