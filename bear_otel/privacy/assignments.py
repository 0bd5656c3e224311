"""Find the values that stand behind a telling key: `password=x`, JSON, YAML, logfmt, headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from bear_otel.privacy.bare_values import Pair
from bear_otel.privacy.cache import BoundedCache
from bear_otel.privacy.extents import value_extent
from bear_otel.privacy.findings import Finding
from bear_otel.privacy.keys import classify_name, classify_words, split_words
from bear_otel.privacy.markers import SECRET_KINDS
from bear_otel.privacy.words import PHRASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

Hit = tuple[str, str, str]

_SIGN = re.compile(r"[=:\uff1a\uff1d]")
_ENCODED_SIGN = re.compile(r"[=:]|%3[AaDd]")
# Read backwards from the sign: blanks, a closing quote or bracket, then the key.
_KEY_BACK = re.compile(
    r"""[ \t]{0,4}([\])]{0,2}(?:["'`”]\\{0,6}|;touq&|22%)|[\])])?([\w.\-]{1,64})"""
)
_WORDS_BACK = re.compile(r"(?:[ \t]{1,2}[\w'\u2019.\-]{1,24}){1,4}")
_BEFORE: Final[dict[str, frozenset[str]]] = {}
for _phrase_words in (phrase.split() for phrase in PHRASES if " " in phrase):
    _BEFORE[_phrase_words[-1]] = _BEFORE.get(_phrase_words[-1], frozenset()) | {_phrase_words[-2]}
# Elements of two, as headers and form fields come: ("authorization", "x"), ["password", "x"].
VALUE_WORDS: Final = frozenset(("value", "val", "content"))
_TWO = re.compile(
    r"""[\[(]\s?b?(\\{0,4}["'])([\w.\-]{2,64})\1\s?,\s?b?(\\{0,4}["'])((?:(?!\3).){1,2048})\3\s?[\])]""",
    re.DOTALL,
)
_NAMED = re.compile(
    r"""\b(?:name|key|field|header|attribute|param|parameter|column|label)(?:\\{0,4}["'])?"""
    r"""\s{0,2}[=:]\s{0,2}\\{0,4}["']([\w.\- ]{2,48})\\{0,4}["']"""
    r"""[\s,;]{1,8}(?:\\{0,4}["'])?(?:value|val|text|content)(?:\\{0,4}["'])?\s{0,2}[=:]\s{0,2}(\\{0,4}["'])((?:(?!\2).){1,2048})\2""",
    re.IGNORECASE | re.DOTALL,
)
_LISTED = re.compile(
    r"""\b(?:name|key): ["']?([\w.-]{2,64})["']?\r?\n[ \t]*(?:value|val): +(["']?)"""
    r"""([^\n]{1,2048}?)\2[ \t]*(?=\r?\n|$)"""
    r"|\bName=([\w.-]{2,64}),\s?Value=()([^,\s}]{1,2048})"
)
_ELEMENT = re.compile(r"<([\w:.\-]{2,48})(?:\s[^<>]{0,200})?>([^<>]{1,2048})</")
_TAG = re.compile(r"<[A-Za-z][^<>]{0,1024}>?")
_TAG_PART = re.compile(
    r"""\b(name|key|id|type|property|value|content)\s?=\s?["']([^"'<>]{1,512})""", re.IGNORECASE
)
_FORM_PART = re.compile(
    r"""name=["']?([\w.\-\[\]]{2,64})["']?[^\r\n]{0,100}(?:\r?\n){2}([^\r\n]{1,2048})"""
)


class _Key(NamedTuple):
    hit: Hit | None
    before: frozenset[str]  # words before it that make a longer phrase: `phone` before `number`


_KEYS: BoundedCache[str, _Key] = BoundedCache(4096)


def find_assignments(source: Source) -> Iterator[Finding]:
    """Yield the values behind keys that name something secret or personal."""
    text = source.text
    code = list(source.code)  # in source code only quoted values are values
    pairs = list(_pairs(text, code))
    source.telling = bool(pairs)
    person = any(pair.hit[1] in _PERSONAL_CONTEXT and pair.hit[0] != "likely" for pair in pairs)
    covered = covered_by_secret = 0
    for pair in pairs:
        # Inside a value that goes as a whole; a personal one may be allowed to stay.
        secret = pair.hit[1] in SECRET_KINDS
        if pair.key_start < (covered_by_secret if secret else covered):
            continue
        in_code = any(start <= pair.value_start < end for start, end in code)
        extent = value_extent(text, pair, person=person, code=in_code)
        if extent is not None:
            covered = max(covered, extent[1])
            if secret:
                covered_by_secret = extent[1]
            yield Finding(extent[0], extent[1], extent[2], f"key word: {pair.hit[2]}")
    yield from _structured(source)


_PERSONAL_CONTEXT: Final = frozenset(
    {"email", "phone", "name", "birthdate", "address", "id", "iban", "card", "personal", "user"}
)


def _pairs(text: str, code: list[tuple[int, int]]) -> Iterator[Pair]:
    """Yield the telling pairs; lines that prove to be source code are added to `code`."""
    for found in (_ENCODED_SIGN if "%3" in text else _SIGN).finditer(text):
        position, end = found.span()
        sign = text[position]
        if sign == "=" and text[position - 1 : position] == ":":
            position -= 1  # `password := x`
        back = _KEY_BACK.match(text[max(0, position - 80) : position][::-1])
        if back is None:
            continue
        reversed_key = back[2]
        if text[position - back.end() - 1 : position - back.end()] == "%":
            reversed_key = reversed_key[:-2]  # `%2Cpassword`: an encoded comma before the key
        if sign == "=" and text.startswith(reversed_key[::-1], end):
            after = end + len(reversed_key)
            if text[after : after + 1] in (",", ")"):  # `name=name,` is an argument of a call
                newline = text.find("\n", after)
                code.append((text.rfind("\n", 0, end) + 1, len(text) if newline < 0 else newline))
        known = _KEYS.young.get(reversed_key) or _learn(reversed_key)
        hit, before = known
        if hit is None and not before:
            continue
        key_start = position - back.end()
        if before:
            longer, length = _phrase(text, key_start, reversed_key[::-1], before)
            if longer is not None:
                hit = longer
                key_start -= length
        if hit is None or (
            sign == ":" and text[end : end + 1] in _NO_SIGN and text[end : end + 2] != ":="
        ):
            continue
        end += text[end : end + 1] == ">"  # `password => x`
        yield Pair(hit, key_start, end, sign, quoted=bool(back[1]))


_NO_SIGN: Final = frozenset(("/", ":"))


_FILE = re.compile(
    r".*\.(?:rb|py|pyx|js|jsx|mjs|ts|tsx|go|java|kt|php|c|cc|cpp|h|cs|rs|swift|exs?|erl"
    r"|scala|clj|vue|html?|json|ya?ml"
    r"|toml|ini|conf|cfg|txt|log|sql|css|md|sh|pl|lua|dart)"
)


def _learn(reversed_key: str) -> _Key:
    key = reversed_key[::-1]
    words = split_words(key)
    before = _BEFORE.get(words[0], frozenset()) if len(words) == 1 else frozenset()
    # `password.rb:12` is a place in a program.
    known = _Key(None if _FILE.fullmatch(key) else classify_name(key), before)
    _KEYS.put(reversed_key, known)
    return known


def _phrase(text: str, start: int, key: str, before: frozenset[str]) -> tuple[Hit | None, int]:
    """Return what a key of several words says, and the length of the words before the last."""
    found = _WORDS_BACK.match(text[max(0, start - 80) : start][::-1])
    if found is None:
        return None, 0
    words = found.group()[::-1].split()
    if split_words(words[-1])[-1:] != [] and split_words(words[-1])[-1] not in before:
        return None, 0
    hit = classify_words(split_words(" ".join([*words, key])))
    extra = len(hit[2].split()) - 1 if hit is not None else 0
    return hit, len(" ".join(words[-extra:])) + 1 if extra > 0 else 0


def _structured(source: Source) -> Iterator[Finding]:
    """Yield values whose key stands beside them without a sign: tuples, XML, form parts."""
    text = source.text
    if "', " in text or '", ' in text or "','" in text or '","' in text or '\\", ' in text:
        for found in _TWO.finditer(text):
            yield from _whole(found, 2, 4)
    valued = source.words & VALUE_WORDS
    if valued:
        for found in _NAMED.finditer(text):
            yield from _whole(found, 1, 3)
        for found in _LISTED.finditer(text):
            yield from _whole(found, 1, 3) if found[1] else _whole(found, 4, 6)
    if valued and "<" in text:
        for tag in _TAG.finditer(text):
            parts = {m[1].lower(): m for m in _TAG_PART.finditer(text, *tag.span())}
            value = parts.get("value") or parts.get("content")
            for name in ("name", "key", "id", "type", "property"):
                if value is not None and name in parts:
                    yield from _judged(text, parts[name][2], parts[name].start(2), value.span(2))
    if "</" in text:
        for found in _ELEMENT.finditer(text):
            yield from _whole(found, 1, 2)
    if "form-data" in source.lower:
        for found in _FORM_PART.finditer(text):
            yield from _whole(found, 1, 2)


def _whole(found: re.Match[str], key: int, value: int) -> Iterator[Finding]:
    yield from _judged(found.string, found[key], found.start(key), found.span(value))


def _judged(text: str, key: str, key_start: int, bounds: tuple[int, int]) -> Iterator[Finding]:
    hit = classify_name(key)
    if hit is None or hit[0] in ("sql", "likely"):
        return
    pair = Pair(hit, key_start, bounds[0], "=", quoted=True)
    extent = value_extent(text, pair, bounds=bounds)
    if extent is not None:
        yield Finding(extent[0], extent[1], extent[2], f"key word: {hit[2]}")
