"""What stands in a text with escapes is found as if it stood alone, at any depth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bear_otel.privacy import Scrubber

if TYPE_CHECKING:
    from collections.abc import Callable

_MAIL = "\u043f\u043e\u0447\u0442\u0430@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444"
_WRITERS = {
    "JSON": lambda text: json.dumps({"level": "error", "message": text, "n": 3}),
    "JSON in JSON": lambda text: json.dumps({"log": json.dumps({"message": text})}),
    "repr": lambda text: f"RuntimeError: failed: ValueError({text!r})",
    "cut off": lambda text: json.dumps({"message": f"{text}\n"})[:-4],
}


@pytest.mark.parametrize("write", _WRITERS.values(), ids=_WRITERS)
@pytest.mark.parametrize(
    ("text", "secret", "marker"),
    [
        ('[db]\nuser = "app"\npassword = "Dragon2746"\n', "Dragon2746", "[REDACTED:password]"),
        ('invalid input syntax for type uuid: "carol.shaw"', "carol.shaw", "[REDACTED:row]"),
        ("password\tk4ffee-30", "k4ffee-30", "[REDACTED:password]"),
        (f'say "hi" to {_MAIL}', _MAIL, "[REDACTED:email]"),
        ("cannot open C:\\Users\\JohnDoe84\\taxes.xlsx", "JohnDoe84", "[REDACTED:user]"),
    ],
    ids=["quotes and lines", "quote at the end", "tab", "other script", "backslashes"],
)  # fmt: skip
def test_an_escaped_text_loses_what_it_would_lose_alone(
    write: Callable[[str], str], text: str, secret: str, marker: str
) -> None:
    """The rest stays as it is written, escapes included."""
    written = write(text)
    spelt = next(s for s in (secret, json.dumps(secret)[1:-1], _twice(secret)) if s in written)
    assert Scrubber().scrub_text(written, door="log.body") == written.replace(spelt, marker)


def _twice(text: str) -> str:
    return json.dumps(json.dumps(text)[1:-1])[1:-1]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"msg": 'job "nightly"\nis done in 12.5 ms', "n": 3}),
        repr({"path": "C:\\temp\\new", "pattern": r"\d{4}\s\w+"}),
        "it's at C:\\Windows\\System32, isn't it",
        '"\\',
        "'\\u00",
    ],
)
def test_a_harmless_escaped_text_stays(text: str) -> None:
    """Escapes alone mean nothing."""
    assert Scrubber().scrub_text(text, door="log.body") == text
