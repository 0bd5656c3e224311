"""Find what must not leave in the value of an attribute, by what its key says about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.commands import find_json_values, find_redis_arguments, is_redis
from bear_otel.privacy.findings import Finding, merge
from bear_otel.privacy.likely import is_likely
from bear_otel.privacy.markers import PERSONAL_KINDS, is_clean, masked
from bear_otel.privacy.network import shorten_client
from bear_otel.privacy.scan import ALL, STRONG, URL, find_all
from bear_otel.privacy.sql import find_literals
from bear_otel.privacy.urls import TELLING_PATHS, find_in_query, find_in_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bear_otel.privacy.keys import KeyRule

# Stores whose statements are not SQL, by `db.system.name`.
_REDIS: Final = frozenset(("redis", "valkey", "memcached", "keydb"))
_JSON: Final = frozenset(
    (
        "mongodb",
        "elasticsearch",
        "opensearch",
        "couchdb",
        "dynamodb",
        "aws.dynamodb",
        "azure.cosmosdb",
        "cosmosdb",
        "documentdb",
    )
)
PERSON: Final = "person"
_COORDINATE: Final = re.compile(r"[-+]?\d{1,3}\.\d+")
# Without one of these a short text holds nothing that shows by its own format.
_SUSPECT = re.compile(r"[\w-]{12}|[@%?]|://|\d{4}[ .+_-]\d")
_LONG: Final = 64
# A path of words and short numbers.
_PLAIN_PATH = re.compile(r"(?:/(?:[a-z_.-]{1,24}|v\d|\d{1,8})){1,12}/?")


def find_in_value(
    rule: KeyRule, text: str, context: str = "", *, cleared: bool = False
) -> list[Finding]:
    """Return what must not leave in a value, in order and without overlaps.

    Args:
        rule: What the key says.
        text: The value.
        context: What other keys of the record say: `db.system.name` for a statement, `person` where
            keys beside this one are a person's.
        cleared: Whether personal values may leave. They are left out before findings are merged, so
            that none of them hides a secret.
    """
    if not text or is_clean(text):
        return []
    text = masked(text)
    found = _find(rule, text, context, cleared=cleared)
    if cleared:
        found = [one for one in found if one.kind not in PERSONAL_KINDS]
    return merge(text, found) if found else []


def _find(rule: KeyRule, text: str, context: str, *, cleared: bool) -> list[Finding]:
    cls = rule.cls
    if cls in ("secret", "personal"):
        return [Finding(0, len(text), rule.kind, rule.source)]
    if cls == "keep":
        return find_all(text, STRONG) if len(text) > _LONG or _SUSPECT.search(text) else []
    if cls == "sql":
        return [*find_all(text, STRONG), *_statement(text, context)]
    open_door = cleared and rule.kind in PERSONAL_KINDS
    if (
        cls == "likely"
        and not open_door
        and is_likely(text.strip(), rule.kind, person=context == PERSON, quoted=True)
    ):
        return [Finding(0, len(text), rule.kind, rule.source)]
    if cleared and cls not in ("url", "query"):
        return find_all(text)
    if cls == "url":
        if _PLAIN_PATH.fullmatch(text) and TELLING_PATHS.isdisjoint(text.lower().split("/")):
            return []
        return [*find_all(text, ALL if cleared else URL), *find_in_url(text)]
    if cls == "query":
        found = list(find_in_query(text))
        return [*found, *find_all(text)] if cleared or "@" in text or "%" in text else found
    if cls == "fragment":
        return [Finding(0, len(text), "query", rule.source)]
    if cls == "ip":
        short = shorten_client(text)
        if short is not None:
            return [] if short == text else [Finding(0, len(text), "ip", "client address", short)]
        return [*_addresses(text), *find_all(text)]
    if cls == "geo":
        return [*_coordinates(text, rule.source), *find_all(text)]
    return find_all(text)


def _coordinates(text: str, source: str) -> Iterable[Finding]:
    """Yield the coordinates of a value, rounded to about eleven kilometres."""
    for number in _COORDINATE.finditer(text):
        rounded = str(round(float(number.group()), 1))
        if rounded != number.group():
            yield Finding(*number.span(), "geo", source, rounded)


def _statement(text: str, dialect: str) -> Iterable[Finding]:
    dialect = dialect.lower()
    if dialect in _REDIS or (not dialect and is_redis(text)):
        return find_redis_arguments(text)
    if dialect in _JSON or (not dialect and re.match(r"\s*(?:[\w.$]+\s+)?[\[{]|db\.", text)):
        return find_json_values(text)
    return find_literals(text, dialect=dialect)


def _addresses(text: str) -> Iterable[Finding]:
    """Yield the addresses of a client; `X-Forwarded-For` lists several."""
    for part in re.finditer(r"[^\s,;=\"]+", text):
        short = shorten_client(part.group())
        if short is not None and short != part.group():
            yield Finding(part.start(), part.end(), "ip", "client address", short)
