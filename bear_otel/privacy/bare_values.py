"""Decide how far a value without quotes reaches, by the syntax of its kind."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from bear_otel.privacy.likely import COORDINATE, is_likely
from bear_otel.privacy.markers import is_filled
from bear_otel.privacy.shapes import (
    DATE,
    SERVICE_USERS,
    digit_count,
    is_code,
    is_placeholder,
    is_prose,
    looks_secret,
    person_at,
)

Extent = tuple[int, int, str]


class Pair(NamedTuple):
    """A telling key in a text and the place where its value begins.

    Args:
        hit: Class, kind and deciding phrase of the key.
        key_start: Offset of the key.
        value_start: Offset behind the sign.
        sign: The sign between key and value.
        quoted: Whether the key is quoted, as in JSON.
    """

    hit: tuple[str, str, str]
    key_start: int
    value_start: int
    sign: str
    quoted: bool


_TOKEN = re.compile(
    r"""(?:[^\s&;,"'<>|)\]}\\]|,(?=[^\s=,;&:"']+(?:[\s;&]|$))|[)\]}](?=[\w!@#$%^*]))+"""
)
_ENCODED_END = re.compile(r"%(?:2[26CcBb]|7[Dd]|5[Dd]|0[AaDd])|&(?:quot|amp|#39);")
_COLON_TOKEN = re.compile(r"""(?:[^\s;,"'<>|)\]}\\]|[)\]}](?=[\w!@#$%^*]))+""")
# A value is judged by so many characters.
LONGEST: Final = 1024
_RUN_ON = re.compile(r"\S*")
_PATH = re.compile(r"[/~]|\.{1,2}(?:/|\Z)")
_PIN = re.compile(r"\d{4,8}")
_LINE = re.compile(r"[^\r\n\"'`]*")
_REST = re.compile(r"[^\r\n]*")
# A value of several words ends before the next key or a strong separator.
_WORDS = re.compile(
    r"""(?:(?![\s,]+(?:and\s)?["']?[\w.\-]{1,40}(?:\s[\w]{1,12})?["']?\s?(?:=|:\s|:$))[^\r\n;|"<>(){}\[\]=&\\\t]){1,200}"""
)
_SCHEME = re.compile(
    r"(?:bearer|basic|token|apikey|api-key|negotiate|ntlm|hawk|bot|jwt|key|splunk"
    r"|genericapikey|sso-key)\s+(?=[^\s])",
    re.IGNORECASE,
)
_MANY = re.compile(
    r"(?:digest|aws4-hmac-sha256|signature|oauth|hawk|hmac\S*|sharedkey\S*)\s", re.IGNORECASE
)
_NUMBERISH = re.compile(
    r"[+(]{1,2}\d[\d ()./\-\u2013]{3,24}\d(?:\s?(?:x|ext\.?)\s?\d{1,6})?"
    r"|[A-Z]{1,3}[ -][A-Z]{1,3}[ -]?\d{1,4}[A-Z]?\b"
    r"|[\dA-Za-z]{1,24}(?:[ ./()\-\u2013]{1,3}\(?\d[\dA-Za-z]{0,10}\)?){0,7}[A-Za-z]?\b"
)


def bare_extent(text: str, start: int, pair: Pair, *, person: bool) -> Extent | None:
    """Judge a value without quotes by the syntax of its kind."""
    cls, kind, phrase = pair.hit
    if cls in ("ip", "sql"):
        return None
    if cls == "likely" and pair.sign == ":" and start == pair.value_start and not pair.quoted:
        return None  # `user:42:profile` is a key of a cache
    if cls == "geo":
        found = COORDINATE.match(text, start)
        return (start, found.end(), "geo") if found else None
    if kind == "cookie" or "authori" in phrase or "authenticate" in phrase:
        return _header(text, start, pair)
    limit = start + LONGEST
    token = (_TOKEN if "=" in pair.sign else _COLON_TOKEN).match(text, start, limit)
    if token is None:
        return None
    if token.end() == limit:  # no word of a sentence
        return None if cls == "likely" else (start, _end(_RUN_ON, text, limit), kind)
    word = _ENCODED_END.split(token.group(), maxsplit=1)[0]
    end = start + len(word.rstrip(".!?" if "=" not in pair.sign else ""))
    if is_filled(word) or is_placeholder(word):
        return None
    if is_code(word) and not pair.quoted:
        return None
    if (
        word.lower() == phrase.replace(" ", "_")
        or word == text[pair.key_start : pair.key_start + len(word)]
    ):
        return None
    if cls == "likely":
        return _likely_bare(text, start, end, pair, person=person)
    if cls == "secret" and kind != "card":
        return _secret(text, start, end, pair)
    return _personal(text, start, end, pair)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _header(text: str, start: int, pair: Pair) -> Extent | None:
    """Return the value of an Authorization, Cookie or Set-Cookie header."""
    kind = pair.hit[1]
    line = _LINE.match(text, start, start + 8 * LONGEST)
    end = line.end() if line else start
    value = text[start:end]
    first = value.split(None, 1)[0] if value.strip() else ""
    if not first or is_placeholder(first) or is_filled(value.strip()) or is_code(first):
        return None
    if kind == "cookie":
        return (start, end, kind) if "=" in value or looks_secret(first) else None
    if _MANY.match(value):
        return start + len(first) + 1, _end(_REST, text, start), kind
    scheme = _SCHEME.match(value)
    skip = scheme.end() if scheme else 0
    word = _COLON_TOKEN.match(text, start + skip)
    if word is None or is_filled(word.group()) or (not scheme and is_prose(first)):
        return None
    if scheme and is_prose(word.group()) and not looks_secret(word.group()):
        return None
    return start + skip, word.end(), kind


def _secret(text: str, start: int, end: int, pair: Pair) -> Extent | None:
    kind, phrase = pair.hit[1:]
    word = text[start:end]
    if phrase == "pwd" and _PATH.match(word):
        return None  # the working directory
    if phrase == "pin":
        return (start, end, kind) if _PIN.fullmatch(word) else None
    if "=" in pair.sign or pair.quoted:
        if kind == "token" and (word.isdigit() and len(word) < 6):
            return None
        return start, end, kind
    if is_prose(word):
        return None
    rest = _REST.match(text, end)
    if phrase.endswith(("codes", "phrase", "words", "mnemonic")) and rest is not None:
        return start, rest.end(), kind
    if looks_secret(word, least=4):
        return start, end, kind
    if rest is None or not rest.group().strip(" ,;})]"):
        return (start, end, kind) if pair.hit[2] != "token" or len(word) > 5 else None
    line_start = text.rfind("\n", 0, pair.key_start) + 1
    if text[line_start : pair.key_start].strip(" \t-#>*") == "" and kind in (
        "password",
        "token",
        "secret",
    ):
        words = rest.group().split()
        if len(words) <= 23 and all(w.isalpha() and not is_prose(w) for w in words):
            return start, rest.end(), kind  # a passphrase, or a list of seed words
    follows = text[end : end + 1]
    if follows in (",", ";", "}", ")", "]", "|", ""):
        return start, end, kind
    return (start, end, kind) if kind == "password" and not rest.group()[1:2].isalpha() else None


def _personal(text: str, start: int, end: int, pair: Pair) -> Extent | None:
    kind = pair.hit[1]
    word = text[start:end]
    by_sign = "=" in pair.sign or pair.quoted
    if kind == "email":
        return (start, end, kind) if ("@" in word or (by_sign and not is_prose(word))) else None
    if kind in ("phone", "card", "iban", "id", "device", "mac"):
        found = _NUMBERISH.match(text, start)
        least = {"phone": 5, "card": 12}.get(kind, 4)
        if found is not None and digit_count(found.group()) >= least:
            return start, max(found.end(), end) if digit_count(word) else found.end(), kind
        if digit_count(word) >= least or (by_sign and kind == "id" and looks_secret(word)):
            return start, end, kind
        return None
    if kind == "birthdate":
        date = DATE.match(text, start)
        if date is not None:
            return start, date.end(), kind
        return (
            (start, end, kind)
            if digit_count(word) >= 2 or (by_sign and not is_prose(word))
            else None
        )
    if kind == "name":
        return _name(text, start, end, by_sign=by_sign)
    if kind == "address":
        return _address(text, start, end, pair)
    if kind in ("user", "session"):
        if word.lower() in SERVICE_USERS or (not by_sign and is_prose(word)):
            return None
        follows = text[end : end + 2]
        lone = not follows[:1].strip() or follows[:1] in ",;)}]|&\"'."
        return (start, end, kind) if by_sign or lone else None
    if by_sign or not is_prose(word):
        return start, end, kind
    return None


def _name(text: str, start: int, end: int, *, by_sign: bool) -> Extent | None:
    word = text[start:end]
    if is_prose(word) and word == word.lower():
        return None
    words = _WORDS.match(text, start)
    limit = words.end() if words else end
    person = min(person_at(text, start), max(limit, end))
    if person > start:
        return start, max(person, end if by_sign else person), "name"
    if by_sign:
        return start, end, "name"
    rest = text[start:limit].strip()
    if rest and len(rest.split()) <= 4 and all(p.isalpha() for p in rest.split()):
        return start, start + len(rest), "name"
    return None


def _address(text: str, start: int, end: int, pair: Pair) -> Extent | None:
    words = _WORDS.match(text, start)
    limit = words.end() if words else end
    value = text[start:limit].rstrip(" ,.")
    if digit_count(value) or len(value.split()) > 1 or "=" in pair.sign or pair.quoted:
        if is_prose(value.split(" ", 1)[0]) and not digit_count(value):
            return None
        return start, max(end, start + len(value)), "address"
    return None


def _likely_bare(text: str, start: int, end: int, pair: Pair, *, person: bool) -> Extent | None:
    kind = pair.hit[1]
    by_sign = "=" in pair.sign or pair.quoted
    if kind == "name":
        words = _WORDS.match(text, start)
        limit = min(person_at(text, start), words.end() if words else end)
        value = text[start:limit]
        return (
            (start, limit, kind)
            if value and is_likely(value, kind, person=person, quoted=by_sign)
            else None
        )
    if kind == "address":
        words = _WORDS.match(text, start)
        value = text[start : words.end()].rstrip(" ,.") if words else ""
        return (
            (start, start + len(value), kind)
            if is_likely(value, kind, person=person, quoted=by_sign)
            else None
        )
    if kind == "phone":
        found = _NUMBERISH.match(text, start)
        fits = found is not None and is_likely(found.group(), kind, person=person, quoted=by_sign)
        return (start, found.end(), kind) if fits and found else None
    if kind == "geo":
        found = COORDINATE.match(text, start)
        return (
            (start, found.end(), kind)
            if found and re.search(r"[,;/ ]", found.group().strip())
            else None
        )
    if kind == "birthdate":
        date = DATE.match(text, start)
        return (start, date.end(), kind) if date else None
    word = text[start:end]
    if kind == "user" and not by_sign:
        follows = text[end : end + 1]
        if follows and follows not in ",;)}]|\n":
            return None
    return (start, end, kind) if is_likely(word, kind, person=person, quoted=by_sign) else None
