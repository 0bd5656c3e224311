"""Find in URLs what names a person or opens a door."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.keys import classify_name
from bear_otel.privacy.markers import is_filled
from bear_otel.privacy.shapes import SERVICE_USERS, digit_count, is_placeholder, looks_random
from bear_otel.privacy.source import alternatives, first_words, word_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_URL = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.:-]{1,40}?)://([^\s<>\"'`\\|]{1,8192})")
_RELATIVE = re.compile(r"(?<![\w:/.])/[^\s?\"'<>`]{0,1024}\?[^\s\"'<>`]{1,8192}")
_PERSONS: Final = """
    user, users, customer, customers, patient, patients, member, members, employee, employees,
    people, person, persons, profile, profiles, u, student, students, subscriber, subscribers,
    guest, guests, passenger, passengers, contact, contacts
"""
PERSON_PATHS: Final = first_words(_PERSONS)
_PERSON_PATH = re.compile(
    rf"/(?:{alternatives(_PERSONS)})/(?!\{{|<|:|\*)([^/\s?#&\"'<>,;)\]]{{1,256}})",
    re.IGNORECASE,
)
_FULL_NAME = re.compile(r"[a-z]{2,20}\.[a-z]{2,20}")
_OPENERS: Final = """
    reset, resets, reset-password, reset_password, password-reset, password_reset, verify,
    verification, verify-email, verify_email, confirm, confirmation, confirm-email, activate,
    activation, invite, invites, invitation, invitations, unsubscribe, magic, magic-link,
    magic_link, magiclink, token, tokens, share, shared, auth, callback, key, keys, secret,
    secrets, s, join, accept, optout, webhook, webhooks, hook, hooks, bot, sso, otp, session,
    sessions, recover, recovery, download, downloads, signed, sign, track, tracking
