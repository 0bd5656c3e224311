"""Find phone numbers and national identity numbers that show by their own format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.cards import cards_within, find_ibans, may_hold_ibans
from bear_otel.privacy.findings import Finding
from bear_otel.privacy.national_ids import SPACED, is_national_shape, national_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

# Digits first, since few stretches of a text begin with one; what stands before is looked up.
_TOKEN = re.compile(r"[0-9][\dA-Za-z./+\-]{4,64}")
_GROUPS = re.compile(r"[0-9][\d .()/\-\u2013_+%\u00a0\u2009\u2011]{5,48}\d")
_LETTERS_BACK = re.compile(r"-?[A-Za-z]{1,6}(?![\w./@-])")
_HONG_KONG = re.compile(r"\([0-9A]\)(?<=[A-Z]\d{6}...)")
# A date, a fraction, an IP address: digits with separators that are no number of a person.
_NO_NUMBER = re.compile(
    r"(?:19|20)\d\d([-/.])\d\d\1\d\d(?: \d{1,2})?|\d+\.\d+|\d{1,3}(?:\.\d{1,3}){3}"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d(?: \d{1,2})?"
)
# A weak number stays behind a key that names something else.
_OTHER_KEY = re.compile(
    r"(?:id|ids|key|count|size|bytes|offset|seq|sequence|number|num|no|ref|reference"
    r"|order|invoice|sku|version|ts|time"
    r"|timestamp|epoch|duration|ns|ms|us|total|amount|length|hash|code|block|row|rows"
    r"|page|build|revision|ticket|case"
    r"|batch|lot|serial|tracking|ean|isbn|gtin|upc|asin|job|run|trace|span|request"
    r"|session|transaction|tx|lsn|xid|port)"
    r"""["']?\s?(?:[=:#]|is|nr|no\.?|number)?\s{0,2}["'#]?$""",
    re.IGNORECASE,
)
_PHONES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # international: plus and country code
        (
            r"(?<![\w+.=*/-])(?:\(\+[1-9]\d{0,2}\)"
            r"|\+[1-9]\d{0,3})(?:[ ().\-/\u00a0\u2011\u2013]{0,3}\d){5,14}(?!\w)(?![.:]\d)"
        ),
        r"(?<=[=:/\-])\+[1-9]\d{0,3}(?:[ ().\-/]{0,2}\d){8,13}(?!\w)",
        r"(?<=%2[Bb])[1-9]\d{7,14}(?!\w)",
        # international with 00, in groups
        r"(?<![\w.+/:-])00[1-9]\d{0,2}[ \-/.]\(?\d{1,4}\)?(?:[ \-/.]?\d){5,10}(?!\w)",
        # North America: (415) 555-2671, 415-555-2671, 1-415-555-2671, 415.555.2671
        r"(?<![\w.+/-])(?:1[ .-])?\([2-9]\d{2}\)[ .-]?\d{3}[ .-]?\d{4}(?![\w-])",
        r"(?<![\w.+/-])(?:1[.-])?[2-9]\d{2}([.-])\d{3}\1\d{4}(?![\w-])(?!\.\d)",
        # the area in brackets
        r"(?<![\w.+/-])\(0?\d{2,5}\)[ -]?\d{3,5}[ -]?\d{3,5}(?![\w-])",
        # a leading zero and groups: 030 1234 5678, 06 12 34 56 78, 090-1234-5678, 0151/2345678
        r"(?<![\w.+/:,-])0[1-9](?:[ .-]\d{2}){4}(?!\w)(?![.-]\d)",
        r"(?<![\w.+/:,-])0[1-9]\d{1,3}[ \-/]\d{3,4}[ -]?\d{3,4}(?:[ -]\d{1,4})?(?!\w)(?![.:-]\d)",
        r"(?<![\w.+/:,-])0[1-9]\d{1,3}[ /]\d{5,9}(?!\w)(?![.:-]\d)",
    )
)
_TEL_URI = re.compile(
    r"\b(?:tel|sms|callto|whatsapp|wa\.me)[:/]{1,3}(\+?[\d().\-]{6,20})", re.IGNORECASE
)
URI_WORDS: Final = frozenset(("tel", "sms", "callto", "whatsapp", "wa"))
_DATE_LIKE = re.compile(
    r"\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d\d|(?:19|20)\d\d[-/. ]\d{1,2}[-/. ]\d{1,2}"
)


