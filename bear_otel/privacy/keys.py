"""Decide from an attribute's key how its value is treated."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from bear_otel.privacy.keytable import (
    CONTENT_ENDS,
    CONTENT_ROOTS,
    EXACT,
    HEADERS,
    KEPT,
    NAMESPACES,
    PREFIXES,
)
from bear_otel.privacy.markers import masked
from bear_otel.privacy.words import META, NEUTRAL, PHRASES, STRONG

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_LONGEST_KEY: Final = 128


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How the value under a key is treated.

    Args:
        cls: `keep` looks for unmistakable formats only, `scan` for everything; `secret` and
            `personal` replace the whole value; `likely` replaces it if it has the shape of its
            kind; the other classes name what the value is written in.
        kind: The kind that the marker names.
        source: Which rule decided, for `explain`.
        known: Whether the semantic conventions know the key.
    """

    cls: str
    kind: str
    source: str
    known: bool = False


SCAN: Final = KeyRule("scan", "", "unknown key")


def split_words(key: str) -> list[str]:
    """Return the words of a key in lower case, without accents and digits: `userEmail2` has two."""
    if not key.isascii():
        key = "".join(_without_accent(c) for c in unicodedata.normalize("NFKC", key))
    return [word.lower() for word in _WORD.findall(masked(key)[:_LONGEST_KEY])]


_UNDECOMPOSED: Final = dict(zip("łŁøØđĐı", "lLoOdDi", strict=True))


def _without_accent(letter: str) -> str:
    """Return a Latin or Greek letter without its marks; in other scripts marks make the letter."""
    base = _UNDECOMPOSED.get(letter) or unicodedata.normalize("NFD", letter)[:1]
    return base if "\u00c0" <= letter < "\u0400" or "\u1e00" <= letter < "\u2000" else letter


def classify_words(words: list[str]) -> tuple[str, str, str] | None:
    """Return class, kind and the deciding phrase for the words of a key, or None.

    The last words decide, as in an English compound: `token_count` is a count, `count_token` a
    token.
    """
    if "public" in words or "publishable" in words:
        return None
    end = len(words)
    while end > 1 and words[end - 1] in NEUTRAL and " ".join(words[:end]) not in PHRASES:
        hit = _suffix(words[:end])
        if hit is not None:
            return hit
        end -= 1
    hit = _suffix(words[:end])
    if hit is not None:
        return hit
    if not words or words[-1] in META:
        return None
    for word in words[:end]:
        if word in STRONG:
            return "secret", STRONG[word], word
    return None


@functools.lru_cache(maxsize=2048)
def classify_name(name: str) -> tuple[str, str, str] | None:
    """Return the same for a name inside a text; those of the conventions mean the same there."""
    if "." in name:
        rule = classify(name)
        if rule.known and rule.cls in ("secret", "personal"):
            return rule.cls, rule.kind, name
    return classify_words(split_words(name))


def _suffix(words: list[str]) -> tuple[str, str, str] | None:
    for start in range(max(0, len(words) - 5), len(words)):
        phrase = " ".join(words[start:])
        hit = PHRASES.get(phrase)
        if hit is not None:
            return hit[0], hit[1], phrase
    if words and not words[-1].isascii():  # scripts without spaces: 用户手机号 ends in 手机号
        for start in range(1, len(words[-1]) - 1):
            phrase = words[-1][start:]
            hit = PHRASES.get(phrase)
            if hit is not None:
                return hit[0], hit[1], phrase
    return None


def classify(key: str) -> KeyRule:
    """Return the rule for an attribute key: the conventions' table first, then its words."""
    exact = EXACT.get(key)
    if exact is not None:
        return KeyRule(exact[0], exact[1], "semantic conventions", known=True)
    if key in KEPT:
        return KeyRule("keep", "", "semantic conventions", known=True)
    lower = key.lower()
    for prefix, (cls, kind) in PREFIXES.items():
        if lower.startswith(prefix):
            return _behind_prefix(cls, kind, key[len(prefix) :])
    parts = lower.split(".")
    known = parts[0] in NAMESPACES
    if _is_content(parts):
        return KeyRule("content", "", "content of GenAI", known=True)
    hit = classify_words(split_words(key))
    kept = any(".".join(parts[:length]) + "." in KEPT for length in range(1, len(parts)))
    if hit is not None and not (kept and hit[0] == "likely"):
        return KeyRule(hit[0], hit[1], f"key word: {hit[2]}", known=known)
    if kept and not _FREE.search(lower):
        return KeyRule("keep", "", "semantic conventions", known=True)
    return KeyRule("scan", "", "semantic conventions", known=True) if known else SCAN


# Parts of platform keys that hold what anybody wrote there.
_FREE = re.compile(r"annotation|label|tag|description|message|title|comment|subject|text|reason")


def _is_content(parts: list[str]) -> bool:
    """Say whether a key names what a prompt, an answer or a tool call says."""
    if parts[0] not in CONTENT_ROOTS or len(parts) == 1:
        return False
    last = next((part for part in reversed(parts) if not part.isdigit()), "")
    return last in CONTENT_ENDS and not (parts[0] in ("message", "document") and last == "value")


def _behind_prefix(cls: str, kind: str, rest: str) -> KeyRule:
    """Return the rule for `http.request.header.<rest>` and its like."""
    if cls == "personal":
        return KeyRule("personal", kind, "semantic conventions", known=True)
    if cls == "header":
        # OpenTelemetry's Python instrumentors write underscores, against the conventions.
        header = HEADERS.get(rest.lower().replace("_", "-"))
        if header is not None:
            return KeyRule(*header, "header that carries it", known=True)
    hit = classify_name(rest)
    if hit is None:
        return KeyRule("scan", "", "semantic conventions", known=True)
    return KeyRule(hit[0], hit[1], f"key word: {hit[2]}", known=True)