"""
SECRET_PATHS: Final = first_words(_OPENERS)
TELLING_PATHS: Final = frozenset(
    part.strip() for part in f"{_PERSONS},{_OPENERS}".replace("\n", " ").split(",")
)
_SECRET_PATH = re.compile(
    rf"/(?:{alternatives(_OPENERS)})/(?!\{{|<|:)([^/\s?#&\"'<>,;)\]]{{1,512}})",
    re.IGNORECASE,
)
_NEXT = re.compile(r"/([\w-]{16,256})(?![\w.])")
_MATRIX = re.compile(r";([\w.-]{1,64})=([^;/?#\s]{1,1024})")
_SEGMENT = re.compile(r"/([\w~%=+-]{22,512})(?![\w.:])")
# What comes behind it is base64, in which a slash is a letter.
_DIGEST = re.compile(r"(?:sha\d{1,3}[-:=]|\bh1:)[A-Za-z0-9+/]{0,88}\Z")
_PARAMETER = re.compile(r"([^&;=?#]{1,128})=([^&;#]*)")
_SCHEMELESS = re.compile(
    r"(?:(?<![\w/:@.-])|(?<=thin:)|(?<=oci:))([A-Za-z]\w{0,30}/[^\s/@\"':,()]{1,64})@(?"
    r"://)?[\w.-]{1,100}(?::\d{2,5})?(?:/\w+)?"
)
# Go and PHP data source names: user:secret@tcp(host:3306)/name.
_SOURCE_NAME = re.compile(
    r"(?<![\w/:.@-])([A-Za-z][\w.-]{0,48}:[^\s:@/\"'(){}]{1,128})@"
    r"(?=(?:unix|tcp|udp)?\(|(?!sha\d)[\w.-]{1,64}(?::\d{2,5}\b|/\w))"
)
# The same without protocol and host; only a password with a digit and a letter counts.
_NO_HOST = re.compile(
    r"(?<![\w/:.@-])([A-Za-z][\w.-]{0,48}:(?=[^\s:@/]{0,128}\d)(?=[^\s:@/]{0,128}[A-Za-z])"
    r"[^\s:@/\"'(){}]{6,128})@(?=/\w)"
)
_NO_SCHEME = re.compile(r"(?<!:)//([^\s/@:]{1,64}:[^\s/@]{1,256})@(?=[\w.-])")
# Parameters that say how to answer, not for whom.
_ALLOWED: Final = word_set("""
    page per_page perpage page_size pagesize limit offset size skip take start end first last
    count sort sort_by sortby order order_by orderby dir direction format fields include exclude
    expand embed lang locale hl version v api-version api_version apiversion view mode tab type
    kind status charset encoding timeout retries pretty verbose sslmode ssl tls application_name
    connect_timeout pool_size max_overflow replicaset retrywrites w authsource authmechanism
    readpreference driver encrypt trustservercertificate usessl servertimezone characterencoding
    utm_source utm_medium dry_run force recursive depth interval step period granularity unit
    currency timezone tz role_type token_type expires_in stream async wait db protocol heartbeat
    channel_max frame_max vhost prefetch compress compression
    """)
_PLAIN = re.compile(r"[\w.,:+\-/ ]{0,32}")
_SLUG = re.compile(
    r"[0-9a-f]{7,64}|[A-Za-z][A-Za-z_.\-]{0,48}(?:\d{1,3})?|L\d{1,5}(?:-L\d{1,5})?"
    r"|issuecomment-\d+|:~:text=.*|/.*|!.*"
)
_WORDY = re.compile(r"[a-z][a-z_\-]{0,32}")


def find_urls(source: Source) -> Iterator[Finding]:
    """Yield what must not leave in the URLs and request targets of a text."""
    text = source.text
    if "://" in text:
        for found in _URL.finditer(text):
            start, end = found.start(2), found.end(2)
            end = start + len(text[start:end].rstrip(".,;:!?)]}*"))
            yield from _authority(text, start, end, found[1].lower())
            yield from _path(text, start, end, whole=False)
    if "?" in text:
        for found in _RELATIVE.finditer(text):
            yield from _query(text, text.index("?", found.start()) + 1, found.end())
    if "/" in text:
        if source.words & PERSON_PATHS or "/u/" in text or "/~" in text:
            yield from _person_segments(text, 0, len(text))
        yield from _telling_segments(text, 0, len(text), telling=bool(source.words & SECRET_PATHS))
    if "@" in text:
        yield from _credentials(text)


def _credentials(text: str) -> Iterator[Finding]:
    """Yield what stands before a host without the scheme of a URL."""
    for found in _SCHEMELESS.finditer(text):
        user, _, secret = found[1].partition("/")
        if secret and not is_placeholder(secret) and _names_database(text, found, user):
            yield Finding(*found.span(1), "password", "credentials before a host")
    for pattern in (_SOURCE_NAME, _NO_HOST, _NO_SCHEME):
        for found in pattern.finditer(text):
            yield Finding(*found.span(1), "password", "credentials before a host")


def _names_database(text: str, found: re.Match[str], user: str) -> bool:
    """Say whether `user/secret@host` is a database's: it has a port or a service."""
    if text[found.end() : found.end() + 1] == "@":
        return False  # `org/image@1.2@sha256:...`
    host = found.group().rpartition("@")[2]
    return ":" in host or "/" in host or user.lower() in ("scott", "system", "sys")


def find_in_url(text: str) -> Iterator[Finding]:
    """Yield what must not leave in a text that is one URL, path or request target."""
    start = 0
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.:-]{1,40}?)://", text)
    if scheme is not None:
        start = scheme.end()
        yield from _authority(text, start, len(text), scheme[1].lower())
    yield from _path(text, start, len(text), whole=True)
    yield from _person_segments(text, start, len(text))


def find_in_query(text: str) -> Iterator[Finding]:
    """Yield the values of a text that is one query string, with or without its question mark."""
    yield from _query(text, 1 if text.startswith("?") else 0, len(text))


def _authority(text: str, start: int, end: int, scheme: str) -> Iterator[Finding]:
    web = scheme in ("http", "https", "ws", "wss")
    stop = re.compile(r"[/?#]" if web else r"[?]").search(text, start, end)
    authority = text[start : stop.start() if stop else end]
    info, sign, _ = authority.rpartition("@")
    if not sign or not info or is_filled(info):
        return
    user, colon, password = info.partition(":")
    if colon:
        if is_placeholder(password) and (
            is_placeholder(user) or user.lower() in SERVICE_USERS or _WORDY.fullmatch(user)
        ):
            return
    elif user.lower() in SERVICE_USERS or user == "git" or is_placeholder(user):
        return
    yield Finding(start, start + len(info), "password" if colon else "token", "user info of a URL")