def find_numbers(source: Source) -> Iterator[Finding]:
    """Yield cards, accounts, phone numbers and national numbers that show by their own format."""
    yield from find_numbers_in(source.text)
    if source.words & URI_WORDS:
        for found in _TEL_URI.finditer(source.text):
            yield Finding(*found.span(1), "phone", "telephone URI")


def find_numbers_in(text: str) -> Iterator[Finding]:
    """Yield the same from a text alone."""
    yield from find_ibans(text)
    yield from _tokens(text)
    for start, end in _groups(text):
        if _NO_NUMBER.fullmatch(text, start, end):
            continue
        if end - start > 12:
            yield from cards_within(text, start, end)
        if _plus(text, start) or not text[start:end].isdigit():
            yield from _grouped(text, max(0, start - 5), min(len(text), end + 8))


def may_hold_numbers(text: str) -> bool:
    """Say whether a text of this outline may hold such a number, whatever its digits are."""
    return (
        may_hold_ibans(text)
        or any(is_national_shape(text[start:end]) for start, end in _candidates(text))
        or _HONG_KONG.search(text) is not None
        or any(
            end - start > 12 or _plus(text, start) or not text[start:end].isdigit()
            for start, end in _groups(text)
        )
    )


def _groups(text: str) -> Iterator[tuple[int, int]]:
    """Yield the runs of digits, in groups or not, that are long enough."""
    for found in _GROUPS.finditer(text):
        start, end = _trimmed(text, *found.span())
        if end - start >= 8:
            yield start, end


def _plus(text: str, start: int) -> bool:
    return text[start - 1 : start] in ("+", "(") or text[start - 3 : start].upper() == "%2B"


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a run of digit groups without the first and last that are part of a word."""
    encoded_plus = text[start - 3 : start].upper() == "%2B"
    if (text[start - 1 : start].isalpha() and not encoded_plus) or text[start - 1 : start] == "_":
        while start < end and text[start].isdigit():
            start += 1
        while start < end and not text[start].isdigit():
            start += 1
    if text[end : end + 1].isalpha() or text[end : end + 1] == "_":
        while end > start and text[end - 1].isdigit():
            end -= 1
        while end > start and not text[end - 1].isdigit():
            end -= 1
    return start, end


def _candidates(text: str) -> Iterator[tuple[int, int]]:
    """Yield what may be a national number without blanks."""
    for found in _TOKEN.finditer(text):
        start = found.start()
        if found.end() - start > 26:
            continue
        before = text[start - 1 : start]
        if before.isalpha() or before == "-":
            letters = _LETTERS_BACK.match(text[max(0, start - 8) : start][::-1])
            if letters is None:
                continue
            start -= letters.end()
        elif before and (before.isdigit() or before in "_./@"):
            continue
        end = start + len(text[start : found.end()].rstrip("./-+"))
        if end - start <= 20 and not text[end : end + 1].isalnum():
            yield start, end


def _tokens(text: str) -> Iterator[Finding]:
    """Yield national numbers without blanks."""
    for start, end in _candidates(text):
        shape = national_id(text[start:end])
        if shape is None:
            continue
        if shape.weak and _OTHER_KEY.search(text[max(0, start - 24) : start]):
            continue
        yield Finding(start, end, "id", shape.name)
    for found in _HONG_KONG.finditer(text):
        yield Finding(found.start() - 7, found.end(), "id", "HK id")


def _grouped(text: str, start: int, end: int) -> Iterator[Finding]:
    """Yield national numbers and phone numbers that are written in groups."""
    for pattern, shape in SPACED:
        for found in pattern.finditer(text, start, end):
            if shape.check(re.sub(r"[ -]", "", found.group())):
                yield Finding(*found.span(), "id", shape.name)
    for pattern in _PHONES:
        for found in pattern.finditer(text, start, end):
            number = found.group()
            digits = sum(c.isdigit() for c in number)
            if digits > 15 or _DATE_LIKE.search(number):
                continue
            if digits < 10 and number.lstrip("+").isdigit():
                continue
            yield Finding(*found.span(), "phone", "phone number")
