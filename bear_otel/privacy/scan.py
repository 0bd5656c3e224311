"""Run the detectors over one text, within its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bear_otel.privacy.assignments import VALUE_WORDS, find_assignments
from bear_otel.privacy.cache import BoundedCache
from bear_otel.privacy.cards import find_cards
from bear_otel.privacy.commands import STORE_WORDS, find_flags, find_store_commands
from bear_otel.privacy.emails import find_emails
from bear_otel.privacy.encoded import decoded_runs
from bear_otel.privacy.errors import ERROR_WORDS, find_error_values
from bear_otel.privacy.escaped import escaped_texts
from bear_otel.privacy.findings import Finding
from bear_otel.privacy.homes import find_homes
from bear_otel.privacy.markers import CUT, SECRET_KINDS, masked
from bear_otel.privacy.network import find_addresses, find_addresses_in, may_hold_addresses
from bear_otel.privacy.numbers import URI_WORDS, find_numbers, find_numbers_in, may_hold_numbers
from bear_otel.privacy.prose_numbers import (
    BIRTH_WORDS,
    ID_WORDS,
    PHONE_WORDS,
    STEMS,
    find_births_in_prose,
    find_ids_in_prose,
    find_phones_in_prose,
)
from bear_otel.privacy.prose_people import (
    GEO_WORDS,
    HOST_WORDS,
    PERSON_WORDS,
    STREET_STEMS,
    STREET_WORDS,
    USER_WORDS,
    find_degrees,
    find_map_places,
    find_people,
    find_places,
    find_streets,
    find_users,
    find_users_in_logs,
    find_users_of_hosts,
)
from bear_otel.privacy.prose_secrets import (
    CODE_WORDS,
    RANDOM_WORDS,
    SECRET_STEMS,
    SECRET_WORDS,
    find_codes,
    find_random_in_prose,
    find_secrets_in_prose,
)
from bear_otel.privacy.source import Source, outline
from bear_otel.privacy.sql import SQL_WORDS, find_sql
from bear_otel.privacy.tokens import find_tokens
from bear_otel.privacy.tracebacks import WithoutFrames
from bear_otel.privacy.urls import PERSON_PATHS, SECRET_PATHS, find_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Detector(NamedTuple):
    """One family of findings. It runs when one of its gates or one of its words is in the text.

    Args:
        find: Yields the findings.
        gates: Signs and parts of words, looked for in the lower case.
        words: Whole words.
    """

    find: Callable[[Source], Iterator[Finding]]
    gates: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()


_ALWAYS: Final = ("",)
# What shows by its own format. These run on every text, also under keys that are kept.
STRONG: Final[tuple[Detector, ...]] = (
    Detector(find_emails, ("@", "%40", "\\u0040", "&#64;", "\uff20"), frozenset(("at",))),
    Detector(find_tokens, _ALWAYS),
    Detector(find_cards, _ALWAYS),
    Detector(find_urls, ("://", "?", "@")),
)
# What a URL is searched for besides its own parts.
URL: Final[tuple[Detector, ...]] = (
    *STRONG[:2],
    Detector(find_numbers, _ALWAYS),
    Detector(find_addresses, _ALWAYS),
    Detector(find_homes, ("/home/", "/users/")),
)
ALL: Final[tuple[Detector, ...]] = (
    STRONG[0],
    STRONG[1],
    Detector(
        find_assignments, ("=", ":", "\uff1a", "\uff1d", "%3", "</", "('", '["', "['", "(b'", '("')
    ),
    Detector(find_numbers, _ALWAYS),
    Detector(find_addresses, (".", ":", "-")),
    Detector(find_urls, ("/", "?", "@")),
    Detector(find_homes, ("/home/", "/users/", ":\\users", "documents and settings", ":/users")),
    Detector(find_sql, words=SQL_WORDS),
    Detector(find_error_values, (")=(",), ERROR_WORDS),
    Detector(
        find_flags,
        (" -", "'-", '"-', "--", "auth", "pass", " /p"),
        frozenset(("identified", "vault", "lftp", "secret")),
    ),
    Detector(find_store_commands, ('] "',), STORE_WORDS),
    Detector(find_secrets_in_prose, words=SECRET_WORDS),
    Detector(find_random_in_prose, words=RANDOM_WORDS),
    Detector(find_codes, words=CODE_WORDS),
    Detector(find_people, words=PERSON_WORDS),
    Detector(find_users, words=USER_WORDS),
    Detector(find_users_of_hosts, words=HOST_WORDS),
    Detector(find_phones_in_prose, words=PHONE_WORDS),
    Detector(find_ids_in_prose, words=ID_WORDS),
    Detector(find_births_in_prose, words=BIRTH_WORDS),
    Detector(find_streets, STREET_STEMS, STREET_WORDS),
    Detector(find_users_in_logs, (" - ", " : ")),
    Detector(find_places, words=GEO_WORDS),
    Detector(find_map_places, ("@",)),
    Detector(find_degrees, ("°",)),
)
# Encodings within encodings, as logs of logs have them.
_DEEPEST: Final = 3
_VOCABULARY: Final = frozenset().union(
    *(detector.words for detector in (*STRONG, *ALL)),
    URI_WORDS,
    PERSON_PATHS,
    SECRET_PATHS,
    VALUE_WORDS,
)
_STEMS: Final = STEMS | SECRET_STEMS


def read(text: str, code: Sequence[tuple[int, int]] = ()) -> Source:
    """Return a text in the forms that detectors read."""
    return Source(text, _VOCABULARY, _STEMS, code)


def find_all(
    text: str, detectors: tuple[Detector, ...] = ALL, depth: int = _DEEPEST
) -> list[Finding]:
    """Return what must not leave a text, in any order; findings may overlap."""
    text = masked(text)
    shortened = WithoutFrames(text)
    skeleton = outline(shortened.text) if detectors is ALL else None
    numbered = _HARMLESS.get(skeleton) if skeleton is not None else None
    if numbered is not None:
        short = shortened.text
        found = [*find_numbers_in(short), *find_addresses_in(short)] if numbered else []
        return shortened.restore(found)
    source = read(shortened.text, shortened.code)
    found = shortened.restore(_find(source, detectors, depth))
    if detectors is ALL:
        if "\\" in text and depth:
            for start, inner, offsets in escaped_texts(text):
                found += offsets.restore(find_all(inner, depth=depth - 1), start)
        shortened.learn(found)
    if skeleton is not None and not (found or source.telling or source.words & _TELLING):
        _HARMLESS.put(skeleton, may_hold_numbers(skeleton) or may_hold_addresses(skeleton))
    return found


# Log lines come from templates. Where nothing was found, and no key or word asks what the digits
# are, another line with the same outline can differ in its numbers only: these are looked at again
# if their shapes allow it, which the value says.
_TELLING: Final = SECRET_WORDS | RANDOM_WORDS | CODE_WORDS | BIRTH_WORDS | SQL_WORDS
_HARMLESS: Final[BoundedCache[str, bool]] = BoundedCache(1024)


def _find(source: Source, detectors: tuple[Detector, ...], depth: int) -> list[Finding]:
    text, lower, words = source.text, source.lower, source.words
    found: list[Finding] = []
    for find, gates, needed in detectors:
        if words and not needed.isdisjoint(words):
            found.extend(find(source))
            continue
        for gate in gates:
            if gate in lower:
                found.extend(find(source))
                break
    if depth and ("%" in text or "=" in text or '"' in text):
        found.extend(_find_encoded(source, found, depth - 1))
    return found


def _find_encoded(source: Source, known: list[Finding], depth: int) -> list[Finding]:
    """Return the encoded runs that hold something not found so far.

    A secret counts even where something personal was found: that alone may be allowed to leave.
    """
    found: list[Finding] = []
    for start, end, decoded in decoded_runs(source):
        overlapping = {one.kind for one in known if one.start < end and one.end > start}
        if overlapping & SECRET_KINDS:
            continue
        within = find_all(decoded, depth=depth)
        secret = next((one for one in within if one.kind in SECRET_KINDS), None)
        first = secret or (within[0] if within and not overlapping else None)
        if first is not None:
            found.append(Finding(start, end, first.kind, f"encoded: {first.rule}"))
    return found


def cut(text: str, limit: int) -> str:
    """Return the text, or a head of it that leaves room for the marker of a cut text.

    The cut goes to the last space nearby, so that no half of a secret is left that no detector
    would know.
    """
    if len(text) <= limit:
        return text
    head = text[: limit - len(CUT) - 1]
    space = max(head.rfind(c, max(0, len(head) - 512)) for c in " \n\t")
    if space > 0:
        head = head[:space]
    opened = head.rfind("[REDACTED:")
    if opened >= 0 and "]" not in head[opened:]:
        head = head[:opened]
    return head.rstrip()
