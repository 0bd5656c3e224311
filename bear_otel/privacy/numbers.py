"""Find payment cards, bank accounts, phone numbers and national identity numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.checksums import luhn, mod_97
from bear_otel.privacy.findings import Finding
from bear_otel.privacy.national_ids import SPACED, national_id

if TYPE_CHECKING:
    from collections.abc import Iterator

_MANY_DIGITS = re.compile(r"\d(?:[^\n\w]{0,3}\w){4}")
_GAP = r"(?:[ \-._+\u00a0\u2009\u2011]|%20|\\u00a0)?"
_CARD = re.compile(
    r"(?<![\w.])(?<!\d[-,/])(?:\d{4}GAP\d{4}GAP\d{4}GAP\d{4}(?:GAP\d{3})?|3\d{3}GAP\d{6}GAP\d{4,5}|\d{14,19})"
    r"(?![\w])(?![-.]\w)".replace("GAP", _GAP)
)
_ISSUERS = re.compile(
    r"4\d{15}(?:\d{3})?|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|64[4-9]\d|65\d{2}|60\d{2}|62\d{2}|81\d{2}|82\d{2})\d{12,15}|35(?:2[89]|[3-8]\d)\d{12}|220[0-4]\d{12}"
    r"|3(?:0[0-5]|095|[689]\d)\d{11,12}|(?:5018|5020|5038|5893|6304|6759|676[1-3]|50\d{2})\d{12}"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})\d{2}(?=[ -]?[A-Za-z0-9]{4})")
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE BI", 18: "DK FI FO GL NL SD FK", 19: "MK SI", 20: "AT BA EE KZ LT LU XK MN",
        21: "CH CR HR LI LV", 22: "BG BH DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BR DJ EG FR GR IT MC MR SM UA NI HN",
        28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
_IBAN_LENGTHS.update({"BR": 29, "UA": 29, "EG": 29, "NI": 28, "HN": 28})
_CANDIDATE = re.compile(r"(?<![\w./@-])(?<!\w[+])[A-Za-z]{0,6}-?\d[\dA-Za-z./+\-]{4,20}(?![\w])")
_HONG_KONG = re.compile(r"(?<!\w)[A-Z]{1,2}\d{6}\([0-9A]\)")
# A weak number stays behind a key of one of these kinds: it is what the key says.
_OTHER_KEY = re.compile(
    r"(?:id|ids|key|count|size|bytes|offset|seq|sequence|number|num|no|ref|reference|order|invoice|sku|version|ts|time"
    r"|timestamp|epoch|duration|ns|ms|us|total|amount|length|hash|code|block|row|rows|page|build|revision|ticket|case"
    r"|batch|lot|serial|tracking|ean|isbn|gtin|upc|asin|job|run|trace|span|request|session|transaction|tx|lsn|xid|port)"
    r"""["']?\s?(?:[=:#]|is|nr|no\.?|number)?\s{0,2}["'#]?$""",
    re.IGNORECASE,
)
_PHONES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # international: plus and country code
        r"(?<![\w+.=*/-])(?:\(\+[1-9]\d{0,2}\)|\+[1-9]\d{0,3})(?:[ ().\-/\u00a0\u2011–]{0,3}\d){5,14}(?![\w])(?![.:]\d)",
        r"(?<=[=:/\-])\+[1-9]\d{0,3}(?:[ ().\-/]{0,2}\d){8,13}(?!\w)",
        # international with 00, in groups
        r"(?<![\w.+/:-])00[1-9]\d{0,2}[ \-/.]\(?\d{1,4}\)?(?:[ \-/.]?\d){5,10}(?![\w])",
        # North America: (415) 555-2671, 415-555-2671, 1-415-555-2671, 415.555.2671
        r"(?<![\w.+/-])(?:1[ .-])?\([2-9]\d{2}\)[ .-]?\d{3}[ .-]?\d{4}(?![\w-])",
        r"(?<![\w.+/-])(?:1[.-])?[2-9]\d{2}([.-])\d{3}\1\d{4}(?![\w-])(?!\.\d)",
        # Brazil, and others with the area in brackets
        r"(?<![\w.+/-])\(0?\d{2,5}\)[ -]?\d{3,5}[ -]?\d{3,5}(?![\w-])",
        # a leading zero and groups: 030 1234 5678, 06 12 34 56 78, 090-1234-5678, 0151/2345678
        r"(?<![\w.+/:,-])0[1-9](?:[ .-]\d{2}){4}(?![\w])(?![.-]\d)",
        r"(?<![\w.+/:,-])0[1-9]\d{1,3}[ \-/]\d{3,4}[ -]?\d{3,4}(?:[ -]\d{1,4})?(?![\w])(?![.:-]\d)",
        r"(?<![\w.+/:,-])0[1-9]\d{1,3}[ /]\d{5,9}(?![\w])(?![.:-]\d)",
    )
)
_TEL_URI = re.compile(
    r"\b(?:tel|sms|callto|whatsapp|wa\.me)[:/]{1,3}(\+?[\d().\-]{6,20})", re.IGNORECASE
)
_DATE_LIKE = re.compile(
    r"\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d\d|(?:19|20)\d\d[-/. ]\d{1,2}[-/. ]\d{1,2}"
)


