"""Decide how far the value behind a telling key reaches, and whether it is one."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from bear_otel.privacy.markers import is_clean
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


_OPEN = re.compile(
    r"""[ \t]{0,8}(?:\r?\n[ \t]{0,40}(?=["']))?(?:[|>][+-]?\r?\n[ \t]{1,40})?(?:[bBuUfFrR]{1,2}(?=["'\\]))?(?:=\s?)?"""
    r"""(\\{0,7}(?:\"\"\"|'''|["'`])|&quot;|&\#39;|%22|[“„«”])?""",
    re.VERBOSE,
)
_CLOSING: Final = {"“": "”", "„": "“", "«": "»"}
_STRING = {
    '"': re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL),
    "'": re.compile(r"(?:[^'\\]|\\.)*", re.DOTALL),
    "`": re.compile(r"[^`]*"),
}
_TOKEN = re.compile(
    r"""(?:[^\s&;,"'<>|)\]}\\]|,(?=[^\s=,;&:"']+(?:[\s;&]|$))|[)\]}](?=[\w!@#$%^*]))+"""
)
_ENCODED_END = re.compile(r"%(?:2[26CcBb]|7[Dd]|5[Dd]|0[AaDd])|&(?:quot|amp|#39);")
_COLON_TOKEN = re.compile(r"""(?:[^\s;,"'<>|)\]}\\]|[)\]}](?=[\w!@#$%^*]))+""")
# A value is judged by so many characters.
_LONGEST: Final = 1024
# A quote that is not closed by then is not closed.
_FARTHEST: Final = 4096
_RUN_ON = re.compile(r"\S*")
_LINE = re.compile(r"[^\r\n\"'`]*")
_REST = re.compile(r"[^\r\n]*")
# A value of several words ends before the next key or a strong separator.
_WORDS = re.compile(
    r"""(?:(?![\s,]+(?:and\s)?["']?[\w.\-]{1,40}(?:\s[\w]{1,12})?["']?\s?(?:=|:\s|:$))[^\r\n;|"<>(){}\[\]=&\\\t]){1,200}"""
)
# Calls that name what they fetch.
_LOOKUP = re.compile(
    r"(?:^|[._])(?:get\w*|pop|fetch|read|load|lookup|find|require|env|environ|param|header|_|t|i18n)\(.$"
)
_SCHEME = re.compile(
    r"(?:bearer|basic|token|apikey|api-key|negotiate|ntlm|hawk|bot|jwt|key|splunk|genericapikey|sso-key)\s+(?=[^\s])",
    re.IGNORECASE,
)
_MANY = re.compile(
    r"(?:digest|aws4-hmac-sha256|signature|oauth|hawk|hmac\S*|sharedkey\S*)\s", re.IGNORECASE
)
_NUMBERISH = re.compile(
    r"[+(]{1,2}\d[\d ()./\-–]{3,24}\d(?:\s?(?:x|ext\.?)\s?\d{1,6})?"
    r"|[\dA-Za-z]{1,24}(?:[ ./()\-–]{1,3}\(?\d[\dA-Za-z]{0,10}\)?){0,7}[A-Za-z]?\b"
)
_COORDINATE = re.compile(
    r"[-+]?\d{1,3}\.\d{2,15}(?:\s?°)?(?:\s?[NSEW]\b)?(?:(?:\s?[,;/]\s?|\s)[-+]?\d{1,3}\.\d{2,15}(?:\s?°)?(?:\s?[NSEW]\b)?)?"
    r"|\d{1,3}°\s?\d{1,2}['′]\s?\d{1,2}(?:\.\d+)?[\"″]\s?[NSEW]"
)
_POSTAL = re.compile(r"(?=[^\n]*\d)(?=[^\n]*[^\W\d_]{3})[^\n]{6,200}")
_NOT_POSTAL = re.compile(
    r"0x[0-9a-fA-F]+|(?:\d{1,3}\.){3}\d{1,3}.*|\[?[0-9a-fA-F]*:[0-9a-fA-F:]+\]?.*|\w+://.*|[\w.-]+:\d{2,5}\b.*|already.*"
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
    if text[start] in "[{(" and not text.startswith("[REDACTED:", start):
        if cls in ("likely", "ip", "geo", "sql") and phrase != "auth":
            return None
        end = _balanced(text, start)
        inner = text[start + 1 : end - 1].strip()
        if not inner or code or is_clean(inner.strip("\"'")) or is_placeholder(text[start:end]):
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
    return _bare(text, start, pair, person=person)


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
    """Return the offset behind the bracket that closes the one at `start`, within 4096 characters."""
    depth = 0
    for found in re.compile(r"[\[{(\])}]").finditer(text, start, start + 4096):
        depth += 1 if found.group() in "[{(" else -1
        if depth == 0:
            return found.end()
    return len(text)


def _judge_quoted(  # noqa: PLR0911 one line a kind reads best
    text: str, start: int, end: int, hit: tuple[str, str, str], *, person: bool
) -> Extent | None:
    cls, kind, phrase = hit
    value = text[start : min(end, start + _LONGEST)]
    stripped = value.strip()
    if not stripped or is_placeholder(stripped) or is_clean(stripped):
        return None
    if cls in ("ip", "sql"):
        return None
    if cls == "geo":
        return (start, end, kind) if re.search(r"\d\.\d{2}|°", value) else None
    if cls == "likely":
        return (start, end, kind) if is_likely(stripped, kind, person=person, quoted=True) else None
    if " " not in stripped and is_prose(stripped) and kind not in ("name", "password"):
        return None
    if kind in ("phone", "iban", "card") and digit_count(value) < 4:  # noqa: PLR2004
        return None
    if phrase == "token" and len(stripped) < 4:  # noqa: PLR2004 a token of a language, not a credential
        return None
    return start, end, kind


def _bare(text: str, start: int, pair: Pair, *, person: bool) -> Extent | None:  # noqa: PLR0911
    """Judge a value without quotes by the syntax of its kind."""
    cls, kind, phrase = pair.hit
    if cls in ("ip", "sql"):
        return None
    if cls == "likely" and pair.sign == ":" and start == pair.value_start and not pair.quoted:
        return None  # `user:42:profile` is a key of a cache
    if cls == "geo":
        found = _COORDINATE.match(text, start)
        return (start, found.end(), "geo") if found else None
    if kind == "cookie" or "authori" in phrase or "authenticate" in phrase:
        return _header(text, start, pair)
    limit = start + _LONGEST
    token = (_TOKEN if "=" in pair.sign else _COLON_TOKEN).match(text, start, limit)
    if token is None:
        return None
    if token.end() == limit:  # no word of a sentence
        return None if cls == "likely" else (start, _RUN_ON.match(text, limit).end(), kind)  # type: ignore[union-attr]
    word = _ENCODED_END.split(token.group(), maxsplit=1)[0]
    end = start + len(word.rstrip(".!?" if "=" not in pair.sign else ""))
    if is_clean(word) or is_placeholder(word) or text.startswith("[REDACTED:", start):
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


def _header(text: str, start: int, pair: Pair) -> Extent | None:
    """Return the value of an Authorization, Cookie or Set-Cookie header."""
    kind = pair.hit[1]
    line = _LINE.match(text, start, start + 8 * _LONGEST)
    end = line.end() if line else start
    value = text[start:end]
    first = value.split(None, 1)[0] if value.strip() else ""
    if not first or is_placeholder(first) or is_clean(value.strip()) or is_code(first):
        return None
    if kind == "cookie":
        return (start, end, kind) if "=" in value or looks_secret(first) else None
    if _MANY.match(value):
        return start + len(first) + 1, _REST.match(text, start).end(), kind  # type: ignore[union-attr]
    scheme = _SCHEME.match(value)
    skip = scheme.end() if scheme else 0
    word = _COLON_TOKEN.match(text, start + skip)
    if word is None or is_clean(word.group()) or (not scheme and is_prose(first)):
        return None
    if scheme and is_prose(word.group()) and not looks_secret(word.group()):
        return None
    return start + skip, word.end(), kind


def _secret(text: str, start: int, end: int, pair: Pair) -> Extent | None:
    kind = pair.hit[1]
    word = text[start:end]
    if "=" in pair.sign or pair.quoted:
        if kind == "token" and (word.isdigit() and len(word) < 6):  # noqa: PLR2004 a number of tokens
            return None
        return start, end, kind
    if is_prose(word):
        return None
    if looks_secret(word, least=4):
        return start, end, kind
    rest = _REST.match(text, end)
    if rest is None or not rest.group().strip(" ,;})]"):
        return (start, end, kind) if pair.hit[2] != "token" or len(word) > 5 else None  # noqa: PLR2004
    line_start = text.rfind("\n", 0, pair.key_start) + 1
    if text[line_start : pair.key_start].strip(" \t-#>*") == "" and kind in (
        "password",
        "token",
        "secret",
    ):
        words = rest.group().split()
        if len(words) <= 23 and all(w.isalpha() and not is_prose(w) for w in words):  # noqa: PLR2004
            return start, rest.end(), kind  # a passphrase, or a list of seed words
    follows = text[end : end + 1]
    if follows in (",", ";", "}", ")", "]", "|", ""):
        return start, end, kind
    return (start, end, kind) if kind == "password" and not rest.group()[1:2].isalpha() else None


def _personal(text: str, start: int, end: int, pair: Pair) -> Extent | None:  # noqa: PLR0911, PLR0912
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
        )  # noqa: PLR2004
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
    if rest and len(rest.split()) <= 4 and all(p.isalpha() for p in rest.split()):  # noqa: PLR2004
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


def _likely_bare(text: str, start: int, end: int, pair: Pair, *, person: bool) -> Extent | None:  # noqa: PLR0911
    kind = pair.hit[1]
    by_sign = "=" in pair.sign or pair.quoted
    if kind == "name":
        limit = min(
            person_at(text, start),
            _WORDS.match(text, start).end() if _WORDS.match(text, start) else end,
        )  # type: ignore[union-attr]
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
        found = _COORDINATE.match(text, start)
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


def is_likely(value: str, kind: str, *, person: bool, quoted: bool) -> bool:  # noqa: PLR0911
    """Say whether a value has the shape of its kind, where the key alone leaves it open."""
    if is_placeholder(value) or is_clean(value) or is_code(value):
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
            and (" " not in value or looks_person(value, words=2))
        )
    if kind == "phone":
        return digit_count(value) >= 7 and re.fullmatch(r"[+\d ()./\-–x]+", value) is not None  # noqa: PLR2004
    if kind == "address":
        return (
            _POSTAL.fullmatch(value) is not None
            and _NOT_POSTAL.fullmatch(value) is None
            and " " in value
        )
    if kind == "geo":
        return _COORDINATE.fullmatch(value) is not None
    if kind == "id":
        return digit_count(value) >= 5 and len(value) <= 24  # noqa: PLR2004
    if kind == "birthdate":
        return DATE.fullmatch(value) is not None
    if kind == "device":
        return looks_random(value, least=10)
    return False
