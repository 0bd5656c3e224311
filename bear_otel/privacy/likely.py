"""Decide by its shape whether a value is what its ambiguous key may mean."""

from __future__ import annotations

import re

from bear_otel.privacy.markers import is_filled
from bear_otel.privacy.shapes import (
    DATE,
    SERVICE_USERS,
    digit_count,
    is_code,
    is_placeholder,
    is_prose,
    looks_person,
    looks_random,
    looks_secret,
)

COORDINATE = re.compile(
    r"[-+]?\d{1,3}\.\d{2,15}(?:\s?°)?(?:\s?[NSEW]\b)?(?:(?:\s?[,;/]\s?"
    r"|\s)[-+]?\d{1,3}\.\d{2,15}(?:\s?°)?(?:\s?[NSEW]\b)?)?"
    r"|\d{1,3}°\s?\d{1,2}['\u2032]\s?\d{1,2}(?:\.\d+)?[\"″]\s?[NSEW]"
)
_MEASURE = re.compile(r"\d+\.\d+")
_POSTAL = re.compile(r"(?=[^\n]*\d)(?=[^\n]*[^\W\d_]{3})[^\n]{6,200}")
_NOT_POSTAL = re.compile(
    r"0x[0-9a-fA-F]+|(?:\d{1,3}\.){3}\d{1,3}.*|\[?[0-9a-fA-F]*:[0-9a-fA-F:]+\]?.*"
    r"|\w+://.*|[\w.-]+:\d{2,5}\b.*|already.*"
)


def is_likely(value: str, kind: str, *, person: bool, quoted: bool) -> bool:
    """Say whether a value has the shape of its kind, where the key alone leaves it open."""
    if is_placeholder(value) or is_filled(value) or is_code(value):
        return False
    if kind == "password":
        return looks_secret(value, least=4) and (quoted or digit_count(value) < len(value))
    if kind == "token":
        return looks_random(value)
    if kind == "session":
        return looks_random(value, least=10)
    if kind == "name":
        return looks_person(value, words=1 if person else 2)
    if kind == "user":
        return (
            value.lower() not in SERVICE_USERS
            and not is_prose(value)
            and _MEASURE.fullmatch(value) is None
            and (" " not in value or looks_person(value, words=2))
        )
    if kind == "phone":
        return digit_count(value) >= 7 and re.fullmatch(r"[+\d ()./\-\u2013x]+", value) is not None
    if kind == "address":
        return (
            _POSTAL.fullmatch(value) is not None
            and _NOT_POSTAL.fullmatch(value) is None
            and " " in value
        )
    if kind == "geo":
        return COORDINATE.fullmatch(value) is not None
    if kind == "id":
        return digit_count(value) >= 5 and len(value) <= 24
    if kind == "birthdate":
        return DATE.fullmatch(value) is not None
    if kind == "device":
        return looks_random(value, least=10)
    return False
