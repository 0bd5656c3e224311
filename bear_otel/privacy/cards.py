"""Find payment cards and bank accounts by issuer, length and check digit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.checksums import luhn, mod_97
from bear_otel.privacy.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_GAP: Final = r"(?:[ \-._+/\u00a0\u2009\u2011]|%20|\\u00a0| {2}| - )?"
_CARD = re.compile(
    rf"(?<![\w.])(?<!\d[-,/])(?:\d{{4}}{_GAP}\d{{4}}{_GAP}\d{{4}}{_GAP}\d{{4}}(?:{_GAP}\d{{3}})?"
    rf"|3\d{{3}}{_GAP}\d{{6}}{_GAP}\d{{4,5}}|\d{{14,19}})(?!\w)(?![-.]\w)"
)
_NOT_DIGIT = re.compile(r"\\u00a0|%20|\D")
_ISSUERS = re.compile(
    r"4\d{15}(?:\d{3})?"  # Visa
    r"|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d{2}|60\d{2}|62\d{2}|81\d{2}|82\d{2})\d{12,15}"  # Discover, UnionPay
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|220[0-4]\d{12}"  # Mir
    r"|3(?:0[0-5]|095|[689]\d)\d{11,12}"  # Diners
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3]|50\d{2})\d{12}"  # Maestro, Elo
)
# The digits come first, since few stretches of a text begin with one.
_IBAN = re.compile(r"[0-9][0-9](?<=[A-Za-z]{2}\d\d)(?=[ -]?[A-Za-z0-9]{4})")
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE BI",
        18: "DK FI FO GL NL SD FK",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK MN",
        21: "CH CR HR LI LV",
        22: "BG BH DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI HN PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_IBAN_RESTS: Final = {
    length: re.compile(rf"(?:[ -]?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])")
    for length in set(_IBAN_LENGTHS.values())
}


def find_cards(source: Source) -> Iterator[Finding]:
    """Yield the payment cards and bank accounts of a text."""
    for found in _LONG.finditer(source.text):
        yield from cards_within(source.text, *found.span())
    yield from find_ibans(source.text)


_LONG = re.compile(r"\d[\d \-._+/%\u00a0\u2009\u2011\\u]{12,48}\d")


def cards_within(text: str, start: int, end: int) -> Iterator[Finding]:
    """Yield the payment cards that lie between two offsets."""
    for found in _CARD.finditer(text, start, min(len(text), end + 2)):
        digits = _NOT_DIGIT.sub("", found.group())
        if _ISSUERS.fullmatch(digits) and len(set(digits)) > 1 and luhn(digits):
            yield Finding(*found.span(), "card", "payment card: issuer and Luhn")


def find_ibans(text: str) -> Iterator[Finding]:
    """Yield the bank accounts of a text."""
    for start, length in _countries(text):
        rest = _IBAN_RESTS[length].match(text, start + 4)
        if rest is not None and mod_97(re.sub(r"[ -]", "", text[start : rest.end()])):
            yield Finding(start, rest.end(), "iban", "IBAN: length and mod 97")


def may_hold_ibans(text: str) -> bool:
    """Say whether a text of this outline may hold a bank account, whatever its digits are."""
    return any(True for _ in _countries(text))


def _countries(text: str) -> Iterator[tuple[int, int]]:
    """Yield where a country begins, and the length of its accounts."""
    for found in _IBAN.finditer(text):
        start = found.start() - 2
        length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
        if length is not None and not text[start - 1 : start].isalnum():
            yield start, length