def _path(text: str, start: int, end: int, *, whole: bool) -> Iterator[Finding]:
    mark = re.compile(r"[?#]").search(text, start, end)
    path_end = mark.start() if mark else end
    if whole:
        yield from _telling_segments(text, start, path_end)
    for pair in _MATRIX.finditer(text, start, path_end) if whole else ():
        if pair[1].lower() not in _ALLOWED and not is_filled(pair[2]):
            yield Finding(*pair.span(2), "query", "path parameter")
    if mark is None:
        return
    fragment = text.find("#", path_end, end)
    if text[path_end] == "?":
        yield from _query(text, path_end + 1, fragment if fragment >= 0 else end)
    if fragment >= 0:
        value = text[fragment + 1 : end]
        if "=" in value and not value.startswith(":~:"):
            yield from _query(text, fragment + 1, end)
        elif value and not is_filled(value) and (whole or not _SLUG.fullmatch(value)):
            yield Finding(fragment + 1, end, "query", "fragment of a URL")


def _telling_segments(
    text: str, start: int, end: int, *, telling: bool = True
) -> Iterator[Finding]:
    """Yield path segments that are random, or stand behind one such as `/reset/`."""
    for segment in _SEGMENT.finditer(text, start, end):
        digest = _DIGEST.search(text, max(start, segment.start() - 96), segment.start())
        if digest is None and _is_token(segment[1]):
            yield Finding(*segment.span(1), "token", "random path segment")
    for found in _SECRET_PATH.finditer(text, start, end) if telling else ():
        if len(found[1]) > 5 and digit_count(found[1]) and "." not in found[1]:
            yield Finding(*found.span(1), "token", "path segment behind a telling one")
        for segment in _NEXT.finditer(text, found.end(), min(end, found.end() + 512)):
            if text[found.end() : segment.start()].count("/") > 2:
                break
            if looks_random(segment[1]):
                yield Finding(*segment.span(1), "token", "path segment behind a telling one")


def _is_token(segment: str) -> bool:
    if len(segment) < 22 or "." in segment or ":" in segment:
        return False
    mixed = segment != segment.lower() and segment != segment.upper()
    return mixed and looks_random(segment, least=22) and "-" not in segment[8:9]


def _person_segments(text: str, start: int, end: int) -> Iterator[Finding]:
    for found in _PERSON_PATH.finditer(text, start, end):
        value = found[1]
        if (
            digit_count(value)
            or "@" in value
            or "%40" in value
            or (value[:1].isupper() and value[1:].islower())
            or _FULL_NAME.fullmatch(value)
        ):
            if re.fullmatch(
                r"v\d+|[\w-]+\.(?:py|js|ts|tsx|java|go|rb|html?|json|css|php|ya?ml|md"
                r"|txt|sql|so)(?::\d+)*",
                value,
            ):
                continue
            yield Finding(found.start(1), found.end(1), "user", "path segment behind a person's")
    for found in re.compile(r"/~([A-Za-z][\w.-]{1,32})").finditer(text, start, end):
        yield Finding(found.start(1), found.end(1), "user", "home page")


def _query(text: str, start: int, end: int) -> Iterator[Finding]:
    any_pair = False
    for pair in _PARAMETER.finditer(text, start, end):
        any_pair = True
        key, value = pair[1], pair[2]
        if not value or is_filled(value) or is_placeholder(value):
            continue
        hit = classify_name(key)
        certain = hit is not None and hit[0] in ("secret", "personal")
        if not certain and key.lower() in _ALLOWED and _harmless(value):
            continue
        kind = hit[1] if hit is not None and certain else "query"
        yield Finding(pair.start(2), pair.end(2), kind, "query value")
    if not any_pair and end > start:
        value = text[start:end]
        if (
            not is_filled(value)
            and not _WORDY.fullmatch(value)
            and not is_placeholder(value)
            and len(value) > 1
        ):
            yield Finding(start, end, "query", "query string")


def _harmless(value: str) -> bool:
    return (
        _PLAIN.fullmatch(value) is not None and digit_count(value) <= 8 and not looks_random(value)
    )
