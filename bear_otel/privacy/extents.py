"""Decide how far the value behind a telling key reaches, and whether it is one."""

from __future__ import annotations

import re
from typing import Final

from bear_otel.privacy.bare_values import LONGEST, Extent, Pair, bare_extent
from bear_otel.privacy.likely import is_likely
from bear_otel.privacy.markers import is_filled
from bear_otel.privacy.shapes import (
    digit_count,
    is_placeholder,
    is_prose,
    looks_secret,
)

_OPEN = re.compile(
    r"""[ \t]{0,8}(?:\r?\n[ \t]{0,40}(?=["']))?(?:[|>][+-]?\r?\n[ \t]{1,40})?"""
    r"""(?:!!\w+[ \t])?(?:[bBuUfFrR]{1,2}(?=["'\\]))?(?:=\s?)?"""
    r"""(\\{0,7}(?:\"\"\"|'''|["'`])|&quot;|&\#39;|%22|[“„«”])?""",
    re.VERBOSE,
)
_CLOSING: Final = {"“": "”", "„": "“", "«": "»"}
_STRING = {
    '"': re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL),
    "'": re.compile(r"(?:[^'\\]|\\.)*", re.DOTALL),
    "`": re.compile(r"[^`]*"),
}
# A quote that is not closed by then is not closed.
_FARTHEST: Final = 4096
# Calls that name what they fetch.
_LOOKUP = re.compile(
    r"(?:^|[._])(?:get\w*|pop|fetch|read|load|lookup|find|require|env|environ|param"
    r"|header|_|t|i18n)\(.$"
)


def value_extent(
    text: str,
    pair: Pair,
    *,
    person: bool = False,
    code: bool = False,
    bounds: tuple[int, int] | None = None,
) -> Extent | None:
    """Return where the value stands and what it is, or None if there is nothing to protect.

    Args:
        text: The whole text.
        pair: The key.
        person: Whether the text holds other personal keys, so that `name` is a person's.
        code: Whether the pair stands in source code.
        bounds: Start and end of the value where the syntax has told them already.
    """
    cls, kind, phrase = pair.hit
    if bounds is not None:
        return _judge_quoted(text, *bounds, pair.hit, person=person)
    opened = _OPEN.match(text, pair.value_start)
    if opened is None:
        return None
    start = opened.end()
    if start >= len(text):
        return None
    if opened[1]:
        end = _closing(text, start, opened[1])
        return _judge_quoted(text, start, end, pair.hit, person=person)
    if text[start] in "[{(":
        if cls in ("likely", "ip", "geo", "sql") and phrase != "auth":
            return None
        end = _balanced(text, start)
        inner = text[start + 1 : end - 1].strip()
        if not inner or code or is_filled(inner.strip("\"'")):
            return None
        # `{password}` is a place in a template, `PWD={x7Kp2mQz}` is how ODBC quotes.
        if is_placeholder(text[start:end]) and not looks_secret(inner, least=8):
            return None
        return start + 1, max(start + 1, end - 1), kind
    called = re.compile(r"[A-Za-z_][\w.]{0,40}\([\"']").match(text, start)
    if called is not None and not _LOOKUP.search(called.group()):
        return _judge_quoted(
            text,
            called.end(),
            _closing(text, called.end(), text[called.end() - 1]),
            pair.hit,
            person=person,
        )
    if code:
        return None
    return bare_extent(text, start, pair, person=person)


def _closing(text: str, start: int, quote: str) -> int:
    """Return the offset of the closing quote, or the end of the text: a cut value is a value."""
    string = _STRING.get(quote)
    if string is not None:
        limit = start + _FARTHEST
        found = string.match(text, start, limit)
        if found is not None and found.end() < limit:
            return found.end()
    end = text.find(_CLOSING.get(quote, quote), start, start + _FARTHEST)
    return len(text) if end < 0 else end


def _balanced(text: str, start: int) -> int:
    """Return the offset behind the bracket that closes the one at `start`."""
    depth = 0
    for found in re.compile(r"[\[{(\])}]").finditer(text, start, start + 4096):
        depth += 1 if found.group() in "[{(" else -1
        if depth == 0:
            return found.end()
    return len(text)


def _judge_quoted(
    text: str, start: int, end: int, hit: tuple[str, str, str], *, person: bool
) -> Extent | None:
    cls, kind, phrase = hit
    value = text[start : min(end, start + LONGEST)]
    stripped = value.strip()
    if not stripped or is_placeholder(stripped) or is_filled(stripped):
        return None
    if cls in ("ip", "sql"):
        return None
    if cls == "geo":
        return (start, end, kind) if re.search(r"\d\.\d{2}|°", value) else None
    if cls == "likely":
        return (start, end, kind) if is_likely(stripped, kind, person=person, quoted=True) else None
    if " " not in stripped and is_prose(stripped) and kind not in ("name", "password"):
        return None
    if kind in ("phone", "iban", "card") and digit_count(value) < 4:
        return None
    if phrase == "token" and len(stripped) < 4:
        return None
    return start, end, kind