def find_cards(text: str, lower: str) -> Iterator[Finding]:  # noqa: ARG001 one signature for all
    """Yield payment cards and bank accounts."""
    if _MANY_DIGITS.search(text) is None:
        return
    for found in _CARD.finditer(text):
        digits = re.sub(r"\\u00a0|%20|\D", "", found.group())
        if _ISSUERS.fullmatch(digits) and luhn(digits) and len(set(digits)) > 1:
            yield Finding(found.start(), found.end(), "card", "payment card: issuer and Luhn")
    yield from _ibans(text)


def find_numbers(text: str, lower: str) -> Iterator[Finding]:
    """Yield cards, accounts, phone numbers and national numbers that show by their own format."""
    if _MANY_DIGITS.search(text) is None:
        return
    yield from find_cards(text, lower)
    yield from _national(text)
    yield from _phones(text, lower)


def _ibans(text: str) -> Iterator[Finding]:
    for found in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(found[1].upper())
        if length is None:
            continue
        rest = re.compile(rf"(?:[ -]?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])").match(
            text, found.end()
        )
        if rest is not None and mod_97(re.sub(r"[ -]", "", found.group() + rest.group())):
            yield Finding(found.start(), rest.end(), "iban", "IBAN: length and mod 97")


def _national(text: str) -> Iterator[Finding]:
    for found in _CANDIDATE.finditer(text):
        candidate = found.group().rstrip("./-+")
        shape = national_id(candidate)
        if shape is None:
            continue
        if shape.weak and _OTHER_KEY.search(text[max(0, found.start() - 24) : found.start()]):
            continue
        yield Finding(found.start(), found.start() + len(candidate), "id", shape.name)
    if "(" in text:
        for found in _HONG_KONG.finditer(text):
            yield Finding(found.start(), found.end(), "id", "HK id")
    if re.search(r"\d \d|[A-Za-z]{2} \d", text):
        for pattern, shape in SPACED:
            for found in pattern.finditer(text):
                if shape.check(re.sub(r"[ -]", "", found.group())):
                    yield Finding(found.start(), found.end(), "id", shape.name)


def _phones(text: str, lower: str) -> Iterator[Finding]:
    if (
        "tel:" in lower
        or "sms:" in lower
        or "wa.me" in lower
        or "callto:" in lower
        or "whatsapp:" in lower
    ):
        for found in _TEL_URI.finditer(text):
            yield Finding(*found.span(1), "phone", "telephone URI")
    for pattern in _PHONES:
        for found in pattern.finditer(text):
            number = found.group()
            digits = sum(c.isdigit() for c in number)
            if digits > 15 or _DATE_LIKE.search(number):  # noqa: PLR2004 E.164 allows fifteen
                continue
            if digits < 10 and number.lstrip("+").isdigit():  # noqa: PLR2004 a signed number
                continue
            yield Finding(found.start(), found.end(), "phone", "phone number")
